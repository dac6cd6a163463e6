/** Frames: written by the fields of each command, read by the parser that Kaitai Struct made. */

import { readFileSync } from "node:fs";
import { decode, type Requests, Token } from "../generated/token.cjs";

type FieldType = "u2" | "u4" | "u8" | "s4" | "string16" | "string32";
type Fields = [name: string, type: FieldType][];

const requests: Record<number, Fields> = JSON.parse(
  readFileSync(new URL("../generated/requests.json", import.meta.url), "utf8"),
);

/** What the gateway says by itself. */
export type Notification =
  | { kind: "population"; roomId: number; population: number }
  | { kind: "member"; roomId: number; uid: number; entered: boolean; name: string }
  | Message
  | Gap;

export interface Message {
  kind: "message";
  roomId: number;
  uid: number;
  messageId: number;
  time: Date;
  text: string;
}

/**
 * Messages of a room that were missed and are not there any more, because they were removed: those after the message
 * `after` and before `before`. `count`: how many, where that is still known.
 */
export interface Gap {
  kind: "gap";
  roomId: number;
  after: number;
  before: number;
  count?: number;
}

/** The frame of a request, its length included. */
export function encode<C extends keyof Requests>(command: C, sequence: number, given: Requests[C]): Buffer {
  const fields = requests[command] ?? [];
  const body = Buffer.concat(fields.map(([name, type]) => field(type, (given as Record<string, unknown>)[name])));
  const head = Buffer.alloc(10);
  head.writeUInt32BE(6 + body.length, 0);
  head.writeUInt16BE(command, 4);
  head.writeUInt32BE(sequence, 6);
  return Buffer.concat([head, body]);
}

function field(type: FieldType, value: unknown): Buffer {
  const bytes = Buffer.alloc({ u2: 2, u4: 4, u8: 8, s4: 4, string16: 2, string32: 4 }[type]);
  if (type === "string16" || type === "string32") {
    const text = Buffer.from(value as string);
    bytes.writeUIntBE(text.length, 0, bytes.length);
    return Buffer.concat([bytes, text]);
  }
  if (type === "u8") bytes.writeBigUInt64BE(BigInt(value as bigint));
  else if (type === "s4") bytes.writeInt32BE(value as number);
  else bytes.writeUIntBE(value as number, 0, bytes.length);
  return bytes;
}

/** Cuts a stream into frames: what is after each length. */
export class Cutter {
  #rest: Buffer = Buffer.alloc(0);

  *add(bytes: Buffer): Generator<Buffer> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUInt32BE()) {
      const end = 4 + this.#rest.readUInt32BE();
      yield this.#rest.subarray(4, end);
      this.#rest = this.#rest.subarray(end);
    }
  }
}

export { decode };

/** A number of 64 bits at the start of a body: Kaitai's JavaScript reads no more than 53 of them. */
export function bigAtStart(body: Uint8Array): bigint {
  return new DataView(body.buffer, body.byteOffset).getBigUint64(0);
}

/** What a frame that is no reply tells. None: one that this package does not know. */
export function notification(content: Token.Content): Notification | undefined {
  switch (content.command) {
    case Token.Command.POPULATION_CHANGED: {
      const { roomId, population } = content.body as Token.PopulationChangedNotification;
      return { kind: "population", roomId, population };
    }
    case Token.Command.MEMBER_CHANGED: {
      const { roomId, uid, entered, info } = content.body as Token.MemberChangedNotification;
      return { kind: "member", roomId, uid, entered: entered === 1, name: String(JSON.parse(info.text).name) };
    }
    case Token.Command.MESSAGE: {
      const { roomId, uid, messageId, time, text } = content.body as Token.MessageNotification;
      return { kind: "message", roomId, uid, messageId, time: new Date(time), text: text.text };
    }
    default:
      return undefined;
  }
}
