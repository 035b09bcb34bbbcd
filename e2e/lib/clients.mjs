// The official clients, connected and closed again by the test that uses them.
import { io } from "socket.io-client";
import mqtt from "mqtt";
import { within } from "./wait.mjs";

// The three ways in which a client can be connected.
export const transports = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

// Clients opens clients and closes all of them at the end of a test:
//   const clients = new Clients(server); t.after(() => clients.close());
export class Clients {
  #server;
  #open = [];

  constructor(server) {
    this.#server = server;
  }

  // lone returns a Socket.IO client with a connection of its own that has not
  // been told to connect.
  lone(options = {}, namespace = "/") {
    const socket = io(this.#server.http + namespace, {
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      ...transports.websocket,
      ...options,
    });
    this.#open.push(() => socket.disconnect());
    return socket;
  }

  // socket returns a connected Socket.IO client. With both transports it is
  // still on polling, or on its way to WebSocket.
  async socket(options, namespace) {
    const socket = this.lone(options, namespace);
    await connected(socket);
    return socket;
  }

  // upgraded is socket, but once it is on the transport where it ends.
  async upgraded(options, namespace) {
    const socket = this.lone(options, namespace);
    const both = (options?.transports ?? []).length === 2;
    const onWebSocket = both
      ? new Promise((resolve) => socket.io.once("open", () => socket.io.engine.once("upgrade", resolve)))
      : Promise.resolve();
    await connected(socket);
    await within(onWebSocket, "upgrade");
    return socket;
  }

  // device returns a connected MQTT client that keeps what it receives in
  // received, as { topic, payload, contentType, retain, packet }.
  async device({ url = this.#server.mqtt, ...options } = {}) {
    const client = this.loneDevice({ url, ...options });
    await within(
      new Promise((resolve, reject) => client.once("connect", resolve).once("error", reject)),
      "connection of the MQTT client",
    );
    return client;
  }

  // loneDevice does not wait for the connection.
  loneDevice({ url = this.#server.mqtt, ...options } = {}) {
    const client = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 5, ...options });
    client.received = [];
    client.on("message", (topic, payload, packet) => {
      const { retain, properties } = packet;
      client.received.push({ topic, payload, contentType: properties?.contentType, retain, packet });
    });
    client.on("error", () => {}); // whoever expects one listens too
    this.#open.push(() => client.endAsync(true));
    return client;
  }

  async close() {
    await Promise.all(this.#open.splice(0).map((close) => close()));
  }
}

// connected connects a client and returns when it is in its namespace.
export async function connected(socket) {
  const done = new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  socket.connect();
  await within(done, "connect");
}

// ask emits with an acknowledgement and returns its first argument.
export const ask = (socket, ...args) => socket.timeout(20000).emitWithAck(...args);

// askAll returns all arguments of the acknowledgement.
export function askAll(socket, name, ...args) {
  return within(new Promise((resolve) => socket.emit(name, ...args, (...got) => resolve(got))), `acknowledgement of ${name}`);
}
