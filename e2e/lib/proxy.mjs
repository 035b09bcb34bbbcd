// A TCP proxy in front of a server, for tests that look at bytes or break
// connections as networks do.
import net from "node:net";

export class Proxy {
  connections = []; // { received, sent } are the chunks from the server and from the client
  #pairs = new Set();
  #silent = false;
  #listener;

  static async open(t, server) {
    const proxy = new Proxy();
    const target = new URL(server.http);
    proxy.#listener = net.createServer((client) => proxy.#join(client, net.connect(Number(target.port), target.hostname)));
    await new Promise((resolve) => proxy.#listener.listen(0, "127.0.0.1", resolve));
    proxy.http = `http://127.0.0.1:${proxy.#listener.address().port}`;
    proxy.ws = proxy.http.replace("http", "ws");
    t.after(() => proxy.#close());
    return proxy;
  }

  #join(client, upstream) {
    const pair = { client, upstream, lost: false };
    const record = { received: [], sent: [] };
    this.connections.push(record);
    this.#pairs.add(pair);
    client.on("data", (data) => {
      record.sent.push(data);
      if (!pair.lost && !this.#silent) upstream.write(data);
    });
    upstream.on("data", (data) => {
      record.received.push(data);
      if (!pair.lost && !this.#silent) client.write(data);
    });
    const end = () => {
      if (pair.lost || this.#silent) return; // each side is on its own
      client.destroy();
      upstream.destroy();
      this.#pairs.delete(pair);
    };
    for (const side of [client, upstream]) side.on("close", end).on("error", () => {});
  }

  // lose breaks the connections that are open for the clients alone: the server does not
  // hear of it, and what it sends is lost.
  lose() {
    for (const pair of this.#pairs) {
      pair.lost = true;
      pair.client.destroy();
    }
  }

  // cut breaks the connections that are open for both sides.
  cut() {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  // silence keeps every byte from now on.
  silence() {
    this.#silent = true;
  }

  #close() {
    this.#listener.close();
    this.cut();
  }

  // frames returns the WebSocket frames that the server sent, or with "sent" the client, on
  // the newest WebSocket connection: { compressed, opcode, size }.
  frames(side = "received") {
    const { handshake, all } = this.#webSocket(side);
    const frames = [];
    let at = handshake;
    while (at + 2 <= all.length) {
      let size = all[at + 1] & 0x7f;
      let head = 2;
      if (size === 126) [size, head] = [all.readUInt16BE(at + 2), 4];
      else if (size === 127) [size, head] = [Number(all.readBigUInt64BE(at + 2)), 10];
      if (all[at + 1] & 0x80) head += 4; // the mask
      if (at + head + size > all.length) break;
      frames.push({ compressed: (all[at] & 0x40) !== 0, opcode: all[at] & 0x0f, size });
      at += head + size;
    }
    return frames;
  }

  // polling reports whether a request waits for its response.
  get polling() {
    const count = (chunks, pattern) => Buffer.concat(chunks).toString("latin1").match(pattern)?.length ?? 0;
    return this.connections.some(({ sent, received }) => count(sent, /^GET .* HTTP\/1\.1\r$/gm) > count(received, /^HTTP\/1\.1 .*\r$/gm));
  }

  // extensions is what the server agreed to, null for nothing.
  get extensions() {
    const { all, handshake } = this.#webSocket("received");
    return /^sec-websocket-extensions: *(.*)$/im.exec(all.toString("latin1", 0, handshake))?.[1] ?? null;
  }

  #webSocket(side) {
    const { [side]: chunks } = this.connections.findLast(({ received }) => Buffer.concat(received).includes("101 Switching Protocols"));
    const all = Buffer.concat(chunks);
    return { all, handshake: all.indexOf("\r\n\r\n") + 4 };
  }
}
