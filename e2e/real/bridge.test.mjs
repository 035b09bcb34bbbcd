// A Mosquitto broker with a bridge to siomq: devices that know only their own
// broker are in the rooms all the same.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ask, Clients } from "../lib/clients.mjs";
import { publish, subscribe } from "../lib/mosquitto.mjs";
import { freePort, start, startTestServer } from "../lib/programs.mjs";
import { record, until } from "../lib/wait.mjs";

// Debian installs brokers where only root's PATH has them.
const mosquitto = "/usr/sbin/mosquitto";

test("rooms reach through a bridge", async (t) => {
  const server = await startTestServer();
  t.after(() => server.stop());
  const clients = new Clients(server);
  t.after(() => clients.close());

  const folder = mkdtempSync(join(tmpdir(), "siomq-mosquitto-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const file = join(folder, "mosquitto.conf");
  writeFileSync(
    file,
    [
      `listener ${port} 127.0.0.1`,
      "allow_anonymous true",
      "log_dest stderr",
      "connection siomq",
      `address ${new URL(server.mqtt).host}`,
      "bridge_protocol_version mqttv50", // with No Local: in 3.1.1 what crosses comes back
      "remote_clientid house",
      "topic sio/main/room/# both 1",
      "notifications_local_only true",
    ].join("\n") + "\n",
  );
  const broker = start(mosquitto, ["-c", file]);
  t.after(() => broker.stop());
  const near = { mqtt: `mqtt://127.0.0.1:${port}` };
  await until(() => {
    if (!broker.running) throw new Error(`mosquitto ended with ${broker.code}: ${broker.stderr}`);
    return /mosquitto version \S+ running/.test(broker.stderr);
  }, "start of mosquitto");

  const socket = await clients.socket();
  await ask(socket, "join", ["lobby"]);
  const far = record(socket, "message");
  const state = await subscribe(near, "311", "$SYS/broker/connection/+/state");
  t.after(() => state.stop());
  await until(() => state.messages().at(-1)?.payload.toString() === "1", "the bridge");
  const device = await subscribe(near, "311", "sio/main/room/lobby/#");
  t.after(() => device.stop());

  await publish(near, "5", "sio/main/room/lobby/message", "anybody there?");
  await until(() => far.length, "the message at the far end");
  await ask(socket, "in", ["lobby"], "message", "yes");
  await until(() => device.messages().at(-1)?.payload.toString() === "yes", "the answer");
  assert.deepEqual(far, [["anybody there?"], ["yes"]]);
  assert.deepEqual(device.messages().map((m) => m.payload.toString()), ["anybody there?", "yes"]);
});
