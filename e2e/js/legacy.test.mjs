// The official clients of Socket.IO 2 (Engine.IO 3, behind AllowEIO3) and 3, over
// each transport. In Node the former polls with base64; its binary form and JSONP are
// tested in Chromium, e2e/real/legacy.test.mjs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { io as io3 } from "socket.io-client-3";
import io2 from "socket.io-client-2";
import { Clients, transports } from "../lib/clients.mjs";
import { startTestServer } from "../lib/programs.mjs";
import { event, record, sequence, until, within } from "../lib/wait.mjs";

const heartbeat = 400; // milliseconds
let server;
before(async () => (server = await startTestServer("-allow-eio3", "-ping-interval", `${heartbeat}ms`, "-ping-timeout", "5s")));
after(() => server?.stop());

// What a refusal is called, and what the client is given of it.
const versions = {
  2: { io: io2, refusal: "error", refused: (data) => assert.deepEqual(data, { code: 401 }), auth: (token) => ({ query: { token } }) },
  3: {
    io: io3,
    refusal: "connect_error",
    refused(error) {
      assert.equal(error.message, "not authorized");
      assert.deepEqual(error.data, { code: 401 });
    },
    auth: (token) => ({ auth: { token } }),
  },
};

const askAll = (socket, ...args) =>
  within(new Promise((resolve) => socket.emit(...args, (...got) => resolve(got))), `acknowledgement of ${args[0]}`);
const ask = async (...args) => (await askAll(...args))[0];

for (const [version, { io, refusal, refused, auth }] of Object.entries(versions)) {
  for (const [transport, options] of Object.entries(transports)) {
    describe(`Socket.IO ${version} over ${transport}`, () => {
      // open connects, and waits for the end of an upgrade.
      async function open(t, { namespace = "/", ...extra } = {}) {
        const socket = lone(t, { namespace, ...extra });
        const opened = event(socket, "connect");
        const upgraded = transport === "upgrade" ? within(new Promise((r) => socket.io.engine.once("upgrade", r)), "upgrade") : undefined;
        await Promise.all([opened, upgraded]);
        return socket;
      }

      function lone(t, { namespace = "/", ...extra } = {}) {
        const socket = io(server.http + namespace, { ...options, forceNew: true, reconnection: false, ...extra });
        t.after(() => socket.close());
        return socket;
      }

      test("the server says which transport is used, and the client knows its id", async (t) => {
        const socket = await open(t);
        assert.equal(await ask(socket, "transport"), transport === "polling" ? "polling" : "websocket");
        await askAll(socket, "join", ["somewhere"]);
        assert.ok((await ask(socket, "rooms")).includes("somewhere"));
        assert.deepEqual(await ask(socket, "private", [socket.id], "echo", "to myself"), "ok");
        const other = await open(t);
        const got = event(socket, "hello");
        assert.equal(await ask(other, "private", [socket.id], "hello", "you"), "ok");
        assert.deepEqual(await got, ["you"]);
      });

      test("arguments of every kind come back as they were", async (t) => {
        const socket = await open(t);
        const args = ["text with \"quotes\", \n, \\n, \u2028 and 🦊", "", 0, -1.5e-7, true, null, [1, [2, [3]]], { a: { b: ["c", null] } }];
        assert.deepEqual(await askAll(socket, "echo", ...args), args);
        const echoed = event(socket, "echo");
        socket.emit("echo", ...args);
        assert.deepEqual(await echoed, args);
      });

      test("binary comes back whole, alone and inside objects", async (t) => {
        const socket = await open(t);
        const bytes = Buffer.from(sequence(256));
        const args = [bytes, { name: "photo 🦊", parts: [Buffer.alloc(100_000, 0xa5), Buffer.alloc(0)] }, "end"];
        assert.deepEqual(await askAll(socket, "echo", ...args), args);
        const echoed = event(socket, "echo");
        socket.emit("echo", ...args);
        assert.deepEqual(await echoed, args);
      });

      test("the server gets acknowledgements", async (t) => {
        const socket = await open(t);
        socket.on("question", (a, b, reply) => reply(a + b, Buffer.from([1, 2])));
        assert.deepEqual(await askAll(socket, "call", 20000, "question", 40, 2), [42, Buffer.from([1, 2])]);
      });

      test("a room has clients of every version", async (t) => {
        const clients = new Clients(server);
        t.after(() => clients.close());
        const room = `mixed ${version} ${transport}`;
        const all = [await open(t), await clients.socket(options), await open(t)];
        await Promise.all(all.map((socket) => ask(socket, "join", [room])));
        const got = all.map((socket) => record(socket, "news"));
        for (const i of sequence(20)) all[i % 3].emit("in", [room], "news", "é🦊", Buffer.from([i, 255]));
        await until(() => got.every((list) => list.length === 20), "20 events for each");
        for (const list of got) {
          const numbers = list.map(([text, bytes]) => (assert.equal(text, "é🦊"), assert.equal(bytes[1], 255), bytes[0]));
          assert.deepEqual(numbers.sort((a, b) => a - b), sequence(20));
        }
      });

      test("many events both ways keep their order, during the upgrade too", async (t) => {
        const socket = lone(t);
        const [streamed, echoed] = [record(socket, "stream"), record(socket, "echo")];
        socket.emit("stream", 500);
        for (const i of sequence(500)) socket.emit("echo", i, Buffer.from([i & 255]));
        await until(() => streamed.length === 500 && echoed.length === 500, "500 events of each");
        assert.deepEqual(streamed.map(([i]) => i), sequence(500));
        assert.deepEqual(echoed.map(([i, bytes]) => [i, bytes[0]]), sequence(500).map((i) => [i, i & 255]));
      });

      test("namespaces: what the client says of itself, and a refusal", async (t) => {
        const socket = await open(t, { namespace: "/guarded", ...auth("let me in") });
        const { auth: got } = await ask(socket, "handshake");
        assert.equal(got.token, "let me in");
        assert.deepEqual(await ask(socket, "private", [socket.id], "x"), "ok");
        const [why] = await event(lone(t, { namespace: "/guarded", ...auth("who, me?") }), refusal);
        refused(why);
        const [nowhere] = await event(lone(t, { namespace: "/nowhere" }), refusal);
        assert.equal(nowhere.message, "Invalid namespace");
      });

      test("a namespace beside the main one, over one connection", async (t) => {
        const main = await open(t);
        const chat = main.io.socket("/chat");
        if (!chat.connected) await event(chat, "connect");
        assert.equal(chat.io, main.io);
        if (version === "2") assert.equal(chat.id, `/chat#${main.id}`);
        const got = event(chat, "hello");
        assert.equal(await ask(chat, "private", [chat.id], "hello"), "ok"); // does not come back to the sender
        assert.equal(await ask(chat, "in", [chat.id], "hello", 1), "ok");
        assert.deepEqual(await got, [1]);
        const left = event(chat, "disconnect");
        chat.close();
        await left;
        assert.deepEqual(await askAll(main, "echo", "still here"), ["still here"]);
      });

      test("the client leaves, and the server says why", async (t) => {
        const [socket, witness] = [await open(t), await open(t)];
        const { id } = socket;
        const left = event(socket, "disconnect");
        socket.close();
        assert.deepEqual((await left)[0], "io client disconnect");
        await until(async () => (await ask(witness, "reasons", id)).length === 1, "the server knows");
        // The client ends the connection right after its last namespace: what arrives first counts.
        assert.match((await ask(witness, "reasons", id))[0], /^(client namespace disconnect|transport close)$/);
      });

      test("the server ends the socket, or the connection after the last emit", async (t) => {
        const socket = await open(t);
        const left = event(socket, "disconnect");
        socket.emit("disconnect me");
        assert.equal((await left)[0], "io server disconnect");
        const other = await open(t);
        const gone = event(other, "disconnect");
        const got = record(other, "goodbye");
        other.emit("goodbye", 50);
        await gone;
        assert.deepEqual(got.map(([i]) => i), sequence(50));
      });

      test("the heartbeat keeps the connection", async (t) => {
        const socket = await open(t);
        const pongs = record(socket.io.engine, "pong");
        await until(() => pongs.length >= 3, "three heartbeats");
        assert.ok(socket.connected);
        assert.deepEqual(await askAll(socket, "echo", "alive"), ["alive"]);
      });
    });
  }
}

test("without AllowEIO3 a client of Socket.IO 2 is refused", async (t) => {
  const strict = await startTestServer();
  t.after(() => strict.stop());
  for (const options of [transports.polling, transports.websocket]) {
    const socket = io2(strict.http, { ...options, forceNew: true, reconnection: false });
    t.after(() => socket.close());
    await event(socket, "connect_error");
  }
  const response = await fetch(`${strict.http}/socket.io/?EIO=3&transport=polling`);
  assert.equal(response.status, 400);
  assert.deepEqual(await response.json(), { code: 5, message: "Unsupported protocol version" });
});
