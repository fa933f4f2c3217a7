/**
 * S3's XML bodies, read and written with fast-xml-parser.
 *
 * Read strictly: no document type (so no entities of the sender's own), every value a string as it
 * stands (a key may begin with a space). Shapes are checked by who reads them.
 */
import { XMLBuilder, XMLParser, XMLValidator } from "fast-xml-parser";
import { S3Error } from "./errors.ts";

/** S3's namespace, on every root element of a successful reply. */
const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
});

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: "@" });

/** An XML element as plain data: text, or children by name. */
export type XmlValue = string | number | boolean | XmlElement | readonly XmlValue[];
/** Children by element name; "@name" is an attribute. */
export interface XmlElement {
  readonly [name: string]: XmlValue | undefined;
}

/** Text of an XML document whose root is `root`, in S3's namespace unless it is an error. */
export function document(root: string, content: XmlElement): string {
  const element = root === "Error" ? content : { "@xmlns": NAMESPACE, ...content };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ [root]: element })}`;
}

/**
 * Reads a request body.
 * @returns the root element's children.
 * @throws S3Error MalformedXML where the text is no XML, or its root is not `root`.
 */
export function readDocument(text: string, root: string): Record<string, unknown> {
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) throw malformed();
  const parsed: unknown = parser.parse(text);
  const element = isRecord(parsed) ? parsed[root] : undefined;
  return asElement(element);
}

/** The child elements called `name`; an absent one is an empty list. Throws MalformedXML where they hold text only. */
export function childElements(
  parent: Record<string, unknown>,
  name: string,
): Record<string, unknown>[] {
  const value = parent[name];
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map(asElement);
}

/** The text of the child `name`, or undefined without one. Throws MalformedXML where it holds elements. */
export function childText(parent: Record<string, unknown>, name: string): string | undefined {
  const value = parent[name];
  if (value === undefined || typeof value === "string") return value;
  throw malformed();
}

/** The texts of all children called `name`. Throws MalformedXML where one holds elements. */
export function childTexts(parent: Record<string, unknown>, name: string): string[] {
  const value = parent[name];
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item !== "string") throw malformed();
    return item;
  });
}

/** Children of an element; white space between them is nothing. */
function asElement(value: unknown): Record<string, unknown> {
  if (typeof value === "string" && value.trim() === "") return {};
  if (!isRecord(value)) throw malformed();
  const { "#text": text, ...children } = value;
  if (typeof text === "string" && text.trim() !== "") throw malformed();
  return children;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(): S3Error {
  return new S3Error(
    "MalformedXML",
    "The XML you provided was not well-formed or is not understood",
  );
}
