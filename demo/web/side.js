// Beside the conversation: who is here, the sensors with their controls, and the lines to copy.

import { numberIn } from "./log.js";
import { $, commandLine, count, deviceFace, el, face, mark, mosquitto, mqttDoor, privateTopic, roomTopic, shortID, spark, sync, t } from "./ui.js";

const intervals = [1, 3, 5, 10, 30]; // seconds to choose from

/** A room's last values: one entry for each device and event, with its numbers for the small line. */
export class Readings {
  #streams = new Map();

  take({ from, event, value, time }) {
    const key = JSON.stringify([from, event]);
    const stream = this.#streams.get(key) ?? { key, from, event, numbers: [], times: 0 };
    if (stream.time > time) return;
    const reading = numberIn(value);
    stream.times += stream.time === time ? 0 : 1;
    if (reading && stream.time !== time) stream.numbers = [...stream.numbers, reading.number].slice(-40);
    Object.assign(stream, { value, time, reading });
    this.#streams.set(key, stream);
  }

  get(from, event) {
    return this.#streams.get(JSON.stringify([from, event]));
  }

  /** The streams of numbers of devices that are still there. */
  live(devices) {
    const ids = new Set(devices.map((device) => device.id));
    return [...this.#streams.values()].filter((stream) => stream.reading && stream.event !== "status" && ids.has(stream.from));
  }

  /** The devices that announce an interval: those that can be told another one. */
  sensors(devices) {
    return devices.filter(({ id }) => typeof this.get(id, "status")?.value?.interval === "number").map(({ id }) => id);
  }
}

/** The list of people and devices of the room. */
export function showMembers(conv, me, open) {
  const people = conv.people ?? [];
  const devices = conv.devices ?? [];
  sync($("people"), people.length ? people : [{ id: "" }], (p) => p.id, (p) => (p.id === "" ? nobody(t("here_nobody")) : memberRow()), (row, p) => {
    if (p.id === "") return;
    const mine = p.id === me.id;
    drawMember(row, `${p.id} ${p.name} ${mine}`, face(p.name, p.id, "small"), p.name, mine ? t("you") : t("open_private"), mine ? undefined : () => open("person", p.id, p.name));
  });
  $("watching").textContent = conv.watching ? count("count_watching", conv.watching) : "";
  sync($("devices"), devices.length ? devices : [{ id: "" }], (d) => `d${d.id}`, (d) => (d.id === "" ? nobody(t("here_no_device")) : memberRow()), (row, d) => {
    if (d.id === "") return;
    drawMember(row, `${d.id} ${d.listens}`, deviceFace("small"), d.id, d.listens ? t("listens") : t("publishes"), () => open("device", d.id, d.id), "mono");
  });
}

const labelledLine = (label, line) => el("div", { class: "labelled" }, el("p", {}, label), commandLine(line));
const nobody = (text) => el("li", { class: "hint nobody" }, text);
const memberRow = () => el("li");

function drawMember(row, state, picture, name, note, onclick, kind = "") {
  if (row.dataset.state === state) return;
  row.dataset.state = state;
  const inside = [picture, el("span", { class: `label ${kind}`, title: name }, kind === "mono" ? shortID(name) : name), el("span", { class: "side-note" }, note)];
  row.replaceChildren(onclick
    ? el("button", { class: "open", type: "button", "aria-label": `${name}, ${note}. ${t("write_to", { name })}`, onclick }, ...inside)
    : el("div", { class: "open" }, ...inside));
}

/** The chips with live readings above the messages. */
export function showReadings(conv, show) {
  const streams = conv.readings?.live(conv.devices ?? []).filter((stream) => stream.times > 1) ?? [];
  const sensors = conv.readings.sensors(conv.devices);
  $("readings").hidden = streams.length === 0;
  sync($("readings"), streams, (s) => s.key, () => el("li"), (node, s) => {
    node.classList.toggle("has-card", sensors.includes(s.from));
    if (node.dataset.time === String(s.time)) return;
    node.dataset.time = s.time;
    const chip = node.firstElementChild ?? node.appendChild(el("button", { class: "reading", type: "button" }));
    chip.onclick = () => show(s.from);
    chip.replaceChildren(mark("mqtt"), el("span", { class: "of" }, `${shortID(s.from)} ${s.event}`),
      el("span", { class: "value" }, number(s.reading.number), s.reading.unit && ` ${s.reading.unit}`), spark(s.numbers, 52, 16));
  });
}

const number = (x) => String(Math.round(x * 100) / 100);

/** The cards of the sensors: the value live, the interval, and the switch. tell(device, event, value) sends to one. */
export function showSensors(ids, conv, tell) {
  sync($("sensors"), ids, (id) => id, (id) => sensorCard(id, tell), (card, id) => drawSensor(card, id, conv.readings));
}

function sensorCard(id, tell) {
  const power = el("button", { class: "switch", type: "button", role: "switch", "aria-label": t("sensor_on", { name: id }) });
  power.onclick = () => tell(id, "power", power.getAttribute("aria-checked") !== "true");
  const options = intervals.map((n) => {
    const input = el("input", { type: "radio", name: `every-${id}`, value: n });
    input.onchange = () => tell(id, "interval", n);
    return el("label", {}, input, t("seconds", { n }));
  });
  return el("div", { class: "card sensor", id: `sensor-${id}`, tabindex: "-1" },
    el("div", { class: "card-head" }, mark("mqtt"), el("b", {}, id), el("span", { class: "tag plain", title: t("simulated_title") }, t("simulated")), el("span", { class: "grow" }), power),
    el("div", { class: "sensor-now" }),
    el("fieldset", { class: "choice" }, el("legend", {}, t("sensor_every")), el("div", { class: "options" }, ...options)),
    labelledLine(t("sensor_how"), mosquitto("pub", "-t", privateTopic(id, "interval"), "-m", "1")));
}

function drawSensor(card, id, readings) {
  const status = readings.get(id, "status").value;
  const stream = readings.live([{ id }])[0];
  const state = JSON.stringify([status, stream?.time]);
  if (card.dataset.state === state) return;
  card.dataset.state = state;
  const running = status.running !== false;
  card.classList.toggle("paused", !running);
  card.querySelector(".switch").setAttribute("aria-checked", String(running));
  card.querySelector(".tag").hidden = status.simulated !== true;
  for (const input of card.querySelectorAll("input")) input.checked = Number(input.value) === status.interval;
  const now = card.querySelector(".sensor-now");
  if (!stream) return now.replaceChildren(el("span", { class: "none" }, running ? t("sensor_waiting") : t("sensor_paused")));
  now.replaceChildren(
    el("span", { class: "big" }, stream.reading.number.toFixed(1), el("small", {}, running ? stream.reading.unit : `${stream.reading.unit}, ${t("sensor_paused")}`)),
    spark(stream.numbers, running ? 150 : 90, 40));
}

/** The lines for the terminal, for the room or the device of the conversation. */
export function showLines(conv) {
  const door = mqttDoor();
  $("mqtt-local").hidden = !door.localOnly;
  $("mqtt-local").textContent = t("mqtt_local", { flag: `-mqtt :${door.port}` });
  const lines = conv.kind === "device" ? deviceLines(conv.id) : roomLines(conv.kind === "room" ? conv.name : "lobby");
  const state = JSON.stringify(lines);
  if ($("lines").dataset.state === state) return;
  $("lines").dataset.state = state;
  $("lines").replaceChildren(...lines.map(([label, line]) => labelledLine(label, line)));
}

export const publishLine = (room) => mosquitto("pub", "-t", roomTopic(room, "message"), "-m", "hello");

const roomLines = (room) => [
  [t("terminal_listen"), mosquitto("sub", "-v", "-t", roomTopic(room, "#"))],
  [t("terminal_publish"), publishLine(room)],
  [t("terminal_device"), mosquitto("sub", "-v", "-i", "lamp-1", "-t", roomTopic(room, "#"), "-t", privateTopic("lamp-1", "#"))],
];

const deviceLines = (id) => [[t("device_listens", { name: id }), mosquitto("sub", "-v", "-i", id, "-t", privateTopic(id, "#"))]];

/** What stands above the first message of a conversation. */
export function showIntro(conv, ownID, actions) {
  const sensor = conv.kind === "room" ? conv.readings.sensors(conv.devices)[0] : undefined;
  const state = JSON.stringify([conv.key, conv.name, sensor, conv.kind === "device" && ownID]);
  const intro = $("intro");
  if (intro.dataset.state === state) return;
  intro.dataset.state = state;
  if (conv.kind === "room") return intro.replaceChildren(...roomIntro(conv, sensor, actions));
  const name = conv.name;
  if (conv.kind === "person") return intro.replaceChildren(el("h3", {}, t("intro_person", { name })), el("p", {}, t("intro_person_text", { name })));
  intro.replaceChildren(el("h3", {}, t("intro_device", { name })), el("p", {}, t("intro_device_text", { name })),
    el("h4", { class: "hint" }, t("device_answers", { name })), commandLine(mosquitto("pub", "-i", name, "-t", privateTopic(ownID, "private"), "-m", "hello")));
}

function roomIntro(conv, sensor, actions) {
  const link = (text, onclick) => el("button", { class: "link-button", type: "button", onclick }, text);
  return [
    el("h3", {}, t("intro_room", { room: conv.name })),
    el("p", {}, t("intro_room_text")),
    el("ol", { "aria-label": t("intro_try") },
      el("li", {}, el("span", {}, t("try_window"))),
      el("li", {}, el("span", {}, t("try_publish")), commandLine(publishLine(conv.name))),
      sensor
        ? el("li", {}, el("span", {}, t("try_sensor", { device: sensor }), " ", link(t("show_sensor", { device: sensor }), () => actions.sensor(sensor))))
        : el("li", {}, el("span", {}, t("try_device"), " ", link(t("show_device"), actions.device)))),
  ];
}
