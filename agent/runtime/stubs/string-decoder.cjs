// Stands in, in the bundle, for the npm package "string_decoder": no stream of the agent is read as text.
class StringDecoder {
  constructor() {
    throw new Error("streams are not read as text here");
  }
}
module.exports = { StringDecoder };
