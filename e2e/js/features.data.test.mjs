// What one browser sends is what another receives, and what the server's handlers see.
// https://socket.io/docs/v4/emitting-events/#basic-emit
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { all, barrier, overEach, variants } from "../lib/features.mjs";
import { RawWebSocket } from "../lib/raw.mjs";
import { event, until } from "../lib/wait.mjs";

const bytes = Buffer.from([0, 255, 1, 254, 0xc3, 0x28]);

function nested(depth, value) {
  return depth === 0 ? value : depth % 2 ? [nested(depth - 1, value)] : { [`level ${depth}`]: nested(depth - 1, value) };
}

const bare = Object.assign(Object.create(null), { a: 1, b: Object.assign(Object.create(null), { c: [2] }) });
const hole = ["a", , "c"]; // eslint-disable-line no-sparse-arrays

// What is sent, and what is received where it is something else, or is after a handler has had
// it as Go values (decoded). packable: false is what msgpack has no form for, or its encoder loses.
const values = {
  "no arguments": { sent: [], decoded: ["ok"] },
  "strings": { sent: ["", "text", "\"quotes\" \\ \n \t \u0000 \u007f \u2028 \u2029", "</script>&<>"] },
  "strings beyond ASCII": { sent: ["grüß", "日本語", "🦊👩‍👩‍👧‍👦", "\u{10ffff}"] },
  "lone surrogates": { sent: ["\ud83e", "a\udd8a", "\udd8a\ud83e"], decoded: ["\ufffd", "a\ufffd", "\ufffd\ufffd"], packable: false },
  "a long string": { sent: ["ü".repeat(70_000)] },
  "whole numbers": { sent: [0, 1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32, -(2 ** 31), -(2 ** 31) - 1] },
  "large and small numbers": { sent: [2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, -1e-7, 1.5e-300, Number.MIN_VALUE] },
  "whole numbers beyond 64 bits": { sent: [1e21, -1e300, Number.MAX_VALUE], packable: false }, // the encoder of that client loses them
  "fractions": { sent: [0.1, -2.5, 1 / 3, Math.PI, 123456.789] },
  "minus zero": { sent: [-0], received: [0] },
  "what is no number": { sent: [NaN, Infinity, [-Infinity]], received: [null, null, [null]] },
  "true, false, null": { sent: [true, false, null, [true, null]] },
  "undefined": { sent: [undefined, [undefined], hole, { a: undefined, b: 1 }, "end"], received: [null, [null], ["a", null, "c"], { b: 1 }, "end"] },
  "empty containers": { sent: [[], {}, [[]], [{}], { a: [] }, { "": "" }] },
  "dates": { sent: [new Date(Date.UTC(2024, 1, 29, 12, 30, 1, 234)), { at: new Date(0) }], received: ["2024-02-29T12:30:01.234Z", { at: "1970-01-01T00:00:00.000Z" }] },
  "what has a JSON form of its own": { sent: [{ toJSON: () => ({ own: [1] }) }, "end"], received: [{ own: [1] }, "end"] },
  "maps, sets and functions": { sent: [new Map([["a", 1]]), new Set([1]), [() => 1], "end"], received: [{}, {}, [null], "end"], packable: false },
  "null prototypes": { sent: [bare], received: [{ a: 1, b: { c: [2] } }], packable: false },
  "names of the language": { sent: [JSON.parse('{"__proto__":{"a":1},"constructor":2,"toString":null,"length":"3"}')], packable: false },
  "many keys": { sent: [Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key ${i}`, i]))] },
  "many elements": { sent: [Array.from({ length: 20_000 }, (_, i) => i)] },
  "many arguments": { sent: Array.from({ length: 200 }, (_, i) => (i % 7 ? i : String(i))) },
  "ten levels": { sent: [nested(10, "bottom"), nested(10, null)] },
  "what looks like a placeholder": { sent: [{ _placeholder: true, num: 0 }, { _placeholder: false, num: 7 }, { num: 0 }] },
  "binary": { sent: [bytes, Buffer.alloc(0), Buffer.alloc(70_000, 0xa5)] },
  "binary inside": { sent: [{ name: "a.png", parts: [bytes, { last: Buffer.from("b") }], none: null }, [[bytes]], "end"] },
  "binary ten levels down": { sent: [nested(10, bytes), nested(9, bytes)] },
  "array buffers and views": {
    sent: [new Uint8Array([1, 2, 3]), new Uint8Array([1, 2, 3, 4]).subarray(1, 3), Uint8Array.from(bytes).buffer, new Uint16Array([258])],
    received: [Buffer.from([1, 2, 3]), Buffer.from([2, 3]), bytes, Buffer.from([2, 1])],
    packable: false,
  },
  "the same binary twice": { sent: [bytes, { again: bytes }] },
  "binary beside what looks like a placeholder in a string": { sent: ['{"_placeholder":true,"num":0}', bytes] },
};

// bare arguments of what arrived, with bytes as Buffers.
const seen = (args) => args.map(function buffers(v) {
  if (v instanceof ArrayBuffer) return Buffer.from(v);
  if (v instanceof Uint8Array) return Buffer.from(v);
  if (Array.isArray(v)) return v.map(buffers);
  if (v === null || typeof v !== "object") return v;
  const copy = {};
  for (const key of Object.keys(v)) Object.defineProperty(copy, key, { value: buffers(v[key]), enumerable: true, configurable: true, writable: true });
  return copy;
});

overEach(variants, {}, ({ open, kind, server, final }) => {
  describe("values", () => {
    for (const [name, { sent, received = sent, decoded = received, packable = true }] of Object.entries(values)) {
      if (kind === "msgpack" && !packable) continue;
      test(name, async (t) => {
        const [ann, bob] = await open(t).many(2);
        assert.deepEqual(seen(await all(ann, "echo", ...sent)), received, "acknowledgement");
        const [echo, relayed] = [event(ann, "echo"), event(bob, "relayed")];
        ann.emit("echo", ...sent);
        ann.emit("relay", ...sent);
        assert.deepEqual(seen(await echo), received, "event");
        assert.deepEqual(seen(await relayed), received, "to another client");
        assert.deepEqual(seen(await all(ann, "decode", ...sent)), decoded, "by way of Go values");
      });
    }
  });

  test("names of events", async (t) => {
    const [ann, bob] = await open(t).many(2);
    const heard = [];
    bob.onAny((name, ...args) => heard.push([name, ...args]));
    const names = ["", " ", "ünï", "🦊", "message", "a/b,c", "__proto__", "error", "x".repeat(1000)];
    for (const name of names) await all(ann, "do", {}, "emit", name, 1);
    await barrier(bob);
    assert.deepEqual(heard, names.map((name) => [name, 1]));
  });

  test("values that only Go has", async (t) => {
    const [socket] = await open(t).many(1);
    const [numbers, photo, date, large, nothing, most] = seen(await all(socket, "special"));
    assert.deepEqual(numbers, [null, null, null]);
    assert.deepEqual(photo, { name: "a<b>&c", bytes: Buffer.from([1, 2]), pages: [Buffer.from([3]), Buffer.alloc(0)], tags: { x: Buffer.from([4]) } });
    assert.deepEqual([date, nothing], ["2024-02-29T12:30:00Z", null]);
    assert.ok(Math.abs(Number(large) - 1.2345678901234568e29) < 1e14, String(large));
    assert.ok(Math.abs(Number(most) - 2 ** 64) < 4096, String(most));
  });

  if (kind === "4.8" && final === "websocket") {
    test("numbers are relayed to the digit", async (t) => {
      const [ann] = await open(t).many(1);
      const [from, to] = [await RawWebSocket.open(server()), await RawWebSocket.open(server())];
      t.after(() => [from, to].forEach((raw) => raw.end()));
      const digits = "9007199254740993,123456789012345678901234567890,-0,-0.0,1.0,1E5,1e+21,0.10,12345678901234567.125";
      const relayed = event(ann, "relayed");
      from.text(`42["relay",${digits},{"a":[${digits}]}]`);
      await to.answers(`42["relayed",${digits},{"a":[${digits}]}]`);
      assert.deepEqual((await relayed).slice(0, 9), JSON.parse(`[${digits}]`));
      from.text(`421["echo",${digits}]`);
      await from.answers(`431[${digits}]`);
    });

    test("text is relayed as it is", async (t) => {
      await open(t).many(1);
      const [from, to] = [await RawWebSocket.open(server()), await RawWebSocket.open(server())];
      t.after(() => [from, to].forEach((raw) => raw.end()));
      const text = String.raw`"\ud83e\udd8a \ud83e \/ \u0000 é 🦊",{"a" : [ 1 , 2 ] , "a":3}`;
      from.text(`42["relay",${text}]`);
      const got = await until(() => to.messages.find((m) => m.startsWith('42["relayed"')), "what was relayed");
      assert.deepEqual(JSON.parse(got.slice(2)), JSON.parse(`["relayed",${text}]`));
      assert.ok(got.includes(String.raw`\ud83e`));
    });
  }
});
