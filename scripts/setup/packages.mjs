/**
 * The Debian packages ocellus uses: the one list, with the reason for each.
 *
 * @typedef {"run" | "check" | "test"} Purpose run: `make run`, and so every build; check: `make check`;
 *   test: what else `make test` and `make bench` call
 *
 * @typedef {object} DebianPackage
 * @property {string} name
 * @property {Purpose} purpose
 * @property {string} why
 * @property {readonly string[]} [tools] commands it brings that we call by name
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
  { name: "bzip2", purpose: "run", why: "source archives are .tar.bz2", tools: ["bzip2"] },
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
    purpose: "run",
    why: "builds for the camera's processor",
    tools: ["mipsel-linux-gnu-gcc"],
  },
  {
    name: "linux-libc-dev-mipsel-cross",
    purpose: "run",
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
    name: "llvm",
    purpose: "test",
    why: "names functions in sanitizer reports",
    tools: ["llvm-symbolizer"],
  },
  { name: "clang-format", purpose: "check", why: "formats C", tools: ["clang-format"] },
  // The camera's firmware: U-Boot, Linux and busybox, and the emulator that boots it.
  {
    name: "bison",
    purpose: "run",
    why: "parsers of the kernel's and U-Boot's configurations",
    tools: ["bison"],
  },
  {
    name: "flex",
    purpose: "run",
    why: "scanners of the kernel's and U-Boot's configurations",
    tools: ["flex"],
  },
  {
    name: "bc",
    purpose: "run",
    why: "the kernel works out its time constants with it",
    tools: ["bc"],
  },
  {
    name: "qemu-system-mips",
    purpose: "run",
    why: "the emulated camera",
    tools: ["qemu-system-mipsel"],
  },
  {
    name: "mtools",
    purpose: "run",
    why: "makes the FAT medium with the provisioning file of an emulated camera",
    tools: ["mformat", "mcopy"],
  },
  { name: "cpio", purpose: "test", why: "reads a root file system back", tools: ["cpio"] },
  { name: "git", purpose: "check", why: "lists the files to be checked", tools: ["git"] },
  { name: "chromium", purpose: "test", why: "plays what was fetched", tools: ["chromium"] },
  {
    name: "radosgw",
    purpose: "test",
    why: "a second S3 store for the conformance tests",
    tools: ["radosgw", "radosgw-admin"],
  },
  {
    name: "ceph-mon",
    purpose: "test",
    why: "radosgw keeps its data in a Ceph cluster of one",
    tools: ["ceph-mon"],
  },
  {
    name: "ceph-osd",
    purpose: "test",
    why: "the disk of that cluster",
    tools: ["ceph-osd"],
  },
  {
    name: "ceph-common",
    purpose: "test",
    why: "the commands that set that cluster up",
    tools: ["ceph", "ceph-authtool", "monmaptool"],
  },
];

/**
 * @param {string} tool command name
 * @returns {string | undefined} the Debian package that has it; undefined if no package is listed
 */
export function packageOfTool(tool) {
  return packages.find((entry) => entry.tools?.includes(tool))?.name;
}
