// Stands in, in the bundle, for the entry of "readable-stream": the two classes that the MQTT library and the agent use,
// without the pipelines, operators and promises that the entry brings along. Relative, since the name leads here.
module.exports = {
  Readable: require("../../../node_modules/readable-stream/lib/internal/streams/readable.js"),
  Writable: require("../../../node_modules/readable-stream/lib/internal/streams/writable.js"),
};
