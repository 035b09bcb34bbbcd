// Connection state recovery.
// https://socket.io/docs/v4/connection-state-recovery
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { act, barrier, fresh, journal, one, overEach, Sockets, variants, welcomed } from "../lib/features.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { event, record, until } from "../lib/wait.mjs";

// The client knows recovery since 4.6.
const recovering = variants.filter((v) => v.kind !== "3.1");

// plain takes the offset away that ends the arguments of an event that can be recovered. The
// client leaves it there.
const plain = (list) => list.map((args) => (/^[\w-]{8}-[0-9a-z]+$/.test(args.at(-1)) ? args.slice(0, -1) : args));

// away ends the connection of a client as a network does, and returns once the
// server knows.
async function away(socket, witness) {
  const { id } = socket;
  const gone = event(socket, "disconnect");
  socket.io.engine.close();
  const [reason] = await gone;
  assert.equal(reason, "forced close");
  const [[, serverReason]] = (await journal(witness, "disconnect", id)).slice(-1);
  assert.equal(serverReason, "transport close");
  return id;
}

overEach(recovering, { recovery: { maxDisconnection: 20_000 } }, ({ open, transport, final, server, ...variant }) => {
  describe("a client that was away", () => {
    test("is the socket it was: id, rooms, data, and what it missed, once and in order", async (t) => {
      const sockets = open(t);
      const [socket, other] = await sockets.many(2);
      assert.equal(socket.recovered, false);
      const [room, elsewhere] = [fresh("room"), fresh("elsewhere")];
      await act(socket, { self: true }, "join", [room]);
      await act(other, { self: true }, "join", [elsewhere]);
      await one(socket, "set data", { level: 3 });
      const got = [];
      for (const name of ["news", "welcome"]) socket.on(name, (...args) => got.push([name, ...args]));
      await act(other, { to: [room] }, "emit", "news", "before");
      await barrier(socket);
      const id = await away(socket, other);

      await act(other, { to: [room] }, "emit", "news", "room", Buffer.from([1, 2]));
      await act(other, {}, "emit", "news", "everybody", { deep: [Buffer.from("x")] });
      await act(other, { to: [id] }, "emit", "news", "private");
      await act(other, { to: [elsewhere] }, "emit", "news", "not for it");
      await act(other, { except: [room] }, "emit", "news", "not for its room");
      await act(other, { volatile: true }, "emit", "news", "volatile");
      await act(other, { to: [room] }, "emit", "news");

      await welcomed(socket);
      assert.deepEqual([socket.recovered, socket.id], [true, id]);
      const state = await one(socket, "socket");
      assert.deepEqual([state.recovered, state.rooms.sort(), state.data], [true, [id, room].sort(), { level: 3 }]);
      assert.deepEqual(plain(got), [
        ["news", "before"],
        ["news", "room", Buffer.from([1, 2])],
        ["news", "everybody", { deep: [Buffer.from("x")] }],
        ["news", "private"],
        ["news"],
        ["welcome", id],
      ]);
      await act(other, { to: [room] }, "emit", "news", "after");
      await barrier(socket);
      assert.deepEqual(plain(got.slice(6)), [["news", "after"]]);
    });

    test("comes back again and again, with what it emitted meanwhile", async (t) => {
      const sockets = open(t);
      const [socket, other] = await sockets.many(2);
      const got = record(socket, "news");
      const { id } = socket;
      for (let i = 0; i < 3; i++) {
        await act(other, { to: [id], times: 3 }, "emit", "news", i);
        await away(socket, other);
        await act(other, { to: [id], times: 3 }, "emit", "news", i);
        const answer = one(socket, "echo", i); // kept by the client until it is back
        await welcomed(socket);
        assert.deepEqual([socket.recovered, socket.id, await answer], [true, id, i]);
      }
      assert.deepEqual(plain(got), [0, 1, 2].flatMap((i) => [0, 1, 2, 0, 1, 2].map((n) => [n, i])));
    });

    test("by itself, in every namespace it was in, past the middleware", async (t) => {
      const sockets = open(t);
      const other = await sockets.open();
      const socket = await sockets.open({ reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
      const guarded = sockets.also(socket, "/guarded");
      await welcomed(guarded);
      const { id } = guarded;
      const steps = (await journal(other, "middleware", id)).length;
      const back = Promise.all([socket, guarded].map((s) => event(s, "connect")));
      socket.io.engine.close();
      await back;
      await barrier(socket, guarded);
      assert.deepEqual([socket.recovered, guarded.recovered, guarded.id], [true, true, id]);
      assert.deepEqual((await one(guarded, "socket")).rooms, [id, "early"]);
      assert.equal((await journal(other, "middleware", id)).length, steps);
    });
  });

  if (transport === "websocket") {
    test("a client that notices the loss before the server does", async (t) => {
      const proxy = await Proxy.open(t, server());
      const other = await open(t).open();
      const socket = await new Sockets(t, proxy, variant).open();
      const { id } = socket;
      const got = record(socket, "news");
      const gone = event(socket, "disconnect");
      proxy.lose();
      assert.match((await gone)[0], /transport (close|error)/);
      await act(other, { to: [id], times: 3 }, "emit", "news"); // goes nowhere
      assert.deepEqual(got, []);
      await welcomed(socket);
      assert.deepEqual([socket.recovered, socket.id], [true, id]);
      assert.deepEqual(plain(got), [[0], [1], [2]]);
      assert.equal((await journal(other, "disconnect", id)).length, 1);
    });
  }

  describe("nothing is recovered", () => {
    const ends = {
      "of a client that left": async (socket) => socket.disconnect(),
      "of one that the server disconnected": async (socket) => socket.emit("do", { self: true }, "disconnect", false),
      "of one whose connection the server closed": async (socket) => socket.emit("do", { self: true }, "disconnect", true),
    };
    for (const [name, end] of Object.entries(ends)) {
      test(name, async (t) => {
        const [socket, other] = await open(t).many(2);
        const { id } = socket;
        await act(socket, { self: true }, "join", [fresh("room")]);
        const gone = event(socket, "disconnect");
        await end(socket);
        await gone;
        await journal(other, "disconnect", id);
        await act(other, {}, "emit", "news");
        const got = record(socket, "news");
        await welcomed(socket);
        assert.equal(socket.recovered, false);
        assert.notEqual(socket.id, id);
        assert.deepEqual((await one(socket, "socket")).rooms, [socket.id]);
        assert.deepEqual(got, []);
      });
    }

    const pretences = {
      "for an id that nobody had": (socket) => (socket._pid = "nobody"),
      "for an offset that never was": (socket) => (socket._lastOffset = "nonsense"),
      "for an offset in the future": (socket) => (socket._lastOffset = socket._lastOffset.replace(/[^-]*$/, "zzzzzz")),
    };
    for (const [name, pretend] of Object.entries(pretences)) {
      test(name, async (t) => {
        const [socket, other] = await open(t).many(2);
        await act(other, {}, "emit", "news");
        await barrier(socket);
        const id = await away(socket, other);
        pretend(socket);
        await welcomed(socket);
        assert.equal(socket.recovered, false);
        assert.notEqual(socket.id, id);
      });
    }

    test("twice: a second client with the same private id is a new one", async (t) => {
      const sockets = open(t);
      const [socket, other] = await sockets.many(2);
      const id = await away(socket, other);
      await welcomed(socket);
      assert.equal(socket.recovered, true);
      socket.disconnect();
      await until(async () => (await journal(other, "disconnect", id)).length === 2, "its end");
      const thief = sockets.lone();
      thief._pid = socket._pid;
      await welcomed(thief);
      assert.equal(thief.recovered, false);
      assert.notEqual(thief.id, id);
    });
  });
});

const newest = variants.filter((v) => v.kind === "4.8");

overEach(newest, { recovery: { maxDisconnection: 100 } }, ({ open }) => {
  test("nothing is recovered after maxDisconnection", async (t) => {
    const [socket, other] = await open(t).many(2);
    const id = await away(socket, other);
    const late = Date.now() + 101;
    await until(() => Date.now() > late, "a time longer than maxDisconnection");
    await welcomed(socket);
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
  });
});

overEach(newest, { recovery: { maxLog: 10_000, runMiddleware: true } }, ({ open }) => {
  test("nothing is recovered when more was missed than is kept", async (t) => {
    const [socket, other] = await open(t).many(2);
    const id = await away(socket, other);
    const got = record(socket, "news");
    await act(other, { times: 20 }, "emit", "news", "x".repeat(1000));
    await welcomed(socket);
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
    assert.deepEqual(got, []);
  });

  test("what nearly fills the log is recovered", async (t) => {
    const [socket, other] = await open(t).many(2);
    await away(socket, other);
    const got = record(socket, "news");
    await act(other, { times: 5 }, "emit", "news", "x".repeat(1000));
    await welcomed(socket);
    assert.equal(socket.recovered, true);
    assert.equal(got.length, 5);
  });

  test("the middleware decides about who comes back, if wanted", async (t) => {
    const sockets = open(t);
    const other = await sockets.open();
    const socket = await sockets.open({ auth: {} }, "/guarded");
    const id = await away(socket, other);
    socket.auth.refuse = 1;
    await assert.rejects(welcomed(socket), { message: "refused by the first" });
    assert.equal(socket.connected, false);
    assert.equal((await journal(other, "middleware", id)).length, 4);
  });
});

overEach(newest, {}, ({ open }) => {
  test("a server without recovery knows nobody", async (t) => {
    const [socket, other] = await open(t).many(2);
    assert.ok(!socket._pid);
    const id = await away(socket, other);
    await welcomed(socket);
    assert.ok(!socket.recovered);
    assert.notEqual(socket.id, id);
  });
});
