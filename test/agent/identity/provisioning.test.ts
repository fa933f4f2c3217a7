import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProvisioning } from "../../../agent/identity/provisioning.ts";
import { Owner } from "../owner.ts";

const owner = new Owner("provisioning");
const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
const parse = (file: unknown) => {
  const text = typeof file === "string" ? file : JSON.stringify(file);
  return parseProvisioning(new Uint8Array(Buffer.from(text)), decode);
};
const mistakes = (file: unknown) => {
  const parsed = parse(file);
  assert.ok("mistakes" in parsed, "the file was taken");
  return parsed.mistakes;
};

test("a good file gives every value", () => {
  const parsed = parse(owner.provisioning());
  assert.ok(!("mistakes" in parsed), JSON.stringify(parsed));
  assert.deepEqual(parsed.camera, owner.camera);
  assert.equal(parsed.tenant, "home");
  assert.deepEqual(parsed.token, owner.token);
  assert.deepEqual(parsed.rootKey, owner.root.publicKey);
  assert.deepEqual(parsed.seed, owner.seed);
  assert.equal(parsed.access.store.endpoint, "https://store.test:9000");
  assert.equal(parsed.access.store.pathStyle, true, "path_style is true by default");
  assert.equal(parsed.access.store.sessionToken, "");
  assert.equal(parsed.access.broker.url, "mqtts://broker.test:8883");
  assert.equal(parsed.access.broker.password, "broker password");
  assert.equal(parsed.wifi, null);
});

test("optional fields are taken", () => {
  const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  const file = owner.provisioning({
    store: { ca_pem: pem, path_style: false, session_token: "FwoGZXIvYXdzEB" },
    broker: { ca_pem: pem },
  });
  const parsed = parse({ ...file, wifi: { ssid: "home", passphrase: "12345678" } });
  assert.ok(!("mistakes" in parsed), JSON.stringify(parsed));
  assert.equal(parsed.access.store.pathStyle, false);
  assert.equal(parsed.access.store.sessionToken, "FwoGZXIvYXdzEB");
  assert.equal(parsed.access.store.caPem, pem);
  assert.deepEqual(parsed.wifi, { ssid: "home", passphrase: "12345678", hidden: false });
});

test("a network's name is 1 to 32 bytes, its passphrase what WPA takes, or absent where it is open", () => {
  const wifiOf = (wifi: object) => {
    const parsed = parse({ ...owner.provisioning(), wifi });
    assert.ok(!("mistakes" in parsed), JSON.stringify(parsed));
    return parsed.wifi;
  };
  const good = "8 to 63.";
  for (const ssid of ["a", "a".repeat(32), "é".repeat(16), "漢".repeat(10), "📷".repeat(8), " "]) {
    assert.equal(wifiOf({ ssid, passphrase: good })?.ssid, ssid);
  }
  const hex64 = "0123456789abcdefABCDEF".repeat(3).slice(0, 64);
  for (const passphrase of [good, " ~".repeat(31), "p".repeat(63), hex64]) {
    assert.equal(wifiOf({ ssid: "home", passphrase })?.passphrase, passphrase);
  }
  assert.deepEqual(wifiOf({ ssid: "open" }), { ssid: "open", passphrase: null, hidden: false });
  assert.equal(wifiOf({ ssid: "home", passphrase: good, hidden: true })?.hidden, true);

  const wrong: [string, object][] = [
    ["ssid", { ssid: "", passphrase: good }],
    ["ssid", { ssid: "a".repeat(33), passphrase: good }],
    ["ssid", { ssid: "é".repeat(17), passphrase: good }],
    ["ssid", { ssid: "📷".repeat(9), passphrase: good }],
    ["ssid", { ssid: "half \ud83d", passphrase: good }],
    ["ssid", { ssid: 7, passphrase: good }],
    ["ssid", { passphrase: good }],
    ...[
      "",
      "1234567",
      "p".repeat(64),
      `${hex64}0`,
      "g".repeat(64),
      "pässword",
      "tab\there",
      null,
    ].map((passphrase): [string, object] => ["passphrase", { ssid: "home", passphrase }]),
    ...["yes", 1, null].map((hidden): [string, object] => ["hidden", { ssid: "home", hidden }]),
    ["psk", { ssid: "home", psk: hex64 }],
    ["path_style", { ssid: "home", path_style: true }],
  ];
  for (const [field, wifi] of wrong) {
    const found = mistakes({ ...owner.provisioning(), wifi });
    assert.equal(found.length, 1, `${JSON.stringify(wifi)}: ${found}`);
    assert.ok(found[0]?.startsWith(`"wifi.${field}"`), found[0]);
  }
});

test("every missing field is named, in its own sentence", () => {
  const fields = ["camera", "tenant", "token", "root_key", "seed", "store", "broker"];
  for (const field of fields) {
    const { [field]: _, ...rest } = owner.provisioning();
    assert.deepEqual(mistakes(rest), [`"${field}" is missing.`]);
  }
  const { camera: _c, seed: _s, ...rest } = owner.provisioning();
  assert.deepEqual(mistakes(rest), [`"camera" is missing.`, `"seed" is missing.`]);
  for (const field of ["endpoint", "region", "bucket", "access_key_id", "secret_access_key"]) {
    const file = owner.provisioning({ store: { [field]: undefined } });
    assert.deepEqual(mistakes(file), [`"store.${field}" is missing.`]);
  }
  for (const field of ["url", "username", "password"]) {
    const file = owner.provisioning({ broker: { [field]: undefined } });
    assert.deepEqual(mistakes(file), [`"broker.${field}" is missing.`]);
  }
});

test("without an authority's certificate a camera could trust nobody, so both are required", () => {
  const nobody = /is missing: a camera trusts no authority but those named there\.$/;
  for (const ca_pem of [undefined, ""]) {
    for (const where of ["store", "broker"]) {
      const found = mistakes(owner.provisioning({ [where]: { ca_pem } }));
      assert.equal(found.length, 1);
      assert.ok(found[0]?.startsWith(`"${where}.ca_pem" `), found[0]);
      assert.match(found[0] ?? "", nobody);
    }
  }
});

test("an unknown field is refused wherever it stands", () => {
  const file = owner.provisioning();
  assert.deepEqual(mistakes({ ...file, tennant: "x" }), [`"tennant" is not a field of this file.`]);
  assert.deepEqual(mistakes(owner.provisioning({ store: { ca: "x" } })), [
    `"store.ca" is not a field of this file.`,
  ]);
  assert.deepEqual(mistakes(owner.provisioning({ broker: { path_style: true } })), [
    `"broker.path_style" is not a field of this file.`,
  ]);
  assert.deepEqual(mistakes({ ...file, "\u001b[31m": 1 }), [
    `"?[31m" is not a field of this file.`,
  ]);
  assert.equal(mistakes(`${JSON.stringify(file).slice(0, -1)},"__proto__":{}}`).length, 1);
});

test("every wrong value is refused by name", () => {
  const top: [string, unknown][] = [
    ["camera", "ABCDEF00000000000000000000000000"],
    ["camera", "00"],
    ["camera", 5],
    ["tenant", "Home"],
    ["tenant", ""],
    ["tenant", "a".repeat(33)],
    ["token", "AAAA"],
    ["token", null],
    ["root_key", "not base64"],
    ["seed", Buffer.alloc(31).toString("base64")],
    ["store", "https://x"],
    ["broker", []],
    ["wifi", "home"],
  ];
  for (const [field, value] of top) {
    const found = mistakes({ ...owner.provisioning(), [field]: value });
    assert.equal(found.length, 1, `${field} ${JSON.stringify(value)}: ${found}`);
    assert.ok(found[0]?.startsWith(`"${field}`), found[0]);
  }
  const store: [string, unknown][] = [
    ["endpoint", "http://store"],
    ["endpoint", "https://store/bucket"],
    ["region", "us east"],
    ["region", "us/east"],
    ["bucket", "B"],
    ["bucket", "a/b"],
    ["access_key_id", ""],
    ["access_key_id", "a b"],
    ["secret_access_key", "a\nb"],
    ["session_token", "a\r\nhost: x"],
    ["ca_pem", "x"],
    ["ca_pem", `-----BEGIN CERTIFICATE-----${"A".repeat(12_300)}-----END CERTIFICATE-----`],
    ["path_style", "yes"],
    ["bucket", 7],
  ];
  for (const [field, value] of store) {
    const found = mistakes(owner.provisioning({ store: { [field]: value } }));
    assert.deepEqual(
      found.map((sentence) => sentence.startsWith(`"store.${field}"`)),
      [true],
      `${field} ${JSON.stringify(value)}: ${found}`,
    );
  }
  for (const [field, value] of [
    ["url", "wss://broker"],
    ["url", "mqtts://broker/x"],
    ["username", ""],
    ["password", "a\u0000b"],
    ["password", "p".repeat(257)],
    ["ca_pem", "junk"],
  ]) {
    const found = mistakes(owner.provisioning({ broker: { [`${field}`]: value } }));
    assert.equal(found.length, 1, `${field}: ${found}`);
    assert.ok(found[0]?.startsWith(`"broker.${field}"`), found[0]);
  }
});

test("what is no such file at all gets one sentence", () => {
  assert.match(`${mistakes("")}`, /not JSON/);
  assert.match(`${mistakes("{")}`, /not JSON/);
  assert.match(`${mistakes("\ufeff{}")}`, /not JSON/);
  assert.match(`${mistakes("[]")}`, /one JSON object/);
  assert.match(`${mistakes("null")}`, /one JSON object/);
  assert.match(
    `${mistakes({ ...owner.provisioning(), format: "ocellus-provision-2" })}`,
    /"format"/,
  );
  const tooLarge = parseProvisioning(new Uint8Array(65_537), decode);
  assert.match(JSON.stringify(tooLarge), /larger than 65536/);
  const notUtf8 = parseProvisioning(Uint8Array.of(0x7b, 0xff, 0x7d), decode);
  assert.match(JSON.stringify(notUtf8), /not UTF-8/);
});

test("no secret of the file stands in a sentence about it", () => {
  const file = owner.provisioning({
    store: { secret_access_key: "top secret key" },
    broker: { password: "also\u0007secret" },
  });
  const wifi = { ssid: "home", passphrase: "hush" };
  const said = mistakes({ ...file, token: "c2VjcmV0", wifi }).join(" ");
  for (const secret of ["top secret key", "also", "c2VjcmV0", "hush"])
    assert.ok(!said.includes(secret));
});
