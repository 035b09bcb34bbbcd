// Broadcasts with acknowledgements, and the server's hand on many sockets.
// https://socket.io/docs/v4/broadcasting-events/#with-acknowledgements
// https://socket.io/docs/v4/server-instance/#utility-methods
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { act, all, barrier, fresh, journal, newest, one, overEach, variants, welcomed } from "../lib/features.mjs";
import { event, record, sequence, until, within } from "../lib/wait.mjs";

const sorted = (list) => [...list].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));

overEach(variants, {}, ({ open, final }) => {
  describe("broadcast with acknowledgements", () => {
    test("of none, one and two arguments, binary among them", async (t) => {
      const [asker, ...others] = await open(t).many(4);
      const answers = [[], ["one"], [Buffer.from([0, 255]), { two: [2] }]];
      const asked = others.map((socket) => record(socket, "question"));
      others.forEach((socket, i) => socket.on("question", (a, b, reply) => reply(...answers[i])));
      const room = fresh("room");
      await act(asker, { all: true }, "join", [room]);
      const got = await act(asker, { to: [room], timeout: 20000 }, "emitWithAck", "question", "a", Buffer.from("b"));
      assert.deepEqual(sorted(got), sorted(answers));
      assert.deepEqual(asked.map((list) => list[0].slice(0, 2)), others.map(() => ["a", Buffer.from("b")]));
    });

    test("only those who receive it are waited for", async (t) => {
      const [asker, inside, spared, outside] = await open(t).many(4);
      for (const [i, socket] of [asker, inside, spared, outside].entries()) socket.on("question", (reply) => reply(i));
      const [room, quiet] = [fresh("room"), fresh("quiet")];
      for (const socket of [asker, inside, spared]) await act(socket, { self: true }, "join", [room]);
      await act(spared, { self: true }, "join", [quiet]);
      const ask = (target) => act(asker, { ...target, timeout: 20000 }, "emitWithAck", "question");
      assert.deepEqual(await ask({ to: [room], except: [quiet] }), [[1]]);
      assert.deepEqual(sorted(await ask({ all: true, to: [room] })), [[0], [1], [2]]);
      assert.deepEqual(await ask({ to: [outside.id] }), [[3]]);
      assert.deepEqual(await ask({ to: [fresh("empty")] }), []);
    });

    test("partial results with an error on timeout; late answers do no harm", async (t) => {
      const [asker, quick, slow, silent] = await open(t).many(4);
      let late;
      quick.on("question", (reply) => reply("quick"));
      slow.on("question", (reply) => (late = reply));
      void silent;
      const got = await act(asker, { timeout: 300 }, "emitWithAck", "question");
      assert.deepEqual(got, { error: "timeout", values: [[["quick"]]] });
      late("too late");
      await barrier(slow);
    });

    test("a socket that disconnects is not waited for", async (t) => {
      const [asker, stays, leaves] = await open(t).many(3);
      stays.on("question", (reply) => reply("here"));
      leaves.on("question", () => leaves.disconnect());
      const got = await act(asker, { timeout: 20000 }, "emitWithAck", "question");
      assert.match(got.error, /socket disconnected/);
      assert.deepEqual(got.values, [[["here"]]]);
    });
  });

  describe("one socket", () => {
    test("with an acknowledgement, and with its timeout", async (t) => {
      const [socket] = await open(t).many(1);
      socket.on("question", (a, reply) => reply(a, "b", Buffer.from("c")));
      assert.deepEqual(await act(socket, { self: true, timeout: 20000 }, "emitWithAck", "question", 1), [1, "b", Buffer.from("c")]);
      const { error } = await act(socket, { self: true, timeout: 50 }, "emitWithAck", "nobody listens");
      assert.match(error, /operation has timed out/);
    });

    test("by its id, from another", async (t) => {
      const [ann, bob, cat] = await open(t).many(3);
      const got = [ann, bob, cat].map((socket) => record(socket, "private"));
      await act(ann, { to: [bob.id] }, "emit", "private", Buffer.from("x"));
      await barrier(ann, bob, cat);
      assert.deepEqual(got, [[], [[Buffer.from("x")]], []]);
    });
  });

  describe("many sockets", () => {
    test("FetchSockets: id, rooms, data and handshake", async (t) => {
      const sockets = open(t);
      const ann = await sockets.open({ auth: { who: "ann" }, query: { color: "grün" } });
      const [bob, cat] = await sockets.many(2);
      const [room, quiet] = [fresh("room"), fresh("quiet")];
      for (const socket of [ann, bob, cat]) await act(socket, { self: true }, "join", [room]);
      await act(cat, { self: true }, "join", [quiet]);
      await one(ann, "set data", { name: "Ann", n: [1, null] });
      const found = await act(bob, { all: true, to: [room], except: [quiet] }, "fetch");
      assert.deepEqual(sorted(found.map((s) => s.id)), sorted([ann.id, bob.id]));
      const { rooms, data, auth, query } = found.find((s) => s.id === ann.id);
      assert.deepEqual([rooms, data, auth, query.color], [[ann.id, room].sort(), { name: "Ann", n: [1, null] }, { who: "ann" }, ["grün"]]);
      assert.deepEqual((await act(bob, { to: [room] }, "fetch")).map((s) => s.id).sort(), [ann.id, cat.id].sort());
    });

    test("SocketsJoin and SocketsLeave", async (t) => {
      const [ann, bob, cat] = await open(t).many(3);
      const [room, other] = [fresh("room"), fresh("other")];
      const members = async (name) => (await act(ann, { all: true, to: [name] }, "fetch")).map((s) => s.id).sort();
      await act(ann, { all: true, to: [ann.id, bob.id] }, "join", [room, other]);
      assert.deepEqual(await members(room), [ann.id, bob.id].sort());
      await act(ann, { to: [room] }, "leave", [other]); // all in room but ann
      assert.deepEqual(await members(other), [ann.id]);
      await act(cat, { except: [bob.id] }, "join", [other]);
      assert.deepEqual(await members(other), [ann.id]);
      await act(cat, { all: true }, "leave", [room, other]);
      assert.deepEqual([await members(room), await members(other)], [[], []]);
    });

    test("DisconnectSockets, with and without the connection", async (t) => {
      const sockets = open(t);
      for (const whole of [false, true]) {
        const [stays, goes] = await sockets.many(2);
        const beside = sockets.also(goes, "/guarded");
        await welcomed(beside);
        const besideGone = event(beside, "disconnect");
        besideGone.catch(() => {});
        const { id } = goes;
        const gone = event(goes, "disconnect");
        await act(stays, { to: [id] }, "disconnect", whole);
        assert.equal((await gone)[0], "io server disconnect");
        const [[, reason, rooms, connected]] = await journal(stays, "disconnect", id);
        assert.deepEqual([reason, rooms, connected], ["server namespace disconnect", 0, false]);
        if (whole) assert.equal((await besideGone)[0], "io server disconnect");
        else await barrier(beside);
        assert.deepEqual((await act(stays, { all: true, to: [id] }, "fetch")), []);
      }
    });

    test("remote sockets with an acknowledgement, and with its timeout", async (t) => {
      const [asker, ann, bob] = await open(t).many(3);
      const room = fresh("room");
      await act(asker, {}, "join", [room]);
      ann.on("question", (a, reply) => reply(a, Buffer.from("ann")));
      bob.on("question", (a, reply) => reply());
      const ask = (name, timeout) => act(asker, { to: [room], timeout }, "ask each", name, { a: 1 });
      assert.deepEqual(sorted(await ask("question", 20000)), sorted([[ann.id, [{ a: 1 }, Buffer.from("ann")]], [bob.id, []]]));
      for (const [, answer, error] of await ask("nobody listens", 30)) {
        assert.equal(answer, null);
        assert.match(error, /operation has timed out/);
      }
    });
  });

  describe("watching", () => {
    test("catch-all listeners see what comes in and what goes out, until they are removed", async (t) => {
      const [watched, other] = await open(t).many(2);
      const { id } = watched;
      await one(watched, "watch");
      watched.emit("unheard", 1, { bytes: Buffer.from("in") });
      await barrier(watched); // its acknowledgement is no event
      await act(watched, { self: true }, "emit", "own", Buffer.from("out"), 2);
      await act(other, {}, "emit", "broadcast");
      await act(other, { to: [id], timeout: 100 }, "emitWithAck", "question", "?");
      await one(watched, "unwatch");
      await act(watched, { self: true }, "emit", "unseen");
      await barrier(watched);
      assert.deepEqual((await one(other, "journal", `incoming ${id}`)).map(([name, args]) => [name, args.length]), [
        ["unheard", 2], ["echo", 0], ["do", 5], ["unwatch", 0],
      ]);
      assert.deepEqual((await one(other, "journal", `incoming ${id}`))[0], ["unheard", [1, { bytes: Buffer.from("in") }]]);
      assert.deepEqual(await one(other, "journal", `outgoing ${id}`), [
        ["own", [Buffer.from("out"), 2]], ["broadcast", []], ["question", ["?"]],
      ]);
    });

    test("room events: create, join, leave, delete", async (t) => {
      const [ann, bob, witness] = await open(t).many(3);
      const room = fresh("watched");
      await act(ann, { self: true }, "join", [room]);
      await act(ann, { self: true }, "join", [room]); // changes nothing
      await act(bob, { self: true }, "join", [room]);
      await act(ann, { self: true }, "leave", [room]);
      const [first, second] = [ann.id, bob.id];
      bob.disconnect();
      await journal(witness, "disconnect", second);
      const events = (await one(witness, "journal", "room")).filter(([, name]) => name === room);
      assert.deepEqual(events.map(([kind, , who]) => (["join", "leave"].includes(kind) ? [kind, who] : [kind])), [
        ["create"], ["join", first], ["join", second], ["leave", first], ["leave", second], ["delete"],
      ]);
    });
  });

});

// https://socket.io/docs/v4/emitting-events/#volatile-events
overEach(newest, {}, ({ open, final }) => {
  test("volatile events may be lost, the others may not", async (t) => {
    const [socket, other] = await open(t).many(2);
    const got = [];
    socket.on("maybe", (i) => got.push(i));
    const surely = record(socket, "surely");
    // On WebSocket a client that does not read for a while; on polling, one between two polls.
    const tcp = socket.io.engine.transport.ws?._socket;
    tcp?.pause();
    const text = "x".repeat(200_000);
    assert.equal(await act(other, { to: [socket.id], volatile: true, times: 120 }, "emit", "maybe", text), "ok");
    assert.equal(await act(other, { to: [socket.id], times: 20 }, "emit", "surely"), "ok");
    tcp?.resume();
    await until(() => surely.length === 20, "what is not volatile");
    assert.deepEqual(surely.flat(), sequence(20));
    assert.ok(got.length > 0 && got.length < 120, `${got.length} of 120 volatile events came over ${final}`);
    assert.deepEqual(got, [...got].sort((a, b) => a - b));
    await within(act(socket, { self: true, volatile: true }, "emit", "maybe", "last"), "answer");
    await all(socket, "echo");
  });
});

// https://socket.io/docs/v4/client-options/#retries
overEach(newest, {}, ({ open }) => {
  test("a client that retries: one event after the other, each until it is acknowledged", async (t) => {
    const sockets = open(t);
    const witness = await sockets.open();
    const socket = await sockets.open({ retries: 2, ackTimeout: 200 });
    const { id } = socket;
    socket.emit("watch");
    socket.emit("nobody listens"); // three times
    socket.emit("set data", "last");
    await until(async () => (await act(witness, { to: [id] }, "fetch"))[0].data === "last", "the last event");
    const names = (await one(witness, "journal", `incoming ${id}`)).map(([name]) => name).filter((name) => name !== "watch");
    assert.deepEqual(names.slice(0, 4), ["nobody listens", "nobody listens", "nobody listens", "set data"]);
  });
});
