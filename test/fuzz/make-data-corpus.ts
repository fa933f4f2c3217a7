/**
 * Writes the kept inputs of the agent's data path: `node --import tsx test/fuzz/make-data-corpus.ts`. Everything comes from
 * the vectors of the sealed formats and from what stores answer. Inputs that once showed a fault stand beside these under
 * names of their own and are not touched.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fragmentBoxes } from "../../agent/segment/boxes.ts";
import { CONFIG, OTHER_CONFIG } from "../agent/double/clip.ts";
import { liveFile } from "../agent/seal/make/live.ts";
import { prunedFile } from "../agent/seal/make/pruned.ts";
import { recordsFile } from "../agent/seal/make/records.ts";
import { segmentsFile } from "../agent/seal/make/segments.ts";
import { fromHex } from "../agent/seal/reference.ts";
import { head, joined, oddMp4, segmentMp4 } from "../owner/support/mp4.ts";

function write(target: string, name: string, bytes: Uint8Array | string): void {
  const folder = join(import.meta.dirname, "corpus", target);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), bytes);
}

const RESPONSES: Record<string, string> = {
  stored:
    'HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n',
  conflict:
    "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 63\r\n\r\n<Error><Code>PreconditionFailed</Code><Message>x</Message></Error>",
  chunked:
    "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n14\r\n<Error><Code>A</Code>\r\n8;e=1\r\n</Error>\r\n0\r\nT: x\r\n\r\n",
  interim: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  unbounded: "HTTP/1.0 500 Oops\r\nServer: x\r\n\r\nuntil the end",
  redirect: "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n",
  "negative-chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
  folded: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\nx",
};

for (const [name, text] of Object.entries(RESPONSES)) write("http-response", `${name}.bin`, text);

for (const [i, { object }] of segmentsFile().segments.entries())
  write("segment", `segment-${i}.bin`, fromHex(object));
for (const [i, { object }] of prunedFile().good.entries())
  write("segment", `pruned-${i}.bin`, fromHex(object));
for (const [i, { opens }] of segmentsFile().segments.entries())
  write("metadata", `metadata-${i}.bin`, fromHex(opens.metadata));
for (const [i, { envelope }] of recordsFile().good.entries())
  write("record", `record-${i}.bin`, fromHex(envelope));
write("record", "announcement.bin", fromHex(liveFile().announcement));
for (const [i, { part }] of liveFile().parts.slice(0, 3).entries())
  write("live", `part-${i}.bin`, fromHex(part));
for (const [name, hex] of Object.entries({
  high: "6764001eacb201407b602d4180415000000300100000030328f162e480",
  baseline: "6742c00ddc0a0fd80880000003008000000c078b1728",
  high422: "677a001ebcb201407b602d418041500000030010000003032",
}))
  write("sps", `${name}.bin`, new Uint8Array(Buffer.from(hex, "hex")));

const short = (decodeTime: number, key: boolean) =>
  joined(
    fragmentBoxes(2, { sizes: [5, 6], durations: [3_600, 3_601], decodeTime, key }),
    new Uint8Array(11),
  );
const second = segmentMp4(7_200, [3_600, 3_600]).subarray(head().length);
for (const [name, plain] of Object.entries({
  "even-durations": segmentMp4(90_000, [3_600, 3_600, 3_600]),
  "other-durations": segmentMp4(0, [3_600, 3_601, 7_200], OTHER_CONFIG),
  continuation: joined(head(CONFIG), short(0, false), short(7_201, true)),
  "two-fragments": joined(segmentMp4(0, [3_600, 3_600]), second),
  defaults: oddMp4({ defaults: [3_600, 4, 0], truns: [{ count: 3, at: 0 }], mdat_bytes: 16 }),
  "two-runs": oddMp4({
    ...{ defaults: [3_600, 4, 0], time: [1, 0], mdat_bytes: 16 },
    truns: [
      { count: 1, at: 0 },
      { count: 2, at: 4 },
    ],
  }),
}))
  write("mp4", `${name}.bin`, plain);
