// Stands in, in the bundle, for the entry of "readable-stream": the three classes that the MQTT library and the agent use,
// without the pipelines, operators and promises that the entry brings along. Relative, since the name leads here.
const { Stream } = require("../../../node_modules/readable-stream/lib/internal/streams/legacy.js");

// The entry gives the classes these two.
Stream._isUint8Array = (value) => value instanceof Uint8Array;
Stream._uint8ArrayToBuffer = (bytes) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

module.exports = {
  Duplex: require("../../../node_modules/readable-stream/lib/internal/streams/duplex.js"),
  Readable: require("../../../node_modules/readable-stream/lib/internal/streams/readable.js"),
  Writable: require("../../../node_modules/readable-stream/lib/internal/streams/writable.js"),
};
