// The chat in Chromium, with mosquitto_pub and mosquitto_sub beside it: what the
// README promises, as a person sees it.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Browser, stopBrowsers } from "../lib/browser.mjs";
import { address, listen as subscribed } from "../lib/mosquitto.mjs";
import { run, startDemo } from "../lib/programs.mjs";
import { until } from "../lib/wait.mjs";

let demo, ann, bob;
const others = []; // programs of one test

before(async () => {
  demo = await startDemo();
  [ann, bob] = await Promise.all([enter("Ann"), enter("Bob")]);
});
after(async () => {
  await stopBrowsers();
  await demo?.stop();
});
afterEach(async () => {
  await Promise.all(others.splice(0).map((program) => program.stop()));
});

// enter opens the chat in a browser of its own and takes a nickname.
async function enter(name, size) {
  const browser = await Browser.start(size);
  const { page } = browser;
  await page.goto(demo.address);
  await page.locator("#name").fill(name);
  await page.locator("#name").press("Enter");
  await page.locator("#say").waitFor();
  return browser;
}

const log = ({ page }) => page.getByRole("log").first();
const row = (browser, text) => log(browser).locator("li.row").filter({ hasText: text });

async function say({ page }, text) {
  await page.locator("#say").fill(text);
  await page.locator("#say").press("Enter");
}

async function sees(browser, text) {
  await row(browser, text).waitFor();
}

async function openRoom({ page }, name) {
  await page.locator("#rooms button.open").filter({ hasText: name }).click();
  await page.getByRole("log", { name }).waitFor();
}

async function listen(filter, ...more) {
  const program = await subscribed(demo, filter, "-v", ...more);
  others.push(program);
  return program;
}

async function publish(topic, text, ...more) {
  const program = await run("mosquitto_pub", [...address(demo), "-t", topic, "-m", text, ...more]);
  assert.equal(program.code, 0, program.stderr);
}

const printed = (program, pattern) => until(() => pattern.exec(program.stdout), `a line like ${pattern}`);

test("two browsers chat in a room", async () => {
  await say(ann, "Good morning, Bob");
  await sees(bob, "Good morning, Bob");
  await say(bob, "Good morning, Ann");
  await sees(ann, "Good morning, Ann");
  assert.equal(await row(ann, "Good morning, Bob").count(), 1, "the writer sees it once");
  await ann.page.locator("#people").getByText("Bob").waitFor();
  await bob.page.locator("#people").getByText("Ann").waitFor();
});

test("mosquitto_pub -t sio/main/room/lobby/message -m hello appears in both", async () => {
  await publish("sio/main/room/lobby/message", "hello from a device", "-i", "doorbell");
  for (const browser of [ann, bob]) {
    await sees(browser, "hello from a device");
    await browser.page.locator("li.row.device").filter({ hasText: "doorbell" }).first().waitFor();
  }
});

test("mosquitto_sub -v -t 'sio/main/room/#' prints what they type", async () => {
  const device = await listen("sio/main/room/#", "-i", "ticker");
  await ann.page.locator("#devices").getByText("ticker").waitFor();
  await say(ann, "can devices read this?");
  await printed(device, /^sio\/main\/room\/lobby\/message .*can devices read this\?/m);
  await say(bob, "grüß dich 🦊 <b>\"quoted\"</b>");
  await printed(device, /^sio\/main\/room\/lobby\/message .*grüß dich 🦊/m);
  await sees(ann, "grüß dich 🦊 <b>\"quoted\"</b>");
});

test("a private message is seen by no one else, mosquitto_sub -t '#' included", async () => {
  const cat = await enter("Cat");
  others.push(cat);
  const spy = await listen("#", "-i", "spy");
  const sockets = await listen("sio/main/socket/#", "-i", "spy2");
  await ann.page.locator("#people").getByRole("button", { name: /^Bob/ }).click();
  await say(ann, "a secret for Bob");
  await bob.page.locator("#privates button.open").filter({ hasText: "Ann" }).click();
  await sees(bob, "a secret for Bob");
  await say(bob, "and one for Ann");
  await sees(ann, "and one for Ann");
  for (const browser of [ann, bob]) await openRoom(browser, "lobby");
  await say(ann, "back in public");
  await sees(cat, "back in public");
  await printed(spy, /back in public/);
  for (const [name, text] of Object.entries({ cat: await cat.page.locator("body").innerText(), spy: spy.stdout, sockets: sockets.stdout })) {
    assert.doesNotMatch(text, /secret for Bob|one for Ann/, name);
  }
  assert.equal(await row(bob, "a secret for Bob").count(), 0, "not in the room");
});

test("rooms are apart", async () => {
  for (const { page } of [ann, bob]) {
    await page.locator("#join-room").fill("kitchen/2 #1+");
    await page.locator("#join-room").press("Enter");
    await page.getByRole("log", { name: "kitchen/2 #1+" }).waitFor();
  }
  const device = await listen("sio/main/room/kitchen%2F2%20%231%2B/message", "-i", "oven");
  await say(ann, "the soup is ready");
  await sees(bob, "the soup is ready");
  await printed(device, /the soup is ready/);
  await publish("sio/main/room/kitchen%2F2%20%231%2B/message", "so is the bread");
  await sees(ann, "so is the bread");
  for (const browser of [ann, bob]) await openRoom(browser, "lobby");
  assert.equal(await row(ann, "the soup is ready").count(), 0);
});

test("typing is shown to the other", async () => {
  await ann.page.locator("#say").pressSequentially("hm");
  await bob.page.locator("#typing").getByText(/Ann/).waitFor();
  await ann.page.locator("#say").fill("");
});

test("the commands that the page shows work as they stand", async () => {
  const lines = await ann.page.locator("#lines code").allInnerTexts();
  const command = lines.find((line) => line.startsWith("mosquitto_pub"));
  assert.ok(command, `mosquitto_pub among ${JSON.stringify(lines)}`);
  assert.ok(lines.some((line) => line.startsWith("mosquitto_sub")), `mosquitto_sub among ${JSON.stringify(lines)}`);
  const before = await log(bob).locator("li.row.device").count();
  const program = await run("/bin/sh", ["-c", command]);
  assert.equal(program.code, 0, program.stderr);
  await until(async () => (await log(bob).locator("li.row.device").count()) > before, "the message of the shown command");
});

test("the simulated sensor lives, and takes its interval from the page and from MQTT", async () => {
  const readings = await listen("sio/main/room/lobby/temperature");
  const status = await listen("sio/main/room/lobby/status");
  await printed(readings, /^sio\/main\/room\/lobby\/temperature .*"unit":"°C"/m);
  const choice = (browser, seconds) => browser.page.locator(`#sensor-sensor-1 input[value="${seconds}"]`);
  await ann.page.locator('#sensor-sensor-1 label:has(input[value="1"])').click();
  await printed(status, /"interval":1\b/);
  await until(() => choice(bob, 1).isChecked(), "the interval on the other page");
  await publish("sio/main/socket/sensor-1/interval", "3");
  await printed(status, /"interval":3\b/);
  await until(() => choice(ann, 3).isChecked(), "the interval from MQTT");
});

test("the page is an MQTT device too, on request", async () => {
  const part = ann.page.locator("#tab-device");
  await part.getByRole("button").click();
  await ann.page.locator("#devices").getByText(/^page-/).waitFor();
  await part.locator("form input").fill("published by a page");
  await part.locator("form input").press("Enter");
  await sees(bob, "published by a page");
  await bob.page.locator("li.row.device").filter({ hasText: "published by a page" }).waitFor();
  await say(bob, "received by a page");
  await part.getByRole("log").getByText("received by a page").waitFor();
});

test("a reload keeps the nickname, the room and what was said", async () => {
  await say(ann, "before the reload");
  await sees(bob, "before the reload");
  await ann.page.reload();
  await ann.page.locator("#say").waitFor();
  await sees(ann, "before the reload");
  await say(ann, "after the reload");
  await sees(bob, "after the reload");
});

describe("at 390 pixels", () => {
  let phone;
  before(async () => (phone = await enter("Dora", { width: 390, height: 844, hasTouch: true, isMobile: true, deviceScaleFactor: 2 })));
  after(() => phone?.stop());

  test("nothing is wider than the screen, on any part of the page", async () => {
    for (const tab of ["rooms", "here", "connect", "chat"]) {
      await phone.page.locator(`#tabs [data-tab=${tab}]`).tap();
      const width = await phone.page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `${tab} is ${width} pixels wide`);
    }
  });

  test("the chat works", async () => {
    await phone.page.locator("#tabs [data-tab=chat]").tap();
    await say(phone, "from the bus");
    await sees(bob, "from the bus");
    await say(bob, "safe travels");
    await sees(phone, "safe travels");
    assert.deepEqual(phone.complaints, []);
  });
});

test("the page comes back by itself when the server does", async () => {
  const other = await startDemo();
  const browser = await Browser.start();
  others.push(browser);
  await browser.page.goto(other.address);
  await browser.page.locator("#name").fill("Eve");
  await browser.page.locator("#name").press("Enter");
  await browser.page.locator("#say").waitFor();
  await other.stop();
  await browser.page.locator("#link").waitFor(); // says so in words
  await say(browser, "written meanwhile");
  const again = await startDemo(other);
  others.push(again);
  await browser.page.locator("#link").waitFor({ state: "hidden" });
  const reader = await Browser.start();
  others.push(reader);
  await reader.page.goto(again.address);
  await sees(reader, "written meanwhile");
});

test("nothing was complained about", () => {
  assert.deepEqual([...ann.complaints, ...bob.complaints], []);
});
