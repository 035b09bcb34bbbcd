// The handlers of e2e/bench/server, and the listening, for every JavaScript peer.
import { parseArgs } from "node:util";

export const TOPIC = "sio/main/room/bench/msg";

// addresses reads -addr and -mqtt, in the spelling of Go's flags.
export function addresses() {
  const args = process.argv.slice(2).map((a) => a.replace(/^-(?=[a-z])/, "--"));
  const { values } = parseArgs({ args, options: { addr: { type: "string" }, mqtt: { type: "string" } } });
  return { addr: split(values.addr), mqtt: split(values.mqtt) };
}

function split(address) {
  if (!address) return null;
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

// register adds the handlers; published is told of each pub too.
export function register(io, published = () => {}) {
  io.on("connection", (socket) => {
    socket.on("join", (room, ack) => {
      socket.join(room);
      ack();
    });
    socket.on("pub", (payload) => {
      io.to("bench").emit("msg", payload);
      published(payload);
    });
    socket.on("echo", (payload, ack) => ack(payload));
  });
}
