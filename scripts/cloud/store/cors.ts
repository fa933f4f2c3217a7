/**
 * Cross-origin rules of a bucket, so that a page may fetch from it.
 * Source: "Using cross-origin resource sharing (CORS)", Amazon S3 user guide; the Fetch standard for what
 * a browser sends and reads.
 */
import { S3Error } from "./errors.ts";
import { childElements, childText, childTexts, document, readDocument } from "./xml.ts";

const METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD"];
const RULES_MAX = 100;

/** One rule; the first that fits a request counts. */
export interface CorsRule {
  /** Origins, each with at most one "*" as a wildcard. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** Request headers a preflight may ask for, each with at most one "*". */
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  /** How long a browser may keep a preflight's answer. */
  readonly maxAge_s: number | undefined;
}

/** What a browser asks. */
export interface CorsRequest {
  readonly origin: string;
  readonly method: string;
  /** Lower-case names, from Access-Control-Request-Headers; empty for a request that is no preflight. */
  readonly headers: readonly string[];
}

/** Reads the body of PutBucketCors. Throws S3Error MalformedXML or InvalidRequest. */
export function parseCors(text: string): CorsRule[] {
  const rules = childElements(readDocument(text, "CORSConfiguration"), "CORSRule").map((rule) => ({
    origins: childTexts(rule, "AllowedOrigin"),
    methods: childTexts(rule, "AllowedMethod"),
    headers: childTexts(rule, "AllowedHeader"),
    exposed: childTexts(rule, "ExposeHeader"),
    maxAge_s: parseAge(childText(rule, "MaxAgeSeconds")),
  }));
  if (rules.length === 0 || rules.length > RULES_MAX) {
    throw new S3Error("MalformedXML", `Between 1 and ${RULES_MAX} rules are taken`);
  }
  for (const { origins, methods, headers } of rules) {
    const method = methods.find((name) => !METHODS.includes(name));
    if (method !== undefined) {
      throw new S3Error(
        "InvalidRequest",
        `Found unsupported HTTP method in CORS config: ${method}`,
      );
    }
    if (origins.length === 0 || methods.length === 0) {
      throw new S3Error("MalformedXML", "A rule needs AllowedOrigin and AllowedMethod");
    }
    if ([...origins, ...headers].some((pattern) => pattern.split("*").length > 2)) {
      throw new S3Error("InvalidRequest", "An origin or header holds at most one wildcard");
    }
  }
  return rules;
}

/** The body of GetBucketCors's reply. */
export function formatCors(rules: readonly CorsRule[]): string {
  return document("CORSConfiguration", {
    CORSRule: rules.map((rule) => ({
      AllowedOrigin: rule.origins,
      AllowedMethod: rule.methods,
      AllowedHeader: rule.headers,
      ExposeHeader: rule.exposed,
      MaxAgeSeconds: rule.maxAge_s,
    })),
  });
}

/** @returns the reply's CORS headers, or undefined where no rule fits. */
export function corsHeaders(
  rules: readonly CorsRule[],
  request: CorsRequest,
): Record<string, string> | undefined {
  const rule = rules.find(
    ({ origins, methods, headers }) =>
      origins.some((pattern) => fits(pattern, request.origin)) &&
      methods.includes(request.method) &&
      request.headers.every((name) => headers.some((pattern) => fits(pattern.toLowerCase(), name))),
  );
  if (!rule) return undefined;
  const any = rule.origins.includes("*");
  return {
    "access-control-allow-origin": any ? "*" : request.origin,
    "access-control-allow-methods": rule.methods.join(", "),
    ...(any ? {} : { "access-control-allow-credentials": "true" }),
    ...(request.headers.length > 0
      ? { "access-control-allow-headers": request.headers.join(", ") }
      : {}),
    ...(rule.exposed.length > 0
      ? { "access-control-expose-headers": rule.exposed.join(", ") }
      : {}),
    ...(rule.maxAge_s === undefined ? {} : { "access-control-max-age": String(rule.maxAge_s) }),
    vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
  };
}

function fits(pattern: string, value: string): boolean {
  const [start = "", end] = pattern.split("*");
  if (end === undefined) return pattern === value;
  return (
    value.length >= start.length + end.length && value.startsWith(start) && value.endsWith(end)
  );
}

function parseAge(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new S3Error("MalformedXML", "MaxAgeSeconds is a number");
  return Number(text);
}
