// The demo as a program: what it prints, how it ends, and how it says that it
// cannot start.
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { demoBinary, run, start } from "../lib/programs.mjs";
import { until } from "../lib/wait.mjs";

let demo;
before(() => (demo = demoBinary()));

// taken is a port that somebody listens on.
let taken;
before(async () => {
  taken = net.createServer();
  await new Promise((resolve) => taken.listen(0, "127.0.0.1", resolve));
});
after(() => taken.close());
const takenAddress = () => `127.0.0.1:${taken.address().port}`;

const free = ["-http", "127.0.0.1:0", "-mqtt", "127.0.0.1:0"];

describe("one clear line and exit status 1", () => {
  const cases = {
    "the HTTP port is in use": { args: () => ["-http", takenAddress(), "-mqtt", "127.0.0.1:0"], names: () => takenAddress() },
    "the MQTT port is in use": { args: () => ["-http", "127.0.0.1:0", "-mqtt", takenAddress()], names: () => takenAddress() },
    "an address that is not this machine's": { args: () => ["-http", "192.0.2.1:3000", "-mqtt", "127.0.0.1:0"], names: () => "192.0.2.1:3000" },
    "an MQTT address that is not this machine's": { args: () => ["-http", "127.0.0.1:0", "-mqtt", "192.0.2.1:1883"], names: () => "192.0.2.1:1883" },
    "an address that is none": { args: () => ["-http", "nonsense", "-mqtt", "127.0.0.1:0"], names: () => "nonsense" },
    "a port that is none": { args: () => ["-http", "127.0.0.1:99999", "-mqtt", "127.0.0.1:0"], names: () => "99999" },
    "an unknown flag": { args: () => [...free, "-no-such-flag"], names: () => "no-such-flag" },
    "a value that is none": { args: () => [...free, "-sensor=perhaps"], names: () => "perhaps" },
    "an argument too many": { args: () => [...free, "surplus"], names: () => "surplus" },
    "a bad value in the environment": { args: () => free, env: { SIOMQ_SENSOR: "perhaps" }, names: () => "SIOMQ_SENSOR" },
  };
  for (const [name, { args, env, names }] of Object.entries(cases)) {
    test(name, async () => {
      const program = await run(demo, args(), { env: { ...process.env, ...env } });
      assert.equal(program.code, 1, program.stderr);
      assert.equal(program.stdout, "");
      const lines = program.stderr.trimEnd().split("\n");
      assert.equal(lines.length, 1, program.stderr);
      assert.ok(lines[0].includes(names()), `${lines[0]} should name ${names()}`);
      assert.doesNotMatch(lines[0], /goroutine|\.go:\d/);
    });
  }
});

test("-h shows every flag and succeeds", async () => {
  const program = await run(demo, ["-h"]);
  assert.equal(program.code, 0);
  for (const flag of ["-http", "-mqtt", "-sensor"]) assert.ok(program.stdout.includes(flag), flag);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`it prints its addresses, answers there, and ends with status 0 on ${signal}`, async (t) => {
    const program = start(demo, free);
    t.after(() => program.stop());
    const address = (await until(() => /http:\/\/(\S+)/.exec(program.stdout), "address"))[0];
    assert.match(program.stdout, /mqtt:\/\/\S+:\d+/);
    assert.match(program.stdout, /ws:\/\/\S+\/mqtt/);
    const page = await fetch(address);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<html/);
    assert.equal(await program.stop(signal), 0, program.stderr);
  });
}
