// mosquitto_pub and mosquitto_sub beside the official Socket.IO client: each
// direction and each payload row.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, Clients } from "../lib/clients.mjs";
import { publish, subscribe, versions } from "../lib/mosquitto.mjs";
import { bytesOf, expected, readable, rows } from "../lib/payloads.mjs";
import { startTestServer } from "../lib/programs.mjs";
import { record, until } from "../lib/wait.mjs";

let server;
before(async () => (server = await startTestServer()));
after(() => server?.stop());

async function joined(t, room) {
  const clients = new Clients(server);
  t.after(() => clients.close());
  const socket = await clients.socket();
  await ask(socket, "join", [room]);
  return socket;
}

for (const [name, version] of Object.entries(versions)) {
  const modern = version === "5";
  describe(name, () => {
    test("each payload row from a socket to mosquitto_sub", async (t) => {
      const room = `sub-${version}`;
      const socket = await joined(t, room);
      const reader = await subscribe(server, version, `sio/main/room/${room}/+`);
      t.after(() => reader.stop());
      for (const [kind, row] of Object.entries(rows)) {
        await ask(socket, "in", [room], kind, ...row.args);
        const got = await reader.take(kind);
        assert.equal(got.topic, `sio/main/room/${room}/${encodeURIComponent(kind)}`);
        assert.deepEqual(readable(row, got.payload), expected(row), kind);
        assert.equal(got.contentType, modern ? row.contentType : undefined, kind);
        assert.equal(got.qos, 1, kind);
      }
    });

    test("each payload row from mosquitto_pub to a socket", async (t) => {
      const room = `pub-${version}`;
      const socket = await joined(t, room);
      const received = [];
      socket.onAny((event, ...args) => received.push({ event, args }));
      for (const [kind, row] of Object.entries(rows)) {
        if (row.payload === null && !modern) continue;
        const typed = modern && row.contentType ? ["-D", "publish", "content-type", row.contentType] : [];
        await publish(server, version, `sio/main/room/${room}/${encodeURIComponent(kind)}`, bytesOf(row), ...typed);
        const got = await until(() => received.shift(), kind);
        assert.deepEqual(got, { event: kind, args: modern ? row.args : (row.bare ?? row.args) });
      }
    });

    test("a private message reaches the client identifier and no other", async (t) => {
      const socket = await joined(t, "lobby");
      const own = `mosq-${version}`;
      const reader = await subscribe(server, version, `sio/main/socket/${own}/+`, "-i", own);
      t.after(() => reader.stop());
      const spy = await subscribe(server, version, "#");
      t.after(() => spy.stop());
      await ask(socket, "private", [own], "secret", "for you");
      assert.equal((await reader.take("private message")).payload.toString(), "for you");
      await ask(socket, "in", ["lobby"], "end");
      assert.equal((await spy.take("public message")).topic, "sio/main/room/lobby/end");
      const got = record(socket, "answer");
      await publish(server, version, `sio/main/socket/${socket.id}/answer`, "thanks");
      await until(() => got.length, "answer");
      assert.deepEqual(got, [["thanks"]]);
      assert.equal(spy.messages().length, 1);
    });
  });
}

test("a message without an event level is the event message", async (t) => {
  const socket = await joined(t, "kitchen");
  const got = record(socket, "message");
  await publish(server, "311", "sio/main/room/kitchen", "hello");
  await until(() => got.length, "message");
  assert.deepEqual(got, [["hello"]]);
});

test("a retained message waits for mosquitto_sub", async (t) => {
  const socket = await joined(t, "hall");
  await ask(socket, "retain", ["hall"], "light", "on");
  await publish(server, "5", "sio/main/room/hall/door", "open", "-r");
  const reader = await subscribe(server, "311", "sio/main/room/hall/+");
  t.after(() => reader.stop());
  const got = [await reader.take("first"), await reader.take("second")];
  assert.deepEqual(
    got.map((m) => `${m.topic} ${m.payload} ${m.retain}`).sort(),
    ["sio/main/room/hall/door open true", "sio/main/room/hall/light on true"],
  );
});
