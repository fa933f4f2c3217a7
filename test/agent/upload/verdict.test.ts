import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpAnswer, HttpFailure } from "../../../agent/upload/http.ts";
import { errorCode, judgePut, leavesUncertain } from "../../../agent/upload/verdict.ts";

function answer(status: number, code = ""): HttpAnswer {
  const xml = code === "" ? "" : `<?xml version="1.0"?>\n<Error><Code>${code}</Code></Error>`;
  return {
    status,
    headers: new Map(),
    body: new Uint8Array(Buffer.from(xml)),
    keepAlive: true,
    sentUs: 0,
    receivedUs: 0,
  };
}

function failed(why: HttpFailure["failed"], over: Partial<HttpFailure> = {}): HttpFailure {
  return { failed: why, text: "words", uncertain: false, stale: false, ...over };
}

/** What is decided, and the cause where there is one. */
function decide(result: HttpAnswer | HttpFailure, uncertain = false): string {
  const verdict = judgePut(result, uncertain);
  return "trouble" in verdict ? `${verdict.is} ${verdict.trouble.cause}` : verdict.is;
}

for (const [status, code, uncertain, expected] of [
  [200, "", false, "stored"],
  [201, "", false, "stored"],
  [204, "", false, "stored"],
  [412, "PreconditionFailed", false, "conflict store-conflict"],
  [412, "PreconditionFailed", true, "stored"],
  [412, "", true, "stored"],
  [409, "ConditionalRequestConflict", false, "later store-busy"],
  [409, "ConditionalRequestConflict", true, "later store-busy"],
  [403, "RequestTimeTooSkewed", false, "skewed store-clock"],
  [403, "RequestExpired", false, "skewed store-clock"],
  [403, "AccessDenied", false, "later store-forbidden"],
  [403, "InvalidAccessKeyId", false, "later store-forbidden"],
  [403, "SignatureDoesNotMatch", false, "later store-forbidden"],
  [403, "", false, "later store-forbidden"],
  [401, "", false, "later store-forbidden"],
  [400, "ExpiredToken", false, "later store-expired"],
  [400, "AuthorizationHeaderMalformed", false, "later store-region"],
  [404, "NoSuchBucket", false, "later store-no-bucket"],
  [404, "", false, "later store-no-bucket"],
  [301, "PermanentRedirect", false, "later store-redirect"],
  [307, "TemporaryRedirect", false, "later store-redirect"],
  [500, "InternalError", false, "later store-error"],
  [502, "", false, "later store-error"],
  [503, "SlowDown", false, "later store-busy"],
  [503, "", false, "later store-error"],
  [429, "", false, "later store-busy"],
  [501, "NotImplemented", false, "later store-unsupported"],
  [507, "XMinioStorageFull", false, "later store-full"],
  [400, "EntityTooLarge", false, "refused store-refused"],
  [413, "", false, "refused store-refused"],
  [400, "KeyTooLongError", false, "refused store-refused"],
  [400, "InvalidRequest", false, "later store-refused"],
  [302, "", true, "later store-redirect"],
] as const)
  test(`${status} ${code}${uncertain ? " after an attempt without an answer" : ""}: ${expected}`, () =>
    assert.equal(decide(answer(status, code), uncertain), expected));

for (const [failure, expected] of [
  [failed("dns"), "later dns"],
  [failed("refused"), "later refused"],
  [failed("tls-certificate-expired"), "later tls-certificate-expired"],
  [failed("tls-certificate-untrusted"), "later tls-certificate-untrusted"],
  [failed("tls-certificate-name"), "later tls-certificate-name"],
  [failed("timeout"), "later timeout"],
  [failed("slow", { uncertain: true }), "later store-slow"],
  [failed("closed", { uncertain: true }), "later store-closed"],
  [failed("closed", { stale: true, uncertain: true }), "stale"],
  [failed("stopped"), "stale"],
  [failed("early", { uncertain: true }), "later store-malformed"],
  [failed("malformed"), "later store-malformed"],
  [failed("too-large"), "later store-malformed"],
] as const)
  test(`no answer because ${failure.failed}${failure.stale ? " (stale)" : ""}: ${expected}`, () =>
    assert.equal(decide(failure), expected));

test("every trouble is a whole sentence for the owner", () => {
  for (const status of [301, 400, 403, 404, 409, 412, 413, 429, 500])
    for (const code of ["", "Whatever"]) {
      const verdict = judgePut(answer(status, code), false);
      assert.ok("trouble" in verdict);
      assert.match(verdict.trouble.reason, /^[A-Z].*\.$/);
    }
  const verdict = judgePut(failed("dns"), false);
  assert.ok("trouble" in verdict);
  assert.match(verdict.trouble.reason, /^[A-Z].*\.$/);
});

test("an attempt is uncertain where bytes went out and no answer says what became of them", () => {
  assert.equal(leavesUncertain(failed("slow", { uncertain: true })), true);
  assert.equal(leavesUncertain(failed("refused")), false);
  for (const status of [500, 502, 503, 504]) assert.equal(leavesUncertain(answer(status)), true);
  for (const status of [200, 403, 404, 409, 412])
    assert.equal(leavesUncertain(answer(status)), false);
});

test("an error's code is found in what stores write, and nowhere else", () => {
  const code = (text: string) => errorCode(new Uint8Array(Buffer.from(text)));
  assert.equal(code("<Error><Code>NoSuchKey</Code><Message>x</Message></Error>"), "NoSuchKey");
  for (const text of [
    "",
    "<Code></Code>",
    "<Code>a b</Code>",
    "<Code>a",
    "<html>",
    `<Code>${"a".repeat(65)}</Code>`,
  ])
    assert.equal(code(text), "");
  assert.equal(code(`${" ".repeat(5000)}<Code>Late</Code>`), "", "only the beginning is looked at");
});
