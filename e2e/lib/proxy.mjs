// A TCP proxy in front of a server, for tests that look at bytes or break
// connections as networks do.
import net from "node:net";

export class Proxy {
  received = Buffer.alloc(0); // all that the server sent, over all connections
  sent = Buffer.alloc(0); // all that clients sent
  #pairs = new Set();
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
    this.#pairs.add(pair);
    client.on("data", (data) => {
      this.sent = Buffer.concat([this.sent, data]);
      if (!pair.lost) upstream.write(data);
    });
    upstream.on("data", (data) => {
      this.received = Buffer.concat([this.received, data]);
      if (!pair.lost) client.write(data);
    });
    const end = () => {
      if (pair.lost) return; // each side is on its own
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

  #close() {
    this.#listener.close();
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  // frames returns the WebSocket frames that the server sent on the one
  // connection there was: { compressed, opcode, payload }.
  frames() {
    const all = this.received;
    const frames = [];
    let at = all.indexOf("\r\n\r\n", all.indexOf("101 Switching Protocols")) + 4;
    while (at + 2 <= all.length) {
      let size = all[at + 1] & 0x7f;
      let head = 2;
      if (size === 126) [size, head] = [all.readUInt16BE(at + 2), 4];
      else if (size === 127) [size, head] = [Number(all.readBigUInt64BE(at + 2)), 10];
      if (at + head + size > all.length) break;
      frames.push({ compressed: (all[at] & 0x40) !== 0, opcode: all[at] & 0x0f, payload: all.subarray(at + head, at + head + size) });
      at += head + size;
    }
    return frames;
  }
}
