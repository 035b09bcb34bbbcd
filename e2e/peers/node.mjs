// socket.io on Node, with ws. With -mqtt, aedes is in the same process: what
// comes to one side goes out on both.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { TOPIC, addresses, register } from "./handlers.mjs";

const { addr, mqtt } = addresses();
const http = createServer();
const io = new Server(http);
let published;
if (mqtt) {
  const { listen } = await import("./broker.mjs");
  const broker = await listen(mqtt);
  broker.on("publish", (packet, client) => {
    if (client && packet.topic === TOPIC) io.to("bench").emit("msg", packet.payload.toString());
  });
  published = (payload) => broker.publish({ topic: TOPIC, payload: Buffer.from(payload), qos: 0 }, () => {});
}
register(io, published);
http.listen({ ...addr, backlog: 4096 });
