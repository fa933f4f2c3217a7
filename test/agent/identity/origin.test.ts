import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOrigin } from "../../../agent/identity/origin.ts";

test("host and port are read, the port has a default", () => {
  const cases: [string, string, number][] = [
    ["https://store.example", "store.example", 443],
    ["https://store.example:9000", "store.example", 9000],
    ["https://192.0.2.1:1", "192.0.2.1", 1],
    ["https://[2001:db8::1]:65535", "2001:db8::1", 65535],
    ["https://[::1]", "::1", 443],
    ["https://a-b.c", "a-b.c", 443],
  ];
  for (const [text, host, port] of cases) {
    assert.deepEqual(parseOrigin(text, "https", 443), { host, port }, text);
  }
});

test("anything but scheme, host and port is refused", () => {
  const wrong = [
    "store.example",
    "http://store.example",
    "https://",
    "https://store.example/",
    "https://store.example/bucket",
    "https://user@store.example",
    "https://store.example:0",
    "https://store.example:65536",
    "https://store.example:",
    "https://store.example:80:80",
    "https://-a.example",
    "https://a..b",
    "https://a b",
    "https://store.example\r\nX: y",
    "https://[::1",
    "https://::1",
    "https://[fe80::1%eth0]",
    `https://${"a".repeat(64)}.example`,
    "mqtts://store.example",
  ];
  for (const text of wrong) assert.equal(parseOrigin(text, "https", 443), null, text);
});
