// A device in this page: a second connection of this tab, by MQTT over WebSocket, with MQTT.js.

import { $, count, el, mark, mqttURL, privateTopic, roomTopic, t } from "./ui.js";

const shown = 8; // packets shown

let client = null;
let name = "";
let subscribed = [];

const filters = (room) => [roomTopic(room, "#"), privateTopic(name, "#")];

/** Draws the part of the page, with the button that connects. room() is the room it will be in. */
export function setUpDevice(room) {
  const start = el("button", { class: "button device", type: "button" }, t("tab_device_start"));
  start.onclick = () => connect(room);
  $("tab-device").replaceChildren(el("p", { class: "hint" }, t("tab_device_text")), start);
}

/** The device follows the page into another room. */
export function moveDevice(room) {
  if (!client) return;
  const [next] = filters(room);
  const old = subscribed.filter((filter) => filter.includes("/room/") && filter !== next);
  if (old.length) client.unsubscribe(old);
  if (!subscribed.includes(next)) client.subscribe(next, { qos: 1 });
  subscribed = filters(room);
}

async function connect(room) {
  const box = $("tab-device");
  const state = el("p", { class: "hint", role: "status" }, t("tab_device_connecting"));
  let mqtt;
  try {
    ({ default: mqtt } = await import("/vendor/mqtt.esm.js"));
  } catch {
    box.append(el("p", { class: "error", role: "alert" }, t("missing_mqtt")));
    return;
  }
  name = `page-${Math.random().toString(36).slice(2, 6)}`;
  const packets = el("div", { class: "packets", tabindex: "0", role: "log", "aria-label": t("tab_device_receives") }, el("span", {}, t("tab_device_nothing")));
  // The client's own timers would need a worker from a blob, which the page's policy does not allow.
  client = mqtt.connect(mqttURL(), { clientId: name, protocolVersion: 5, reconnectPeriod: 1500, connectTimeout: 8000, timerVariant: "native", resubscribe: true });
  subscribed = filters(room());
  client.on("connect", () => {
    state.textContent = t("tab_device_on", { url: mqttURL() });
    client.subscribe(subscribed, { qos: 1 });
  });
  client.on("close", () => { state.textContent = t("tab_device_lost"); });
  client.on("error", (reason) => { state.textContent = t("tab_device_failed", { reason: reason.message }); });
  client.on("message", (topic, payload) => show(packets, topic, payload));
  box.replaceChildren(card(state, packets, room));
}

function card(state, packets, room) {
  const stop = el("button", { class: "quiet", type: "button" }, t("tab_device_stop"));
  stop.onclick = () => {
    client.end(true);
    client = null;
    setUpDevice(room);
  };
  const input = el("input", { "aria-label": t("tab_device_say", { name }), placeholder: t("tab_device_say", { name }), autocomplete: "off" });
  const form = el("form", { class: "field" }, input, el("button", { type: "submit" }, t("tab_device_publish")));
  form.onsubmit = (event) => {
    event.preventDefault();
    if (input.value.trim() === "") return;
    client.publish(roomTopic(room(), "message"), input.value, { qos: 1 });
    input.value = "";
  };
  return el("div", { class: "card" }, el("div", { class: "card-head" }, mark("mqtt"), el("b", {}, name), el("span", { class: "grow" }), stop), state, packets, form);
}

function show(packets, topic, payload) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    text = count("bytes", payload.length);
  }
  if (packets.firstElementChild?.tagName === "SPAN") packets.replaceChildren();
  packets.prepend(el("div", {}, el("span", { class: "t" }, topic), el("span", { class: "p" }, text)));
  while (packets.childElementCount > shown) packets.lastElementChild.remove();
}
