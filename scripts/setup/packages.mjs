/**
 * The Debian packages ocellus uses: the one list, with the reason for each.
 *
 * @typedef {"run" | "test"} Purpose run: `make run` and every build; test: only `make test`,
 *   `make check` and `make bench`
 *
 * @typedef {object} DebianPackage
 * @property {string} name
 * @property {Purpose} purpose
 * @property {string} why
 * @property {readonly string[]} [tools] commands it brings that we call by name
 * @property {readonly string[]} [services] what it would start at boot; we leave them disabled
 */

/** @type {readonly DebianPackage[]} */
export const packages = [
  { name: "ca-certificates", purpose: "run", why: "HTTPS mirrors" },
  {
    name: "debian-archive-keyring",
    purpose: "run",
    why: "checks the signatures of the source packages",
  },
  {
    name: "dpkg-dev",
    purpose: "run",
    why: "unpacks source packages and applies Debian's patches",
    tools: ["dpkg-source"],
  },
  { name: "patch", purpose: "run", why: "dpkg-source applies patches with it", tools: ["patch"] },
  { name: "xz-utils", purpose: "run", why: "source archives are .tar.xz", tools: ["xz"] },
  {
    name: "gcc",
    purpose: "run",
    why: "builds the camera program for this machine",
    tools: ["gcc"],
  },
  { name: "libc6-dev", purpose: "run", why: "C library headers for gcc" },
  { name: "make", purpose: "run", why: "builds C sources", tools: ["make"] },
  { name: "autoconf", purpose: "run", why: "libsodium's configure script", tools: ["autoreconf"] },
  { name: "automake", purpose: "run", why: "libsodium's Makefiles", tools: ["automake"] },
  { name: "libtool", purpose: "run", why: "libsodium's library rules", tools: ["libtoolize"] },
  {
    name: "mosquitto",
    purpose: "run",
    why: "the MQTT broker of the development cloud",
    tools: ["mosquitto", "mosquitto_passwd"],
    services: ["mosquitto"],
  },
  {
    name: "ffmpeg",
    purpose: "run",
    why: "makes the default clip, converts footage, joins and checks what was fetched",
    tools: ["ffmpeg", "ffprobe"],
  },
  { name: "fonts-dejavu-core", purpose: "run", why: "the clock burnt into the default clip" },
  {
    name: "openssl",
    purpose: "run",
    why: "the development cloud's certificates",
    tools: ["openssl"],
  },
  {
    name: "gcc-mipsel-linux-gnu",
    purpose: "test",
    why: "builds for the camera's processor",
    tools: ["mipsel-linux-gnu-gcc"],
  },
  {
    name: "linux-libc-dev-mipsel-cross",
    purpose: "test",
    why: "kernel headers for the camera's processor",
  },
  {
    name: "qemu-user",
    purpose: "test",
    why: "runs programs of the camera's processor",
    tools: ["qemu-mipsel"],
  },
  { name: "clang", purpose: "test", why: "builds with sanitizers and fuzzers", tools: ["clang"] },
  { name: "libclang-rt-14-dev", purpose: "test", why: "the sanitizers' and libFuzzer's run time" },
  {
    name: "llvm-14",
    purpose: "test",
    why: "names functions in sanitizer reports",
    tools: ["llvm-symbolizer-14"],
  },
  { name: "clang-format", purpose: "test", why: "formats C", tools: ["clang-format"] },
  { name: "chromium", purpose: "test", why: "plays what was fetched", tools: ["chromium"] },
  {
    name: "radosgw",
    purpose: "test",
    why: "a second S3 store for the conformance tests",
    tools: ["radosgw", "radosgw-admin"],
    services: ["radosgw", "ceph-radosgw.target"],
  },
  {
    name: "ceph-mon",
    purpose: "test",
    why: "radosgw keeps its data in a Ceph cluster of one",
    tools: ["ceph-mon"],
    services: ["ceph-mon.target"],
  },
  {
    name: "ceph-osd",
    purpose: "test",
    why: "the disk of that cluster",
    tools: ["ceph-osd"],
    services: ["ceph-osd.target"],
  },
  {
    name: "ceph-common",
    purpose: "test",
    why: "the commands that set that cluster up",
    tools: ["ceph", "ceph-authtool", "monmaptool"],
    services: ["ceph.target", "ceph-crash.service"],
  },
  {
    name: "curl",
    purpose: "test",
    why: "what a user would upload with, in the benchmarks",
    tools: ["curl"],
  },
];

/**
 * @param {string} tool command name
 * @returns {string | undefined} the Debian package that has it; undefined if no package is listed
 */
export function packageOfTool(tool) {
  return packages.find((entry) => entry.tools?.includes(tool))?.name;
}
