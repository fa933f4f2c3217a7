/** ocellus-dhcp: what it makes of what udhcpc hands on, and, where we are root, what the kernel makes of that. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ensure } from "../../scripts/build/ensure.mjs";
import { isRoot } from "../host/support/camera.ts";
import { SANITIZERS, scratch } from "../native/support/programs.ts";

const LEASE = {
  interface: "eth0",
  ip: "10.0.2.15",
  subnet: "255.255.255.0",
  router: "10.0.2.2",
  dns: "10.0.2.3",
};

interface Result {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  readonly resolv: string | null;
  readonly file: string;
}

/** The rehearsal: all of it but for the interface. */
async function call(
  t: TestContext,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
  file = join(scratch(t), "resolv.conf"),
): Promise<Result> {
  const program = join(await ensure("native-asan"), "bin/dhcp_rehearsal");
  const env = { ...SANITIZERS, ...variables, OCELLUS_RESOLV_CONF: file };
  const { status, stdout, stderr } = spawnSync(program, args, { env, encoding: "utf8" });
  const resolv = existsSync(file) ? readFileSync(file, "utf8") : null;
  return { status, out: stdout, err: stderr, resolv, file };
}

test("a lease sets the interface and resolv.conf, and is told", async (t) => {
  for (const event of ["bound", "renew"]) {
    const result = await call(t, [event], LEASE);
    assert.equal(result.status, 0, result.err);
    assert.equal(result.out, "configure eth0 10.0.2.15/24, router 10.0.2.2, dns 10.0.2.3\n");
    assert.equal(result.err, "ocellus-dhcp: eth0: 10.0.2.15/24, router 10.0.2.2, dns 10.0.2.3\n");
    assert.equal(result.resolv, "nameserver 10.0.2.3\n");
    assert.equal(statSync(result.file).mode & 0o777, 0o644);
  }
});

test("a lease that ends takes address and name servers away", async (t) => {
  const { file } = await call(t, ["bound"], LEASE);
  const result = await call(t, ["deconfig"], { interface: "eth0" }, file);
  assert.deepEqual([result.status, result.out, result.resolv], [0, "clear eth0\n", null]);
});

test("what needs nothing done is told", async (t) => {
  for (const event of ["nak", "leasefail"]) {
    const result = await call(t, [event], LEASE);
    assert.deepEqual([result.status, result.out, result.resolv], [0, "", null]);
    assert.match(result.err, /^ocellus-dhcp: .*\.\n$/);
  }
});

test("a wrong call ends with 64 and the usage", async (t) => {
  for (const args of [[], ["other"], ["bound", "more"]]) {
    const result = await call(t, args, LEASE);
    assert.equal(result.status, 64);
    assert.match(result.err, /^Usage: ocellus-dhcp/);
  }
});

for (const [what, change, told] of [
  [
    "several routers: the first in the network",
    { router: "10.9.9.9 0.0.0.0 10.0.2.1 10.0.2.2" },
    "10.0.2.15/24, router 10.0.2.1, dns 10.0.2.3",
  ],
  ["a router that is the camera", { router: "10.0.2.15" }, "10.0.2.15/24, dns 10.0.2.3"],
  [
    "a router that is the broadcast address",
    { router: "10.0.2.255" },
    "10.0.2.15/24, dns 10.0.2.3",
  ],
  [
    "three name servers of five",
    { dns: "1.1.1.1 8.8.8.8  9.9.9.9 4.4.4.4 5.5.5.5" },
    "10.0.2.15/24, router 10.0.2.2, dns 1.1.1.1, dns 8.8.8.8, dns 9.9.9.9",
  ],
  [
    "name servers that cannot be",
    { dns: "127.0.0.1 0.0.0.0 224.0.0.1 x 1.1.1.1.1 1.2.3.4;reboot 9.9.9.9" },
    "10.0.2.15/24, router 10.0.2.2, dns 9.9.9.9",
  ],
  [
    "words without end",
    { dns: `${"9".repeat(9_000)} 9.9.9.9`, router: " ".repeat(9_000) },
    "10.0.2.15/24, dns 9.9.9.9",
  ],
  [
    "a network without a mask",
    { ip: "192.168.7.9", subnet: undefined, router: "192.168.7.1" },
    "192.168.7.9/24, router 192.168.7.1, dns 10.0.2.3",
  ],
  [
    "a network of two",
    { ip: "10.0.0.0", subnet: "255.255.255.254", router: "10.0.0.1" },
    "10.0.0.0/31, router 10.0.0.1, dns 10.0.2.3",
  ],
] as const)
  test(`${what}`, async (t) => {
    const result = await call(t, ["bound"], variables(change));
    assert.equal(result.status, 0, result.err);
    assert.equal(result.out, `configure eth0 ${told}\n`);
  });

for (const [what, change, pattern] of [
  ["no interface", { interface: undefined }, /udhcpc names no interface/],
  ["an interface that is a path", { interface: "../../x" }, /udhcpc names no interface/],
  ["an interface whose name is too long", { interface: "e".repeat(16) }, /no interface/],
  ["no address", { ip: undefined }, /no address that a host can have/],
  ["an address that is none", { ip: "10.0.2.15 " }, /no address/],
  ["loopback", { ip: "127.0.0.1" }, /no address/],
  ["multicast", { ip: "224.0.0.1" }, /no address/],
  ["the network's own address", { ip: "10.0.2.0" }, /is its network's own/],
  ["a mask with holes", { subnet: "255.0.255.0" }, /subnet mask that is none/],
  ["an empty mask", { subnet: "0.0.0.0" }, /subnet mask that is none/],
] as const)
  test(`a lease with ${what} is refused, and nothing done`, async (t) => {
    const result = await call(t, ["bound"], variables(change));
    assert.deepEqual([result.status, result.out, result.resolv], [71, "", null]);
    assert.match(result.err, pattern);
  });

function variables(change: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const all: Record<string, string | undefined> = { ...LEASE, ...change };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

test("resolv.conf is replaced in one step, also one left half written, and a failure told", async (t) => {
  const file = join(scratch(t), "resolv.conf");
  writeFileSync(file, "nameserver 1.2.3.4\n");
  writeFileSync(`${file}.new`, "half");
  assert.equal((await call(t, ["bound"], LEASE, file)).resolv, "nameserver 10.0.2.3\n");
  assert.equal(existsSync(`${file}.new`), false);
  mkdirSync(`${file}.new`);
  const failed = await call(t, ["bound"], LEASE, file);
  assert.equal(failed.status, 71);
  assert.match(failed.err, /cannot write .*resolv\.conf: File exists/);
});

/** Root in a container may be forbidden to. */
const mayUnshare = isRoot && spawnSync("unshare", ["-n", "-m", "true"]).status === 0;

if (mayUnshare)
  for (const variant of ["host", "asan", "mipsel"] as const)
    test(`the kernel has the lease afterwards, in a network of its own (${variant})`, async (t) => {
      const program = join(await ensure(`native-${variant}`), "bin/ocellus-dhcp");
      const run = scratch(t);
      // The loopback interface of a network namespace takes addresses and routes as any other does; /run is its own too.
      const script = [
        `set -e; mount -t tmpfs tmpfs /run`,
        `dhcp() { ${variant === "mipsel" ? "qemu-mipsel " : ""}${program} "$@"; }`,
        `show() { for file in /proc/net/route /proc/net/fib_trie /run/resolv.conf
          do [ ! -e $file ] || cp $file ${run}/$1-\${file##*/}; done; }`,
        "dhcp deconfig; show clear",
        "router=10.0.2.2 dns=10.0.2.3 dhcp bound; show bound",
        "router=10.0.2.2 dns=10.0.2.3 dhcp renew; show renew",
        "router=10.0.2.7 dhcp renew; show router",
        "ip=10.0.3.15 router=10.0.3.2 dns=10.0.3.3 dhcp renew; show moved",
        "dhcp deconfig; show end",
      ].join("\n");
      const { interface: _, router: __, dns: ___, ...lease } = LEASE;
      const { status, stderr } = spawnSync("unshare", ["-n", "-m", "sh", "-c", script], {
        env: { PATH: process.env.PATH, ...SANITIZERS, ...lease, interface: "lo" },
        encoding: "utf8",
      });
      assert.equal(status, 0, stderr);
      const seen = ["clear", "bound", "renew", "router", "moved", "end"].map((step) => {
        const read = (name: string) => {
          const path = join(run, `${step}-${name}`);
          return existsSync(path) ? readFileSync(path, "utf8") : null;
        };
        // Numbers of this machine's byte order: 0202000A is 10.0.2.2.
        const routers = /^lo\t00000000\t(\w{8})\t0003/gm;
        const own = /-- (10\.0\.\d\.15)\n +\/32 host LOCAL/g;
        return [
          [...(read("route") ?? "").matchAll(routers)].map(([, router]) => router).join(),
          [...new Set([...(read("fib_trie") ?? "").matchAll(own)].map(([, ip]) => ip))].join(),
          read("resolv.conf"),
        ];
      });
      assert.deepEqual(seen, [
        ["", "", null],
        ["0202000A", "10.0.2.15", "nameserver 10.0.2.3\n"],
        ["0202000A", "10.0.2.15", "nameserver 10.0.2.3\n"],
        ["0702000A", "10.0.2.15", ""],
        ["0203000A", "10.0.3.15", "nameserver 10.0.3.3\n"],
        ["", "", null],
      ]);
    });
