// Engine.IO spoken by hand, to send what no client sends.
import net from "node:net";
import WebSocket from "ws";
import { until, within } from "./wait.mjs";

const path = "/socket.io/?EIO=4&transport=";

// RawWebSocket is a WebSocket session whose messages a test writes itself.
export class RawWebSocket {
  messages = []; // received text messages, heartbeats left out
  #ws;

  static async open(server, { join = true } = {}) {
    const raw = new RawWebSocket();
    raw.#ws = new WebSocket(server.ws + path + "websocket");
    raw.#ws.on("message", (data, binary) => {
      if (!binary && String(data) !== "2") raw.messages.push(String(data));
    });
    raw.#ws.on("error", () => {}); // its end is what counts
    raw.closed = new Promise((resolve) => raw.#ws.once("close", (code) => resolve(code)));
    await until(() => raw.messages[0]?.startsWith("0{"), "open packet");
    if (join) {
      raw.text("40");
      const answer = await until(() => raw.messages.find((m) => m.startsWith("40{")), "CONNECT packet");
      raw.joined = JSON.parse(answer.slice(2));
    }
    return raw;
  }

  // text sends a text message of exactly these bytes.
  text = (data) => this.#ws.send(Buffer.from(data), { binary: false });
  binary = (data) => this.#ws.send(Buffer.from(data), { binary: true });

  async answers(text) {
    await until(() => this.messages.includes(text), `message ${text}`);
  }

  end = () => this.#ws.terminate();
}

// RawPolling is a polling session spoken with fetch.
export class RawPolling {
  static async open(server, { join = true } = {}) {
    const raw = new RawPolling();
    raw.url = server.http + path + "polling";
    const body = await (await fetch(raw.url)).text();
    raw.sid = JSON.parse(body.slice(1)).sid;
    raw.url += `&sid=${raw.sid}`;
    if (join) {
      await raw.post("40");
      await raw.get();
    }
    return raw;
  }

  // post sends one request and returns { status, body }.
  async post(body, init = {}) {
    const response = await within(fetch(this.url, { method: "POST", body, headers: { "Content-Type": "text/plain;charset=UTF-8" }, ...init }), "POST");
    return { status: response.status, body: await response.text() };
  }

  async get() {
    const response = await within(fetch(this.url), "GET");
    return { status: response.status, body: await response.text() };
  }

  // gone polls until the server does not know the session any more.
  gone = () => until(async () => (await this.get()).status === 400, "end of the session");
}

// chunked posts a body of that many bytes without saying its length, as fast as
// the server takes it, and returns the status line, or "" when the server closed
// the connection without an answer.
export function chunked(server, target, size) {
  const { hostname, port } = new URL(server.http);
  const chunk = Buffer.alloc(64 * 1024, "a");
  const answer = new Promise((resolve) => {
    let got = "";
    const socket = net.connect(Number(port), hostname, () => {
      socket.write(`POST ${target} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n`);
      let left = size;
      const more = () => {
        while (left > 0 && !socket.destroyed) {
          const n = Math.min(left, chunk.length);
          left -= n;
          if (!socket.write(Buffer.concat([Buffer.from(`${n.toString(16)}\r\n`), chunk.subarray(0, n), Buffer.from("\r\n")]))) {
            socket.once("drain", more);
            return;
          }
        }
        if (!socket.destroyed) socket.write("0\r\n\r\n");
      };
      more();
    });
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      got += text;
      if (got.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(got.split("\r\n")[0]));
  });
  return within(answer, "answer to the chunked POST");
}
