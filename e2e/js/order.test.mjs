// Nothing is lost, doubled or overtaken: many events back to back, in both
// directions, on each transport and while the transport changes.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, askAll, Clients, connected, transports } from "../lib/clients.mjs";
import { startTestServer } from "../lib/programs.mjs";
import { event, record, SECONDS, sequence, until, within } from "../lib/wait.mjs";

let server;
before(async () => (server = await startTestServer()));
after(() => server?.stop());

function open(t) {
  const clients = new Clients(server);
  t.after(() => clients.close());
  return clients;
}

for (const [transport, options] of Object.entries(transports)) {
  describe(`over ${transport}`, () => {
    test("2,000 events emitted back to back arrive in order", async (t) => {
      const socket = await open(t).socket(options); // an upgrade happens meanwhile
      for (const i of sequence(2000)) socket.emit("collect", i);
      assert.deepEqual(await askAll(socket, "collected"), sequence(2000));
    });

    test("2,000 events in each direction at once arrive in order", async (t) => {
      const socket = await open(t).socket(options);
      const streamed = record(socket, "stream");
      socket.emit("stream", 2000);
      for (const i of sequence(2000)) socket.emit("collect", i);
      assert.deepEqual(await askAll(socket, "collected"), sequence(2000));
      await until(() => streamed.length >= 2000, "the stream");
      assert.deepEqual(streamed.flat(), sequence(2000));
    });

    test("events with and without binary keep their order", async (t) => {
      const socket = await open(t).socket(options);
      // The client takes no packet with more than ten attachments.
      const want = sequence(30).map((i) => (i % 3 === 0 ? Buffer.from([i]) : i));
      for (const round of sequence(10)) {
        for (const arg of want) socket.emit("collect", arg);
        assert.deepEqual(await askAll(socket, "collected"), want, `round ${round}`);
      }
    });

    test("50 emits followed at once by a disconnect all arrive", async (t) => {
      const clients = open(t);
      for (const round of sequence(10)) {
        const socket = await clients.socket(options); // some of them leave during the upgrade
        const got = record(socket, "goodbye");
        const gone = event(socket, "disconnect");
        socket.emit("goodbye", 50);
        const [reason] = await gone;
        assert.deepEqual(got.flat(), sequence(50), `round ${round}`);
        assert.equal(reason, "io server disconnect");
      }
    });

    test("50 emits and a disconnect after the upgrade all arrive", async (t) => {
      const socket = await open(t).upgraded(options);
      const got = record(socket, "goodbye");
      const gone = event(socket, "disconnect");
      socket.emit("goodbye", 50);
      await gone;
      assert.deepEqual(got.flat(), sequence(50));
    });

    test("one binary argument relayed to two rooms arrives whole in both", async (t) => {
      const clients = open(t);
      const [sender, left, right, both] = await Promise.all(sequence(4).map(() => clients.socket(options)));
      await ask(left, "join", ["left"]);
      await ask(right, "join", ["right"]);
      await ask(both, "join", ["left", "right"]);
      const got = [left, right, both].map((socket) => record(socket, "photo"));
      const photo = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) & 255));
      await ask(sender, "to", ["left", "right"], "photo", photo);
      await ask(sender, "to", ["left"], "photo", photo);
      await ask(sender, "to", ["right"], "photo", photo);
      await until(() => got[0].length >= 2 && got[1].length >= 2 && got[2].length >= 3, "the photos");
      for (const [photos, n] of [[got[0], 2], [got[1], 2], [got[2], 3]]) {
        assert.equal(photos.length, n);
        for (const [received] of photos) assert.ok(photo.equals(received), "the photo is whole");
      }
    });
  });
}

test("1,000 broadcasts in a burst reach each of 200 sockets, all, in order", async (t) => {
  const clients = open(t);
  const ways = Object.values(transports);
  const sockets = await Promise.all(sequence(200).map((i) => clients.socket(ways[i % 10 === 0 ? 0 : i % 10 === 1 ? 2 : 1])));
  await Promise.all(sockets.map((socket) => ask(socket, "join", ["crowd"])));
  const got = sockets.map((socket) => record(socket, "burst"));
  await ask(sockets[0], "burst", "crowd", 1000);
  await until(() => got.every((list) => list.length >= 1000), "1,000 broadcasts for all", 60 * SECONDS);
  for (const [i, list] of got.entries()) assert.deepEqual(list.flat(), sequence(1000), `socket ${i}`);
});

test("the first event that a client sends on connect is never lost in 5,000 connections", async (t) => {
  const ways = Object.values(transports);
  const start = Date.now();
  for (let done = 0; done < 5000; done += 100) {
    const clients = new Clients(server);
    const answers = sequence(100).map((i) => {
      const socket = clients.lone(ways[i % 3]);
      const answer = new Promise((resolve) => socket.on("connect", () => socket.emit("first", i, resolve)));
      return [connected(socket), answer];
    });
    await within(Promise.all(answers.flat()), `connections ${done} to ${done + 99}`, 60 * SECONDS);
    await clients.close();
  }
  t.diagnostic(`5,000 connections in ${Date.now() - start} ms`);
  const socket = await open(t).socket();
  assert.equal(await ask(socket, "first count"), 5000);
});
