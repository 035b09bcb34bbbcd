// The payload table of docs/TOPICS.md, a row for each form of arguments:
//   args         of the event on the Socket.IO side
//   payload      on the MQTT side, null where its bytes are not fixed
//   contentType  of MQTT 5
//   bare         the arguments that the same payload stands for without a content
//                type, where they differ from args
import { decode, encode } from "@msgpack/msgpack";

const binary = Buffer.from([0, 255, 1, 254, 0xc3, 0x28]); // no UTF-8

export const rows = {
  "no arguments": { args: [], payload: "" },
  "one string": { args: ["hello"], payload: "hello", contentType: "text/plain" },
  "one string beyond ASCII": { args: ["grüß 🦊\nzweite Zeile"], payload: "grüß 🦊\nzweite Zeile", contentType: "text/plain" },
  "one string that looks like JSON": { args: ["42"], payload: "42", contentType: "text/plain", bare: [42] },
  "one empty string": { args: [""], payload: "", contentType: "text/plain", bare: [] },
  "one number": { args: [21.5], payload: "21.5", contentType: "application/json" },
  "one boolean": { args: [true], payload: "true", contentType: "application/json" },
  "null": { args: [null], payload: "null", contentType: "application/json" },
  "one object": { args: [{ t: 21.5, unit: "°C", on: [] }], payload: '{"t":21.5,"unit":"°C","on":[]}', contentType: "application/json" },
  "one array": { args: [[1, "two", null]], payload: '[1,"two",null]', contentType: "application/json" },
  "one binary": { args: [binary], payload: binary, contentType: "application/octet-stream" },
  "two arguments": { args: ["set", 3], payload: '["set",3]', contentType: "application/vnd.siomq.args+json", bare: [["set", 3]] },
  "an array and a string": { args: [[1, 2], "x"], payload: '[[1,2],"x"]', contentType: "application/vnd.siomq.args+json", bare: [[[1, 2], "x"]] },
  "binary inside": {
    args: [{ name: "a.png", parts: [binary, Buffer.from("b")] }, "end", 7],
    payload: null,
    contentType: "application/vnd.siomq.args+msgpack",
  },
};

// bytesOf returns the payload that a publish of row has.
export const bytesOf = (row) => Buffer.from(row.payload ?? encode(row.args));

// readable returns what to compare of a received payload: msgpack decoded, as
// its bytes are not fixed.
export function readable(row, payload) {
  if (row.payload !== null) return payload.toString("latin1");
  return decode(Uint8Array.from(payload)); // of a Buffer it would make Buffers
}

// expected is what readable should return.
export const expected = (row) => (row.payload === null ? decode(encode(row.args)) : bytesOf(row).toString("latin1"));
