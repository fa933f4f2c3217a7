import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { ControlStage } from "../../../agent/control/stage.ts";
import {
  connectionTrouble,
  inboundTrouble,
  reasonTrouble,
} from "../../../agent/control/trouble.ts";

const { STAGE_STARTING, STAGE_OK, STAGE_TROUBLE } = ocellus.v1.StageState;
const S = 1_000_000;

test("a stage starts, runs without words, and says why it does not", () => {
  const stage = new ControlStage(5);
  assert.equal(stage.report(6).state, STAGE_STARTING);
  stage.up(S);
  const { state, reason, cause, sinceUs } = stage.report(2 * S);
  assert.deepEqual(
    { state, reason, cause, sinceUs },
    { state: STAGE_OK, reason: "", cause: "", sinceUs: S },
  );
  stage.down(reasonTrouble(0x86), 3 * S);
  const trouble = stage.report(4 * S);
  assert.equal(trouble.state, STAGE_TROUBLE);
  assert.equal(trouble.cause, "broker-bad-credentials");
  assert.equal(trouble.sinceUs, 3 * S);
});

test("after a recovery the trouble is told for ten minutes, because nobody could hear it before", () => {
  const stage = new ControlStage(0);
  stage.up(0);
  stage.down(connectionTrouble(null), 10 * S);
  stage.down(connectionTrouble({ error: "refused", text: "Connection refused." }), 12 * S);
  stage.up(52 * S);
  const { state, cause, reason } = stage.report(53 * S);
  assert.equal(state, STAGE_OK);
  assert.equal(cause, "refused");
  assert.match(reason ?? "", /Connected again after 42 s.*Connection refused/);
  assert.equal(stage.report(652 * S).cause, "refused");
  assert.equal(stage.report(653 * S).cause, "");
  stage.down(inboundTrouble("flooding"), 700 * S);
  stage.up(703 * S);
  assert.match(stage.report(703 * S).reason ?? "", /after 3 s/);
});

test("every reason code is a cause and a sentence, and known ones say what to do", () => {
  for (let code = 0x80; code < 0xa3; code++) {
    const { cause, reason } = reasonTrouble(code);
    assert.match(cause, /^broker-[a-z0-9-]+$/);
    assert.match(reason, /^The .*\.$|^Someone .*\.$/);
  }
  assert.match(reasonTrouble(0xfe).reason, /0xfe/);
});
