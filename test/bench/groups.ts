/** Where instructions go: functions by what they do, so that a table of a dozen lines tells it. */

/** A group and the functions that belong to it; the first that fits a name takes it. */
const GROUPS: readonly (readonly [title: string, names: RegExp])[] = [
  ["hash chunks (SHA-256)", /^(SHA256_|crypto_hash_sha256|crypto_auth_hmacsha256)/],
  [
    "seal (XSalsa20-Poly1305)",
    /^(crypto_core_h?salsa20|stream_(ref|salsa)|poly1305_(blocks|init|update|finish|donna)|crypto_(stream|onetimeauth|secretbox))/,
  ],
  ["TLS (ChaCha20-Poly1305, records)", /^(chacha20_|poly1305_|mbedtls_|ssl_|psa_)/],
  [
    "sign and derive (Ed25519, X25519, SHA-512)",
    /^(fe25519|ge25519|sc25519|SHA512_|crypto_hash_sha512|crypto_sign|crypto_scalarmult|_crypto_sign)/,
  ],
  ["copy and clear", /^(memcpy|memmove|memset|sodium_memzero|explicit_bzero)$/],
  [
    "engine: heap",
    /^(heap_|malloc|realloc|calloc|free|default_malloc|__libc_(malloc|realloc|free|calloc)|get_meta|alloc_|nontrivial_free|free_group|enframe|unmap_chunk|queue|dequeue)/,
  ],
  [
    "engine: JavaScript",
    /^(JS_|js_|__JS_|lre_|add_(property|shape|fast)|free_(gc|property|var|zero)|gc_|mark_children|resize_|string_buffer|find_own|is_strict|get_|set_|unicode_|i32toa|u32toa|prop|build_arg|async_func|close_var|list_|dbuf|bf_|__udivdi3|__umoddi3|__divdi3|__moddi3)/,
  ],
];
const REST = "host, ring, C library";

export interface Group {
  readonly title: string;
  readonly instructions: number;
}

/** Sums by group, largest first. */
export function grouped(functions: ReadonlyMap<string, number>): Group[] {
  const sums = new Map<string, number>();
  for (const [name, instructions] of functions) {
    const title = GROUPS.find(([, names]) => names.test(name))?.[0] ?? REST;
    sums.set(title, (sums.get(title) ?? 0) + instructions);
  }
  return [...sums]
    .map(([title, instructions]) => ({ title, instructions }))
    .sort((a, b) => b.instructions - a.instructions);
}
