// Compression of WebSocket messages and of polling responses.
// https://socket.io/docs/v4/server-options/#permessagedeflate, #httpcompression
// https://socket.io/docs/v4/server-api/#socketcompressvalue
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import http from "node:http";
import { act, all, barrier, fresh, kinds, one, overEach, Sockets, variants } from "../lib/features.mjs";
import { startFeatureServer } from "../lib/programs.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { record, until, within } from "../lib/wait.mjs";

const text = "compressible ".repeat(400); // 5,200 bytes
const binary = Buffer.from(text);
const webSockets = variants.filter((v) => v.transport !== "polling");

// sizes of the messages that are sent in one frame each: short, long.
const longer = (frames, size) => frames.filter((f) => f.size > size);
const compressed = (frames) => frames.filter((f) => f.compressed);

overEach(webSockets, { deflate: { Threshold: 2000 } }, ({ server, kind, ...variant }) => {
  async function open(t, options) {
    const proxy = await Proxy.open(t, server());
    const socket = await new Sockets(t, proxy, variant).open(options);
    return { proxy, socket };
  }

  test("messages from the threshold on are compressed, in both directions", async (t) => {
    const { proxy, socket } = await open(t);
    assert.match(proxy.extensions, /^permessage-deflate/);
    assert.deepEqual(compressed(proxy.frames()), []);
    const sent = proxy.frames("sent").length;
    assert.deepEqual(await all(socket, "echo", text), [text]);
    assert.equal(compressed(proxy.frames()).length, 1);
    assert.deepEqual(longer(proxy.frames(), 2000), []);
    assert.deepEqual(compressed(proxy.frames("sent").slice(sent)).length, 1); // by the client's own threshold
    const below = "compressible ".repeat(130); // 1,690 bytes
    assert.deepEqual(await all(socket, "echo", below), [below]);
    assert.equal(compressed(proxy.frames()).length, 1);
  });

  test("an attachment is compressed by its own size", async (t) => {
    const { proxy, socket } = await open(t);
    const got = record(socket, "news");
    await act(socket, { self: true }, "emit", "news", binary, Buffer.from("short"));
    await barrier(socket);
    assert.deepEqual(got, [[binary, Buffer.from("short")]]);
    const opcodes = compressed(proxy.frames()).map((f) => f.opcode);
    assert.deepEqual(opcodes, [2]);
  });

  test("what cannot be made shorter arrives too", async (t) => {
    const { socket } = await open(t);
    const noise = Buffer.from(Array.from({ length: 10_000 }, () => Math.floor(Math.random() * 256)));
    assert.deepEqual(await all(socket, "echo", noise, text), [noise, text]);
  });

  test("compress(false) leaves one event as it is", async (t) => {
    const { proxy, socket } = await open(t);
    const got = record(socket, "news");
    for (const target of [{ self: true }, { all: true, to: [socket.id] }]) {
      const before = proxy.frames().length;
      await act(socket, { ...target, verbatim: true }, "emit", "news", text);
      await barrier(socket);
      assert.deepEqual(compressed(proxy.frames().slice(before)), []);
      await act(socket, target, "emit", "news", text);
      await barrier(socket);
      assert.equal(compressed(proxy.frames().slice(before)).length, 1);
    }
    assert.deepEqual(got, [[text], [text], [text], [text]]);
  });

  test("one broadcast, to a client that compresses and one that does not", async (t) => {
    const { proxy, socket } = await open(t);
    const plain = await open(t, { perMessageDeflate: false });
    assert.equal(plain.proxy.extensions, null);
    const got = [socket, plain.socket].map((s) => record(s, "news"));
    await act(socket, { all: true }, "emit", "news", text);
    await barrier(socket, plain.socket);
    assert.deepEqual(got, [[[text]], [[text]]]);
    assert.equal(compressed(proxy.frames()).length, 1);
    assert.deepEqual([compressed(plain.proxy.frames()), longer(plain.proxy.frames(), 5000).length], [[], 1]);
  });
});

overEach(webSockets.filter((v) => v.kind === "4.8"), {}, ({ server, ...variant }) => {
  test("nothing is compressed unless the option is set", async (t) => {
    const proxy = await Proxy.open(t, server());
    const socket = await new Sockets(t, proxy, variant).open();
    assert.equal(proxy.extensions, null);
    assert.deepEqual(await all(socket, "echo", text), [text]);
    assert.deepEqual([compressed(proxy.frames()), longer(proxy.frames(), 5000).length], [[], 1]);
  });
});

// Session is a polling session whose responses are looked at as they come.
class Session {
  static async open(server, encoding) {
    const session = new Session();
    session.url = `${server.http}/socket.io/?EIO=4&transport=polling`;
    session.encoding = encoding;
    const { body } = await session.get();
    session.url += `&sid=${JSON.parse(body.toString().slice(1)).sid}`;
    await fetch(session.url, { method: "POST", body: "40" });
    session.id = JSON.parse((await session.get()).body.toString().split("\x1e")[0].slice(2)).sid;
    return session;
  }

  // get returns the headers and the body as they were sent.
  get() {
    const headers = this.encoding === undefined ? {} : { "Accept-Encoding": this.encoding };
    const answer = new Promise((resolve, reject) => {
      http.get(this.url, { headers }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      }).on("error", reject);
    });
    return within(answer, "poll");
  }

  // until polls until something that matches has come, and returns that response.
  async until(pattern) {
    const decode = { gzip: gunzipSync, deflate: inflateSync };
    return until(async () => {
      const { headers, body } = await this.get();
      const plain = (decode[headers["content-encoding"]]?.(body) ?? body).toString();
      return pattern.test(plain) && { headers, body, plain };
    }, `response ${pattern}`);
  }
}

describe("httpCompression", () => {
  const servers = {};
  before(async () => {
    servers.usual = await startFeatureServer();
    servers.low = await startFeatureServer({ compression: { Threshold: 100 } });
    servers.off = await startFeatureServer({ compression: { Off: true } });
  });
  after(() => Promise.all(Object.values(servers).map((server) => server.stop())));

  const cases = [
    { name: "gzip", server: "usual", accept: "gzip", size: 5200, encoding: "gzip" },
    { name: "deflate", server: "usual", accept: "deflate", size: 5200, encoding: "deflate" },
    { name: "what a browser says", server: "usual", accept: "gzip, deflate, br, zstd", size: 5200, encoding: "gzip" },
    { name: "preferences", server: "usual", accept: "gzip;q=0.2, deflate;q=0.8", size: 5200, encoding: "deflate" },
    { name: "forbidden", server: "usual", accept: "gzip;q=0", size: 5200, encoding: undefined },
    { name: "unknown", server: "usual", accept: "br", size: 5200, encoding: undefined },
    { name: "not accepted", server: "usual", accept: undefined, size: 5200, encoding: undefined },
    { name: "below the threshold", server: "usual", accept: "gzip", size: 900, encoding: undefined },
    { name: "over a lower threshold", server: "low", accept: "gzip", size: 900, encoding: "gzip" },
    { name: "turned off", server: "off", accept: "gzip", size: 5200, encoding: undefined },
    { name: "compress(false)", server: "usual", accept: "gzip", size: 5200, encoding: undefined, verbatim: true },
  ];
  for (const { name, server, accept, size, encoding, verbatim } of cases) {
    test(name, async (t) => {
      const session = await Session.open(servers[server], accept);
      const helper = await new Sockets(t, servers[server], { ...kinds["4.8"], transport: "websocket", options: { transports: ["websocket"] } }).open();
      const marker = fresh("marker");
      const arrives = session.until(new RegExp(marker));
      await act(helper, { to: [session.id], verbatim }, "emit", "news", text.slice(0, size), marker);
      const { headers, body, plain } = await arrives;
      assert.equal(headers["content-encoding"], encoding);
      assert.equal(Number(headers["content-length"]), body.length);
      assert.equal(body.length < plain.length, encoding !== undefined);
      if (size > 1024 && accept !== undefined && server === "usual" && !verbatim) assert.match(headers.vary ?? "", /accept-encoding/i);
      assert.ok(plain.includes(text.slice(0, size)));
    });
  }

  test("the official client over polling is served by all of them", async (t) => {
    for (const server of Object.values(servers)) {
      for (const { connect, options, settings } of Object.values(kinds)) {
        if (settings) continue;
        const sockets = new Sockets(t, server, { connect, options: { ...options, transports: ["polling"] }, transport: "polling" });
        const socket = await sockets.open();
        assert.deepEqual(await one(socket, "echo", text), text);
      }
    }
  });
});
