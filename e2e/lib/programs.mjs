// Builds and runs the programs under test. Each has its own free ports and ends
// with the test that started it.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until, within } from "./wait.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

// binary returns the path of a program. Make builds them once before the tests;
// a test file that is run alone builds its own.
function binary(name, pkg) {
  if (process.env.SIOMQ_E2E_BIN) return join(root, process.env.SIOMQ_E2E_BIN, name);
  const bin = join(root, "bin", "e2e");
  mkdirSync(bin, { recursive: true });
  execFileSync("go", ["build", "-o", join(bin, name), pkg], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  return join(bin, name);
}

export const siomqBinary = () => binary("siomq", "./cmd/siomq");
export const demoBinary = () => binary("demo", "./demo");
const testServerBinary = () => binary("testserver", "./e2e/testserver");
const featureServerBinary = () => binary("featureserver", "./e2e/featureserver");

// Program is a child process with what it printed so far.
class Program {
  constructor(path, args, options = {}) {
    this.stdout = "";
    this.stderr = "";
    this.child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.exited = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => {
        this.code = code ?? signal;
        resolve(this.code);
      });
    });
    this.exited.catch(() => {}); // whoever waits sees it
  }

  get running() {
    return this.code === undefined;
  }

  // stop ends it as its user would, and by force when that does not help.
  async stop(signal = "SIGTERM") {
    if (this.running) this.child.kill(signal);
    try {
      return await within(this.exited, "end of the program");
    } catch (error) {
      this.child.kill("SIGKILL");
      throw error;
    }
  }
}

// start runs a program of this machine.
export const start = (path, args, options) => new Program(path, args, options);

// run runs a program to its end.
export async function run(path, args, { input, ms, ...options } = {}) {
  const program = new Program(path, args, options);
  program.child.stdin.on("error", () => {}); // it may end without reading
  program.child.stdin.end(input);
  await within(program.exited, `${path} ${args.join(" ")}`, ms).catch((error) => {
    program.child.kill("SIGKILL");
    throw error;
  });
  return program;
}

// startTestServer returns a running e2e/testserver:
// { http, mqtt, ws } are its addresses, log() what it logged, stop() its end.
export const startTestServer = (...args) => serve(testServerBinary(), args);

// startFeatureServer returns a running e2e/featureserver with these settings,
// in the form of startTestServer.
export const startFeatureServer = (settings = {}) => serve(featureServerBinary(), ["-options", JSON.stringify(settings)]);

// startDoorServer returns a running e2e/doorserver in the form of startTestServer, with
// tls and unix, its other addresses.
export const startDoorServer = (...args) => serve(binary("doorserver", "./e2e/doorserver"), args);

async function serve(path, args) {
  const program = new Program(path, args);
  const lines = createInterface({ input: program.child.stdout });
  const first = new Promise((resolve) => lines.once("line", resolve));
  const line = await within(Promise.race([first, program.exited]), "address of the test server");
  if (!program.running) throw new Error(`test server ended at once: ${program.stderr}`);
  const { http, mqtt, certificate, ...more } = JSON.parse(line);
  return {
    ...more, // what only some servers tell
    http,
    mqtt,
    ws: http.replace("http", "ws"),
    certificate, // with -webtransport: the SHA-256 of its certificate, in hexadecimal
    program,
    // log returns the log lines that are there now, as objects.
    log: () => program.stderr.split("\n").filter((text) => text.startsWith("{")).map((text) => JSON.parse(text)),
    // stop ends the server, and fails when it had a data race, crashed or hung.
    async stop() {
      program.child.stdin.end(); // it ends with its input
      const code = await within(program.exited, "end of the test server").catch((error) => {
        program.child.kill("SIGKILL");
        throw error;
      });
      if (code !== 0 || /DATA RACE|^panic:|^fatal error:/m.test(program.stderr)) {
        throw new Error(`test server ended with ${code}:\n${program.stderr.slice(-8000)}`);
      }
    },
  };
}

// freePort returns a port that nobody listens on now.
export async function freePort() {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

// startDemo returns a running demo once it answers, on free ports or on those of
// an earlier one: { address, mqtt } are its addresses.
export async function startDemo(earlier) {
  const address = earlier?.address ?? `http://127.0.0.1:${await freePort()}`;
  const mqtt = earlier?.mqtt ?? `mqtt://127.0.0.1:${await freePort()}`;
  const program = new Program(demoBinary(), ["-http", new URL(address).host, "-mqtt", new URL(mqtt).host]);
  await until(async () => {
    if (!program.running) throw new Error(`demo ended with ${program.code}: ${program.stderr}`);
    return fetch(address).then((response) => response.ok, () => false);
  }, "answer of the demo");
  return {
    address,
    mqtt,
    program,
    async stop() {
      const code = await program.stop();
      if (code !== 0 || /DATA RACE|^panic:|^fatal error:/m.test(program.stderr)) {
        throw new Error(`demo ended with ${code}:\n${program.stderr.slice(-8000)}`);
      }
    },
  };
}
