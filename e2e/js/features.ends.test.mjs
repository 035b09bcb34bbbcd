// How connections end, and what the limits do.
// https://socket.io/docs/v4/server-socket-instance/#disconnect
// https://socket.io/docs/v4/client-socket-instance/#disconnect
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { act, all, barrier, fresh, journal, newest, one, overEach, Sockets, variants, welcomed } from "../lib/features.mjs";
import { startFeatureServer } from "../lib/programs.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { RawPolling, RawWebSocket } from "../lib/raw.mjs";
import { event, record, sequence, until, within } from "../lib/wait.mjs";

// end carries out an end and returns both reasons.
async function end(socket, witness, carryOut) {
  const { id } = socket;
  const reasons = record(socket, "disconnect");
  await carryOut(socket);
  const entries = await journal(witness, "disconnect", id);
  await until(() => reasons.length > 0, "disconnect of the client");
  assert.equal(reasons.length, 1);
  assert.equal(entries.length, 1);
  assert.deepEqual((await journal(witness, "disconnecting", id)).map(([, reason]) => reason), [entries[0][1]]);
  return { client: reasons[0][0], server: entries[0][1] };
}

const ends = {
  "the client leaves": { act: (s) => s.disconnect(), client: "io client disconnect", server: "client namespace disconnect" },
  "the client closes the connection": { act: (s) => s.io.engine.close(), client: "forced close", server: "transport close" },
  "the server disconnects": { act: (s) => s.emit("do", { self: true }, "disconnect", false), client: "io server disconnect", server: "server namespace disconnect" },
  "the server closes the connection": { act: (s) => s.emit("do", { self: true }, "disconnect", true), client: "io server disconnect", server: "server namespace disconnect" },
  "an invalid packet": { act: (s) => s.io.engine.write("rubbish"), client: "transport close", server: "parse error" },
  "a listener that panics": { act: (s) => s.emit("panic"), client: "transport close", server: "forced close" },
};

overEach(variants, {}, ({ open, kind, transport, final, server, ...variant }) => {
  describe("reasons", () => {
    for (const [name, { act: carryOut, client, server: there }] of Object.entries(ends)) {
      test(name, async (t) => {
        const [socket, witness] = await open(t).many(2);
        assert.deepEqual(await end(socket, witness, carryOut), { client, server: there });
        await welcomed(socket); // and it may come again
      });
    }

    test("a connection that breaks", async (t) => {
      const proxy = await Proxy.open(t, server());
      const witness = await open(t).open();
      const socket = await new Sockets(t, proxy, { ...variant, transport }).open();
      await barrier(socket); // the server knows of the upgrade, too
      if (final === "polling") await until(() => proxy.polling, "poll");
      const { client, server: there } = await end(socket, witness, () => proxy.cut());
      assert.equal(client, final === "websocket" ? "transport close" : "transport error");
      assert.match(there, /^transport (close|error)$/); // a polling client says goodbye on a new connection
    });
  });

  if (kind === "4.8") {
    test("a packet that the client refuses", async (t) => {
      const [socket, witness] = await open(t).many(2);
      const many = Array.from({ length: 11 }, () => Buffer.from("x")); // its parser takes ten
      const reasons = await end(socket, witness, () => act(witness, { to: [socket.id] }, "emit", "news", ...many));
      assert.deepEqual(reasons, { client: "parse error", server: "transport close" });
    });

    test("what was emitted before the end arrives, what waits is not lost to others", async (t) => {
      const [socket, witness] = await open(t).many(2);
      const got = record(socket, "news");
      const gone = event(socket, "disconnect");
      await act(witness, { to: [socket.id], times: 50 }, "emit", "news");
      await act(witness, { to: [socket.id] }, "disconnect", true);
      await gone;
      assert.deepEqual(got.flat(), sequence(50));
      await barrier(witness);
    });
  }
});

overEach(variants.filter((v) => v.kind !== "msgpack"), { pingInterval: 200, pingTimeout: 400 }, ({ open, transport, server, ...variant }) => {
  test("nothing is heard any more, on both sides", async (t) => {
    const proxy = await Proxy.open(t, server());
    const witness = await open(t).open();
    const socket = await new Sockets(t, proxy, { ...variant, transport }).open();
    assert.deepEqual(await end(socket, witness, () => proxy.silence()), { client: "ping timeout", server: "ping timeout" });
    assert.equal(witness.connected, true);
  });
});

test("a shutdown, on every transport", async (t) => {
  const server = await startFeatureServer();
  const sockets = [];
  for (const variant of variants.filter((v) => v.kind !== "msgpack")) sockets.push(await new Sockets(t, server, variant).open());
  const ids = sockets.map((socket) => socket.id);
  const gone = sockets.map((socket) => event(socket, "disconnect"));
  await server.stop();
  for (const [reason] of await Promise.all(gone)) assert.match(reason, /^transport (close|error)$/);
  const reasons = ids.map((id) => server.log().find((line) => line.msg === "disconnect" && line.socket === id)?.reason);
  assert.deepEqual(reasons, ids.map(() => "server shutting down"));
});

// https://socket.io/docs/v4/server-options/#connecttimeout
describe("connectTimeout", () => {
  let server;
  before(async () => (server = await startFeatureServer({ connectTimeout: 300 })));
  after(() => server?.stop());

  test("ends a connection without a namespace", async (t) => {
    const raw = await RawWebSocket.open(server, { join: false });
    t.after(() => raw.end());
    await within(raw.closed, "close");
    const polling = await RawPolling.open(server, { join: false });
    await polling.gone();
  });

  test("and no other", async (t) => {
    for (const variant of newest) {
      const sockets = new Sockets(t, server, variant);
      const socket = await sockets.open();
      const waiting = sockets.lone({}, fresh("/asked-"));
      waiting.connect();
      const idle = await RawWebSocket.open(server, { join: false }); // opened later, ends
      await within(idle.closed, "close");
      await barrier(socket);
      assert.equal(waiting.io.engine.readyState, "open");
      await one(socket, "decide", waiting.nsp, "yes");
      await within(until(() => waiting.connected, "connect"), "connect");
    }
  });
});

// https://socket.io/docs/v4/server-options/#maxhttpbuffersize
const limit = 20_000;
overEach(variants, { maxPayload: limit }, ({ open, kind, transport }) => {
  const over = { text: ["x".repeat(limit + 1)], binary: [Buffer.alloc(limit + 1, 1)], "an object": [{ a: ["x".repeat(limit)] }] };
  for (const [name, args] of Object.entries(over)) {
    test(`${name} over the limit ends the connection`, async (t) => {
      const [socket, witness] = await open(t).many(2);
      const relayed = record(witness, "relayed");
      const reasons = await end(socket, witness, () => socket.emit("relay", ...args));
      assert.equal(reasons.server, "transport error");
      assert.match(reasons.client, /^transport (close|error)$/); // over polling, the close and the status 413 race
      await barrier(witness);
      assert.deepEqual(relayed, []);
    });
  }

  test("what is under it arrives, and what the server sends is not limited", async (t) => {
    const [socket, other] = await open(t).many(2);
    const relayed = event(other, "relayed");
    const under = ["x".repeat(limit / 4), Buffer.alloc(limit / 4, 1)];
    socket.emit("relay", ...under);
    assert.deepEqual(await relayed, under);
    const list = await all(other, "large", 5 * limit);
    assert.deepEqual(list.map((v) => v.length), [5 * limit, 5 * limit]);
  });

  if (kind === "4.8") {
    test("many messages that are together over the limit arrive, each in its turn", async (t) => {
      const [socket, other] = await open(t).many(2);
      const got = record(other, "relayed");
      const text = "x".repeat(limit / 10);
      for (let i = 0; i < 60; i++) socket.emit("relay", i, text, i % 5 ? i : Buffer.from("b"));
      await until(() => got.length === 60, `60 messages over ${transport}`);
      assert.deepEqual(got.map(([i]) => i), sequence(60));
    });
  }
});
