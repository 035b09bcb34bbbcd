// paho, the client of most Python devices, beside the official Socket.IO client:
// each direction and each payload row, over TCP and over WebSocket.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask, Clients } from "../lib/clients.mjs";
import { bytesOf, expected, readable, rows } from "../lib/payloads.mjs";
import { start, startTestServer } from "../lib/programs.mjs";
import { until } from "../lib/wait.mjs";

// The one that Debian's python3-paho-mqtt is for.
const python = "/usr/bin/python3";
const script = join(dirname(fileURLToPath(import.meta.url)), "..", "py", "device.py");

let server;
before(async () => (server = await startTestServer()));
after(() => server?.stop());

// Device is the script with what it said.
class Device {
  #read = 0;
  received = [];
  #did = [];

  static async start(t, transport, version, identifier = "") {
    const { hostname, port } = new URL(transport === "tcp" ? server.mqtt : server.http);
    const device = new Device();
    device.program = start(python, [script, hostname, port, transport, String(version), identifier].filter(Boolean));
    t.after(async () => {
      device.program.child.stdin.end();
      assert.equal(await device.program.exited, 0, device.program.stderr);
    });
    await device.#done("connect");
    return device;
  }

  #listen() {
    const lines = this.program.stdout.split("\n").slice(0, -1);
    for (const line of lines.slice(this.#read)) {
      const said = JSON.parse(line);
      if (said.did) this.#did.push(said.did);
      else this.received.push({ ...said, payload: Buffer.from(said.payload, "base64") });
    }
    this.#read = lines.length;
  }

  #done(op) {
    return until(() => {
      if (!this.program.running) throw new Error(`device.py ended: ${this.program.stderr}`);
      this.#listen();
      return this.#did.shift() === op;
    }, op);
  }

  async #command(command) {
    this.program.child.stdin.write(`${JSON.stringify(command)}\n`);
    await this.#done(command.op);
  }

  subscribe = (filter) => this.#command({ op: "subscribe", filter });
  publish = (topic, payload, contentType) => this.#command({ op: "publish", topic, payload: payload.toString("base64"), contentType });

  take(what) {
    return until(() => {
      this.#listen();
      return this.received.shift();
    }, what);
  }
}

for (const transport of ["tcp", "websockets"]) {
  for (const [name, version] of Object.entries({ "MQTT 5": 5, "MQTT 3.1.1": 4, "MQTT 3.1": 3 })) {
    const modern = version === 5;
    describe(`${name} over ${transport}`, () => {
      async function joined(t, room) {
        const clients = new Clients(server);
        t.after(() => clients.close());
        const socket = await clients.socket();
        await ask(socket, "join", [room]);
        return socket;
      }

      test("each payload row from a socket to paho", async (t) => {
        const room = `to-${transport}-${version}`;
        const socket = await joined(t, room);
        const device = await Device.start(t, transport, version, `reader${version}`);
        await device.subscribe(`sio/main/room/${room}/#`);
        for (const [kind, row] of Object.entries(rows)) {
          await ask(socket, "in", [room], kind, ...row.args);
          const got = await device.take(kind);
          assert.equal(got.topic, `sio/main/room/${room}/${encodeURIComponent(kind)}`);
          assert.deepEqual(readable(row, got.payload), expected(row), kind);
          assert.equal(got.contentType ?? undefined, modern ? row.contentType : undefined, kind);
        }
      });

      test("each payload row from paho to a socket, and private messages", async (t) => {
        const room = `from-${transport}-${version}`;
        const socket = await joined(t, room);
        const received = [];
        socket.onAny((event, ...args) => received.push({ event, args }));
        const identifier = `paho-${transport}-${version}`;
        const device = await Device.start(t, transport, version, identifier);
        for (const [kind, row] of Object.entries(rows)) {
          if (row.payload === null && !modern) continue;
          await device.publish(`sio/main/room/${room}/${encodeURIComponent(kind)}`, bytesOf(row), modern ? row.contentType : undefined);
          const got = await until(() => received.shift(), kind);
          assert.deepEqual(got, { event: kind, args: modern ? row.args : (row.bare ?? row.args) });
        }
        await device.subscribe(`sio/main/socket/${identifier}/+`);
        await ask(socket, "private", [identifier], "to you", "only");
        assert.equal((await device.take("private message")).payload.toString(), "only");
        await device.publish(`sio/main/socket/${socket.id}/back`, Buffer.from("here"));
        assert.deepEqual(await until(() => received.shift(), "answer"), { event: "back", args: ["here"] });
      });
    });
  }
}
