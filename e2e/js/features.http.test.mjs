// What is said in HTTP: cookie, CORS, refused requests, headers, paths and ids.
// https://socket.io/docs/v4/server-options/
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { barrier, journal, kinds, newest, one, overEach, refused, Sockets, variants } from "../lib/features.mjs";
import { startFeatureServer } from "../lib/programs.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { within } from "../lib/wait.mjs";

const endpoint = "/socket.io/?EIO=4&transport=polling";
const plain = variants.filter((v) => v.kind !== "msgpack"); // the parser has no part in this

// served starts a server for the tests of one describe.
function served(settings) {
  const holder = {};
  before(async () => Object.assign(holder, await startFeatureServer(settings)));
  after(() => holder.stop?.());
  return holder;
}

// handshake returns the response to a WebSocket handshake, of 101 or not.
function handshake(server, headers = {}, query = "EIO=4&transport=websocket") {
  const ws = new WebSocket(`${server.ws}/socket.io/?${query}`, { headers });
  const answer = new Promise((resolve) => {
    ws.on("upgrade", (response) => resolve({ status: response.statusCode, headers: response.headers }));
    ws.on("unexpected-response", (_, response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    ws.on("error", () => {});
  });
  return within(answer, "answer to the handshake").finally(() => ws.terminate());
}

overEach(plain, { token: "let me in" }, ({ open, transport, kind }) => {
  test("allowRequest: a refusal as the official client shows it", async (t) => {
    const sockets = open(t);
    const witness = await sockets.open({ query: { token: "let me in" } });
    const before = (await one(witness, "journal", "connection error")).length;
    const socket = sockets.lone();
    let response; // the client forgets it after the event
    socket.once("connect_error", ({ context }) => (response = context?.responseText));
    const error = await refused(socket);
    assert.ok(error instanceof Error);
    assert.equal(error.type, "TransportError");
    assert.equal(error.message, transport === "websocket" ? "websocket error" : "xhr poll error");
    if (transport !== "websocket") {
      assert.equal(error.description, 403);
      if (kind === "4.8") assert.deepEqual(JSON.parse(response), { code: 4, message: "no token, no service" });
    }
    const [code, message, context, method] = (await one(witness, "journal", "connection error"))[before];
    assert.deepEqual([code, message, context, method], [4, "Forbidden", { message: "no token, no service" }, "GET"]);
  });

  test("headers and query of the client reach the handshake", async (t) => {
    const socket = await open(t).open({ query: { token: "let me in", q: "ü & =" }, extraHeaders: { "X-Mine": "yes" } });
    const { headers, query } = await one(socket, "socket");
    assert.deepEqual(headers["X-Mine"], ["yes"]);
    assert.deepEqual([query.q, query.token, query.EIO], [["ü & ="], ["let me in"], ["4"]]);
  });
});

describe("connection_error", () => {
  const server = served({ transports: ["polling"], noUpgrades: true });
  const cases = [
    { name: "an unknown transport", query: "EIO=4&transport=tiger", status: 400, code: 0, message: "Transport unknown", context: { transport: "tiger" } },
    { name: "a transport that is not offered", query: "EIO=4&transport=websocket", status: 400, code: 0, message: "Transport unknown", context: { transport: "websocket" } },
    { name: "an unknown session", query: "EIO=4&transport=polling&sid=nobody", status: 400, code: 1, message: "Session ID unknown", context: { sid: "nobody" } },
    { name: "a method for no handshake", query: "EIO=4&transport=polling", method: "POST", status: 400, code: 2, message: "Bad handshake method", context: { method: "POST" } },
    { name: "an unknown revision", query: "EIO=2&transport=polling", status: 400, code: 5, message: "Unsupported protocol version", context: { protocol: "2" } },
    { name: "revision 3, which is not allowed", query: "EIO=3&transport=polling", status: 400, code: 5, message: "Unsupported protocol version", context: { protocol: "3" } },
  ];
  for (const { name, query, method = "GET", status, code, message, context } of cases) {
    test(name, async (t) => {
      const witness = await new Sockets(t, server, { ...kinds["4.8"], options: { transports: ["polling"] } }).open();
      const before = (await one(witness, "journal", "connection error")).length;
      const response = await fetch(`${server.http}/socket.io/?${query}`, { method });
      assert.equal(response.status, status);
      assert.deepEqual(await response.json(), { code, message });
      const entry = (await one(witness, "journal", "connection error"))[before];
      assert.deepEqual([entry[0], entry[1]], [code, message]);
      for (const [key, value] of Object.entries(context)) assert.deepEqual(entry[2][key], value, key);
    });
  }
});

overEach(newest, { cookie: { Name: "lb", Path: "/", MaxAge: 60e9, SameSite: 3 } }, ({ server, transport, ...variant }) => {
  test("cookie: the session id, which the client brings along", async (t) => {
    const proxy = await Proxy.open(t, server());
    const socket = await new Sockets(t, proxy, { ...variant, transport }).open({ withCredentials: true });
    await barrier(socket);
    const text = proxy.connections.map(({ received }) => Buffer.concat(received).toString("latin1")).join("");
    const cookies = text.match(/^set-cookie: .*$/gim).map((line) => line.slice("set-cookie: ".length).trim());
    assert.deepEqual(cookies, [`lb=${socket.io.engine.id}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict`]);
    const sent = proxy.connections.map(({ sent: chunks }) => Buffer.concat(chunks).toString("latin1")).join("");
    if (transport !== "websocket") assert.match(sent, new RegExp(`^cookie: lb=${socket.io.engine.id}\r$`, "im"));
  });
});

describe("CORS", () => {
  const one = served({ cors: { Origins: ["https://good.example"], Credentials: true, ExposedHeaders: ["X-A"], MaxAge: 600e9 } });
  const any = served({ cors: { Origins: ["*"], AllowedHeaders: ["X-B"], Methods: ["GET", "POST"] } });
  const none = served({});
  const preflight = (server, origin) =>
    fetch(server.http + endpoint, {
      method: "OPTIONS",
      headers: { Origin: origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-mine" },
    });
  const cors = (headers) => Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));

  test("preflight", async () => {
    const good = await preflight(one, "https://good.example");
    assert.equal(good.status, 204);
    assert.deepEqual(cors(good.headers), {
      "access-control-allow-origin": "https://good.example",
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
      "access-control-allow-headers": "x-mine",
      "access-control-max-age": "600",
    });
    assert.match(good.headers.get("vary"), /origin/i);
    const bad = await preflight(one, "https://bad.example");
    assert.equal(bad.headers.get("access-control-allow-origin"), null);
    assert.deepEqual(cors((await preflight(any, "https://bad.example")).headers), {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET,POST",
      "access-control-allow-headers": "X-B",
    });
    const without = await preflight(none, "https://good.example");
    assert.equal(without.status, 400);
    assert.deepEqual(cors(without.headers), {});
  });

  test("every response says it, refusals too", async () => {
    const headers = { Origin: "https://good.example" };
    for (const [query, status] of [["", 200], ["&sid=nobody", 400]]) {
      const response = await fetch(one.http + endpoint + query, { headers });
      assert.equal(response.status, status);
      assert.deepEqual(cors(response.headers), {
        "access-control-allow-origin": "https://good.example",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "X-A",
      });
      await response.text();
    }
    const bad = await fetch(one.http + endpoint, { headers: { Origin: "https://bad.example" } });
    assert.equal(bad.headers.get("access-control-allow-origin"), null);
    await bad.text();
    assert.deepEqual(cors((await fetch(none.http + endpoint, { headers })).headers), {});
  });

  test("a WebSocket is for the same pages", async () => {
    const status = async (server, Origin) => (await handshake(server, { Origin })).status;
    assert.equal(await status(one, "https://good.example"), 101);
    assert.equal(await status(one, "https://bad.example"), 403);
    assert.equal(await status(any, "https://bad.example"), 101);
    assert.equal(await status(none, "https://good.example"), 403);
    assert.equal(await status(none, none.http), 101);
  });

  test("the official client of another origin", async (t) => {
    for (const { connect } of [kinds["4.8"], kinds["3.1"]]) {
      const extraHeaders = { Origin: "https://good.example" };
      const over = (server, options) => new Sockets(t, server, { connect, options: { extraHeaders, ...options } });
      for (const transports of [["polling"], ["websocket"]]) await barrier(await over(one, { transports }).open());
      assert.equal((await refused(over(none, { transports: ["websocket"] }).lone())).message, "websocket error");
    }
  });
});

describe("hooks: initial_headers and headers", () => {
  const server = served({ headers: true });

  test("over polling", async () => {
    const first = await fetch(server.http + endpoint);
    const { sid } = JSON.parse((await first.text()).slice(1));
    assert.deepEqual(["x-first", "x-each", "set-cookie"].map((name) => first.headers.get(name)), ["polling", "GET", "mine=1; Path=/"]);
    const post = await fetch(`${server.http}${endpoint}&sid=${sid}`, { method: "POST", body: "40" });
    assert.deepEqual(["x-first", "x-each"].map((name) => post.headers.get(name)), [null, "POST"]);
    await post.text();
  });

  test("over WebSocket, and upon the upgrade", async () => {
    const { status, headers } = await handshake(server);
    assert.deepEqual([status, headers["x-first"], headers["x-each"], headers["set-cookie"]], [101, "websocket", "GET", ["mine=1; Path=/"]]);
    const { sid } = JSON.parse((await (await fetch(server.http + endpoint)).text()).slice(1));
    const upgrade = await handshake(server, {}, `EIO=4&transport=websocket&sid=${sid}`);
    assert.deepEqual([upgrade.status, upgrade.headers["x-first"], upgrade.headers["x-each"]], [101, undefined, "GET"]);
  });
});

overEach(plain, { ids: "connection-" }, ({ open }) => {
  test("ids of connections by the application, and sockets with their own", async (t) => {
    const [ann, bob] = await open(t).many(2);
    assert.match(ann.io.engine.id, /^connection-\d+$/);
    assert.notEqual(ann.io.engine.id, bob.io.engine.id);
    assert.match(ann.id, /^[\w-]{20}$/);
    assert.equal((await one(ann, "socket")).id, ann.id);
  });
});

test("an id that cannot be made refuses the request", async (t) => {
  const server = await startFeatureServer({ badIDs: true });
  t.after(() => server.stop());
  const response = await fetch(server.http + endpoint);
  assert.deepEqual([response.status, await response.json()], [400, { code: 3, message: "Bad request" }]);
  for (const { connect } of [kinds["4.8"], kinds["3.1"]]) {
    const error = await refused(new Sockets(t, server, { connect, options: { transports: ["polling"] } }).lone());
    assert.deepEqual([error.message, error.description], ["xhr poll error", 400]);
  }
});

overEach(plain, { path: "/own/path" }, ({ open, kind }) => {
  test("a path of one's own, and none besides", async (t) => {
    const sockets = open(t);
    await barrier(await sockets.open({ path: "/own/path" }));
    await barrier(await sockets.open({ path: "/own/path/" }));
    if (kind === "4.8") await barrier(await sockets.open({ path: "/own/path", addTrailingSlash: false }));
    for (const path of ["/socket.io/", "/own/pathology"]) assert.match((await refused(sockets.lone({ path }))).message, /error/);
  });
});

overEach(newest, {}, ({ open, transport, final }) => {
  test("addTrailingSlash: false", async (t) => {
    const socket = await open(t).open({ addTrailingSlash: false });
    assert.equal((await one(socket, "socket")).transport, final);
  });

  test("a client that may not upgrade stays where it is", async (t) => {
    const sockets = open(t);
    const socket = sockets.lone({ upgrade: false });
    await new Promise((resolve) => socket.once("connect", resolve).connect());
    assert.equal((await one(socket, "socket")).transport, transport === "websocket" ? "websocket" : "polling");
    socket.disconnect();
    await journal(await sockets.open(), "disconnect");
  });
});
