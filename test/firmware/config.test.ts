/** Configurations of kernel, bootloader and busybox: a line of ours that got lost on the way stops the build. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkConfig } from "../../scripts/build/recipes/kconfig.mjs";

const FINISHED = `#
# Automatically generated file
#
CONFIG_A=y
# CONFIG_B is not set
CONFIG_NAME="text"
CONFIG_ADDRESS=0xBE100000
`;

const fragment = (text: string) => [{ from: "common/kernel.config", text }];

test("lines that survived, comments and empty lines are in order", () => {
  checkConfig(
    fragment(
      '# A\nCONFIG_A=y\n\n# CONFIG_B is not set\n# CONFIG_GONE is not set\nCONFIG_NAME="text"\n',
    ),
    FINISHED,
  );
});

test("of two fragments the later one counts", () => {
  const later = { from: "malta/kernel.config", text: "CONFIG_A=y\n" };
  checkConfig([...fragment("# CONFIG_A is not set\n"), later], FINISHED);
});

for (const [what, line, says] of [
  ["unset", "CONFIG_B=y", /^common\/kernel\.config asks for CONFIG_B=y, .* has n: what the symbol/],
  ["unknown", "CONFIG_C=y", /asks for CONFIG_C=y, .* has n:/],
  ["of another value", "CONFIG_ADDRESS=0xBE3E0000", /=0xBE3E0000, .* has 0xBE100000:/],
  ["set all the same", "# CONFIG_A is not set", /asks for CONFIG_A=n, .* has y:/],
] as const)
  test(`a symbol that is ${what} is told`, () => {
    assert.throws(() => checkConfig(fragment(`${line}\n`), FINISHED), {
      name: "Problem",
      message: says,
    });
  });

for (const line of ["CONFIG_A", "A=y", "#CONFIG_A is not set", "# CONFIG_A is not  set"])
  test(`a line that looks like a setting and is none is told: ${line}`, () => {
    assert.throws(() => checkConfig(fragment(`${line}\n`), FINISHED), {
      name: "Problem",
      message: `common/kernel.config has a line that sets nothing: ${line}`,
    });
  });
