// Chromium, driven by playwright-core, with what it complains about.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// open are the browsers that run. A test file that fails on its way must not leave
// one behind: it would never end.
const open = new Set();

// stopBrowsers stops those that nobody has stopped.
export const stopBrowsers = () => Promise.all([...open].map((browser) => browser.stop()));

// Browser is one Chromium with a fresh profile: a person with a machine of their own.
export class Browser {
  complaints = []; // errors of the console and of scripts, requests that failed

  // start takes options of playwright-core's launchPersistentContext too; quic allows it
  // what WebTransport needs.
  static async start({ width = 1280, height = 800, quic = false, ...options } = {}) {
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), "siomq-chromium-"));
    browser.context = await chromium.launchPersistentContext(browser.profile, {
      executablePath: "/usr/bin/chromium",
      args: quic ? args.filter((arg) => arg !== "--disable-quic") : args,
      viewport: { width, height },
      ...options,
    });
    open.add(browser);
    browser.page = browser.context.pages()[0] ?? (await browser.context.newPage());
    browser.page.setDefaultTimeout(20_000);
    browser.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) browser.complaints.push(`${message.type()}: ${message.text()}`);
    });
    browser.page.on("pageerror", (error) => browser.complaints.push(`uncaught: ${error.message}`));
    browser.page.on("requestfailed", (request) => browser.complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
    return browser;
  }

  async stop() {
    if (!open.delete(this)) return;
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}
