// The client bundles that the server serves under its path.
// https://socket.io/docs/v4/server-options/#serveclient
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import WebSocket from "ws";
import { all, welcomed } from "../lib/features.mjs";
import { startFeatureServer } from "../lib/programs.mjs";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../../node_modules/socket.io-client/dist");
const files = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

let server, packed;
before(async () => {
  server = await startFeatureServer({ bundles: dist });
  packed = await startFeatureServer({ bundles: dist, msgpack: true, path: "/own" });
});
after(() => Promise.all([server?.stop(), packed?.stop()]));

for (const file of files.flatMap((name) => [name, `${name}.map`])) {
  test(file, async () => {
    const url = `${server.http}/socket.io/${file}`;
    const response = await fetch(url, { headers: { Origin: "https://any.example" } });
    assert.equal(response.status, 200);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), readFileSync(join(dist, file)));
    const type = file.endsWith(".map") ? /^application\/json/ : /^application\/javascript/;
    assert.match(response.headers.get("content-type"), type);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.match(response.headers.get("cache-control"), /max-age=0/);

    const etag = response.headers.get("etag");
    assert.match(etag, /^(W\/)?"[^"]+"$/);
    for (const known of [etag, `"old", ${etag}`, `W/${etag.replace("W/", "")}`]) {
      const again = await fetch(url, { headers: { "If-None-Match": known } });
      assert.deepEqual([again.status, await again.text(), again.headers.get("etag")], [304, "", etag]);
    }
    const changed = await fetch(url, { headers: { "If-None-Match": '"old"' } });
    assert.equal(changed.status, 200);
    await changed.arrayBuffer();
    const head = await fetch(url, { method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("etag"), await head.text()], [200, etag, ""]);
  });
}

test("other names are no bundles, and other methods get none", async () => {
  for (const name of ["socket.io.slim.js", "package.json", "socket.io.js/", "../package.json", "%2e%2e/package.json"]) {
    const response = await fetch(`${server.http}/socket.io/${name}`);
    assert.ok(response.status >= 400, `${name}: ${response.status}`);
    await response.text();
  }
  const post = await fetch(`${server.http}/socket.io/socket.io.js`, { method: "POST", body: "x" });
  assert.equal(post.status, 405);
  await post.text();
});

test("a server without bundles says so", async (t) => {
  const bare = await startFeatureServer();
  t.after(() => bare.stop());
  const response = await fetch(`${bare.http}/socket.io/socket.io.js`);
  assert.equal(response.status, 404);
  await response.text();
});

// A page that loads a bundle from the server it talks to.
for (const file of ["socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js"]) {
  test(`${file} as served connects`, async (t) => {
    const [target, path] = file.includes("msgpack") ? [packed, "/own/"] : [server, "/socket.io/"];
    const code = await (await fetch(`${target.http}${path}${file}`)).text();
    const page = { WebSocket, setTimeout, clearTimeout, console, TextEncoder, TextDecoder, ArrayBuffer, Uint8Array, DataView };
    page.self = page.window = page.globalThis = page;
    vm.runInNewContext(code, page);
    const socket = page.io(target.http, { path, transports: ["websocket"], reconnection: false, autoConnect: false });
    t.after(() => socket.disconnect());
    await welcomed(socket);
    assert.equal(JSON.stringify(await all(socket, "echo", "grüß", { a: [1] })), '["grüß",{"a":[1]}]');
  });
}
