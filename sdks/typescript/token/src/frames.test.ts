import assert from "node:assert/strict";
import test from "node:test";

import type { Token } from "../generated/token.cjs";
import { bigAtStart, Cutter, decode, encode } from "./frames.js";

/** One of every command, with its fields. */
const frames = [
  encode(1, 1, { openid: "o1", openidType: "wechat", info: '{"name":"Ann"}' }),
  encode(2, 2, { openid: "茶", openidType: "wechat", autoCreate: -1, info: "" }),
  encode(3, 3, { appCode: 7, token: 0xfedc_ba98_7654_3210n, info: "{}" }),
  encode(4, 4, { roomId: 4_294_967_295 }),
  encode(5, 5, { roomId: 0 }),
  encode(6, 6, { roomId: 1 }),
  encode(7, 7, {}),
  encode(8, 8, {}),
  encode(9, 9, {}),
  encode(10, 10, { roomId: 1, text: "热水" }),
];

test("the parser reads what the encoder writes", () => {
  const contents = frames.map((frame) => decode(frame.subarray(4)));
  assert.deepEqual(contents.map((content) => [content.command, content.sequence]), frames.map((_, at) => [at + 1, at + 1]));
  const login = contents[1]!.body as Token.LoginRequest;
  assert.deepEqual([login.openid.text, login.openidType.text, login.autoCreate, login.info.text], ["茶", "wechat", -1, ""]);
  assert.equal((contents[3]!.body as Token.EnterRoomRequest).roomId, 4_294_967_295);
  assert.equal((contents[9]!.body as Token.PostMessageRequest).text.text, "热水");
});

test("a token keeps all its 64 bits", () => {
  const body = decode(frames[2]!.subarray(4))._raw_body;
  assert.equal(bigAtStart(body.subarray(2)), 0xfedc_ba98_7654_3210n);
});

test("cutting the stream anywhere gives the same frames", () => {
  const stream = Buffer.concat(frames);
  for (const size of [1, 3, 7, stream.length]) {
    const cutter = new Cutter();
    const cut: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) cut.push(...cutter.add(stream.subarray(at, at + size)));
    assert.deepEqual(cut, frames.map((frame) => frame.subarray(4)));
  }
});
