// mosquitto_pub and mosquitto_sub, as people use them.
import { run, start } from "./programs.mjs";
import { until } from "./wait.mjs";

// address returns the options that say where server is.
export const address = (server) => {
  const { hostname, port } = new URL(server.mqtt);
  return ["-h", hostname, "-p", port];
};

// versions as the -V option spells them.
export const versions = { "MQTT 5": "5", "MQTT 3.1.1": "311", "MQTT 3.1": "31" };

// publish runs mosquitto_pub at QoS 1 to its end, and fails when it does. The
// payload is on its standard input, which must not be empty.
export async function publish(server, version, topic, payload, ...more) {
  const program = await run("mosquitto_pub", [...address(server), "-V", version, "-q", "1", "-t", topic, payload.length > 0 ? "-s" : "-n", ...more], { input: payload });
  if (program.code !== 0) throw new Error(`mosquitto_pub ended with ${program.code}: ${program.stderr}`);
}

// listen runs mosquitto_sub and returns the program once it has subscribed. It
// says so in its debug lines, which stay in its buffer unless stdbuf forbids it.
export async function listen(server, filter, ...more) {
  const program = start("stdbuf", ["-oL", "mosquitto_sub", ...address(server), "-d", "-t", filter, ...more]);
  await until(() => {
    if (!program.running) throw new Error(`mosquitto_sub ended with ${program.code}: ${program.stderr}`);
    return program.stdout.includes("Subscribed (mid:");
  }, "subscription");
  return program;
}

// subscribe is listen with the messages taken apart. It returns { program, take }:
// take waits for the next message as { topic, qos, retain, contentType, payload }.
export async function subscribe(server, version, filter, ...more) {
  const program = await listen(server, filter, "-V", version, "-q", "1", "-F", "=%t|%q|%r|%C|%x", ...more);
  let taken = 0;
  const messages = () =>
    program.stdout
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("="))
      .map((line) => {
        const [topic, qos, retain, contentType, hex] = line.slice(1).split("|");
        return { topic, qos: Number(qos), retain: retain === "1", contentType: contentType || undefined, payload: Buffer.from(hex, "hex") };
      });
  const take = (what) => until(() => messages()[taken], what).then((message) => (taken++, message));
  return { program, messages, take, stop: () => program.stop() };
}
