// The log of one conversation: messages, device events, who came and left.

import { clock, count, dayOf, deviceFace, el, face, mark, shortID, t } from "./ui.js";

const most = 300;                 // rows kept for each conversation
const together = 5 * 60 * 1000;   // messages of one author within this time share a heading, in ms
const sameStream = 60 * 1000;     // readings closer than this share one row, in ms

/** The number in a reading, with its unit, or null: 21.4, {"value": 21.4, "unit": "°C"}, {"celsius": 21.4}. */
export function numberIn(value) {
  if (typeof value === "number") return { number: value, unit: "" };
  if (typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))) return { number: Number(value), unit: "" };
  if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
  const name = "value" in value ? "value" : Object.keys(value).find((key) => typeof value[key] === "number");
  if (name === undefined || typeof value[name] !== "number") return null;
  return { number: value[name], unit: typeof value.unit === "string" ? value.unit : name === "value" ? "" : name };
}

/** Any value of a device event in words. */
export function valueText(value) {
  if (typeof value?.binary === "number" && Object.keys(value).length === 1) return count("bytes", value.binary);
  const reading = numberIn(value);
  if (reading && (typeof value !== "object" || "value" in value)) return `${reading.number} ${reading.unit}`.trim();
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value) ?? "";
  return Object.entries(value).map(([key, part]) => `${key} ${typeof part === "string" ? part : JSON.stringify(part)}`).join(", ");
}

const isStatus = (item) => item.event === "status" && typeof item.value?.interval === "number";

function eventText(item) {
  if (!isStatus(item)) return valueText(item.value);
  if (item.value.error) return item.value.error;
  return item.value.running === false ? t("sensor_now_paused") : t("sensor_now_every", { n: item.value.interval });
}

const names = (list) => {
  if (list.length === 1) return list[0];
  if (list.length > 3) return t("and", { a: list.slice(0, 2).join(", "), b: count("others", list.length - 2) });
  return t("and", { a: list.slice(0, -1).join(", "), b: list.at(-1) });
};

const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

export class Log {
  #items = [];
  #ids = new Set();
  #last = null;

  /** @param {{retry: (item: object) => void}} hooks what the buttons in the log do */
  constructor(hooks) {
    this.hooks = hooks;
    this.node = el("ol", { class: "log" });
  }

  get empty() {
    return !this.#items.some((item) => item.kind === "message");
  }

  has(id) {
    return this.#ids.has(id);
  }

  /** Adds an item at the end. What is known already is not added again. */
  add(item) {
    if (this.#known(item)) return;
    if (item.kind === "event" && this.#joinStream(item)) return;
    if (item.kind === "presence" && this.#joinPresence(item)) return;
    this.#items.push(item);
    this.#append(item, true);
    while (this.#items.length > most) {
      this.#items.shift().node?.remove();
      while (this.node.firstElementChild?.className === "day" && this.node.childElementCount > most) this.node.firstElementChild.remove();
    }
  }

  /** Brings in what the server remembers, in the order of time: at the start, and after a lost connection. */
  merge(items) {
    const fresh = items.filter((item) => !this.#known(item));
    if (fresh.length === 0) return;
    this.#items = [...this.#items, ...fresh].sort((a, b) => a.time - b.time).slice(-most);
    this.#last = null;
    this.node.replaceChildren();
    const all = this.#items;
    this.#items = [];
    for (const item of all) {
      if (item.kind === "event" && this.#joinStream(item)) continue;
      this.#items.push(item);
      this.#append(item, false);
    }
  }

  /** Draws the item again after a change of it. */
  refresh(item) {
    if (item.id) this.#ids.add(item.id);
    if (!item.node) return;
    const fresh = this.#draw(item, item.node.classList.contains("first"));
    item.node.replaceWith(fresh);
    item.node = fresh;
  }

  #known(item) {
    const keys = [item.id, item.nonce].filter(Boolean);
    if (keys.some((key) => this.#ids.has(key))) return true;
    for (const key of keys) this.#ids.add(key);
    return false;
  }

  #joinStream(item) {
    if (isStatus(item)) return false;
    const row = this.#items.findLast((other) => other.kind === "event" && other.from === item.from && other.event === item.event);
    if (!row || item.time - row.time > sameStream) return false;
    Object.assign(row, { value: item.value, time: item.time, times: row.times + 1 });
    this.refresh(row);
    return true;
  }

  #joinPresence(item) {
    const row = this.#items.at(-1);
    if (row?.kind !== "presence" || row.verb !== item.verb || item.time - row.time > sameStream) return false;
    if (!row.names.includes(item.names[0])) row.names.push(...item.names);
    this.refresh(row);
    return true;
  }

  #append(item, moving) {
    const before = this.#last;
    if (before && !sameDay(before.time, item.time)) this.node.append(el("li", { class: "day" }, dayOf(item.time)));
    const first = !(before?.kind === "message" && item.kind === "message" && before.from === item.from &&
      before.device === item.device && item.time - before.time < together && sameDay(before.time, item.time));
    item.node = this.#draw(item, first);
    if (moving) item.node.classList.add("new");
    this.node.append(item.node);
    this.#last = item;
  }

  #draw(item, first) {
    if (item.kind === "message") return this.#message(item, first);
    if (item.kind === "event") return this.#event(item);
    const said = item.kind === "presence" ? t(item.verb, { names: names(item.names) }) : item.text;
    return el("li", { class: "note" }, said);
  }

  #message(item, first) {
    const classes = ["row", item.device && "device", first && "first", item.state].filter(Boolean).join(" ");
    const body = el("div", { class: "body" });
    if (first) {
      body.append(el("div", { class: "who" },
        item.device ? el("b", { class: "mono", title: item.from }, shortID(item.from)) : el("b", {}, item.from),
        item.device && el("span", { class: "tag mqtt", title: t("device_tag_title") }, t("device_tag")),
        el("time", { datetime: new Date(item.time).toISOString() }, clock(item.time))));
    }
    body.append(el("p", { class: "text" }, item.binary ? count("bytes", item.binary) : item.text || t("empty_message")));
    if (item.state === "waiting" && item.late) body.append(el("p", { class: "state" }, t("waiting")));
    if (item.state === "failed") {
      body.append(el("p", { class: "state" }, t("not_sent", { reason: item.reason }),
        el("button", { class: "link-button", type: "button", onclick: () => this.hooks.retry(item) }, t("sent_again"))));
    }
    const who = first && (item.device ? deviceFace() : face(item.from, item.by));
    return el("li", { class: classes }, who, body);
  }

  #event(item) {
    return el("li", { class: "event" }, mark("mqtt"),
      el("b", { title: item.from }, shortID(item.from)), isStatus(item) ? undefined : el("span", {}, item.event),
      el("span", { class: isStatus(item) ? "" : "value", "aria-live": "off" }, eventText(item)),
      item.times > 1 && el("span", {}, count("count_times", item.times)),
      el("time", {}, clock(item.time)));
  }
}
