/** `ocellus ota`: updates of cameras' images. */
import { Command } from "commander";
import { toHex } from "../../agent/identity/encoding.ts";
import { keyId, toBase64 } from "../owner/crypto.ts";
import { makeUpdateKey } from "../owner/update-key.ts";
import { askKeyPassphrase } from "./ask.ts";
import { build } from "./ota-build.ts";
import { publish } from "./ota-publish.ts";
import { roots } from "./ota-roots.ts";
import { show } from "./ota-show.ts";
import { sign } from "./ota-sign.ts";
import { type OwnerFlags, ownerCommand, plainCommand, print } from "./owner-options.ts";

/** The command, to be added to the program. */
export function otaCommand(): Command {
  return new Command("ota")
    .description("build, sign and publish updates of cameras' images")
    .addCommand(
      plainCommand("build", "make an unsigned update of a board's image")
        .requiredOption("--board <vendor/model>", "the cameras it is for")
        .option("--image <release|dev>", "which image to build", "release")
        .option("--slot <file>", "a ready uImage to take instead of building one")
        .option("--security-counter <n>", "images with a lower one cannot be installed later", "1")
        .requiredOption("-o, --out <file>", "the update to write, named NAME.ocellus-update")
        .action(build),
    )
    .addCommand(
      ownerCommand("sign", "add a signature to an update, or to roots")
        .argument("<file>", "what `ota build` or `ota roots --out` wrote")
        .option("--key <file>", "sign with this update key instead of the owner's root key")
        .action(sign),
    )
    .addCommand(
      ownerCommand("show", "show what an update is, and whether enough keys have signed it")
        .argument("<file>", "an update, or roots")
        .action(show),
    )
    .addCommand(
      ownerCommand("publish", "check an update as a camera does, and put it into the store")
        .argument("<file>", "a signed update")
        .action(publish),
    )
    .addCommand(
      ownerCommand("roots", "show or change whose signatures an update needs")
        .option("--init", "replace the owner's root key, which signs alone until then")
        .option("--rotate", "make the next version")
        .option("--threshold <n>", "how many different keys must sign")
        .option("--key <public-key...>", "a key that may sign, in base64; once for each")
        .option("--security-counter-least <n>", "revoke images with a lower security counter")
        .option("--sign-with <file...>", "an update key to sign the new roots with; once for each")
        .option("-o, --out <file>", "write new roots there that others have to sign first")
        .option("--take <file>", "take new roots that all have signed who must")
        .action(roots),
    )
    .addCommand(
      plainCommand("key", "make an update key, for whoever signs without the owner's keys")
        .requiredOption("-o, --out <file>", "the file to write, under a passphrase")
        .action(key),
    );
}

interface KeyFlags extends OwnerFlags {
  readonly out: string;
}

async function key(flags: KeyFlags): Promise<void> {
  const publicKey = await makeUpdateKey(flags.out, askKeyPassphrase);
  const made = {
    file: flags.out,
    public_key: toBase64(publicKey),
    key_id: toHex(keyId(publicKey)),
  };
  print(flags, made, ({ file, public_key }) =>
    [`Your update key is in ${file}; keep a copy of that file.`, `public key  ${public_key}`].join(
      "\n",
    ),
  );
}
