// Every way in for MQTT clients, with a password or a client certificate: each
// client hears what comes in by every other door, and strangers are refused.
// Debian's mosquitto clients have no WebSocket, which MQTT.js does instead.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import mqtt from "mqtt";
import { run, start, startDoorServer } from "../lib/programs.mjs";
import { event, until } from "../lib/wait.mjs";

const password = ["-u", "ada", "-P", "correct horse"];
let dir, server;
const file = (name) => join(dir, name);
const openssl = (...args) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });

function certificate(name, authority, extension) {
  writeFileSync(file(`${name}.ext`), extension);
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial", "-out", `${name}.pem`, "-extfile", `${name}.ext`);
}

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "doors-"));
  for (const name of ["authority", "stranger"]) {
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`);
  }
  certificate("server", "authority", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth");
  certificate("sensor", "authority", "extendedKeyUsage=clientAuth");
  certificate("impostor", "stranger", "extendedKeyUsage=clientAuth");
  execFileSync("mosquitto_passwd", ["-c", "-b", file("passwords"), "ada", "correct horse"], { stdio: "pipe" });
  server = await startDoorServer("-cert", file("server.pem"), "-key", file("server.key"), "-ca", file("authority.pem"), "-passwords", file("passwords"), "-unix", file("mqtt"));
});
after(async () => {
  await server?.stop();
  if (dir) rmSync(dir, { recursive: true });
});

const at = (url) => ["-h", new URL(url).hostname, "-p", new URL(url).port];
const secure = () => [...at(server.tls), "--cafile", file("authority.pem")];
const shows = (name) => ["--cert", file(`${name}.pem`), "--key", file(`${name}.key`)];

// doors are the options of mosquitto_pub and mosquitto_sub for each way in.
const doors = {
  "TCP with a password": () => [...at(server.mqtt), ...password],
  "TLS with a password": () => [...secure(), ...password],
  "TLS with a client certificate": () => [...secure(), ...shows("sensor")],
  "a Unix socket with a password": () => ["--unix", file("mqtt"), ...password],
};

const browser = (more) => {
  const [, username, , secret] = password;
  return mqtt.connect(`${server.ws}/mqtt`, { protocolVersion: 5, username, password: secret, reconnectPeriod: 0, ...more });
};

for (const version of ["5", "311", "31"]) {
  describe(`MQTT version ${version}`, () => {
    for (const [name, door] of Object.entries(doors)) {
      test(name, async (t) => {
        const topic = "sio/main/room/doors/open";
        const reader = start("stdbuf", ["-oL", "mosquitto_sub", ...door(), "-V", version, "-d", "-q", "1", "-t", topic, "-F", "=%p"]);
        t.after(() => reader.stop());
        await until(() => {
          if (!reader.running) throw new Error(`mosquitto_sub ended with ${reader.code}: ${reader.stderr}`);
          return reader.stdout.includes("Subscribed (mid:");
        }, "subscription");
        for (const [from, other] of Object.entries(doors)) {
          const program = await run("mosquitto_pub", [...other(), "-V", version, "-q", "1", "-t", topic, "-m", from]);
          assert.equal(program.code, 0, program.stderr);
        }
        const client = browser({ protocolVersion: { 5: 5, 311: 4, 31: 4 }[version] });
        t.after(() => client.endAsync(true));
        await event(client, "connect");
        await client.publishAsync(topic, "WebSocket", { qos: 1 });
        const got = () => reader.stdout.split("\n").slice(0, -1).filter((line) => line.startsWith("=")).map((line) => line.slice(1));
        await until(() => got().length > Object.keys(doors).length, "messages");
        assert.deepEqual(got(), [...Object.keys(doors), "WebSocket"]);
      });
    }
  });
}

const refused = {
  "no password": () => at(server.mqtt),
  "a wrong password": () => [...at(server.mqtt), "-u", "ada", "-P", "wrong"],
  "a wrong password over a Unix socket": () => ["--unix", file("mqtt"), "-u", "ada", "-P", "wrong"],
  "TLS without anything": () => secure(),
  "a stranger's certificate": () => [...secure(), ...shows("impostor")],
  "a stranger's certificate with a password": () => [...secure(), ...shows("impostor"), ...password],
};

for (const [name, options] of Object.entries(refused)) {
  test(`${name} is refused`, async () => {
    const program = await run("mosquitto_pub", [...options(), "-q", "1", "-t", "sio/main/room/doors/open", "-m", "x"]);
    assert.notEqual(program.code, 0);
  });
}

test("MQTT.js is refused with a wrong password over WebSocket", async () => {
  const client = browser({ password: "wrong" });
  const [error] = await event(client, "error");
  assert.equal(error.code, 0x86);
  await client.endAsync(true);
});

test("MQTT.js 5 over TLS with a client certificate: every property crosses", async (t) => {
  const url = server.tls;
  const credentials = { ca: readFileSync(file("authority.pem")), cert: readFileSync(file("sensor.pem")), key: readFileSync(file("sensor.key")) };
  const device = mqtt.connect(url, {
    ...credentials,
    protocolVersion: 5,
    reconnectPeriod: 0,
    properties: { sessionExpiryInterval: 10, receiveMaximum: 5, maximumPacketSize: 10_000, topicAliasMaximum: 3, userProperties: { who: "device" } },
  });
  t.after(() => device.endAsync(true));
  const [connack] = await event(device, "connect");
  assert.ok(connack.properties.maximumPacketSize > 0);
  const topic = "sio/main/room/doors/props";
  await device.subscribeAsync(topic, { qos: 2, nl: false, rap: true, rh: 0, properties: { subscriptionIdentifier: 7 } });
  const client = browser();
  t.after(() => client.endAsync(true));
  await event(client, "connect");
  const properties = {
    payloadFormatIndicator: true,
    messageExpiryInterval: 100,
    responseTopic: "sio/main/room/doors/answer",
    correlationData: Buffer.from([0, 1, 255]),
    userProperties: { a: ["1", "2"], b: "3" },
    contentType: "text/plain",
  };
  const received = [];
  device.on("message", (name, payload, packet) => received.push([name, String(payload), packet]));
  for (const qos of [0, 1, 2]) await client.publishAsync(topic, `at ${qos}`, { qos, properties });
  await until(() => received.length === 3, "messages");
  for (const [qos, [name, payload, packet]] of received.entries()) {
    assert.equal(name, topic);
    assert.equal(payload, `at ${qos}`);
    assert.equal(packet.qos, qos);
    const { topicAlias, subscriptionIdentifier, messageExpiryInterval, userProperties, ...rest } = packet.properties;
    assert.equal(topicAlias, 1);
    assert.equal(subscriptionIdentifier, 7);
    assert.ok(messageExpiryInterval > 90 && messageExpiryInterval <= 100, `${messageExpiryInterval}`);
    assert.deepEqual({ ...userProperties }, properties.userProperties);
    const { messageExpiryInterval: _, userProperties: __, ...want } = properties;
    assert.deepEqual(rest, want);
  }
});
