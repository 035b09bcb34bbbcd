// The official client over WebTransport, in Chromium: the only place where it
// runs. The page is on the HTTP port of the server, WebTransport on the UDP port
// of the same number.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Browser } from "../lib/browser.mjs";
import { startTestServer } from "../lib/programs.mjs";
import { sequence, until } from "../lib/wait.mjs";

let server, browser, page;

before(async () => {
  server = await startTestServer("-webtransport", "-ping-interval", "500ms", "-ping-timeout", "5s");
  browser = await Browser.start({ quic: true });
  page = browser.page;
  // There is no page, but what says so is a document of that origin. One that the test
  // made up would have come from nowhere, and Chromium lets such pages connect to no
  // loopback address.
  await page.goto(server.http);
  await page.addScriptTag({ path: "node_modules/socket.io-client/dist/socket.io.min.js" });
  await page.evaluate((hex) => {
    const hash = Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
    const webtransport = { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] };
    const within = (promise, what) =>
      Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: not within 15 s`)), 15_000))]);
    const open = new Set();
    globalThis.kit = {
      within,
      // connect returns a connected socket.
      async connect(transports, options = {}) {
        const socket = io({ forceNew: true, reconnection: false, transports, transportOptions: { webtransport }, ...options });
        open.add(socket);
        await within(new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject)), "connect");
        return socket;
      },
      // moved returns when socket has left polling, with the name of its transport.
      async moved(socket) {
        const { engine } = socket.io;
        if (engine.transport.name === "polling") await within(new Promise((resolve) => engine.once("upgrade", resolve)), "upgrade");
        return engine.transport.name;
      },
      ask: (socket, ...args) => socket.timeout(15_000).emitWithAck(...args),
      ended: (socket) => within(new Promise((resolve) => socket.once("disconnect", resolve)), "disconnect"),
      closeAll() {
        for (const socket of open) socket.disconnect();
        open.clear();
      },
    };
  }, server.certificate);
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});
afterEach(() => page.evaluate(() => kit.closeAll()));

test("connects over WebTransport alone, and both sides say so", async () => {
  const got = await page.evaluate(async () => {
    const socket = await kit.connect(["webtransport"]);
    return [socket.io.engine.transport.name, await kit.ask(socket, "transport"), (await kit.ask(socket, "handshake")).secure];
  });
  assert.deepEqual(got, ["webtransport", "webtransport", true]);
});

test("text and binary of every length class come back as they were", async () => {
  const got = await page.evaluate(async () => {
    const socket = await kit.connect(["webtransport"]);
    const wrong = [];
    for (const n of [0, 1, 100, 125, 126, 127, 1000, 65_000, 65_535, 65_536, 300_000, 900_000]) {
      const text = "é".repeat(n / 2);
      const bytes = Uint8Array.from({ length: n }, (_, i) => i * 7);
      const [t, b] = await new Promise((resolve) => {
        socket.once("echo", (...args) => resolve(args));
        n < 400_000 ? socket.emit("echo", text, bytes) : socket.emit("echo", "", bytes);
      });
      const same = b instanceof ArrayBuffer && b.byteLength === n && new Uint8Array(b).every((v, i) => v === bytes[i]);
      if (!same || (n < 400_000 && t !== text)) wrong.push(n);
    }
    return wrong;
  });
  assert.deepEqual(got, []);
});

test("upgrades from polling to WebTransport, which it favours", async () => {
  const got = await page.evaluate(async () => {
    const socket = await kit.connect(["polling", "websocket", "webtransport"]);
    const before = await kit.ask(socket, "transport");
    const name = await kit.moved(socket);
    return [before === "polling" || before === "webtransport", name, await kit.ask(socket, "transport")];
  });
  assert.deepEqual(got, [true, "webtransport", "webtransport"]);
});

test("nothing is lost or turned around during the upgrade, in either direction", async () => {
  const n = 2000;
  const [received, collected, name] = await page.evaluate(async (n) => {
    const socket = await kit.connect(["polling", "webtransport"]);
    const received = [];
    socket.on("stream", (i) => received.push(i));
    socket.emit("stream", n);
    for (let i = 0; i < n; i++) {
      socket.emit("collect", i);
      if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    const name = await kit.moved(socket);
    const collected = await kit.within(new Promise((resolve) => socket.emit("collected", (...all) => resolve(all.flat()))), "collected");
    return [received, collected, name];
  }, n);
  assert.deepEqual(received, sequence(n));
  assert.deepEqual(collected, sequence(n));
  assert.equal(name, "webtransport");
});

test("the heartbeat keeps an idle connection", async () => {
  const got = await page.evaluate(async () => {
    const socket = await kit.connect(["webtransport"]);
    let pings = 0;
    await kit.within(new Promise((resolve) => socket.io.on("ping", () => ++pings === 4 && resolve())), "four pings");
    return [socket.connected, await kit.ask(socket, "transport")];
  });
  assert.deepEqual(got, [true, "webtransport"]);
});

test("what was emitted right before the end of the connection arrives", async () => {
  for (let round = 0; round < 20; round++) {
    const [got, reason] = await page.evaluate(async () => {
      const socket = await kit.connect(["webtransport"]);
      const got = [];
      socket.on("goodbye", (i) => got.push(i));
      const ended = kit.ended(socket);
      socket.emit("goodbye", 50);
      return [got, await ended];
    });
    assert.deepEqual(got, sequence(50));
    assert.ok(["io server disconnect", "transport close"].includes(reason), reason);
  }
});

test("each side learns that the other has left", async () => {
  const id = await page.evaluate(async () => {
    const socket = await kit.connect(["webtransport"]);
    const { id } = socket;
    socket.io.engine.close();
    return id;
  });
  const reasons = await until(async () => {
    const got = await page.evaluate(async (id) => {
      const socket = await kit.connect(["websocket"]);
      const reasons = await kit.ask(socket, "reasons", id);
      socket.disconnect();
      return reasons;
    }, id);
    return got.length > 0 && got;
  }, "reason of the disconnect");
  assert.deepEqual(reasons, ["transport close"]);
});

test("rooms reach sockets on every transport", async () => {
  const got = await page.evaluate(async () => {
    const sockets = await Promise.all([["webtransport"], ["websocket"], ["polling"]].map((transports) => kit.connect(transports)));
    const got = sockets.map((socket) => kit.within(new Promise((resolve) => socket.once("news", (...args) => resolve(args.map(String)))), "news"));
    for (const socket of sockets) await kit.ask(socket, "join", ["room"]);
    sockets[0].emit("in", ["room"], "news", 1, "two");
    return Promise.all(got);
  });
  assert.deepEqual(got, Array(3).fill(["1", "two"]));
});

test("nothing was complained about", () => {
  // The client does not look at the promise of its pipe to the stream, which fails with every
  // session that ends; and the page is not there.
  const expected = /^uncaught: The session is closed\.|the server responded with a status of 404/;
  assert.deepEqual(browser.complaints.filter((text) => !expected.test(text)), []);
});
