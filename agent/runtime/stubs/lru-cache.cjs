// Stands in for the npm package "lru-cache" in the bundle. The MQTT library makes one as large as the broker's Topic Alias
// Maximum (up to 65,535 entries, 1.5 MB at once) on each connection; the agent uses no topic aliases, so it stays empty.
class LRUCache {
  get() {
    return undefined;
  }
  set() {
    throw new Error("topic aliases are not used");
  }
  clear() {}
}
module.exports = { LRUCache };
