// MQTT.js beside the official Socket.IO client: both doors lead into the same
// rooms, over TCP and over WebSocket.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, Clients, connected } from "../lib/clients.mjs";
import { bytesOf, expected, readable, rows } from "../lib/payloads.mjs";
import { startTestServer } from "../lib/programs.mjs";
import { record, until, within } from "../lib/wait.mjs";

let server;
before(async () => (server = await startTestServer()));
after(() => server?.stop());

function open(t) {
  const clients = new Clients(server);
  t.after(() => clients.close());
  return clients;
}

const doors = { "over TCP": () => server.mqtt, "over WebSocket": () => `${server.ws}/mqtt` };
const versions = { "MQTT 5": 5, "MQTT 3.1.1": 4, "MQTT 3.1": 3 };

// A room for each test: what one publishes is no other's business.
let rooms = 0;
const newRoom = () => `room ${++rooms}`;
const roomTopic = (room) => `sio/main/room/${encodeURIComponent(room)}`;

// inRoom returns a socket in a new room and its name.
async function inRoom(clients, namespace) {
  const room = newRoom();
  const socket = await clients.socket({}, namespace);
  await ask(socket, "join", [room]);
  return { socket, room };
}

for (const [door, url] of Object.entries(doors)) {
  for (const [version, protocolVersion] of Object.entries(versions)) {
    describe(`${version} ${door}`, () => {
      const device = (clients, options) =>
        clients.device({
          url: url(),
          protocolVersion,
          ...(protocolVersion === 3 && { protocolId: "MQIsdp" }),
          ...options,
        });

      test("each payload row from a socket to a device", async (t) => {
        const clients = open(t);
        const { socket, room } = await inRoom(clients);
        const reader = await device(clients);
        await reader.subscribeAsync(`${roomTopic(room)}/+`, { qos: 1 });
        for (const [name, row] of Object.entries(rows)) {
          assert.equal(await ask(socket, "in", [room], name, ...row.args), "ok", name);
          const got = await until(() => reader.received.shift(), name);
          assert.equal(got.topic, `${roomTopic(room)}/${encodeURIComponent(name)}`, name);
          assert.deepEqual(readable(row, got.payload), expected(row), name);
          assert.equal(got.contentType, protocolVersion === 5 ? row.contentType : undefined, name);
          assert.equal(got.retain, false, name);
        }
        assert.equal(reader.received.length, 0);
      });

      test("each payload row from a device to sockets", async (t) => {
        const clients = open(t);
        const { socket, room } = await inRoom(clients);
        const received = [];
        socket.onAny((name, ...args) => received.push({ name, args }));
        const writer = await device(clients);
        for (const [name, row] of Object.entries(rows)) {
          if (row.payload === null && protocolVersion < 5) continue; // bytes without a content type, as in "one binary"
          const properties = protocolVersion === 5 && row.contentType ? { contentType: row.contentType } : undefined;
          await writer.publishAsync(`${roomTopic(room)}/${encodeURIComponent(name)}`, bytesOf(row), { qos: 1, properties });
          const got = await until(() => received.shift(), name);
          const want = protocolVersion === 5 ? row.args : (row.bare ?? row.args);
          assert.deepEqual(got, { name, args: want }, name);
        }
        assert.equal(received.length, 0);
      });

      test("all, room and private messages, QoS 0 to 2, in both directions", async (t) => {
        const clients = open(t);
        const { socket, room } = await inRoom(clients);
        const clientId = `device-${door}-${version}-${room}`.replaceAll(" ", "_");
        const it = await device(clients, { clientId });
        const own = `sio/main/socket/${encodeURIComponent(clientId)}`;
        await it.subscribeAsync([`sio/main/all/all-${rooms}`, `${roomTopic(room)}/to-room`, `${own}/+`], { qos: 2 });
        const received = [];
        socket.onAny((name, ...args) => received.push([name, ...args]));

        await ask(socket, "all", [], `all-${rooms}`, 1);
        await ask(socket, "in", [room], "to-room", 2);
        await ask(socket, "private", [clientId], "to-you", 3);
        await until(() => it.received.length >= 3, "three messages at the device");
        assert.deepEqual(
          it.received.map(({ topic, payload }) => [topic, payload.toString()]),
          [[`sio/main/all/all-${rooms}`, "1"], [`${roomTopic(room)}/to-room`, "2"], [`${own}/to-you`, "3"]],
        );
        received.length = 0;

        await it.publishAsync("sio/main/all/to-all", "0", { qos: 0 });
        await it.publishAsync(`${roomTopic(room)}/in-room`, "1", { qos: 1 });
        await it.publishAsync(`sio/main/socket/${socket.id}/to-socket`, "2", { qos: 2 });
        await until(() => received.length >= 3, "three events at the socket");
        assert.deepEqual(received, [["to-all", 0], ["in-room", 1], ["to-socket", 2]]);
      });
    });
  }
}

test("a topic without an event level is the event message", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients);
  const received = record(socket, "message");
  const writer = await clients.device();
  await writer.publishAsync(roomTopic(room), "hello", { qos: 1 });
  await until(() => received.length, "message");
  assert.deepEqual(received, [["hello"]]);
});

test("namespaces and rooms with every kind of name", async (t) => {
  const clients = open(t);
  const names = ["a/b", "+", "#", "100 %", "", "grün", "🦊", "main", "$SYS", "\u0000"];
  const chat = await clients.socket({}, "/chat");
  await ask(chat, "join", names);
  const it = await clients.device();
  await it.subscribeAsync("sio/chat/room/+/+", { qos: 1 });
  for (const name of names) {
    await ask(chat, "in", [name], "ev/ent", name);
    const { topic } = await until(() => it.received.shift(), `message in ${JSON.stringify(name)}`);
    assert.equal(topic, `sio/chat/room/${encodeURIComponent(name)}/ev%2Fent`);
    const back = record(chat, "ba#ck");
    await it.publishAsync(`sio/chat/room/${encodeURIComponent(name)}/ba%23ck`, "x", { qos: 1 });
    await until(() => back.length, `event in ${JSON.stringify(name)}`);
    chat.off("ba#ck");
    it.received.length = 0;
  }
});

test("nothing echoes: each receiver has each message once", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients);
  const other = await clients.socket();
  await ask(other, "join", [room]);
  const [it, peer] = [await clients.device(), await clients.device()];
  for (const device of [it, peer]) await device.subscribeAsync(`${roomTopic(room)}/#`, { qos: 1 });
  const got = [socket, other].map((s) => record(s, "once"));
  await ask(socket, "to", [room], "once", "from a socket");
  await it.publishAsync(`${roomTopic(room)}/once`, "from a device", { qos: 1 });
  await ask(other, "in", [room], "once", "last");
  await until(() => got.every((list) => list.at(-1)?.[0] === "last"), "the last one at the sockets");
  await until(() => [it, peer].every((d) => d.received.at(-1)?.payload.toString() === "last"), "the last one at the devices");
  assert.deepEqual(got, [[["from a device"], ["last"]], [["from a socket"], ["from a device"], ["last"]]]);
  for (const device of [it, peer]) {
    assert.deepEqual(device.received.map((m) => m.payload.toString()), ["from a socket", "from a device", "last"]);
  }
});

test("an MQTT 5 device that subscribes with No Local does not hear itself", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients);
  const it = await clients.device();
  await it.subscribeAsync(`${roomTopic(room)}/+`, { qos: 1, nl: true });
  await it.publishAsync(`${roomTopic(room)}/mine`, "1", { qos: 1 });
  await ask(socket, "in", [room], "theirs", 2);
  await until(() => it.received.length, "their message");
  assert.deepEqual(it.received.map((m) => m.topic), [`${roomTopic(room)}/theirs`]);
});

test("a wildcard shows nobody's private messages", async (t) => {
  const clients = open(t);
  const { socket: ann, room } = await inRoom(clients);
  const bob = await clients.socket();
  const spies = [await clients.device(), await clients.device({ protocolVersion: 4 })];
  const it = await clients.device({ clientId: "the-device" });
  const filters = ["#", "sio/#", "sio/+/socket/#", "sio/main/+/+/+", `sio/main/socket/${bob.id}/#`, "sio/main/socket/the-device/+", "sio/main/user/#", "sio-servers/#", "$SYS/#"];
  for (const spy of spies) {
    for (const filter of filters) await spy.subscribeAsync(filter, { qos: 1 }).catch(() => {}); // refused is as good
  }
  await it.subscribeAsync("sio/main/socket/the-device/+", { qos: 1 });
  const atBob = record(bob, "secret");
  await ask(ann, "private", [bob.id], "secret", "for bob");
  await ask(ann, "to", [bob.id], "secret", "for bob, as a room");
  await ask(ann, "private", ["the-device"], "secret", "for the device");
  await it.publishAsync(`sio/main/socket/${bob.id}/secret`, "from the device", { qos: 1 });
  await it.publishAsync("sio/main/socket/the-device/secret", "to itself", { qos: 1 });
  await it.publishAsync("sio/main/user/ann/secret", "to a person", { qos: 1 });
  await until(() => atBob.length >= 3 && it.received.length >= 2, "the private messages");
  await ask(ann, "in", [room], "public", "the end");
  for (const spy of spies) {
    await until(() => spy.received.some((m) => m.topic === `${roomTopic(room)}/public`), "the public message");
    const seen = spy.received.filter((m) => m.topic !== `${roomTopic(room)}/public`);
    assert.deepEqual(seen.map((m) => `${m.topic} ${m.payload}`), []);
  }
  assert.deepEqual(atBob.flat(), ["for bob", "for bob, as a room", "from the device"]);
});

test("a private message that is retained stays private to who subscribes later", async (t) => {
  const clients = open(t);
  const owner = await clients.device({ clientId: "sleeper" });
  await owner.publishAsync("sio/main/socket/sleeper/last", "mine", { qos: 1, retain: true });
  const spy = await clients.device();
  await spy.subscribeAsync("#", { qos: 1 });
  await spy.publishAsync("elsewhere/end", "end", { qos: 1 });
  await until(() => spy.received.some((m) => m.topic === "elsewhere/end"), "the end");
  assert.deepEqual(spy.received.filter((m) => m.topic.startsWith("sio/main/socket")), []);
});

test("the reserved events are refused", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients);
  const seen = [];
  socket.onAny((name) => seen.push(name));
  const witness = await clients.device();
  await witness.subscribeAsync(`${roomTopic(room)}/#`, { qos: 1 });
  for (const reserved of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
    const modern = await clients.device();
    await assert.rejects(modern.publishAsync(`${roomTopic(room)}/${reserved}`, "x", { qos: 1 }), `MQTT 5, ${reserved}`);
    // MQTT 3.1.1 has no way to say no: an acknowledgement or the end of the connection.
    const old = await clients.device({ protocolVersion: 4 });
    const ended = new Promise((resolve) => old.once("close", resolve));
    await within(Promise.race([old.publishAsync(`${roomTopic(room)}/${reserved}`, "x", { qos: 1 }).catch(() => {}), ended]), `MQTT 3.1.1, ${reserved}`);
  }
  const writer = await clients.device();
  await writer.publishAsync(`${roomTopic(room)}/end`, "", { qos: 1 });
  await until(() => seen.includes("end") && witness.received.length, "the end");
  assert.deepEqual(seen, ["end"]);
  assert.deepEqual(witness.received.map((m) => m.topic), [`${roomTopic(room)}/end`]);
  assert.equal(socket.connected, true);
});

test("only servers publish where only servers may", async (t) => {
  const clients = open(t);
  const { socket } = await inRoom(clients);
  const witness = await clients.device();
  await witness.subscribeAsync("#", { qos: 1 });
  const topics = ["sio/main/from/x/e", "sio/main/call/x/e/1", "sio/main/presence/socket/x", "sio-servers/x", "sio/main/nothing/x"];
  for (const topic of topics) {
    const writer = await clients.device();
    await assert.rejects(writer.publishAsync(topic, "x", { qos: 1 }), topic);
  }
  await ask(socket, "all", [], "the end");
  await until(() => witness.received.length, "the end");
  assert.deepEqual(witness.received.map((m) => m.topic), ["sio/main/all/the%20end"]);
});

test("a publish middleware refuses and rewrites nothing else", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients, "/chat");
  const seen = [];
  socket.onAny((name) => seen.push(name));
  const it = await clients.device();
  await assert.rejects(it.publishAsync(`sio/chat/room/${encodeURIComponent(room)}/forbidden`, "x", { qos: 1 }));
  const again = await clients.device();
  await again.publishAsync(`sio/chat/room/${encodeURIComponent(room)}/allowed`, "x", { qos: 1 });
  await until(() => seen.length, "the allowed event");
  assert.deepEqual(seen, ["allowed"]);
});

test("a client identifier that is a live socket's id is refused", async (t) => {
  const clients = open(t);
  const { socket } = await inRoom(clients);
  for (const protocolVersion of [5, 4]) {
    await assert.rejects(clients.device({ clientId: socket.id, protocolVersion }), `version ${protocolVersion}`);
  }
  const { id } = socket;
  socket.disconnect();
  const watcher = await clients.socket();
  await until(async () => (await ask(watcher, "reasons", id)).length, "end of the socket");
  await clients.device({ clientId: id }); // nobody's now
});

test("a device without a client identifier is given one, where it is reached", async (t) => {
  const clients = open(t);
  const { socket } = await inRoom(clients);
  const it = clients.loneDevice({ clientId: "", clean: true });
  const [connack] = await within(new Promise((resolve) => it.once("connect", (...args) => resolve(args))), "connect");
  const id = connack.properties.assignedClientIdentifier;
  assert.ok(id);
  await it.subscribeAsync(`sio/main/socket/${encodeURIComponent(id)}/+`, { qos: 1 });
  await ask(socket, "private", [id], "hi", "you");
  const got = await until(() => it.received.shift(), "private message");
  assert.equal(got.payload.toString(), "you");
});

test("a retained broadcast waits for those who subscribe later", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients);
  await ask(socket, "retain", [room], "state", { on: true });
  const late = await clients.device();
  await late.subscribeAsync(`${roomTopic(room)}/state`, { qos: 1 });
  const got = await until(() => late.received.shift(), "the last value");
  assert.equal(got.retain, true);
  assert.deepEqual(JSON.parse(got.payload), { on: true });
  assert.equal(got.contentType, "application/json");
});

test("MQTT below other topics is a broker like any other", async (t) => {
  const clients = open(t);
  const [a, b] = [await clients.device(), await clients.device({ url: `${server.ws}/mqtt`, protocolVersion: 4 })];
  await b.subscribeAsync("home/+/temperature", { qos: 1 });
  await a.publishAsync("home/kitchen/temperature", "21.5", { qos: 1 });
  const got = await until(() => b.received.shift(), "the temperature");
  assert.equal(got.topic, "home/kitchen/temperature");
});

test("the will of a device that drops off reaches the sockets of the room", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients);
  const gone = record(socket, "gone");
  const it = await clients.device({
    will: { topic: `${roomTopic(room)}/gone`, payload: Buffer.from("bye"), qos: 1, retain: false },
  });
  it.stream.destroy();
  await until(() => gone.length, "the will");
  assert.deepEqual(gone, [["bye"]]);
});

test("1,000 publishes of a device arrive at the sockets in order, and back", async (t) => {
  const clients = open(t);
  const { socket, room } = await inRoom(clients);
  const it = await clients.device();
  await it.subscribeAsync(`${roomTopic(room)}/burst`, { qos: 1 });
  const counted = record(socket, "count");
  for (let i = 0; i < 1000; i++) it.publish(`${roomTopic(room)}/count`, String(i), { qos: 1 });
  await until(() => counted.length >= 1000, "1,000 events");
  assert.deepEqual(counted.flat(), Array.from({ length: 1000 }, (_, i) => i));
  await ask(socket, "burst", room, 1000);
  await until(() => it.received.length >= 1000, "1,000 messages");
  assert.deepEqual(it.received.map((m) => Number(m.payload)), Array.from({ length: 1000 }, (_, i) => i));
});

test("a socket that connects to two namespaces is reached in each by its own id", async (t) => {
  const clients = open(t);
  const main = await clients.socket();
  const chat = main.io.socket("/chat");
  t.after(() => chat.disconnect());
  await connected(chat);
  const [inMain, inChat] = [record(main, "hi"), record(chat, "hi")];
  const it = await clients.device();
  await it.publishAsync(`sio/main/socket/${main.id}/hi`, "main", { qos: 1 });
  await it.publishAsync(`sio/chat/socket/${chat.id}/hi`, "chat", { qos: 1 });
  await it.publishAsync(`sio/main/socket/${chat.id}/hi`, "nobody", { qos: 1 });
  await until(() => inMain.length && inChat.length, "both");
  assert.deepEqual([inMain, inChat], [[["main"]], [["chat"]]]);
});
