// Stands in, in the bundle, for what the libraries require and the agent never reaches.
module.exports = {};
