// Stands in for the npm package "debug" in the bundle: says nothing, formats nothing.
const silent = () => {};
silent.enabled = false;
module.exports = () => silent;
