// The client of Socket.IO 2 in Chromium, for what it does in no other place: polling
// with bytes (XHR2) and by scripts (JSONP).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { Browser } from "../lib/browser.mjs";
import { startTestServer } from "../lib/programs.mjs";

const require = createRequire(import.meta.url);
const bundles = Object.fromEntries(
  [2, 3].map((version) => [version, readFileSync(require.resolve(`socket.io-client-${version}/dist/socket.io.js`), "utf8")]),
);

let server, browser, elsewhere;
before(async () => {
  server = await startTestServer("-allow-eio3");
  // Another origin, and for the browser another site.
  elsewhere = createServer((_, response) => response.end());
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  elsewhere?.close();
  await server?.stop();
});

// conversation runs in the page: everything a chat does, and what it saw.
async function conversation({ url, options }) {
  const socket = window.io(url, { forceNew: true, reconnection: false, ...options });
  const once = (emitter, name) => new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
  const ask = (...args) => new Promise((resolve) => socket.emit(...args, (...got) => resolve(got)));
  const bytes = (data) => Array.from(new Uint8Array(data));
  try {
    const failed = Promise.race([once(socket, "connect_error"), once(socket, "error")]);
    const failure = await Promise.race([once(socket, "connect").then(() => null), failed]);
    if (failure) return { failure: String(failure[0]?.message ?? failure[0]) };
    const text = "\"quotes\", \n, \\n, \\\\n, \u2028\u2029, é🦊 </script>";
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    const [gotText, gotBytes, gotDeep] = await ask("echo", text, every.buffer, { deep: [new Uint8Array(0).buffer, "é"] });
    const plain = await ask("echo", text);
    const numbers = [];
    const all = new Promise((resolve) => socket.on("stream", (i) => numbers.push(i) === 200 && resolve()));
    await ask("stream", 200);
    await all;
    for (let i = 0; !options.transports && i < 200 && socket.io.engine.transport.name !== "websocket"; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const [transport] = await ask("transport");
    return {
      text: gotText === text && plain[0] === text,
      bytes: String(bytes(gotBytes)) === String(bytes(every)) && bytes(gotDeep.deep[0]).length === 0 && gotDeep.deep[1] === "é",
      order: numbers.every((n, i) => n === i),
      transport,
      supportsBinary: socket.io.engine.transport.supportsBinary,
      scripts: document.querySelectorAll("script[src*='&j=']").length,
    };
  } finally {
    socket.close();
  }
}

async function talk(version, options, origin = server.http) {
  const types = new Set();
  const note = (response) => types.add(`${response.request().method()} ${response.headers()["content-type"]}`);
  browser.page.on("response", note);
  await browser.page.goto(origin); // whatever is there: the page counts for its origin
  await browser.page.addScriptTag({ content: bundles[version] });
  const seen = await browser.page.evaluate(conversation, { url: server.http, options });
  browser.page.off("response", note);
  return { ...seen, types };
}

function sound({ failure, text, bytes, order }) {
  assert.equal(failure, undefined);
  assert.deepEqual({ text, bytes, order }, { text: true, bytes: true, order: true });
}

describe("Socket.IO 2 in Chromium", () => {
  test("polling with bytes", async () => {
    const seen = await talk(2, { transports: ["polling"] });
    sound(seen);
    assert.equal(seen.supportsBinary, true);
    assert.ok(seen.types.has("GET application/octet-stream"), [...seen.types].join(", "));
    assert.equal(seen.transport, "polling");
  });

  test("polling with base64", async () => {
    const seen = await talk(2, { transports: ["polling"], forceBase64: true });
    sound(seen);
    assert.ok(!seen.types.has("GET application/octet-stream"), [...seen.types].join(", "));
  });

  for (const forceBase64 of [false, true]) {
    test(`websocket${forceBase64 ? " with base64" : ""}`, async () => {
      const seen = await talk(2, { transports: ["websocket"], forceBase64 });
      sound(seen);
      assert.equal(seen.transport, "websocket");
    });

    test(`the upgrade${forceBase64 ? " with base64" : ""}`, async () => {
      const seen = await talk(2, { forceBase64 });
      sound(seen);
      assert.equal(seen.transport, "websocket");
    });
  }
});

for (const version of [2, 3]) {
  describe(`JSONP, Socket.IO ${version} in Chromium`, () => {
    test("polling by scripts", async () => {
      const seen = await talk(version, { transports: ["polling"], forceJSONP: true });
      sound(seen);
      assert.ok(seen.scripts > 0);
      assert.ok(seen.types.has("GET text/javascript; charset=UTF-8"), [...seen.types].join(", "));
    });

    test("the upgrade", async () => {
      const seen = await talk(version, { forceJSONP: true });
      sound(seen);
      assert.equal(seen.transport, "websocket");
    });

    // A script is not kept back by the browser: the server does it.
    test("a page of another origin is refused", async () => {
      const seen = await talk(version, { transports: ["polling"], forceJSONP: true }, `http://localhost:${elsewhere.address().port}`);
      assert.match(seen.failure ?? "", /error/);
    });
  });
}
