// The same password and ACL files in Mosquitto and here: the same answers.
// Mosquitto is the norm, so each expectation is tried on it too.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Clients } from "../lib/clients.mjs";
import { freePort, run, start } from "../lib/programs.mjs";
import { until, within } from "../lib/wait.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const aclserver = join(root, "bin", "e2e", "aclserver");
const mosquitto = "/usr/sbin/mosquitto";

// The users' passwords are their names. writer may publish everything, so that
// what the others receive is their own rules' doing.
const users = ["writer", "ann", "bob", "dan", "a/b", "plus+user", "ha#sh", "%c", "$SYS", "ann lee", "empty"];

const acl = [
  "# Who is not a user:",
  "topic read public/#",
  "topic deny public/secret",
  "topic write in/+",
  "topic both",
  "topic read $SYS/broker/version",
  "",
  "user writer",
  "topic write #",
  "topic write $other/#",
  "topic write $SYS/#",
  "",
  "user ann\r",
  "topic readwrite home/#\r",
  "topic deny home/safe/#\r",
  "topic write home/safe/box",
  "topic   read   +/temp",
  "  topic read spaced  out/x \t ",
  "topic read",
  "topic read \ttabbed",
  "topic $SYS/#",
  "topic $other/x",
  "topic readwrite wide/#",
  "topic write #",
  "topic deny nowhere",
  "topic read literal/%u",
  "topic read sio/main/room/lobby/#",
  "topic read /lead/#",
  "topic read trail/",
  "topic read +/+/three/+/#",
  "user  ann lee  ",
  "topic read lee/#",
  "user empty",
  "",
  "pattern read clients/%c/#",
  "pattern write clients/%c/up",
  "pattern users/%u/+",
  "pattern deny users/%u/no",
  "pattern read same/%u/%c",
  "pattern deny wide/no/#",
  "pattern read wide/#",
  "pattern read %u",
  "pattern readwrite sio/main/room/desk-%u/+",
  "pattern write sio/main/all/note",
  "",
  "user bob",
  "topic read tell/bob",
  "topic deny users/bob/mine",
  "topic read both",
  "user ann",
  "topic read later",
  "#topic read commented",
].join("\n");

const who = {
  anonymous: { clientId: "c0" },
  ann: { clientId: "c1", username: "ann" },
  bob: { clientId: "c2", username: "bob" },
  dan: { clientId: "c3", username: "dan" }, // no line of his own
  empty: { clientId: "c4", username: "empty" }, // a user line, and nothing under it
  lee: { clientId: "c5", username: "ann lee" },
  slash: { clientId: "c6", username: "a/b" },
  percent: { clientId: "c7", username: "%c" },
  dollar: { clientId: "c8", username: "$SYS" },
  plusUser: { clientId: "c9", username: "plus+user" },
  hashUser: { clientId: "c10", username: "ha#sh" },
  plusID: { clientId: "+" },
  hashID: { clientId: "x#", username: "dan" },
  annPlus: { clientId: "a+", username: "ann" },
};

// What each may do: r receive, w publish. Each topic is one decision to publish, and
// one to receive for each way of subscribing. Beneath sio/ are only such topics as
// the table of docs/TOPICS.md opens to everybody: what it refuses, it refuses here alone.
const decisions = {
  anonymous: {
    "public/news": "r", public: "r", publicity: "", "public/secret": "", "public/secret/x": "r", "in/x": "w", "in/x/y": "", in: "", both: "rw",
    "clients/c0/down": "r", "clients/c0/up": "rw", "clients/c0": "r", "clients/c1/up": "", "users//x": "", "wide/yes": "r", "wide/no/x": "",
    "home/lamp": "", commented: "", "$SYS/broker/version": "r", "$other/x": "",
  },
  ann: {
    "public/news": "w", "home/lamp": "rw", home: "rw", "home/safe": "", "home/safe/box": "", "home/safe/x/y": "", "kitchen/temp": "rw",
    "kitchen/temp/x": "w", "spaced  out/x": "rw", "spaced out/x": "w", read: "rw", tabbed: "rw", later: "rw", nowhere: "", ann: "rw", both: "w",
    "wide/no/x": "rw", "users/ann/x": "rw", "users/ann/no": "w", "users/bob/x": "w", "same/ann/c1": "rw", "same/ann/c2": "w",
    "literal/%u": "rw", "literal/ann": "w", "sio/main/room/lobby/x": "rw", "sio/main/room/lobby": "rw", "sio/main/room/other/x": "w",
    "sio/main/room/desk-ann/x": "rw", "sio/main/room/desk-bob/x": "w", "/lead": "rw", "/lead/x": "rw", lead: "w", "trail/": "rw", trail: "w",
    "a/b/three/c": "rw", "a/b/three/c/d/e": "rw", "a/b/three": "w", "//three/": "rw",
    "$SYS/broker/version": "r", "$other/x": "rw", "$other/y": "", "clients/c1/up": "rw", "clients/c2/down": "w",
  },
  bob: {
    "public/news": "", "tell/bob": "r", "tell/ann": "", "users/bob/x": "rw", "users/bob/mine": "", "users/bob/no": "", "users/bob/x/y": "", bob: "r", ann: "",
    "wide/yes": "r", "wide/no/x": "", "same/bob/c2": "r", "same/bob/c1": "", both: "r", "clients/c2/up": "rw", "$SYS/broker/version": "", later: "",
    "sio/main/room/desk-bob/x": "rw", "sio/main/room/desk-ann/x": "", "sio/main/all/note": "w",
  },
  dan: { "clients/c3/up": "rw", "clients/c3/down": "r", "users/dan/x": "rw", "users/dan/no": "", dan: "r", "public/news": "", both: "", "home/lamp": "" },
  empty: { "users/empty/x": "rw", "public/news": "", "wide/yes": "r", both: "" },
  lee: { "lee/x": "r", lee: "r", "users/ann lee/x": "rw", "users/ann/x": "", "home/lamp": "", "public/news": "" },
  slash: { "users/a/b/x": "rw", "users/a/b/no": "", "users/a/b": "", "a/b": "r", "users/a/x": "" },
  percent: { "users/%c/x": "rw", "users/c7/x": "", "same/%c/c7": "r", "%c": "r", c7: "" },
  dollar: { "users/$SYS/x": "rw", "$SYS/broker/version": "", "wide/yes": "r" },
  plusUser: { "users/ann/x": "", "wide/yes": "", "clients/c9/up": "", "public/news": "" },
  hashUser: { "users/ann/x": "", "wide/yes": "", "clients/c10/up": "", "tell/bob": "" },
  plusID: { "clients/c0/up": "", "wide/yes": "", "public/news": "r", both: "rw", "in/x": "w" },
  hashID: { "clients/x/up": "", "users/dan/x": "", dan: "", "wide/yes": "" },
  annPlus: { "home/lamp": "rw", "users/ann/x": "w", ann: "w", later: "rw", "wide/yes": "rw" },
};

// Files that Mosquitto does not start with, and the word that is at fault.
const broken = {
  "an unknown word": ["topic a\nhello b", "hello"],
  "a comment after spaces": ["  # hello", "#"],
  "a tab before the word": ["\ttopic a", "\ttopic"],
  "a tab after the word": ["topic\ta", "topic\ta"],
  "access misspelt": ["user ann\n\ntopic raed a", "raed"],
  "access in capitals": ["topic READ a", "READ"],
  "a comment behind a topic": ["topic a # b", "a"],
  "a comment behind access": ["topic read a # b", "a # b"],
  "no topic": ["topic", "topic"],
  "no topic but spaces": ["pattern   ", "pattern"],
  "no username": ["user \t", "user"],
  "a wildcard in a level": ["topic read a+/b", "a+/b"],
  "# before the end": ["topic deny a/#/b", "a/#/b"],
  "# in a level": ["pattern a/%u#", "a/%u#"],
  "a byte order mark": ["\ufefftopic a", "\ufefftopic"],
  "too many levels": [`topic ${"/".repeat(201)}`, "/"],
};

// Files that look wrong and are not.
const odd = {
  "nothing": "",
  "a user and nothing": "user ann",
  "lines that end in CR LF": "user ann\r\ntopic a\r\n",
  "a pattern for everybody": "pattern read a",
  "access for a topic": "topic deny",
  "200 slashes": `topic ${"/".repeat(200)}`,
  "bytes that are no text": Buffer.from("topic \xff\xfe", "latin1"),
};

let dir;
const file = (name, content) => {
  const path = join(dir, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
};

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "siomq-acl-"));
  execFileSync("go", ["build", "-o", aclserver, "./e2e/aclserver"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  file("passwords", users.map((name) => `${name}:${name}\n`).join(""));
  await run("mosquitto_passwd", ["-U", join(dir, "passwords")]);
});
after(() => rmSync(dir, { recursive: true, force: true }));

// startMosquitto returns { mqtt, program, stop }, once it listens.
async function startMosquitto(aclFile) {
  const port = await freePort();
  const config = file(`mosquitto-${port}.conf`, [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    `password_file ${join(dir, "passwords")}`,
    `acl_file ${aclFile}`,
    "log_dest stderr",
    ...(process.getuid() === 0 ? ["user root"] : []),
  ].join("\n"));
  const program = start(mosquitto, ["-c", config]);
  await until(() => program.stderr.includes(" running") || !program.running, "start of Mosquitto");
  if (!program.running) throw new Error(`mosquitto ended with ${program.code}: ${program.stderr}`);
  return { mqtt: `mqtt://127.0.0.1:${port}`, program, stop: () => program.stop() };
}

async function startOurs(aclFile, ...more) {
  const program = start(aclserver, ["-acl", aclFile, "-passwords", join(dir, "passwords"), ...more]);
  const lines = createInterface({ input: program.child.stdout });
  const line = await within(Promise.race([new Promise((resolve) => lines.once("line", resolve)), program.exited]), "start of aclserver");
  if (!program.running) throw new Error(`aclserver ended with ${program.code}: ${program.stderr}`);
  return {
    mqtt: JSON.parse(line).mqtt,
    program,
    async stop() {
      program.child.stdin.end();
      assert.equal(await within(program.exited, "end of aclserver"), 0, program.stderr);
    },
  };
}

const brokers = { Mosquitto: startMosquitto, siomq: startOurs };

const credentials = ({ clientId, username }) => ({ clientId, username, password: username });

// mayPublish asks with QoS 1, which MQTT 5 answers.
async function mayPublish(client, topic, options = {}) {
  const answer = await client.publishAsync(topic, "x", { qos: 1, ...options }).then(
    (packet) => packet?.reasonCode ?? 0,
    (error) => error.code,
  );
  assert.ok([0, 16, 135].includes(answer), `reason code ${answer} for ${topic}`);
  return answer !== 135;
}

// fence returns when client has everything that was queued for it.
const fence = (client) => client.subscribeAsync("fence", { qos: 1 });

// Ways to subscribe to everything that could be received: [filters, before the
// publishes or after, when only retained messages come].
const everything = ["#", "$SYS/broker/version", "$other/#"];
const ways = {
  "wildcards": { filters: () => everything },
  "exact filters": { filters: (topics) => topics },
  "levels": { filters: () => ["+", "+/+", "+/+/+", "+/+/+/+", "+/+/+/+/#", "$SYS/+/+", "$other/+"] },
  // Mosquitto gives shared subscriptions nothing that begins with $.
  "shared subscriptions": { filters: () => ["$share/g/#"], without: "$" },
  "retained": { filters: () => everything, retained: true },
};

// received subscribes as way says, lets everything be published, and returns what came.
async function received(clients, writer, principal, topics, way) {
  const client = await clients.device({ ...credentials(principal), clean: true });
  const filters = way.filters(topics);
  const subscribe = async () => {
    for (const { qos } of await client.subscribeAsync(filters, { qos: 1 })) assert.ok(qos < 128, "a subscription is refused");
  };
  if (!way.retained) await subscribe();
  for (const topic of topics.filter((t) => !t.startsWith("$SYS"))) {
    assert.ok(await mayPublish(writer, topic, { retain: Boolean(way.retained) }), `the writer cannot publish to ${topic}`);
  }
  if (way.retained) await subscribe();
  await fence(client);
  await client.endAsync();
  return new Set(client.received.map((m) => m.topic));
}

let count = 0;
const answers = {}; // of each broker
for (const [name, startBroker] of Object.entries(brokers)) {
  describe(`decisions of ${name}`, () => {
    let server, clients, writer;
    const given = (answers[name] = []);
    before(async () => {
      server = await startBroker(file(`${name}.acl`, acl));
      clients = new Clients(server);
      writer = await clients.device(credentials({ clientId: "writer", username: "writer" }));
    });
    after(async () => {
      await clients?.close();
      await server?.stop();
    });

    for (const [person, table] of Object.entries(decisions)) {
      const topics = Object.keys(table);
      test(`${person} publishes`, async (t) => {
        const own = new Clients(server);
        t.after(() => own.close());
        const client = await own.device(credentials(who[person]));
        const got = {};
        for (const topic of topics) got[topic] = await mayPublish(client, topic);
        given.push({ person, how: "publish", got });
        count += topics.length;
        assert.deepEqual(got, Object.fromEntries(topics.map((topic) => [topic, table[topic].includes("w")])));
      });
      for (const [how, way] of Object.entries(ways)) {
        test(`${person} receives by ${how}`, async (t) => {
          const own = new Clients(server);
          t.after(() => own.close());
          const asked = topics.filter((topic) => !way.without || !topic.startsWith(way.without));
          const came = await received(own, writer, who[person], asked, way);
          const got = Object.fromEntries(asked.map((topic) => [topic, came.has(topic)]));
          given.push({ person, how, got });
          count += asked.length;
          assert.deepEqual(got, Object.fromEntries(asked.map((topic) => [topic, table[topic].includes("r")])));
        });
      }
    }

    test("nobody publishes to $SYS or $share", async (t) => {
      const own = new Clients(server);
      t.after(() => own.close());
      for (const person of ["anonymous", "ann", "dollar"]) {
        const client = await own.device(credentials(who[person]));
        assert.equal(await mayPublish(client, "$SYS/broker/version"), false, person);
        await client.endAsync();
      }
    });

    test("a will is a publish", async (t) => {
      const own = new Clients(server);
      t.after(() => own.close());
      const watcher = await own.device(credentials(who.ann));
      await watcher.subscribeAsync(["home/#", "wide/#"], { qos: 1 });
      const wills = () => watcher.received.filter((m) => m.payload.toString() === "will").map((m) => m.topic);
      const will = async (person, topic) => {
        const options = { ...credentials(who[person]), clean: true, protocolVersion: 4 };
        await own.device({ ...options, will: { topic, payload: "will", qos: 1 } });
        const again = await own.device(options); // takes over, which publishes the will
        await again.endAsync();
      };
      await will("bob", "home/lamp");
      await will("bob", "wide/no/x");
      await will("annPlus", "home/lamp");
      await until(() => wills().length > 0, "will");
      await fence(watcher);
      assert.deepEqual(wills(), ["home/lamp"]);
    });

    test("who is let in", async (t) => {
      const own = new Clients(server);
      t.after(() => own.close());
      const refused = (options) => assert.rejects(own.device({ clientId: "stranger", ...options }), options.username);
      await refused({ username: "ann", password: "bob" });
      await refused({ username: "ann", password: "" });
      await refused({ username: "ann" });
      await refused({ username: "nobody", password: "nobody" });
      await own.device({ clientId: "stranger" });
    });
  });
}

test("both gave the same answers, yes and no", () => {
  assert.ok(count / 2 >= 100, `${count / 2} decisions`);
  assert.deepEqual(answers.siomq, answers.Mosquitto);
  const all = answers.siomq.flatMap(({ got }) => Object.values(got));
  assert.ok(all.filter(Boolean).length > 100 && all.filter((yes) => !yes).length > 100);
});

describe("a file at the start", () => {
  for (const [what, [text, word]] of Object.entries(broken)) {
    test(`with ${what} stops both`, async () => {
      const path = file("broken.acl", text);
      await assert.rejects(startMosquitto(path), /mosquitto ended with [1-9]/);
      await assert.rejects(startOurs(path), (error) => {
        const line = text.split("\n").length;
        assert.ok(error.message.includes(`${path}:${line}: `), error.message);
        assert.ok(error.message.includes(JSON.stringify(word).slice(1, -1)) || word.startsWith("\ufeff"), error.message);
        return true;
      });
    });
  }
  for (const [what, text] of Object.entries(odd)) {
    test(`with ${what} stops neither`, async () => {
      const path = file("odd.acl", text);
      for (const startBroker of Object.values(brokers)) await (await startBroker(path)).stop();
    });
  }
});

for (const [name, startBroker] of Object.entries(brokers)) {
  test(`${name} reads its file again on SIGHUP`, async (t) => {
    const path = file(`reload-${name}.acl`, "user ann\ntopic readwrite a");
    const server = await startBroker(path);
    t.after(() => server.stop());
    const clients = new Clients(server);
    t.after(() => clients.close());
    const ann = await clients.device(credentials(who.ann));
    await ann.subscribeAsync("#", { qos: 1 });
    assert.deepEqual([await mayPublish(ann, "a"), await mayPublish(ann, "b")], [true, false]);
    file(`reload-${name}.acl`, "user ann\ntopic readwrite b");
    server.program.child.kill("SIGHUP");
    await until(() => mayPublish(ann, "b"), "the new rules");
    assert.deepEqual([await mayPublish(ann, "a"), await mayPublish(ann, "b")], [false, true]);
    await fence(ann);
    assert.deepEqual([...new Set(ann.received.map((m) => m.topic))], ["a", "b"]);
  });
}

test("a broken file keeps the old rules and says why", async (t) => {
  const path = file("keep.acl", "user ann\ntopic a");
  const server = await startOurs(path);
  t.after(() => server.stop());
  const clients = new Clients(server);
  t.after(() => clients.close());
  const ann = await clients.device(credentials(who.ann));
  file("keep.acl", "user ann\ntopic b\ntopic raed c");
  server.program.child.kill("SIGHUP");
  await until(() => server.program.stderr.includes("the old rules stay"), "answer to SIGHUP");
  assert.ok(server.program.stderr.includes(`${path}:3: "raed": `), server.program.stderr);
  assert.deepEqual([await mayPublish(ann, "a"), await mayPublish(ann, "b")], [true, false]);
});
