import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { amzDate, parseHttpDate } from "../../../agent/clock/http-date.ts";
import { check } from "../properties.ts";

test("the example of RFC 9110 is read", () => {
  assert.equal(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), 784_111_777);
});

test("every second that JavaScript writes is read back", () => {
  check(
    fc.property(fc.integer({ min: 0, max: 7_258_118_399 }), (seconds) => {
      assert.equal(parseHttpDate(new Date(seconds * 1000).toUTCString()), seconds);
    }),
  );
});

for (const text of [
  "",
  "Sunday, 06-Nov-94 08:49:37 GMT",
  "Sun Nov  6 08:49:37 1994",
  "Sun, 06 Nov 1994 08:49:37 UTC",
  "Sun, 06 Nov 1994 08:49:37 GMT ",
  "Sun, 6 Nov 1994 08:49:37 GMT",
  "Sun, 31 Feb 1994 08:49:37 GMT",
  "Sun, 00 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 24:49:37 GMT",
  "Sun, 06 Nov 1994 08:60:37 GMT",
  "Sun, 06 Nov 1994 08:49:61 GMT",
  "Sun, 06 Nuv 1994 08:49:37 GMT",
])
  test(`no date: "${text}"`, () => assert.equal(parseHttpDate(text), null));

test("a leap second counts as the second before it", () => {
  assert.equal(
    parseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT"),
    parseHttpDate("Sat, 31 Dec 2016 23:59:59 GMT"),
  );
});

test("SigV4's date is compact", () => {
  assert.equal(amzDate(1_369_353_600_000_000), "20130524T000000Z");
  assert.equal(amzDate(1_369_353_600_999_999.5), "20130524T000000Z");
});
