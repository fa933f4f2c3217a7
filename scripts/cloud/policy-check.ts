/**
 * Decides whether a policy document allows a request, by AWS's rule: an explicit denial wins, else an
 * explicit allowance is needed ("Policy evaluation logic", AWS IAM user guide).
 * Knows exactly the grammar that policy.ts writes; principals are settled by whose policy it is.
 */
import type { PolicyCondition, PolicyDocument, PolicyStatement } from "./policy.ts";

/** What a request wants to do. */
export interface Access {
  /** For instance "s3:GetObject". */
  readonly action: string;
  /** For instance "arn:aws:s3:::bucket/key". */
  readonly resource: string;
  /** Condition keys the request carries, lower-case ("s3:if-none-match"), with their values. */
  readonly context: Readonly<Record<string, string>>;
}

/** @returns whether `policy` allows `access`; what it does not mention is refused. */
export function allows(policy: PolicyDocument, access: Access): boolean {
  const matching = policy.Statement.filter((statement) => covers(statement, access));
  return (
    matching.some((statement) => statement.Effect === "Allow") &&
    !matching.some((statement) => statement.Effect === "Deny")
  );
}

function covers(statement: PolicyStatement, { action, resource, context }: Access): boolean {
  return (
    listed(statement.Action, statement.NotAction, action) &&
    listed(statement.Resource, statement.NotResource, resource) &&
    (statement.Condition === undefined || holds(statement.Condition, context))
  );
}

function listed(
  wanted: readonly string[] | undefined,
  unwanted: readonly string[] | undefined,
  value: string,
): boolean {
  if (wanted) return wanted.some((pattern) => like(pattern, value));
  return unwanted !== undefined && !unwanted.some((pattern) => like(pattern, value));
}

function holds(condition: PolicyCondition, context: Readonly<Record<string, string>>): boolean {
  return Object.entries(condition.Null).every(
    ([key, [absent]]) => (absent === "true") === (context[key] === undefined),
  );
}

/** `*` stands for any run of characters, `?` for one. */
function like(pattern: string, value: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "su").test(value);
}
