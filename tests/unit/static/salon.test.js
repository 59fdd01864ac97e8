import assert from "node:assert/strict";
import { test } from "node:test";

import { Refused } from "../../../static/js/client/index.js";
import { Salon } from "../../../static/js/page/salon.js";

const ME = "usr_me";
const line = (id, rest = {}) => ({ id, title: id, owner: "usr_other", members: [ME], updated_at: "2026-11-22T10:00:00Z", ...rest });

/** A salon without a connection: what it asks of the server over HTTP is answered by `answers`, by method and path. */
function salon(answers = {}) {
  const salon = new Salon("http://127.0.0.1:1/");
  const asked = [];
  salon.client.session.user = ME;
  salon.client.http.request = async (method, path) => {
    asked.push(`${method} ${path}`);
    return answers[`${method} ${path}`]?.() ?? null;
  };
  salon.set({ conversations: [line("cnv_1"), line("cnv_2", { owner: ME, members: [] })], route: "cnv_1" });
  return { salon, asked };
}

const ids = (salon) => salon.state.conversations.map(({ id }) => id);
const updated = (id, members) => ({ type: "conversation.updated", conversation: id, offset: 1, title: "Anew", settings: {}, character: null, busy: "queue", members });

test("whoever leaves a conversation asks the server, and has it no longer", async () => {
  const { salon: ours, asked } = salon();
  await ours.leave("cnv_1");
  assert.deepEqual(asked, ["DELETE v1/conversations/cnv_1/members/me"]);
  assert.deepEqual(ids(ours), ["cnv_2"]);
  assert.deepEqual([ours.state.gone, ours.state.route, ours.state.notice], ["cnv_1", null, null]);
});

test("that one's leaving is told before it is answered is no news", async () => {
  const tell = () => ours.client.emit("event", updated("cnv_1", []));
  const { salon: ours } = salon({ "DELETE v1/conversations/cnv_1/members/me": tell });
  await ours.leave("cnv_1");
  assert.deepEqual([ids(ours), ours.state.notice], [["cnv_2"], null]);
});

test("who may not leave has it still, and is told why", async () => {
  const refuse = () => {
    throw new Refused({ code: "forbidden", detail: "Its owner cannot leave." });
  };
  const { salon: ours } = salon({ "DELETE v1/conversations/cnv_1/members/me": refuse });
  await ours.leave("cnv_1");
  assert.deepEqual([ids(ours), ours.state.route, ours.state.notice], [["cnv_1", "cnv_2"], "cnv_1", "Its owner cannot leave."]);
});

test("who is out of a conversation, by whosever will, has it no longer, and is told which", () => {
  const { salon: ours } = salon();
  ours.client.emit("event", updated("cnv_1", ["usr_third"]));
  assert.deepEqual([ids(ours), ours.state.gone, ours.state.route], [["cnv_2"], "cnv_1", null]);
  assert.equal(ours.state.notice, "You take part in “cnv_1” no longer.");
});

test("a change of members takes it from nobody who stays, nor from its owner", () => {
  const { salon: ours } = salon();
  ours.client.emit("event", updated("cnv_1", [ME]));
  ours.client.emit("event", updated("cnv_2", []));
  assert.deepEqual(ours.state.conversations.map(({ title }) => title), ["Anew", "Anew"]);
  assert.equal(ours.state.notice, null);
});
