/**
 * What a user would run on such a camera instead, on the same clip and under the same counter: ffmpeg
 * cutting segments, openssl encrypting them, curl uploading them; or RTP packets through a tunnel of
 * dropbear, the SSH server of small devices. Each figure is a cost per byte and a cost to start, from
 * two runs of different length.
 *
 * These run live (their keys are fresh), so figures differ by a few per mille between runs.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueServerCertificate, makeAuthority } from "../../scripts/cloud/ca.ts";
import { type Cost, costOf, instructions } from "./programs.ts";
import type { Comparison } from "./table.ts";
import { portOf, tunnelCost } from "./tunnel.ts";

/** Two lengths of the same footage. */
interface Clips {
  readonly small: string;
  readonly large: string;
  readonly smallBytes: number;
  readonly largeBytes: number;
  readonly directory: string;
}

function makeClips(clip: string, directory: string): Clips {
  const once = readFileSync(clip);
  const large = join(directory, "large.h264");
  writeFileSync(large, Buffer.concat([once, once, once]));
  const [smallBytes, largeBytes] = [statSync(clip).size, statSync(large).size];
  return { small: clip, large, smallBytes, largeBytes, directory };
}

async function twice(clips: Clips, run: (file: string) => Promise<number>): Promise<Cost> {
  const small = await run(clips.small);
  const large = await run(clips.large);
  return costOf([clips.smallBytes, small], [clips.largeBytes, large]);
}

function ffmpeg(clips: Clips, output: readonly string[]): Promise<Cost> {
  const quiet = ["-nostdin", "-v", "error", "-y", "-r", "25"];
  return twice(clips, (file) =>
    instructions("usr/bin/ffmpeg", [...quiet, "-i", file, "-c", "copy", ...output]),
  );
}

function openssl(clips: Clips, cipher: string): Promise<Cost> {
  const key = ["-K", "00".repeat(32), "-iv", "00".repeat(16)];
  return twice(clips, (file) =>
    instructions("usr/bin/openssl", [
      "enc",
      `-${cipher}`,
      ...key,
      "-in",
      file,
      "-out",
      "/dev/null",
    ]),
  );
}

async function curl(clips: Clips, ciphers: readonly string[]): Promise<Cost> {
  const authority = await makeAuthority("ocellus benchmark");
  const { certPem, keyPem } = await issueServerCertificate(authority, { names: ["127.0.0.1"] });
  const server = createHttps({ cert: certPem, key: keyPem }, (request, response) => {
    request.resume().on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  const ca = join(clips.directory, "ca.pem");
  writeFileSync(ca, authority.certPem);
  try {
    const options = ["--silent", "--show-error", "--fail", "--cacert", ca, "-H", "Expect:"];
    return await twice(clips, (file) =>
      instructions("usr/bin/curl", [
        ...[...options, ...ciphers, "--upload-file", file, `https://127.0.0.1:${port}/segment`],
      ]),
    );
  } finally {
    server.close();
  }
}

/** A row of the table. */
export function shown(title: string, cost: Cost, note: string): Comparison {
  const perByte = cost.perByte.toFixed(1);
  const start = (cost.start / 1e6).toFixed(0);
  return { title, measured: `${perByte} a byte + ${start} M to start`, note };
}

const chain = (...costs: readonly Cost[]): Cost => ({
  perByte: costs.reduce((sum, cost) => sum + cost.perByte, 0),
  start: costs.reduce((sum, cost) => sum + cost.start, 0),
});

/**
 * Measures them all on one clip.
 * @returns rows; a single one with the reason where Debian's mipsel packages cannot be had.
 */
export async function compare(clip: string): Promise<Comparison[]> {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-compare-"));
  try {
    const clips = makeClips(clip, directory);
    const segments = join(directory, "%d.mp4");
    const segment = await ffmpeg(clips, ["-f", "segment", "-segment_time", "4", segments]);
    const aes = await openssl(clips, "aes-256-ctr");
    const chacha = await openssl(clips, "chacha20");
    const upload = await curl(clips, []);
    const light = await curl(clips, ["--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"]);
    const rtp = await ffmpeg(clips, ["-f", "rtp", "rtp://127.0.0.1:9"]);
    const tunnel = await tunnelCost();
    const instead = chain(segment, chacha, light);
    return [
      shown(
        "ffmpeg segments + openssl + curl",
        instead,
        "ChaCha20 both times; what is stored is not authenticated",
      ),
      shown(
        "RTP in an SSH tunnel",
        chain(rtp, tunnel),
        "ffmpeg -f rtp + dropbear; not stored, SSH ends at the viewer",
      ),
      shown("ffmpeg -c copy -f segment", segment, "clear MP4 files"),
      shown("openssl enc, AES-256-CTR", aes, "not authenticated"),
      shown("openssl enc, ChaCha20", chacha, "not authenticated"),
      shown("curl, HTTPS upload", upload, "what both ends prefer: AES-256-GCM"),
      shown("curl, HTTPS upload, ChaCha20", light, "told to"),
      shown("ffmpeg -c copy -f rtp", rtp, "an RTSP server's part per byte"),
      shown("dropbear, port forwarding", tunnel, "an SSH tunnel's part, camera's side"),
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
