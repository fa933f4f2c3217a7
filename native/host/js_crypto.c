/* `native`: random numbers, hashes, signatures and key agreement. */
#include <sodium.h>
#include <stdint.h>

#include "crypto.h"
#include "js.h"

#define RANDOM_BYTES_MAX 65536
#define ANY_SIZE (SIZE_MAX / 4)

static JSValue js_set_device_seed(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  const uint8_t *seed;
  if (!js_exact_bytes(ctx, argv[0], "seed", KEY_BYTES, &seed))
    return JS_EXCEPTION;
  crypto_set_seed(seed);
  return JS_UNDEFINED;
}

static JSValue js_random(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint64_t count;
  uint8_t *data;
  size_t size;
  static const uint8_t blank[RANDOM_BYTES_MAX];
  if (!js_uint(ctx, argv[0], "bytes", RANDOM_BYTES_MAX, &count))
    return JS_EXCEPTION;
  JSValue bytes = js_new_bytes(ctx, blank, (size_t)count);
  if (!JS_IsException(bytes) && js_writable_bytes(ctx, bytes, "bytes", &data, &size))
    crypto_random(data, size);
  return bytes;
}

static JSValue js_wipe(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint8_t *data;
  size_t size;
  if (!js_writable_bytes(ctx, argv[0], "bytes", &data, &size))
    return JS_EXCEPTION;
  sodium_memzero(data, size);
  return JS_UNDEFINED;
}

static JSValue js_sha256(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes bytes;
  uint8_t digest[crypto_hash_sha256_BYTES];
  if (!js_bytes(ctx, argv[0], "bytes", ANY_SIZE, &bytes))
    return JS_EXCEPTION;
  crypto_hash_sha256(digest, bytes.data, bytes.size);
  return js_new_bytes(ctx, digest, sizeof digest);
}

static JSValue js_sha512(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes bytes;
  uint8_t digest[crypto_hash_sha512_BYTES];
  if (!js_bytes(ctx, argv[0], "bytes", ANY_SIZE, &bytes))
    return JS_EXCEPTION;
  crypto_hash_sha512(digest, bytes.data, bytes.size);
  return js_new_bytes(ctx, digest, sizeof digest);
}

static JSValue js_hmac_sha256(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes key;
  struct bytes bytes;
  uint8_t mac[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256_state state;
  if (!js_bytes(ctx, argv[0], "key", ANY_SIZE, &key) ||
      !js_bytes(ctx, argv[1], "bytes", ANY_SIZE, &bytes))
    return JS_EXCEPTION;
  crypto_auth_hmacsha256_init(&state, key.data, key.size);
  crypto_auth_hmacsha256_update(&state, bytes.data, bytes.size);
  crypto_auth_hmacsha256_final(&state, mac);
  sodium_memzero(&state, sizeof state);
  return js_new_bytes(ctx, mac, sizeof mac);
}

static JSValue js_equal(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes a;
  struct bytes b;
  if (!js_bytes(ctx, argv[0], "a", ANY_SIZE, &a) || !js_bytes(ctx, argv[1], "b", ANY_SIZE, &b))
    return JS_EXCEPTION;
  return JS_NewBool(ctx, a.size == b.size && sodium_memcmp(a.data, b.data, a.size) == 0);
}

static JSValue new_pair(JSContext *ctx, const uint8_t *public_key, size_t public_bytes,
                        const uint8_t *secret_key, size_t secret_bytes) {
  JSValue pair = JS_NewObject(ctx);
  if (JS_IsException(pair))
    return pair;
  js_set(ctx, pair, "publicKey", js_new_bytes(ctx, public_key, public_bytes));
  js_set(ctx, pair, "secretKey", js_new_bytes(ctx, secret_key, secret_bytes));
  return pair;
}

static JSValue js_sign_keypair(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  (void)argv;
  uint8_t seed[crypto_sign_SEEDBYTES];
  uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
  uint8_t secret_key[crypto_sign_SECRETKEYBYTES];
  crypto_random(seed, sizeof seed);
  crypto_sign_seed_keypair(public_key, secret_key, seed);
  JSValue pair = new_pair(ctx, public_key, sizeof public_key, secret_key, sizeof secret_key);
  sodium_memzero(seed, sizeof seed);
  sodium_memzero(secret_key, sizeof secret_key);
  return pair;
}

static JSValue js_sign(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes message;
  const uint8_t *secret_key;
  uint8_t signature[crypto_sign_BYTES];
  if (!js_bytes(ctx, argv[0], "message", ANY_SIZE, &message) ||
      !js_exact_bytes(ctx, argv[1], "secretKey", crypto_sign_SECRETKEYBYTES, &secret_key))
    return JS_EXCEPTION;
  crypto_sign_detached(signature, NULL, message.data, message.size, secret_key);
  return js_new_bytes(ctx, signature, sizeof signature);
}

/* Signature and public key come from the network, so another length is no defect of the caller. */
static JSValue js_verify(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes signature;
  struct bytes message;
  struct bytes public_key;
  if (!js_bytes(ctx, argv[0], "signature", ANY_SIZE, &signature) ||
      !js_bytes(ctx, argv[1], "message", ANY_SIZE, &message) ||
      !js_bytes(ctx, argv[2], "publicKey", ANY_SIZE, &public_key))
    return JS_EXCEPTION;
  return JS_NewBool(ctx, signature.size == crypto_sign_BYTES &&
                             public_key.size == crypto_sign_PUBLICKEYBYTES &&
                             crypto_sign_verify_detached(signature.data, message.data, message.size,
                                                         public_key.data) == 0);
}

static JSValue js_box_keypair(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  (void)argv;
  uint8_t public_key[crypto_box_PUBLICKEYBYTES];
  uint8_t secret_key[crypto_box_SECRETKEYBYTES];
  crypto_random(secret_key, sizeof secret_key);
  crypto_scalarmult_base(public_key, secret_key);
  JSValue pair = new_pair(ctx, public_key, sizeof public_key, secret_key, sizeof secret_key);
  sodium_memzero(secret_key, sizeof secret_key);
  return pair;
}

static JSValue js_box_before(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes public_key;
  const uint8_t *secret_key;
  uint8_t shared[crypto_box_BEFORENMBYTES];
  if (!js_bytes(ctx, argv[0], "publicKey", ANY_SIZE, &public_key) ||
      !js_exact_bytes(ctx, argv[1], "secretKey", crypto_box_SECRETKEYBYTES, &secret_key))
    return JS_EXCEPTION;
  if (public_key.size != crypto_box_PUBLICKEYBYTES ||
      crypto_box_beforenm(shared, public_key.data, secret_key) != 0)
    return JS_NULL;
  JSValue bytes = js_new_bytes(ctx, shared, sizeof shared);
  sodium_memzero(shared, sizeof shared);
  return bytes;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("setDeviceSeed", 1, js_set_device_seed),
    JS_CFUNC_DEF("random", 1, js_random),
    JS_CFUNC_DEF("wipe", 1, js_wipe),
    JS_CFUNC_DEF("sha256", 1, js_sha256),
    JS_CFUNC_DEF("sha512", 1, js_sha512),
    JS_CFUNC_DEF("hmacSha256", 2, js_hmac_sha256),
    JS_CFUNC_DEF("equal", 2, js_equal),
    JS_CFUNC_DEF("signKeypair", 0, js_sign_keypair),
    JS_CFUNC_DEF("sign", 2, js_sign),
    JS_CFUNC_DEF("verify", 3, js_verify),
    JS_CFUNC_DEF("boxKeypair", 0, js_box_keypair),
    JS_CFUNC_DEF("boxBefore", 2, js_box_before),
};

void js_crypto_install(JSContext *ctx, JSValueConst native) {
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
}
