// The one door to http-parser-js: its parser wants Buffers, which esbuild injects, and its own types need Node's.
import { HTTPParser } from "http-parser-js";

export function responseParser(events, headerBytesMax) {
  // Static, because the parser forgets a bound of its own after an interim response.
  HTTPParser.maxHeaderSize = headerBytesMax;
  const parser = new HTTPParser("RESPONSE");
  parser[HTTPParser.kOnHeadersComplete] = (info) => (events.headers(info) ? 1 : 0);
  parser[HTTPParser.kOnBody] = (chunk, offset, length) => events.body(chunk, offset, length);
  parser[HTTPParser.kOnMessageComplete] = () => events.complete();
  return {
    execute: (bytes) => !(parser.execute(Buffer.from(bytes)) instanceof Error),
    finish: () => void parser.finish(),
  };
}
