/** The Date header: IMF-fixdate of RFC 9110, 5.6.7, which is what every server must send. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const FIXDATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;

/** Seconds since 1970 UTC; `null` for anything but a date that exists. A leap second counts as the second before it. */
export function parseHttpDate(text: string): number | null {
  const match = FIXDATE.exec(text);
  if (match === null) return null;
  const [day, , year, hour, minute, second] = match.slice(1).map(Number);
  const month = MONTHS.indexOf(match[2] ?? "");
  if (day === undefined || year === undefined || month < 0) return null;
  const midnight = new Date(Date.UTC(year, month, day));
  if (midnight.getUTCDate() !== day || midnight.getUTCMonth() !== month) return null;
  if (hour === undefined || minute === undefined || second === undefined) return null;
  if (hour > 23 || minute > 59 || second > 60) return null;
  return midnight.getTime() / 1000 + hour * 3600 + minute * 60 + Math.min(second, 59);
}

/** `YYYYMMDDTHHMMSSZ`, as SigV4 wants it. */
export function amzDate(wallUs: number): string {
  const iso = new Date(Math.floor(wallUs / 1000)).toISOString();
  return `${iso.slice(0, 19).replace(/[-:]/g, "")}Z`;
}
