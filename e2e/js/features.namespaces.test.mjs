// Namespaces that come into being when a client asks for them, and middleware.
// https://socket.io/docs/v4/namespaces/#dynamic-namespaces
// https://socket.io/docs/v4/middlewares/
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { act, all, barrier, fresh, journal, newest, one, overEach, refused, variants, welcomed } from "../lib/features.mjs";
import { event, record, until, within } from "../lib/wait.mjs";

overEach(variants, {}, ({ open }) => {
  describe("dynamic namespaces", () => {
    test("by a pattern, each apart from the others", async (t) => {
      const sockets = open(t);
      const [red, blue] = [fresh("/dynamic-red"), fresh("/dynamic-blue")];
      const [ann, bob] = await sockets.many(2, {}, red);
      const cat = await sockets.open({}, blue);
      const { namespace, data, id } = await one(ann, "socket");
      assert.deepEqual([namespace, data, id], [red, "by the parent's middleware", ann.id]);
      const got = [ann, bob, cat].map((socket) => record(socket, "news"));
      assert.equal(await act(ann, {}, "emit", "news", 1), "ok");
      await barrier(ann, bob, cat);
      assert.deepEqual(got, [[], [[1]], []]);
      const main = await sockets.open();
      assert.equal((await journal(main, "new namespace", red)).length, 1);
      const names = await one(main, "namespaces");
      assert.deepEqual([names.includes(red), names.includes(blue)], [true, true]);
    });

    test("a name that nothing matches is refused, and the connection goes on", async (t) => {
      const sockets = open(t);
      const main = await sockets.open();
      for (const name of ["/dynamic-", "/dynamic-a-b", "/other"]) {
        const error = await refused(sockets.also(main, name));
        assert.ok(error instanceof Error);
        assert.equal(error.message, "Invalid namespace");
      }
      await barrier(main);
    });

    test("by a function that looks at auth", async (t) => {
      const sockets = open(t);
      const main = await sockets.open();
      const name = fresh("/token-");
      const socket = sockets.also(main, name, { auth: { token: "wrong" } });
      assert.equal((await refused(socket)).message, "Invalid namespace");
      socket.auth = { token: "let me in" };
      await welcomed(socket);
      assert.deepEqual((await one(socket, "socket")).auth, { token: "let me in" });
    });

    test("a function takes its time and holds up nobody else", async (t) => {
      const sockets = open(t);
      const main = await sockets.open();
      const [yes, no] = [fresh("/asked-yes"), fresh("/asked-no")];
      const wanted = sockets.also(main, yes);
      const unwanted = sockets.also(main, no);
      const connect = welcomed(wanted);
      const refusal = refused(unwanted);
      await barrier(main, main);
      assert.deepEqual([wanted.connected, unwanted.connected], [false, false]);
      assert.equal(await one(main, "decide", no, "no"), "ok");
      assert.equal((await refusal).message, "Invalid namespace");
      assert.equal(await one(main, "decide", yes, "yes"), "ok");
      await connect;
      assert.equal((await one(wanted, "socket")).namespace, yes);
    });

    test("two clients that ask at once get the same namespace", async (t) => {
      const sockets = open(t);
      const name = fresh("/dynamic-");
      const clients = await sockets.many(6, {}, name);
      const got = clients.map((socket) => record(socket, "news"));
      await act(clients[0], { all: true }, "emit", "news");
      await barrier(...clients);
      assert.deepEqual(got, clients.map(() => [[]]));
      assert.equal((await journal(clients[0], "new namespace", name)).length, 1);
    });
  });

  describe("namespace middleware", () => {
    test("runs in order, and may put the socket into rooms", async (t) => {
      const sockets = open(t);
      const socket = await sockets.open({ auth: { refuse: 0 } }, "/guarded");
      assert.deepEqual((await journal(socket, "middleware", socket.id)).map(([, step]) => step), [1, 2, 3]);
      assert.deepEqual((await one(socket, "socket")).rooms, [socket.id, "early"]);
    });

    const refusals = [
      { refuse: 1, message: "refused by the first", data: undefined },
      { refuse: 2, message: "refused by the second", data: { code: 42, why: ["a", "ü"] } },
      { refuse: 3, message: "refused by the third", data: "text" },
    ];
    for (const { refuse, message, data } of refusals) {
      test(`an error of function ${refuse} reaches connect_error`, async (t) => {
        const sockets = open(t);
        const main = await sockets.open();
        const before = (await one(main, "journal", "middleware")).length;
        const socket = sockets.also(main, "/guarded", { auth: { refuse } });
        const error = await refused(socket);
        assert.ok(error instanceof Error);
        assert.deepEqual([error.message, error.data], [message, data]);
        const steps = (await one(main, "journal", "middleware")).slice(before);
        assert.deepEqual(steps.map(([, step]) => step), [1, 2, 3].slice(0, refuse));
        socket.auth = {}; // upon a refusal the client may ask again
        await welcomed(socket);
      });
    }

    test("may take its time, and holds up this namespace of this client alone", async (t) => {
      const sockets = open(t);
      const main = await sockets.open();
      const [yes, no] = [fresh("yes"), fresh("no")];
      const wanted = sockets.also(main, "/guarded", { auth: { ask: yes } });
      const connect = welcomed(wanted);
      await barrier(main, main);
      assert.equal(wanted.connected, false);
      await sockets.open({}, "/guarded");
      await one(main, "decide", yes, "yes");
      await connect;
      wanted.disconnect();
      wanted.auth = { ask: no };
      const refusal = refused(wanted);
      await one(main, "decide", no, "no");
      assert.equal((await refusal).message, "decided against");
    });

    test("a client that leaves meanwhile is no member", async (t) => {
      const sockets = open(t);
      const main = await sockets.open();
      const name = fresh("gone");
      const socket = sockets.lone({ auth: { ask: name } }, "/guarded");
      const joined = record(socket, "connect");
      const begun = (await one(main, "journal", "middleware")).length + 2;
      socket.connect();
      const id = await until(async () => (await one(main, "journal", "middleware")).slice(begun - 1)[0]?.[0], "the second function");
      socket.disconnect();
      await until(async () => (await one(main, "connections")) === 1, "end of the connection");
      assert.equal(await one(main, "decide", name, "yes"), "ok");
      const other = await sockets.open({}, "/guarded");
      assert.deepEqual((await act(other, { all: true }, "fetch")).map((s) => s.id), [other.id]);
      assert.deepEqual(joined, []);
      assert.deepEqual((await one(main, "journal", "disconnect")).filter((entry) => entry[0] === id), []);
    });
  });

  describe("socket middleware", () => {
    test("keeps an event from its listeners, with an error", async (t) => {
      const socket = await open(t).open();
      const got = record(socket, "got through");
      const refusal = event(socket, "refused");
      socket.emit("forbidden", 1, Buffer.from("x"));
      assert.deepEqual(await refusal, ["not for you"]);
      await barrier(socket);
      assert.deepEqual(got, []);
    });

    test("may take its time: later events wait, other sockets do not", async (t) => {
      const sockets = open(t);
      const [socket, other] = await sockets.many(2);
      const order = [];
      socket.on("got through", (name) => order.push(name));
      socket.on("refused", (text) => order.push(text));
      const [yes, no] = [fresh("yes"), fresh("no")];
      socket.emit("slow", yes);
      socket.emit("slow", no);
      const last = all(socket, "echo").then(() => order.push("echo"));
      await barrier(other, other);
      assert.deepEqual(order, []);
      await one(other, "decide", yes, "yes");
      await one(other, "decide", no, "no");
      await last;
      assert.deepEqual(order, ["slow", "decided against", "echo"]);
    });
  });
});

// https://socket.io/docs/v4/server-options/#cleanupemptychildnamespaces
overEach(newest, { cleanUp: true }, ({ open }) => {
  test("clean-up: a child namespace that its last socket leaves is gone, and may come again", async (t) => {
    const sockets = open(t);
    const main = await sockets.open();
    const name = fresh("/dynamic-");
    const exists = async () => (await one(main, "namespaces")).includes(name);
    const [ann, bob] = await sockets.many(2, {}, name);
    ann.disconnect();
    await journal(main, "disconnect", ann.id);
    assert.equal(await exists(), true);
    bob.io.engine.close();
    await until(async () => !(await exists()), "clean-up");
    const again = await sockets.open({}, name);
    assert.equal(await exists(), true);
    assert.deepEqual((await act(again, { all: true }, "fetch")).map((s) => s.id), [again.id]);
    assert.equal((await journal(main, "new namespace", name)).length, 2);
  });

  test("clean-up: a namespace that was asked for in vain is not left behind", async (t) => {
    const sockets = open(t);
    const main = await sockets.open();
    const name = fresh("/asked-");
    const socket = sockets.lone({}, name);
    socket.connect();
    await event(socket.io, "open");
    const decided = one(main, "decide", name, "yes");
    socket.disconnect();
    await within(decided, "decision");
    await until(async () => !(await one(main, "namespaces")).includes(name), "clean-up");
  });

  test("clean-up: a namespace that the application made stays", async (t) => {
    const sockets = open(t);
    const first = await sockets.open({}, "/guarded");
    first.disconnect();
    await sockets.open({}, "/guarded");
  });
});
