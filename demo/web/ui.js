// What every page uses: texts, elements, marks, topics, lines to copy.
// Text always goes into the page as text nodes, so that no message is markup.

const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "{}");

/** The texts of the page's language, and what the server says about itself. */
const strings = read("strings");
export const facts = read("facts");

const lang = document.documentElement.lang || "en";
const plural = new Intl.PluralRules(lang);
const hours = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const days = new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long" });

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** The text with this key, {name} filled in. */
export const t = (key, values = {}) => fill(strings[key] ?? key, values);

/** The text with this key for a count. */
export const count = (key, n, values = {}) => {
  const forms = strings[key] ?? {};
  return fill(forms[plural.select(n)] ?? forms.other ?? key, { n, ...values });
};

export const clock = (time) => hours.format(time);
export const dayOf = (time) => days.format(time);

export const $ = (id) => document.getElementById(id);

/** el("p", {class: "hint", onclick: f}, "text", child): an element. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false || value === null) continue;
    if (typeof value === "function") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

const svgElement = (tag, props = {}) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  return node;
};

/** The mark of a protocol: "socketio", "mqtt", "websocket", "sse", "longpolling", "shortpolling". */
export function mark(name) {
  const svg = svgElement("svg", { class: "mark", "aria-hidden": "true" });
  svg.append(svgElement("use", { href: `/marks.svg#${name}` }));
  return svg;
}

/** A small line of the last values, the newest marked by a dot. */
export function spark(values, width, height) {
  const svg = svgElement("svg", { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  if (values.length < 2) return svg;
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const points = values.map((value, i) => [
    (i / (values.length - 1)) * (width - 3),
    height - 3 - ((value - low) / span) * (height - 6),
  ]);
  svg.append(svgElement("polyline", { points: points.map((p) => p.map((x) => x.toFixed(1)).join(",")).join(" ") }));
  const [x, y] = points.at(-1);
  svg.append(svgElement("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 2.5 }));
  return svg;
}

const hueOf = (id) => {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum % 6;
};

/** A person's face: a round with the first letter. */
export function face(name, id, size = "") {
  const letter = [...(name || "?")][0].toLocaleUpperCase(lang);
  return el("span", { class: `face person hue-${hueOf(id || name)} ${size}`, "aria-hidden": "true" }, letter);
}

/** A device's face: a square with the mark of MQTT. */
export const deviceFace = (size = "") => el("span", { class: `face device ${size}`, "aria-hidden": "true" }, mark("mqtt"));

/** A client identifier as people read it: one that a broker made up is long. */
export const shortID = (id) => (id.length <= 20 ? id : `${id.slice(0, 10)}…${id.slice(-4)}`);

/** Makes the list's children be those of items, keeping the nodes of known keys, and so the keyboard focus. */
export function sync(list, items, keyOf, make, update) {
  const known = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let at = list.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = known.get(key);
    known.delete(key);
    if (!node) {
      node = make(item);
      node.dataset.key = key;
    }
    update?.(node, item);
    if (node === at) at = at.nextElementSibling;
    else list.insertBefore(node, at);
  }
  for (const node of known.values()) node.remove();
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages over plain HTTP from another computer have no clipboard interface.
  const area = el("textarea", { class: "unseen", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copy");
}

/** Makes a click on the button copy what text() gives, and says so in place of its label for a moment. */
export function copies(button, text, label = button) {
  button.addEventListener("click", async () => {
    if (button.dataset.busy) return;
    button.dataset.busy = "1";
    const before = [...label.childNodes];
    const width = button.getBoundingClientRect().width;
    let said = t("copied");
    await copy(text()).catch(() => { said = t("copy_failed"); });
    button.style.minWidth = `${width}px`;
    label.replaceChildren(said);
    $("spoken").textContent = said;
    setTimeout(() => {
      label.replaceChildren(...before);
      button.style.minWidth = "";
      delete button.dataset.busy;
    }, 1200);
  });
  return button;
}

/** A line for the terminal with a button that copies it. It breaks between options, not within. */
export function commandLine(text) {
  const button = el("button", { type: "button", "aria-label": t("copy_line", { line: text }) }, t("copy"));
  return el("div", { class: "line" }, el("code", {}, ...unbroken(text)), copies(button, () => text));
}

// An option stays with its value: "-p 1883".
const unbroken = (text) => text.split(/ (?=-)/).flatMap((part, i) => [i > 0 && " ", el("span", {}, part)]).filter(Boolean);

// Topics: each part as encodeURIComponent gives it (docs/TOPICS.md).

const prefix = facts.prefix ?? "sio";
export const roomTopic = (room, event) => `${prefix}/main/room/${encodeURIComponent(room)}/${event}`;
export const privateTopic = (id, event) => `${prefix}/main/socket/${encodeURIComponent(id)}/${event}`;

const loopback = (host) => /^(localhost|127\.|::1$|\[::1\]$)/.test(host);

/** Where an MQTT client finds the broker, seen from this page: host, port, and whether it is open to this machine only. */
export function mqttDoor() {
  const { host = "", port = 1883 } = facts.mqtt ?? {};
  if (["", "::", "0.0.0.0"].includes(host)) return { host: location.hostname, port };
  if (loopback(host)) return { host: "localhost", port, localOnly: !loopback(location.hostname) };
  return { host, port };
}

/** The address of MQTT over WebSocket on this page's own port. */
export const mqttURL = () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${facts.mqttPath ?? "/mqtt"}`;

/** A word as a POSIX shell reads it. */
export const shellWord = (word) => (/^[\w%./:=@,+~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** mosquitto("pub", "-t", topic, "-m", "hello"): a line with this server's host and port. */
export function mosquitto(verb, ...words) {
  const { host, port } = mqttDoor();
  return [`mosquitto_${verb}`, "-h", host, "-p", String(port), ...words].map(shellWord).join(" ");
}
