// The one door to http-parser-js: its own types need Node's, and its parser wants Buffers, of which it uses what Bytes has.
import { HTTPParser } from "http-parser-js";

/** Characters that one call turns into text: its arguments lie on the engine's stack. */
const PIECE = 512;

/** Bytes whose text is Latin-1, made by the piece: `buffer` makes it by the character, 0.3 instructions a byte of footage. */
class Bytes extends Uint8Array {
  toString(_encoding, from, to) {
    let text = "";
    for (let at = from; at < to; at += PIECE) {
      text += String.fromCharCode.apply(null, this.subarray(at, Math.min(at + PIECE, to)));
    }
    return text;
  }
}

export function responseParser(events, headerBytesMax) {
  // Static, because the parser forgets a bound of its own after an interim response.
  HTTPParser.maxHeaderSize = headerBytesMax;
  const parser = new HTTPParser("RESPONSE");
  parser[HTTPParser.kOnHeadersComplete] = (info) => (events.headers(info) ? 1 : 0);
  parser[HTTPParser.kOnBody] = (chunk, offset, length) => events.body(chunk, offset, length);
  parser[HTTPParser.kOnMessageComplete] = () => events.complete();
  return {
    execute: (bytes) => !(parser.execute(new Bytes(bytes)) instanceof Error),
    finish: () => void parser.finish(),
  };
}
