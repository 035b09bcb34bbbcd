// What no client sends ends the connection it came on as the protocol says, and
// touches no other.
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { ask, Clients } from "../lib/clients.mjs";
import { startTestServer } from "../lib/programs.mjs";
import { chunked, RawPolling, RawWebSocket } from "../lib/raw.mjs";
import { record, until, within } from "../lib/wait.mjs";

let server, clients, witness;
const heard = []; // by the witness, which no test may disturb

before(async () => {
  server = await startTestServer();
  clients = new Clients(server);
  witness = await clients.upgraded({ transports: ["polling", "websocket"] });
  witness.on("disconnect", (reason) => heard.push(`disconnect: ${reason}`));
  witness.onAny((name) => heard.push(name));
});
after(async () => {
  await clients?.close();
  await server?.stop();
});

// untouched asserts that the witness is connected, served, and heard nothing.
async function untouched() {
  assert.equal(await ask(witness, "echo", "here"), "here");
  assert.deepEqual(heard, []);
}

const deep = `42["e",${"[".repeat(50_000)}${"]".repeat(50_000)}]`;

// Packets after which the connection has to be closed. A string is sent as one text
// message; a list as messages, buffers among them as binary ones.
const fatal = {
  "an event without payload": "42",
  "an event whose payload is an object": "42{}",
  "an event whose payload is a string": '42"e"',
  "an event without a name": "42[]",
  "an event whose name is an object": "42[{}]",
  "an event with a reserved name": '42["connect"]',
  "an event cut off": '42["e",',
  "an event followed by rubbish": '42["e"]x',
  "a binary event of no attachments and no payload": "450-",
  "a binary event without a number of attachments": '45-["e"]',
  "a binary event with a negative number": '45-1-["e"]',
  "a binary event with a huge number": '4599999999999-["e"]',
  "an array of depth 50,000": deep,
  "an attachment that is not there": ['451-["e",{"_placeholder":true,"num":1}]', Buffer.from("x")],
  "text in place of an attachment": ['451-["e",{"_placeholder":true,"num":0}]', '42["f"]'],
  "an attachment that nobody announced": [Buffer.from("x")],
  "an acknowledgement whose payload is an object": "431{}",
  "an unknown type of packet": "49",
  "no packet at all": "4",
  "an unknown Engine.IO packet": "9",
  "a second CONNECT": "40",
  "a CONNECT_ERROR": '44{"message":"no"}',
  "an event in a namespace not joined": '42/chat,["e"]',
  "a disconnect from a namespace not joined": "41/chat,",
  "a ping, which is the server's to send": "2",
};

// Packets that mean nothing and harm nobody, as with the reference server.
const harmless = {
  "an acknowledgement with an unknown id": "43999[1]",
  "a pong that nobody asked for": "3",
};

describe("over WebSocket", () => {
  for (const [name, packets] of Object.entries(fatal)) {
    test(`${name} closes the connection`, async (t) => {
      const raw = await RawWebSocket.open(server);
      t.after(() => raw.end());
      for (const packet of [packets].flat()) typeof packet === "string" ? raw.text(packet) : raw.binary(packet);
      await within(raw.closed, "close");
      await untouched();
    });
  }

  for (const [name, packet] of Object.entries(harmless)) {
    test(`${name} is ignored`, async (t) => {
      const raw = await RawWebSocket.open(server);
      t.after(() => raw.end());
      raw.text(packet);
      raw.text('420["echo","still here"]');
      await raw.answers('430["still here"]');
      await untouched();
    });
  }

  test("invalid UTF-8 closes the connection with 1007", async (t) => {
    const raw = await RawWebSocket.open(server);
    t.after(() => raw.end());
    raw.text(Buffer.concat([Buffer.from('42["e","'), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('"]')]));
    assert.equal(await within(raw.closed, "close"), 1007);
    await untouched();
  });

  test("a message over maxPayload closes the connection with 1009", async (t) => {
    const raw = await RawWebSocket.open(server);
    t.after(() => raw.end());
    raw.text(`42["e","${"a".repeat(5_000_000)}"]`);
    const code = await within(raw.closed, "close");
    assert.ok([1009, 1006].includes(code), `closed with ${code}`); // 1006: the answer was lost with what was not read
    await untouched();
  });

  for (const [name, packet] of Object.entries({ "a ping": "2", "an event": '42["e"]', "an acknowledgement": "430[]", "an attachment": Buffer.from("x") })) {
    test(`${name} before anything else closes the connection`, async (t) => {
      const raw = await RawWebSocket.open(server, { join: false });
      t.after(() => raw.end());
      typeof packet === "string" ? raw.text(packet) : raw.binary(packet);
      await within(raw.closed, "close");
      await untouched();
    });
  }

  test("a pong before anything else harms nobody", async (t) => {
    const raw = await RawWebSocket.open(server, { join: false });
    t.after(() => raw.end());
    raw.text("3");
    raw.text("40");
    await until(() => raw.messages.some((m) => m.startsWith("40{")), "CONNECT packet");
    await untouched();
  });

  test("a client that leaves with attachments missing leaves nothing behind", async () => {
    const raw = await RawWebSocket.open(server);
    raw.text('452-["collect",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    raw.binary(Buffer.from("one"));
    raw.end();
    await untouched();
  });
});

describe("over polling", () => {
  for (const [name, packets] of Object.entries(fatal)) {
    test(`${name} closes the session`, async () => {
      const raw = await RawPolling.open(server);
      const body = [packets].flat().map((p) => (typeof p === "string" ? p : `b${p.toString("base64")}`)).join("\x1e");
      await raw.post(body);
      await raw.gone();
      await untouched();
    });
  }

  for (const [name, body] of Object.entries({
    "a body that is no packet": "hello",
    "an empty body": "",
    "base64 that is none": "b!!!!",
    "invalid UTF-8": Buffer.from([0x34, 0x32, 0x5b, 0x22, 0xff, 0x22, 0x5d]),
    "separators alone": "\x1e\x1e",
    "a ping before anything else": "2",
  })) {
    test(`${name} closes the session`, async () => {
      const raw = await RawPolling.open(server, { join: false });
      await raw.post(body);
      await raw.gone();
      await untouched();
    });
  }

  test("an acknowledgement with an unknown id is ignored", async () => {
    const raw = await RawPolling.open(server);
    assert.equal((await raw.post(`43999[1]\x1e420["echo",1]`)).status, 200);
    assert.equal((await raw.get()).body, "430[1]");
    await untouched();
  });

  test("a chunked POST of 5 MB is refused with 413, and its session is closed", async () => {
    const raw = await RawPolling.open(server);
    const status = await chunked(server, new URL(raw.url).pathname + new URL(raw.url).search, 5_000_000);
    assert.match(status, /^HTTP\/1\.1 413 /);
    await raw.gone();
    await untouched();
  });

  test("a POST that says it has 5 MB is refused with 413", async () => {
    const raw = await RawPolling.open(server);
    const { status } = await raw.post("4".repeat(5_000_000)).catch(() => ({ status: 413 })); // closed while we still wrote
    assert.equal(status, 413);
    await raw.gone();
    await untouched();
  });

  test("the documented HTTP errors", async () => {
    const raw = await RawPolling.open(server);
    const base = `${server.http}/socket.io/`;
    const cases = [
      ["unknown transport", "?EIO=4&transport=smoke", {}, 400, { code: 0, message: "Transport unknown" }],
      ["unknown session", "?EIO=4&transport=polling&sid=nobody", {}, 400, { code: 1, message: "Session ID unknown" }],
      ["bad handshake method", "?EIO=4&transport=polling", { method: "POST", body: "40" }, 400, { code: 2, message: "Bad handshake method" }],
      ["another transport", `?EIO=4&transport=websocket&sid=${raw.sid}`, {}, 400, { code: 3, message: "Bad request" }],
      ["unsupported version", "?EIO=99&transport=polling", {}, 400, { code: 5, message: "Unsupported protocol version" }],
    ];
    for (const [name, query, init, status, body] of cases) {
      const response = await fetch(base + query, init);
      assert.equal(response.status, status, name);
      assert.deepEqual(await response.json(), body, name);
    }
    await untouched();
  });

  test("two requests at once close the session", async () => {
    const raw = await RawPolling.open(server);
    const first = raw.get().catch(() => {});
    const second = raw.get().catch(() => {});
    await Promise.all([first, second]);
    await raw.gone();
    await untouched();
  });
});

// speak sends bytes on a TCP connection and waits until the server closes it.
function speak(port, bytes) {
  const end = new Promise((resolve) => {
    const socket = net.connect(Number(port), "127.0.0.1", () => socket.write(bytes));
    socket.on("error", () => {});
    socket.on("close", resolve);
    socket.resume();
  });
  return within(end, "close by the server");
}

describe("over MQTT", () => {
  const connect = Buffer.from("101000044d5154540402003c000474657374", "hex"); // 3.1.1, client "test"
  const cases = {
    "a packet before CONNECT": Buffer.from("c000", "hex"),
    "a second CONNECT": Buffer.concat([connect, connect]),
    "an unknown protocol": Buffer.from("100c00034d585804020000000161", "hex"),
    "a length that never ends": Buffer.from("10ffffffffff", "hex"),
    "a length over the limit": Buffer.concat([connect, Buffer.from("30ffffff7f", "hex")]),
    "a topic with a wildcard": Buffer.concat([connect, Buffer.from("30060003612f2378", "hex")]),
    "a topic that is not UTF-8": Buffer.concat([connect, Buffer.from("30040002fffe", "hex")]),
    "a publish with QoS 3": Buffer.concat([connect, Buffer.from("36050001610001", "hex")]),
    "a subscribe without filters": Buffer.concat([connect, Buffer.from("82020001", "hex")]),
    "a subscribe with reserved bits": Buffer.concat([connect, Buffer.from("8006000100016100", "hex")]),
    "HTTP": Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(200)}\r\n\r\n`),
    "random bytes": Buffer.from("f0e1d2c3b4a5968778695a4b3c2d1e0f".repeat(20), "hex"),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    test(`${name} closes the connection`, async () => {
      await speak(new URL(server.mqtt).port, bytes);
      await untouched();
      const device = await clients.device();
      await device.publishAsync("elsewhere", "fine", { qos: 1 });
      await device.endAsync();
    });
  }

  test("a text message on /mqtt closes the connection", async () => {
    const { default: WebSocket } = await import("ws");
    const ws = new WebSocket(`${server.ws}/mqtt`, "mqtt");
    ws.on("error", () => {});
    await within(new Promise((resolve) => ws.once("open", resolve)), "open");
    const closed = new Promise((resolve) => ws.once("close", resolve));
    ws.send("hello");
    await within(closed, "close");
    await untouched();
  });

  test("a device that never reads is closed, and the room goes on", async () => {
    // It subscribes to all and stops reading: 50 MB are more than its queue and
    // the buffers of the system hold.
    const { port } = new URL(server.mqtt);
    const mute = net.connect(Number(port), "127.0.0.1");
    mute.on("error", () => {});
    const closed = new Promise((resolve) => mute.once("close", resolve));
    mute.write(Buffer.concat([connect, Buffer.from("8206000100012300", "hex")]));
    await until(() => mute.bytesRead > 4 || mute.readableLength > 4, "SUBACK");
    mute.pause();
    const got = record(witness, "bulk");
    witness.offAny();
    const device = await clients.device();
    const payload = Buffer.alloc(500_000, "x");
    for (let i = 0; i < 100; i++) await device.publishAsync("sio/main/all/bulk", payload, { qos: 1 });
    await until(() => got.length >= 100, "100 broadcasts", 60_000);
    mute.resume();
    await within(closed, "close of the mute device");
    await untouched();
  });
});
