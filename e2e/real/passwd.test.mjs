// Password files beside Mosquitto: what siomq passwd writes Mosquitto reads, and the
// other way round, and both say the same to everybody who logs in.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort, run, siomqBinary, start } from "../lib/programs.mjs";
import { until } from "../lib/wait.mjs";

let siomq, dir;
before(() => {
  siomq = siomqBinary();
  dir = mkdtempSync(join(tmpdir(), "siomq-passwd-"));
});
after(() => rmSync(dir, { recursive: true, force: true }));

async function ok(program, args, options) {
  const { code, stderr } = await run(program, args, options);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${stderr}`);
}

// The two programs that write, with the same words.
const writers = {
  "siomq passwd": {
    set: (file, user, password, ...flags) => ok(siomq, ["passwd", ...flags, "-b", file, user, password]),
    remove: (file, user) => ok(siomq, ["passwd", "-D", file, user]),
  },
  mosquitto_passwd: {
    set: (file, user, password, ...flags) => ok("mosquitto_passwd", [...flags, "-b", file, user, password]),
    remove: (file, user) => ok("mosquitto_passwd", ["-D", file, user]),
  },
};

// mosquitto starts a broker that knows the users of the file alone. lets(user, password)
// reports whether it lets them in; undefined stands for what is not sent.
async function mosquitto(t, file) {
  const port = await freePort();
  const config = join(dir, `${port}.conf`);
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous false\npassword_file ${file}\nuser root\n`);
  const program = start("mosquitto", ["-c", config]);
  t.after(() => program.stop());
  await until(() => program.stderr.includes("running") || !program.running, "start of Mosquitto");
  assert.ok(program.running, program.stderr);
  return {
    program,
    async lets(user, password) {
      const who = [...(user === undefined ? [] : ["-u", user]), ...(password === undefined ? [] : ["-P", password])];
      const { code, stderr } = await run("mosquitto_pub", ["-p", `${port}`, "-V", "311", "-t", "t", "-m", "m", ...who]);
      if (code !== 0) assert.match(stderr, /not authori[sz]ed/i);
      return code === 0;
    },
  };
}

const lets = async (file, user, password) => {
  const { code, stderr } = await run(siomq, ["passwd", "-v", "-b", file, user, password]);
  if (code !== 0) assert.match(stderr, /not authorized/);
  return code === 0;
};

const passwords = {
  alice: "secret",
  "bob jr.": "pa ss $7$ : #",
  "ünï": "cödé €",
  empty: "",
  long: "x".repeat(200),
  "$6$": "dollar",
  x: "siomq",
};

for (const [name, writer] of Object.entries(writers)) {
  for (const flags of name === "mosquitto_passwd" ? [[], ["-H", "sha512"]] : [[], ["-I", "1"]]) {
    describe([name, ...flags].join(" "), () => {
      test("both let in the same", async (t) => {
        const file = join(dir, `${name}${flags.length}`.replace(" ", "-"));
        let create = ["-c"];
        for (const [user, password] of Object.entries(passwords)) {
          await writer.set(file, user, password, ...create, ...flags);
          create = [];
        }
        await writer.set(file, "x", "changed", ...flags);
        await writer.set(file, "gone", "x", ...flags);
        await writer.remove(file, "gone");
        const broker = await mosquitto(t, file);
        const expected = { ...passwords, x: "changed" };
        for (const user of [...Object.keys(passwords), "gone", "nobody", "Alice", " alice"]) {
          for (const password of [...Object.values(passwords), "changed", "Secret", "secret "]) {
            const want = expected[user] === password && password !== ""; // an empty password is none
            const got = [await lets(file, user, password), await broker.lets(user, password)];
            assert.deepEqual(got, [want, want], `siomq and Mosquitto on ${user}, ${password}`);
          }
        }
        assert.equal(await broker.lets(undefined, undefined), false);
        assert.equal(await broker.lets("empty", undefined), false);
      });
    });
  }
}

test("both write to one file", async (t) => {
  const file = join(dir, "shared");
  await writers.mosquitto_passwd.set(file, "alice", "one", "-c");
  await writers["siomq passwd"].set(file, "bob", "two");
  await writers.mosquitto_passwd.set(file, "carol", "three");
  await writers["siomq passwd"].set(file, "alice", "four");
  await writers.mosquitto_passwd.set(file, "bob", "five");
  await writers["siomq passwd"].remove(file, "carol");
  const broker = await mosquitto(t, file);
  for (const [user, password, want] of [["alice", "four", true], ["alice", "one", false], ["bob", "five", true], ["carol", "three", false]]) {
    assert.deepEqual([await lets(file, user, password), await broker.lets(user, password)], [want, want], user);
  }
});

test("Mosquitto reads comments that siomq passwd keeps, and a change at SIGHUP", async (t) => {
  const file = join(dir, "comments");
  await writers["siomq passwd"].set(file, "alice", "one", "-c");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  appendFileSync(file, "# bob: is on holiday\n\n");
  const broker = await mosquitto(t, file);
  assert.equal(await broker.lets("bob", "two"), false);
  await writers["siomq passwd"].set(file, "bob", "two");
  assert.match(readFileSync(file, "utf8"), /^alice:\S+\n# bob: is on holiday\n\nbob:\S+\n$/);
  broker.program.child.kill("SIGHUP");
  await until(() => broker.lets("bob", "two"), "bob");
  assert.equal(await broker.lets("alice", "one"), true);
});

test("mosquitto_passwd -U mends a file in plain text that siomq refuses", async () => {
  const file = join(dir, "plain");
  writeFileSync(file, "alice:one\nbob:two\n");
  const { code, stderr } = await run(siomq, ["passwd", "-v", "-b", file, "alice", "one"]);
  assert.equal(code, 1);
  assert.match(stderr, /line 1: user "alice": the password is not hashed/);
  await ok("mosquitto_passwd", ["-U", file]);
  assert.deepEqual([await lets(file, "alice", "one"), await lets(file, "bob", "two"), await lets(file, "bob", "one")], [true, true, false]);
});

// script gives the program a terminal, which shows what is typed unless it is told not to.
test("a terminal does not show the password", async () => {
  const file = join(dir, "terminal");
  const typed = async (args, ...lines) => {
    const program = start("script", ["-qec", `${siomq} passwd ${args}`, "/dev/null"]);
    for (const line of lines) {
      await until(() => /: $/.test(program.stdout), "prompt");
      program.stdout += "|";
      program.child.stdin.write(`${line}\n`);
      await until(() => !program.stdout.endsWith("|") || !program.running, "next prompt");
    }
    program.child.stdin.end();
    await program.exited;
    return program;
  };
  let program = await typed(`-c ${file} alice`, "hunter2", "hunter2");
  assert.equal(program.code, 0, program.stdout);
  assert.doesNotMatch(program.stdout, /hunter/);
  assert.equal(await lets(file, "alice", "hunter2"), true);
  program = await typed(`${file} alice`, "hunter3", "hunter4");
  assert.equal(program.code, 1);
  assert.match(program.stdout, /do not match/);
  program = await typed(`-v ${file} alice`, "hunter2");
  assert.equal(program.code, 0, program.stdout);
});
