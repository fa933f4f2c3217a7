/** Where a store or broker is: scheme://host[:port], nothing more. */

export interface Origin {
  /** DNS name, IPv4 address, or IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

const NAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const IPV6 = /^[0-9A-Fa-f:.]{2,45}$/;

/** `null` for another scheme, a path, user information, a bad name or a port outside 1–65535. */
export function parseOrigin(
  text: string,
  scheme: "https" | "mqtts",
  defaultPort: number,
): Origin | null {
  const start = `${scheme}://`;
  if (!text.startsWith(start)) return null;
  const rest = text.slice(start.length);
  const bracketed = /^\[([^\]]*)\](?::([0-9]{1,5}))?$/.exec(rest);
  const plain = /^([^:[\]]+)(?::([0-9]{1,5}))?$/.exec(rest);
  const host = bracketed?.[1] ?? plain?.[1];
  if (host === undefined) return null;
  if (!(bracketed ? IPV6 : NAME).test(host)) return null;
  const digits = bracketed?.[2] ?? plain?.[2];
  const port = digits === undefined ? defaultPort : Number(digits);
  return port >= 1 && port <= 65_535 ? { host, port } : null;
}
