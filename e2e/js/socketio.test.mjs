// The official Socket.IO client: what its documentation promises, over each
// transport.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, askAll, Clients, connected, transports } from "../lib/clients.mjs";
import { startTestServer } from "../lib/programs.mjs";
import { RawWebSocket } from "../lib/raw.mjs";
import { event, record, until, within } from "../lib/wait.mjs";

let server;
before(async () => (server = await startTestServer()));
after(() => server?.stop());

for (const [transport, options] of Object.entries(transports)) {
  describe(`over ${transport}`, () => {
    function open(t) {
      const clients = new Clients(server);
      t.after(() => clients.close());
      return {
        socket: (namespace) => clients.socket(options, namespace),
        lone: (extra, namespace) => clients.lone({ ...options, ...extra }, namespace),
        upgraded: () => clients.upgraded(options),
      };
    }

    test("the server says which transport is used", async (t) => {
      const socket = await open(t).upgraded();
      assert.equal(await ask(socket, "transport"), transport === "polling" ? "polling" : "websocket");
    });

    test("the handshake carries auth and query", async (t) => {
      const socket = open(t).lone({ auth: { token: "abc" }, query: { color: "grün" } });
      await connected(socket);
      const handshake = await ask(socket, "handshake");
      assert.deepEqual(handshake.auth, { token: "abc" });
      assert.deepEqual(handshake.query.color, ["grün"]);
      assert.equal(handshake.secure, false);
    });

    test("arguments of every kind come back as they were", async (t) => {
      const socket = await open(t).socket();
      const args = [
        "text with \"quotes\", \n, \u2028 and 🦊", "", 0, -1.5e-7, true, false, null,
        [], [1, [2, [3]]], {}, { a: { b: ["c", null] } },
      ];
      assert.deepEqual(await askAll(socket, "echo", ...args), args);
      const echoed = event(socket, "echo");
      socket.emit("echo", ...args);
      assert.deepEqual(await echoed, args);
      assert.deepEqual(await askAll(socket, "echo"), []);
    });

    test("binary comes back whole, alone and inside objects", async (t) => {
      const socket = await open(t).socket();
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const large = Buffer.alloc(300_000, 0xa5);
      const args = [bytes, { name: "photo", parts: [large, Buffer.alloc(0)] }, "end"];
      assert.deepEqual(await askAll(socket, "echo", ...args), args);
      const echoed = event(socket, "echo");
      socket.emit("echo", ...args);
      assert.deepEqual(await echoed, args);
    });

    test("the server gets acknowledgements, and gives up after its timeout", async (t) => {
      const socket = await open(t).socket();
      socket.on("question", (a, b, reply) => reply(a + b, Buffer.from([1, 2])));
      assert.deepEqual(await askAll(socket, "call", 20000, "question", 40, 2), [42, Buffer.from([1, 2])]);
      const { error } = await ask(socket, "call", 50, "nobody listens");
      assert.match(error, /timed out/);
    });

    test("the client gives up after its timeout", async (t) => {
      const socket = await open(t).socket();
      await assert.rejects(socket.timeout(50).emitWithAck("nobody listens"), /timed out/);
      assert.deepEqual(await ask(socket, "echo", "still here"), "still here");
    });

    test("rooms: those inside get it once, those who left do not", async (t) => {
      const clients = open(t);
      const [ann, bob, cat] = await Promise.all([clients.socket(), clients.socket(), clients.socket()]);
      await ask(ann, "join", ["red room", "blue"]);
      await ask(bob, "join", ["red room", "blue"]);
      await ask(cat, "join", ["red room"]);
      assert.deepEqual(new Set(await ask(bob, "rooms")), new Set([bob.id, "red room", "blue"]));
      const got = [ann, bob, cat].map((socket) => record(socket, "news"));
      await ask(ann, "to", ["red room", "blue"], "news", 1); // not to the sender, once to bob
      await ask(ann, "in", ["red room"], "news", 2); // to the sender too
      await ask(cat, "leave", "red room");
      await ask(ann, "in", ["red room"], "news", 3);
      await ask(ann, "all", [], "news", "last");
      await until(() => got.every((list) => list.at(-1)?.[0] === "last"), "the last news");
      assert.deepEqual(got, [
        [[2], [3], ["last"]],
        [[1], [2], [3], ["last"]],
        [[1], [2], ["last"]],
      ]);
    });

    test("broadcast, except, local and private messages", async (t) => {
      const clients = open(t);
      const [ann, bob, cat] = await Promise.all([clients.socket(), clients.socket(), clients.socket()]);
      await ask(cat, "join", ["quiet"]);
      const got = [ann, bob, cat].map((socket) => record(socket, "news"));
      await ask(ann, "broadcast", [], "news", "broadcast");
      await ask(ann, "except", ["quiet"], "news", "except");
      await ask(ann, "local", [], "news", "local");
      await ask(ann, "private", [bob.id], "news", "private");
      await ask(ann, "to", [cat.id], "news", "by room");
      await ask(ann, "all", [], "news", "last");
      await until(() => got.every((list) => list.at(-1)?.[0] === "last"), "the last news");
      assert.deepEqual(got.map((list) => list.flat()), [
        ["except", "local", "last"],
        ["broadcast", "except", "local", "private", "last"],
        ["broadcast", "local", "by room", "last"],
      ]);
    });

    test("namespaces share a connection and nothing else", async (t) => {
      const clients = open(t);
      const main = await clients.socket();
      const chat = main.io.socket("/chat");
      t.after(() => chat.disconnect());
      await connected(chat);
      assert.notEqual(main.id, chat.id);
      const inMain = record(main, "news");
      const inChat = record(chat, "news");
      await ask(main, "all", [], "news", "main");
      await ask(chat, "all", [], "news", "chat");
      await until(() => inMain.length && inChat.length, "news in both namespaces");
      assert.deepEqual([inMain, inChat], [[["main"]], [["chat"]]]);
      chat.disconnect();
      assert.equal(await ask(main, "echo", 1), 1);
    });

    test("an unknown namespace and a middleware refuse with connect_error", async (t) => {
      const clients = open(t);
      const nowhere = clients.lone({}, "/nowhere");
      await assert.rejects(connected(nowhere), { message: "Invalid namespace" });
      const guarded = clients.lone({ auth: { token: "wrong" } }, "/guarded");
      await assert.rejects(connected(guarded), (error) => {
        assert.equal(error.message, "not authorized");
        assert.deepEqual(error.data, { code: 401 });
        return true;
      });
      guarded.auth = { token: "let me in" };
      await connected(guarded);
      assert.equal(await ask(guarded, "echo", "in"), "in");
    });

    test("disconnect reasons, on both sides", async (t) => {
      const clients = open(t);
      const watcher = await clients.socket();
      const ends = {
        "the client leaves": { act: (s) => s.disconnect(), client: "io client disconnect", server: "client namespace disconnect" },
        "the client closes": { act: (s) => s.io.engine.close(), client: "forced close", server: "transport close" },
        "the server disconnects": { act: (s) => s.emit("disconnect me"), client: "io server disconnect", server: "server namespace disconnect" },
        "the server closes": { act: (s) => s.emit("close me"), client: "io server disconnect", server: "server namespace disconnect" },
      };
      for (const [name, end] of Object.entries(ends)) {
        const socket = await clients.upgraded();
        const { id } = socket;
        const reason = event(socket, "disconnect");
        end.act(socket);
        assert.equal((await reason)[0], end.client, name);
        const reasons = await until(
          async () => {
            const list = await ask(watcher, "reasons", id);
            return list.length > 0 && list;
          },
          `${name}: reason on the server`,
        );
        assert.deepEqual(reasons, [end.server], name);
      }
    });

    test("a client that leaves and connects again is a new socket on the same connection", async (t) => {
      const socket = await open(t).socket();
      const { id } = socket;
      await ask(socket, "join", ["den"]);
      socket.disconnect();
      await connected(socket);
      assert.notEqual(socket.id, id);
      assert.deepEqual(await ask(socket, "rooms"), [socket.id]);
    });

    test("a handler that panics ends its own connection, with the stack in the log", async (t) => {
      const clients = open(t);
      const [ann, bob] = await Promise.all([clients.upgraded(), clients.upgraded()]);
      const { id } = ann;
      const gone = event(ann, "disconnect");
      ann.emit("panic");
      await gone;
      assert.equal(await ask(bob, "echo", "untouched"), "untouched");
      const line = await until(() => server.log().find((l) => l.level === "error" && l.socket === id), "panic in the log");
      assert.match(line.panic, /a test asked for this panic/);
      assert.match(line.stack, /events\.go/);
    });
  });
}

test("a silent client is gone after the ping timeout", async (t) => {
  const impatient = await startTestServer("-ping-interval=100ms", "-ping-timeout=100ms");
  t.after(() => impatient.stop());
  const clients = new Clients(impatient);
  t.after(() => clients.close());
  const watcher = await clients.socket();
  const mute = await RawWebSocket.open(impatient); // answers no ping
  t.after(() => mute.end());
  const id = mute.joined.sid;
  const reasons = await until(async () => {
    const list = await ask(watcher, "reasons", id);
    return list.length > 0 && list;
  }, "ping timeout");
  assert.deepEqual(reasons, ["ping timeout"]);
  await within(mute.closed, "close");
  assert.equal(watcher.connected, true);
});

test("clients hear of a shutdown", async (t) => {
  const leaving = await startTestServer();
  const clients = new Clients(leaving);
  t.after(() => clients.close());
  const sockets = await Promise.all(Object.values(transports).map((options) => clients.upgraded(options)));
  const gone = sockets.map((socket) => event(socket, "disconnect"));
  await leaving.stop();
  await within(Promise.all(gone), "disconnects");
});
