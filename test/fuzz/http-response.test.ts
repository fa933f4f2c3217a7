/** Fuzzing of what a store answers: any bytes, cut anywhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type HttpResponse,
  RESPONSE_BODY_BYTES_MAX,
  type ResponseFault,
  ResponseReader,
} from "../../agent/upload/http-response.ts";
import { judgePut } from "../../agent/upload/verdict.ts";
import { fuzz, generator } from "./fuzzing.ts";

type Result = HttpResponse | ResponseFault | null;

function read(pieces: readonly Uint8Array[], noBody: boolean): { fed: Result; ended: Result } {
  const reader = new ResponseReader(noBody);
  let fed: Result = null;
  for (const piece of pieces) fed = reader.feed(piece);
  return { fed, ended: reader.end() };
}

/** Cuts `input` at up to four places. */
function cut(input: Uint8Array, random: (below: number) => number): Uint8Array[] {
  const at = Array.from({ length: random(5) }, () => random(input.length + 1)).sort(
    (a, b) => a - b,
  );
  return [...at, input.length].map((end, i) => input.subarray(at[i - 1] ?? 0, end));
}

test("any bytes are a response, a fault, or not enough: the same however they are cut, bounded, and judged", async () => {
  const random = generator(1);
  const counts = new Map<string, number>();
  await fuzz("http-response", (input) => {
    const noBody = random(4) === 0;
    const whole = read([input], noBody);
    assert.deepEqual(read(cut(input, random), noBody), whole);
    const { ended } = whole;
    const kind = typeof ended === "string" ? ended : ended === null ? "cut short" : "response";
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (ended === null || typeof ended === "string") return;
    assert.ok(ended.status >= 200 && ended.status <= 599);
    assert.ok(ended.body.length <= RESPONSE_BODY_BYTES_MAX);
    const verdict = judgePut({ ...ended, sentUs: 0, receivedUs: 0 }, false);
    assert.ok(verdict.is === "stored" ? ended.status < 300 : true);
  });
  console.log(counts);
  assert.ok((counts.get("response") ?? 0) > 0 && (counts.get("malformed") ?? 0) > 0);
});
