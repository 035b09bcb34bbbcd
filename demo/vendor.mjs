// Copies the browser libraries that the pages need from node_modules to
// demo/web/vendor, where the Go build embeds them. Run by `make pages`.
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const demo = dirname(fileURLToPath(import.meta.url));
const modules = join(demo, "..", "node_modules");
const vendor = join(demo, "web", "vendor");

const files = [
  "socket.io-client/dist/socket.io.esm.min.js",
  "mqtt/dist/mqtt.esm.js",
];

const missing = files.filter((file) => !existsSync(join(modules, file)));
if (missing.length > 0) {
  console.error(`vendor: node_modules/${missing.join(" and node_modules/")} not found: run "npm ci" in the repository's root first`);
  process.exit(1);
}
mkdirSync(vendor, { recursive: true });
for (const file of files) {
  copyFileSync(join(modules, file), join(vendor, basename(file)));
}
console.log(`vendor: ${files.map((file) => basename(file)).join(", ")} copied to demo/web/vendor`);
