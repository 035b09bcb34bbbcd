// socket.io on Bun, with the official engine for it.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { addresses, register } from "./handlers.mjs";

const { addr } = addresses();
const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
register(io);
Bun.serve({ hostname: addr.host, port: addr.port, ...engine.handler() });
