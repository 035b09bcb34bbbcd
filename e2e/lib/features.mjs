// The clients that the tests of the documented features run with, and what they
// ask the feature server to do.
import { after, before, describe } from "node:test";
import { io } from "socket.io-client";
import { io as io3 } from "socket.io-client-3";
import msgpack from "socket.io-msgpack-parser";
import { transports } from "./clients.mjs";
import { startFeatureServer } from "./programs.mjs";
import { until, within } from "./wait.mjs";

// kinds of clients: version 4.8, version 3.1, and 4.8 with the msgpack parser,
// which needs a server with the setting msgpack.
export const kinds = {
  "4.8": { connect: io, options: {} },
  "3.1": { connect: io3, options: {} },
  msgpack: { connect: io, options: { parser: msgpack }, settings: { msgpack: true } },
};

// variants are each kind of client over each transport.
export const variants = Object.entries(kinds).flatMap(([kind, { connect, options, settings = {} }]) =>
  Object.entries(transports).map(([transport, over]) => ({
    name: `${kind} over ${transport}`,
    kind,
    transport,
    final: transport === "polling" ? "polling" : "websocket", // once it has upgraded
    connect,
    options: { ...options, ...over },
    settings,
  })),
);

// newest are those of version 4.8, whose API has all features.
export const newest = variants.filter((v) => v.kind === "4.8");

// overEach runs the tests that body defines with each kind of client over each
// transport. All of a kind share a server with these settings; open(t) in a
// test gives the clients.
export function overEach(list, settings, body) {
  for (const kind of new Set(list.map((v) => v.kind))) {
    describe(kind, () => {
      let server;
      before(async () => (server = await startFeatureServer({ ...kinds[kind].settings, ...settings })));
      after(() => server?.stop());
      for (const variant of list.filter((v) => v.kind === kind)) {
        describe(variant.name, () => body({ ...variant, server: () => server, open: (t) => new Sockets(t, server, variant) }));
      }
    });
  }
}

// Sockets opens clients of one variant and closes them with the test:
//   const sockets = new Sockets(t, server, variant);
export class Sockets {
  #server;
  #variant;
  #open = [];

  constructor(t, server, variant) {
    this.#server = server;
    this.#variant = variant;
    t.after(() => this.#open.splice(0).forEach((socket) => socket.disconnect()));
  }

  // lone returns a client with a connection of its own that has not been told
  // to connect.
  lone(options = {}, namespace = "/") {
    const { connect, options: defaults } = this.#variant;
    const socket = connect(this.#server.http + namespace, {
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      ...defaults,
      ...options,
    });
    this.#open.push(socket);
    return socket;
  }

  // also returns a client of another namespace on the connection of socket.
  also(socket, namespace, options) {
    const other = socket.io.socket(namespace, options);
    this.#open.push(other);
    return other;
  }

  // open returns a connected client, on the transport where it ends.
  async open(options, namespace) {
    const socket = this.lone(options, namespace);
    const moved = settled(socket, this.#variant);
    await welcomed(socket);
    await within(moved, "upgrade");
    return socket;
  }

  many = (n, options, namespace) => Promise.all(Array.from({ length: n }, () => this.open(options, namespace)));
}

// settled is resolved when a client that is about to connect has upgraded, or
// at once if it does not.
export function settled(socket, variant) {
  if (variant.transport !== "upgrade") return Promise.resolve();
  return new Promise((resolve) => socket.io.once("open", () => socket.io.engine.once("upgrade", resolve)));
}

// welcomed connects a client and returns when its connection listener has run.
export async function welcomed(socket) {
  const welcome = new Promise((resolve) => socket.once("welcome", resolve));
  const done = new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  socket.connect();
  await within(done, "connect");
  await within(welcome, "welcome");
}

// refused connects a client and returns the error by which it was refused.
export async function refused(socket) {
  const done = new Promise((resolve, reject) => {
    socket.once("connect", () => reject(new Error("connected")));
    socket.once("connect_error", resolve);
  });
  socket.connect();
  return within(done, "connect_error");
}

// all emits with an acknowledgement and returns all arguments of it. It uses
// nothing that clients before 4.8 lack.
export const all = (socket, name, ...args) =>
  within(new Promise((resolve) => socket.emit(name, ...args, (...got) => resolve(got))), `acknowledgement of ${name}`);

// one returns the first argument.
export const one = async (...args) => (await all(...args))[0];

// act has the server do something, see e2e/featureserver/do.go.
export const act = (socket, target, method, ...args) => one(socket, "do", target, method, ...args);

// journal returns the entries of a kind about a socket, once there are any.
export const journal = (witness, kind, id) =>
  until(async () => {
    const entries = (await one(witness, "journal", kind)).filter((entry) => id === undefined || entry[0] === id);
    return entries.length > 0 && entries;
  }, `journal: ${kind}`);

let names = 0;

// fresh returns a name that no test has used.
export const fresh = (prefix) => `${prefix}${process.pid}x${++names}`;

// barrier returns when everything that was sent to the sockets has arrived.
export const barrier = (...sockets) => Promise.all(sockets.map((socket) => one(socket, "echo")));
