/**
 * Plays a video file in real Chromium (the Debian package), from an HTTP server on loopback that knows Range, as a
 * web page would.
 */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { chromium } from "playwright-core";

/** What the browser saw of a file. */
export interface Playback {
  /** Whether it played to the end. */
  readonly ended: boolean;
  /** The element's error, empty if there was none. */
  readonly error: string;
  readonly duration_s: number;
  /** Frames the decoder delivered, those that came too late to be shown included. */
  readonly frames: number;
  /** Sizes of the pictures shown, each change once, such as 640x480. */
  readonly sizes: readonly string[];
  /** For each asked time: the picture scaled to 8 × 8, red green blue. */
  readonly pictures: readonly (readonly number[])[];
}

const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  "--autoplay-policy=no-user-gesture-required",
];

/**
 * Plays `path` at four times its speed, then looks at the picture at each time of `seek_s`. A file that stalls for a
 * minute is given up: it has not ended.
 */
export async function playInChromium(path: string, seek_s: readonly number[]): Promise<Playback> {
  const server = createServer((request, response) => {
    answer(path, request, response).catch((error: unknown) => response.destroy(Object(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${address.port}/`);
    return await page.evaluate<Playback>(`watch(${JSON.stringify(seek_s)})`);
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

async function answer(path: string, request: IncomingMessage, response: ServerResponse) {
  if (request.url !== "/video.mp4") {
    response.setHeader("content-type", "text/html");
    response.end(await readFile(new URL("player.html", import.meta.url)));
    return;
  }
  const { size } = await stat(path);
  const [, from = "0", to = ""] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "") ?? [];
  const start = Number(from);
  const end = to === "" ? size - 1 : Number(to);
  response.writeHead(206, {
    "content-type": "video/mp4",
    "accept-ranges": "bytes",
    "content-range": `bytes ${start}-${end}/${size}`,
    "content-length": end - start + 1,
  });
  createReadStream(path, { start, end }).pipe(response);
}
