/**
 * Life-cycle rules: objects under a prefix expire a number of days after they were put.
 *
 * The subset of "Managing the lifecycle of objects", Amazon S3 user guide, that `ocellus retention` writes:
 * Expiration by Days, filtered by Prefix. Anything else is refused rather than kept and not done.
 * As there, an object expires at the first midnight UTC after its days are over.
 */
import { S3Error } from "./errors.ts";
import { walk } from "./listing.ts";
import { type ObjectFiles, readInfoAt } from "./objects.ts";
import { childElements, childText, document, readDocument } from "./xml.ts";

const DAY_MS = 86_400_000;
const RULES_MAX = 1000;

/** One rule. */
export interface ExpiryRule {
  readonly id: string;
  /** Keys it is about; "" is every key. */
  readonly prefix: string;
  readonly enabled: boolean;
  /** At least 1. */
  readonly days: number;
}

/** Reads the body of PutBucketLifecycleConfiguration. Throws S3Error MalformedXML, InvalidArgument, NotImplemented. */
export function parseLifecycle(text: string): ExpiryRule[] {
  const rules = childElements(readDocument(text, "LifecycleConfiguration"), "Rule").map(parseRule);
  if (rules.length === 0 || rules.length > RULES_MAX) {
    throw new S3Error("MalformedXML", `Between 1 and ${RULES_MAX} rules are taken`);
  }
  if (new Set(rules.map((rule) => rule.id)).size !== rules.length) {
    throw new S3Error("InvalidArgument", "Rule ID must be unique");
  }
  return rules;
}

/** The body of GetBucketLifecycleConfiguration's reply. */
export function formatLifecycle(rules: readonly ExpiryRule[]): string {
  return document("LifecycleConfiguration", {
    Rule: rules.map((rule) => ({
      ID: rule.id,
      Filter: { Prefix: rule.prefix },
      Status: rule.enabled ? "Enabled" : "Disabled",
      Expiration: { Days: rule.days },
    })),
  });
}

/** When an object put at `modified_ms` expires after `days`: the next midnight UTC. Milliseconds since 1970. */
export function expiry_ms(modified_ms: number, days: number): number {
  return (Math.floor(modified_ms / DAY_MS) + days + 1) * DAY_MS;
}

/**
 * Deletes what has expired in a bucket.
 * @returns the keys deleted.
 */
export async function sweep(
  files: ObjectFiles,
  bucket: string,
  rules: readonly ExpiryRule[],
  now_ms: number,
): Promise<string[]> {
  const deleted: string[] = [];
  for (const rule of rules) {
    if (!rule.enabled) continue;
    const range = { prefix: rule.prefix, after: "", grouped: false };
    for await (const entry of walk(files.bucketDirectory(bucket), range)) {
      if (!("path" in entry)) continue;
      const info = await readInfoAt(entry.path);
      if (!info || expiry_ms(info.modified_ms, rule.days) > now_ms) continue;
      await files.delete(bucket, entry.key);
      deleted.push(entry.key);
    }
  }
  return deleted;
}

function parseRule(rule: Record<string, unknown>, index: number): ExpiryRule {
  refuseOthers(rule, ["ID", "Filter", "Prefix", "Status", "Expiration"]);
  const status = childText(rule, "Status");
  if (status !== "Enabled" && status !== "Disabled") {
    throw new S3Error("MalformedXML", "A rule's Status is Enabled or Disabled");
  }
  const [filter] = childElements(rule, "Filter");
  if (filter) refuseOthers(filter, ["Prefix"]);
  const [expiration] = childElements(rule, "Expiration");
  if (!expiration) throw new S3Error("InvalidArgument", "A rule needs an Expiration");
  refuseOthers(expiration, ["Days"]);
  const days = childText(expiration, "Days") ?? "";
  if (!/^[1-9]\d{0,5}$/.test(days)) {
    throw new S3Error("InvalidArgument", "'Days' for Expiration action must be a positive integer");
  }
  return {
    id: childText(rule, "ID") || `rule-${index + 1}`,
    prefix: childText(filter ?? rule, "Prefix") ?? "",
    enabled: status === "Enabled",
    days: Number(days),
  };
}

function refuseOthers(element: Record<string, unknown>, known: readonly string[]): void {
  for (const name of Object.keys(element)) {
    if (!known.includes(name)) throw new S3Error("NotImplemented", `${name} is not kept here`);
  }
}
