// The chat: the connection, the conversations, and what the person does.
//
// The page emits: name, join, leave, message, private, typing, tell (all but typing acknowledged with {error} or the
// result). It receives: welcome, message, private, here, rooms, typing, and from devices any event, which the server
// marks with device: true. demo/chat.go is the other end.

import { moveDevice, setUpDevice } from "./device.js";
import { Log } from "./log.js";
import { Readings, showIntro, showLines, showMembers, showReadings, showSensors } from "./side.js";
import { $, copies, count, deviceFace, el, face, facts, mark, mqttDoor, mqttURL, privateTopic, roomTopic, sync, t } from "./ui.js";

const store = {
  get(area, key) { try { return area()?.getItem(`siomq.${key}`); } catch { return null; } },
  set(area, key, value) { try { area()?.setItem(`siomq.${key}`, value); } catch { /* a browser that keeps nothing */ } },
};
const kept = () => localStorage;     // for this browser: nickname and key
const tab = () => sessionStorage;    // for this tab: the rooms

const random = () => [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join("");
const key = store.get(kept, "key") ?? random();
store.set(kept, "key", key);

const me = { id: "", name: "", sid: "" };
const convs = new Map();  // key of a conversation -> conversation
const unsent = [];        // messages written and not acknowledged, in order
let rooms = [];           // every room the server knows, with counts
let now = null;           // the conversation on the page
let socket = null;
let naming = false;       // whether the nickname is being changed

// ---- conversations

const roomInHash = () => {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return location.hash.slice(1); }
};

function conversation(kind, name, id = name) {
  const at = `${kind}:${id}`;
  let conv = convs.get(at);
  if (!conv) {
    conv = { key: at, kind, name, id, log: new Log({ retry }), unread: 0, draft: "", typing: new Map(), people: [], devices: [], watching: 0, readings: new Readings() };
    convs.set(at, conv);
  }
  if (kind === "person" && name) conv.name = name;
  return conv;
}

const joinedRooms = () => [...convs.values()].filter((conv) => conv.kind === "room");

/** Puts the conversation on the page. */
function show(conv, { push = true } = {}) {
  if (now) now.draft = $("say").value;
  const changed = now !== conv;
  now = conv;
  conv.unread = 0;
  if (changed) {
    $("logs").replaceChildren(conv.log.node);
    $("say").value = conv.draft;
    $("say-error").textContent = "";
    fitSay();
  }
  if (conv.kind === "room") {
    store.set(tab, "rooms", JSON.stringify(joinedRooms().map((room) => room.name)));
    moveDevice(conv.name);
  }
  const hash = `#${encodeURIComponent(conv.kind === "room" ? conv.name : roomInHash() || "lobby")}`;
  if (push && changed) history.pushState({ at: conv.key }, "", hash);
  else history.replaceState({ at: conv.key }, "", hash);
  draw();
  toStart();
}

function openRoom(name) {
  const known = convs.get(`room:${name}`);
  if (known) return showAndGo(known);
  joinRoom(name);
}

function openPrivate(kind, id, name) {
  showAndGo(conversation(kind, name, id));
  if (!matchMedia("(max-width: 860px)").matches) $(me.name ? "say" : "name").focus();
}

function showAndGo(conv) {
  show(conv);
  goTab("chat");
}

function leave(conv) {
  if (conv.kind === "room") {
    if (joinedRooms().length < 2) return;
    socket?.emit("leave", conv.name);
  }
  convs.delete(conv.key);
  if (now === conv) show(joinedRooms()[0], { push: false });
  else draw();
}

async function joinRoom(name) {
  const conv = conversation("room", name); // before the answer: what is said meanwhile finds its room
  const reply = await ask("join", name);
  $("join-error").textContent = reply.error ?? "";
  if (reply.error) {
    convs.delete(conv.key);
    return goTab("rooms");
  }
  if (reply.room.room !== name) convs.delete(conv.key); // the server writes it in another way
  $("join-room").value = "";
  showAndGo(takeRoom(reply.room));
}

/** Takes over what the server knows of a room: {room, messages, events, people, watching, devices}. */
function takeRoom(state) {
  const conv = conversation("room", state.room);
  conv.log.merge([...state.messages.map(asMessage), ...lastEvents(state.events)]);
  state.events.forEach((event) => conv.readings.take(event));
  if (conv.known) watchPresence(conv, state); // a reconnection: who was there before has not come in
  Object.assign(conv, { people: state.people, devices: state.devices, watching: state.watching, known: true });
  return conv;
}

// A room's log starts with the last event of each stream, not with all of them again.
const lastEvents = (events) => [...new Map(events.map((e) => [`${e.from} ${e.event}`, asEvent(e)])).values()];

const asMessage = (record) => ({ kind: "message", ...record });
const asEvent = (record) => ({ kind: "event", times: 1, ...record });

// ---- what arrives

// What is for everyone, and not for a room, is shown in the room that is open.
const roomOf = (record) => (record.room === undefined ? openedRoom() : convs.get(`room:${record.room}`));
const openedRoom = () => (now.kind === "room" ? now : convs.get(`room:${roomInHash()}`) ?? joinedRooms()[0]);

function onMessage(record) {
  if (record.private) return onPrivate(record);
  const conv = roomOf(record);
  if (!conv) return;
  pass(record.device ? "mqtt" : "sio");
  if (record.by) conv.typing.delete(record.by);
  arrived(conv, asMessage(record));
}

function onPrivate(record) {
  pass(record.device ? "mqtt" : "sio");
  const mine = record.by !== undefined && record.by === me.id;
  const other = mine ? record.to : { id: record.device ? record.from : record.by, name: record.from, device: record.device };
  const conv = conversation(other.device ? "device" : "person", other.name, other.id);
  conv.typing.delete(other.id);
  arrived(conv, asMessage(record));
}

function arrived(conv, item) {
  const near = nearNewest();
  conv.log.add(item);
  if (conv === now && !document.hidden) {
    if (near) toNewest();
    else $("newest").hidden = false;
  } else if (item.by !== me.id) {
    conv.unread += 1;
  }
  draw();
}

function onDevice(record) {
  const conv = record.private ? conversation("device", record.from) : roomOf(record);
  if (!conv) return;
  pass("mqtt");
  const near = nearNewest();
  conv.readings.take(record);
  conv.log.add(asEvent(record));
  if (conv !== now) return;
  drawSide();
  if (near && !conv.log.empty) toNewest();
}

function onHere(state) {
  const conv = convs.get(`room:${state.room}`);
  if (!conv) return;
  watchPresence(conv, state);
  Object.assign(conv, { people: state.people, devices: state.devices, watching: state.watching });
  for (const { id, name } of state.people) if (convs.has(`person:${id}`)) convs.get(`person:${id}`).name = name;
  draw();
}

/** Notes who came and left. Who is back within some seconds, after a reload say, never left. */
function watchPresence(conv, state) {
  const list = ({ people, devices }) => new Map([...people.map((p) => [p.id, p.name]), ...devices.map((d) => [`device ${d.id}`, d.id])]);
  const before = list(conv);
  const after = list(state);
  for (const [id, name] of after) {
    const was = before.get(id);
    if (was === undefined) settle(conv, id, name, "joined", id.startsWith("device ") ? 800 : 300);
    else if (was !== name) conv.log.add({ kind: "note", time: Date.now(), text: t("renamed", { old: was, name }) });
  }
  for (const [id, name] of before) if (!after.has(id)) settle(conv, id, name, "left", 5000);
}

function settle(conv, id, name, verb, wait) {
  conv.settling ??= new Map();
  const pending = conv.settling.get(id);
  if (pending) {
    clearTimeout(pending.timer);
    conv.settling.delete(id);
    if (pending.verb !== verb) return; // there and back again: nothing to say
  }
  if (id === me.id) return;
  const timer = setTimeout(() => {
    conv.settling.delete(id);
    const near = nearNewest();
    conv.log.add({ kind: "presence", verb, names: [name], time: Date.now() });
    if (near && conv === now && !conv.log.empty) toNewest();
  }, wait);
  conv.settling.set(id, { verb, timer });
}

function onTyping({ room, id, name }) {
  const conv = convs.get(room === undefined ? `person:${id}` : `room:${room}`);
  if (!conv || id === me.id) return;
  clearTimeout(conv.typing.get(id)?.timer);
  conv.typing.set(id, { name, timer: setTimeout(() => { conv.typing.delete(id); drawTyping(); }, 4000) });
  drawTyping();
}

// ---- what the person does

/** Emits and waits for the answer, which has an error in words when it did not work. */
async function ask(event, ...args) {
  const first = me.sid === ""; // before the first connection the client keeps what it is asked
  if (!socket || (!socket.connected && !first)) return { error: t("no_answer") };
  try {
    return (await socket.timeout(8000).emitWithAck(event, ...args)) ?? {};
  } catch {
    return { error: t("no_answer") };
  }
}

function say(text) {
  const item = { kind: "message", nonce: random(), from: me.name, by: me.id, text, time: Date.now(), state: "waiting" };
  unsent.push({ item, conv: now });
  now.log.add(item);
  toNewest();
  setTimeout(() => { if (item.state === "waiting") { item.late = true; findConv(item)?.log.refresh(item); } }, 700);
  sendUnsent();
}

const findConv = (item) => unsent.find((entry) => entry.item === item)?.conv;
let sending = false;

/** Sends what waits, one after the other. What got no answer stays, and is sent again under the same nonce. */
async function sendUnsent() {
  if (sending) return;
  sending = true;
  while (unsent.length > 0 && socket?.connected && me.name) {
    const { item, conv } = unsent[0];
    let reply;
    try {
      reply = conv.kind === "room"
        ? await socket.timeout(8000).emitWithAck("message", item.text, conv.name, item.nonce)
        : await socket.timeout(8000).emitWithAck("private", { [conv.kind]: conv.id, text: item.text, nonce: item.nonce });
    } catch {
      setTimeout(sendUnsent, 1000); // the connection is gone, and then the next welcome comes back here; or an answer was late
      break;
    }
    unsent.shift();
    if (reply.error) Object.assign(item, { state: "failed", reason: reply.error });
    else Object.assign(item, { state: undefined, id: reply.id, time: reply.time ?? item.time });
    if (!reply.error) pass("sio");
    conv.log.refresh(item);
  }
  sending = false;
}

function retry(item) {
  const conv = [...convs.values()].find((each) => each.log.node.contains(item.node));
  if (!conv) return;
  Object.assign(item, { state: "waiting", late: true });
  conv.log.refresh(item);
  unsent.push({ item, conv });
  sendUnsent();
}

async function takeName(name) {
  const reply = await ask("name", name);
  $("name-error").textContent = reply.error ?? "";
  if (reply.error) return $("name").focus();
  me.name = reply.name;
  store.set(kept, "name", reply.name);
  naming = false;
  draw();
  $("say").focus();
  sendUnsent();
}

async function tell(device, event, value) {
  const reply = await ask("tell", { device, event, value });
  if (reply.error) now.log.add({ kind: "note", time: Date.now(), text: reply.error });
}

// ---- drawing

function draw() {
  drawHead();
  drawRooms();
  drawSide();
  drawFoot();
  drawTyping();
  const unread = [...convs.values()].reduce((sum, conv) => sum + conv.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${now.kind === "room" ? now.name : `@ ${now.name}`} · siomq`;
  $("badge-rooms").hidden = unread === 0;
  $("badge-rooms").textContent = unread;
  $("badge-rooms").setAttribute("aria-label", count("count_unread", unread));
}

let topic = "";

function drawHead() {
  const title = now.kind === "room" ? [el("span", { class: "hash", "aria-hidden": "true" }, "#"), now.name]
    : [now.kind === "device" ? deviceFace("small") : face(now.name, now.id, "small"), now.name];
  if ($("talk-name").textContent !== title.map((part) => part.textContent ?? part).join("") || $("talk-name").dataset.key !== now.key) {
    $("talk-name").replaceChildren(...title);
    $("talk-name").dataset.key = now.key;
  }
  $("logs").setAttribute("aria-label", t("log_label", { name: now.name }));
  $("talk-about").textContent = now.kind === "room"
    ? t("room_about", { people: count("count_people", now.people.length), devices: count("count_devices", now.devices.length) })
    : t("private");
  topic = now.kind === "room" ? roomTopic(now.name, "message") : now.kind === "device" ? privateTopic(now.id, "private") : "";
  $("talk-topic").hidden = topic === "";
  if (!$("talk-topic").dataset.busy && $("talk-topic").dataset.topic !== topic) {
    $("talk-topic").dataset.topic = topic;
    $("talk-topic").replaceChildren(mark("mqtt"), el("span", {}, topic));
    $("talk-topic").setAttribute("aria-label", `${t("copy_topic")} ${topic}`);
  }
}

function drawRooms() {
  const list = [...rooms];
  for (const conv of joinedRooms()) if (!list.some((room) => room.name === conv.name)) list.push({ name: conv.name, people: 0, devices: 0 });
  list.sort((a, b) => (b.name === "lobby") - (a.name === "lobby") || a.name.localeCompare(b.name));
  sync($("rooms"), list, (room) => room.name, () => el("li"), drawRoomRow);
  const privates = [...convs.values()].filter((conv) => conv.kind !== "room");
  sync($("privates"), privates, (conv) => conv.key, () => el("li"), drawPrivateRow);
  $("privates-none").hidden = privates.length > 0;
}

function drawRoomRow(row, room) {
  const conv = convs.get(`room:${room.name}`);
  if (!markRow(row, conv, `${room.people} ${room.devices} ${joinedRooms().length}`)) return;
  const people = room.people > 0 && el("span", { title: count("count_people", room.people) }, String(room.people));
  const devices = room.devices > 0 && el("span", { class: "mqtt", title: count("count_devices", room.devices) }, mark("mqtt"), String(room.devices));
  row.replaceChildren(
    el("button", { class: "open", type: "button", "aria-current": conv === now && "true", onclick: () => openRoom(room.name) },
      el("span", { class: "hash", "aria-hidden": "true" }, "#"), el("span", { class: "label" }, room.name), badge(conv) ?? el("span", { class: "side-note" }, people, devices)));
  if (conv && joinedRooms().length > 1) row.append(closer(t("leave", { room: room.name }), conv));
}

function drawPrivateRow(row, conv) {
  if (!markRow(row, conv, conv.name)) return;
  row.replaceChildren(
    el("button", { class: "open", type: "button", "aria-current": conv === now && "true", onclick: () => showAndGo(conv) },
      conv.kind === "device" ? deviceFace("small") : face(conv.name, conv.id, "small"), el("span", { class: "label", title: conv.name }, conv.name), badge(conv)),
    closer(t("close", { name: conv.name }), conv));
}

/** Whether the row must be drawn again; its classes are set in any case. */
function markRow(row, conv, more) {
  row.classList.toggle("now", conv !== undefined && conv === now);
  row.classList.toggle("unread", (conv?.unread ?? 0) > 0);
  const state = `${conv?.unread} ${conv !== undefined} ${conv === now} ${more}`;
  if (row.dataset.state === state) return false;
  row.dataset.state = state;
  return true;
}

const badge = (conv) => (conv?.unread ? el("span", { class: "badge", "aria-label": count("count_unread", conv.unread) }, String(conv.unread)) : undefined);
const closer = (label, conv) => el("button", { class: "x", type: "button", "aria-label": label, title: label, onclick: () => leave(conv) }, "×");

function drawSide() {
  const room = openedRoom() ?? now;
  showMembers(room, me, openPrivate);
  showReadings(now, goSensor);
  showSensors(room.readings.sensors(room.devices), room, tell);
  showLines(now);
  if (now.kind !== "room" || now.known) showIntro(now, me.sid, { sensor: goSensor, device: goDevice });
  $("badge-here").textContent = room.people.length + room.devices.length || "";
}

function drawFoot() {
  const ready = me.name !== "" && !naming;
  $("say-form").hidden = !ready;
  $("name-form").hidden = ready;
  $("name-label").textContent = t(naming ? "name_change_label" : "name_label");
  $("name-go").textContent = t(naming ? "name_save" : "name_join");
  $("name-cancel").hidden = !naming;
  $("me").hidden = me.name === "";
  $("me-name").textContent = me.name;
  if ($("me-face").textContent !== [...me.name][0]?.toLocaleUpperCase()) {
    const own = face(me.name, me.id);
    own.id = "me-face";
    $("me-face").replaceWith(own);
  }
  const name = now.name;
  $("say").placeholder = now.kind === "room" ? t("say_room", { room: name }) : t("say_private", { name });
  $("say-label").textContent = t("say_label", { name });
  if ($("say-where").dataset.key === now.key) return;
  $("say-where").dataset.key = now.key;
  if (now.kind === "person") $("say-where").replaceChildren(t("goes_to_person", { name }));
  else $("say-where").replaceChildren(mark("mqtt"), t(now.kind === "room" ? "goes_to_room" : "goes_to_device"), el("code", {}, topic));
}

function drawTyping() {
  const [a, b, c] = [...now.typing.values()].map((entry) => entry.name);
  $("typing").textContent = a === undefined ? "" : c !== undefined ? t("typing_many") : b !== undefined ? t("typing_two", { a, b }) : t("typing_one", { a });
}

/** Lets the door's mark move when a message passes. */
function pass(door) {
  const node = $(`door-${door}`);
  node.classList.remove("passing");
  void node.offsetWidth;
  node.classList.add("passing");
}

const box = $("log-box");
const nearNewest = () => now.log.empty || box.scrollHeight - box.scrollTop - box.clientHeight < 80;
function toNewest() {
  box.scrollTop = box.scrollHeight;
  $("newest").hidden = true;
}

/** A conversation begins with what it is, until somebody has said something. */
function toStart() {
  if (now.log.empty) box.scrollTop = 0;
  else toNewest();
}

function goTab(name) {
  document.body.dataset.tab = name;
  for (const button of $("tabs").children) {
    if (button.dataset.tab === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (name === "chat") toStart();
}

function goSensor(id) {
  goTab("here");
  const card = $(`sensor-${id}`);
  card?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  card?.focus({ preventScroll: true });
}

function goDevice() {
  goTab("connect");
  $("tab-device").scrollIntoView({ block: "nearest", behavior: "smooth" });
  $("tab-device").querySelector("button")?.focus({ preventScroll: true });
}

function fitSay() {
  const area = $("say");
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, 180)}px`;
}

// ---- the connection

let quiet = 0;

/** What is wrong with the connection, in words above the place where one writes. */
function link(text, kind = "") {
  clearTimeout(quiet);
  $("link").hidden = text === "";
  $("link").className = `link ${kind}`;
  $("link").replaceChildren(text);
  if (kind === "good") quiet = setTimeout(() => link(""), 2500);
}

function connect(io) {
  const wanted = store.get(tab, "rooms");
  socket = io({
    reconnectionDelay: 500, reconnectionDelayMax: 3000,
    // Asked for each time: after a reconnection the server knows at once who this is and which rooms it was in.
    auth: (give) => give({ key, name: me.name || store.get(kept, "name") || "", rooms: wantedRooms(wanted) }),
  });
  let lost = false;
  let attempts = 0;
  const words = () => (!navigator.onLine ? t("offline") : attempts > 1 ? t("lost_again", { n: attempts }) : t("lost"));
  socket.on("welcome", (welcome) => {
    link(lost ? t("back") : "", "good");
    lost = false;
    attempts = 0;
    onWelcome(welcome);
  });
  socket.on("disconnect", (reason) => {
    lost = true;
    link(words());
    // After a disconnect by the server the client does not come back by itself.
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
  });
  socket.io.on("reconnect_attempt", (n) => {
    attempts = n;
    link(words());
  });
  socket.on("connect_error", (reason) => {
    lost = true;
    if (socket.active) return link(words());
    link(t("refused", { reason: reason.message }));
    setTimeout(() => socket.connect(), 3000);
  });
  const handlers = { message: onMessage, private: onPrivate, here: onHere, typing: onTyping, rooms: onRooms };
  socket.onAny((event, record) => {
    // A device may use any name for its events, those of this page's own events too.
    if (record?.device === true && record.event !== undefined) onDevice(record);
    else if (Object.hasOwn(handlers, event)) handlers[event](record);
  });
}

/** The rooms to be in, the open one last. Their conversations are there before anything arrives. */
function wantedRooms(stored) {
  const list = roomNames(stored);
  for (const name of list) conversation("room", name);
  return list;
}

function roomNames(stored) {
  const last = roomInHash() || "lobby";
  let list = joinedRooms().map((room) => room.name);
  if (me.sid === "") { // the first connection of this page: what the tab was in before a reload
    try { list = list.concat(JSON.parse(stored ?? "[]")); } catch { /* not ours */ }
  }
  return [...new Set(list.filter((name) => typeof name === "string" && name !== last)), last];
}

/** The server's first words on each connection: {sid, me, nameError, joined: [room], rooms}. */
function onWelcome(welcome) {
  Object.assign(me, { id: welcome.me.id, name: welcome.me.name, sid: welcome.sid });
  if (welcome.nameError) {
    $("name").value = store.get(kept, "name") ?? "";
    $("name-error").textContent = welcome.nameError;
  }
  onRooms(welcome.rooms, false);
  for (const state of welcome.joined) takeRoom(state);
  const joined = new Set(welcome.joined.map((state) => state.room));
  for (const conv of joinedRooms()) if (!joined.has(conv.name)) convs.delete(conv.key); // refused
  const first = convs.get(`room:${welcome.joined.at(-1)?.room}`);
  if (!convs.has(now.key) || history.state?.at === undefined) show(first, { push: false });
  else {
    draw();
    toStart();
  }
  sendUnsent();
}

function onRooms(state, redraw = true) {
  rooms = state.rooms;
  drawCount("sio", "count_browsers", state.browsers);
  drawCount("mqtt", "count_devices", state.devices);
  if (redraw && now) drawRooms();
}

function drawCount(door, text, n) {
  $(`count-${door}`).textContent = count(text, n);
  $(`count-${door}`).dataset.n = n;
}

/** A computer that slept, or was offline, need not wait for the next attempt. */
function wake() {
  if (document.hidden || !socket || socket.connected || !navigator.onLine) return;
  socket.disconnect().connect();
}

// ---- the start

function setUp() {
  let typed = 0; // when the others were last told
  $("say-form").onsubmit = (event) => {
    event.preventDefault();
    const text = $("say").value.trim();
    if (text === "") return;
    if ([...text].length > facts.limits.text) {
      $("say-error").textContent = t("too_long", { limit: facts.limits.text.toLocaleString(), n: [...text].length.toLocaleString() });
      return;
    }
    $("say-error").textContent = "";
    $("say").value = "";
    fitSay();
    typed = 0; // the message took the notice away: what is typed next is news
    say(text);
  };
  $("say").onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("say-form").requestSubmit();
  };
  $("say").oninput = () => {
    fitSay();
    if (now.kind === "device" || Date.now() - typed < 2000 || $("say").value === "") return;
    typed = Date.now();
    if (socket?.connected) socket.volatile.emit("typing", { [now.kind]: now.id });
  };
  $("name-form").onsubmit = (event) => { event.preventDefault(); takeName($("name").value); };
  $("me-change").onclick = () => {
    naming = true;
    $("name").value = me.name;
    goTab("chat");
    draw();
    $("name").select();
  };
  $("name-cancel").onclick = () => { naming = false; $("name-error").textContent = ""; draw(); };
  $("join").onsubmit = (event) => {
    event.preventDefault();
    if ($("join-room").value.trim() !== "") openRoom($("join-room").value.trim());
  };
  for (const button of $("tabs").children) button.onclick = () => goTab(button.dataset.tab);
  $("newest").onclick = toNewest;
  copies($("talk-topic"), () => topic, { get childNodes() { return $("talk-topic").childNodes; }, replaceChildren: (...nodes) => $("talk-topic").replaceChildren(...nodes) });
  address("sio", location.origin);
  const { host, port } = mqttDoor();
  address("mqtt", `${host}:${port}`);
  $("address-mqtt").title = t("door_mqtt_ws", { url: mqttURL() });
  window.addEventListener("popstate", (event) => {
    const conv = convs.get(event.state?.at);
    const room = convs.get(`room:${roomInHash() || "lobby"}`);
    if (conv ?? room) show(conv ?? room, { push: false });
    else joinRoom(roomInHash());
  });
  window.addEventListener("online", wake);
  window.addEventListener("offline", () => { if (!socket?.connected) link(t("offline")); });
  document.addEventListener("visibilitychange", () => {
    wake();
    if (!document.hidden && now?.unread) { now.unread = 0; draw(); }
  });
  new ResizeObserver(() => { if ($("newest").hidden) toStart(); }).observe(box);
  setUpDevice(() => (now?.kind === "room" ? now.name : roomInHash() || "lobby"));
}

function address(door, text) {
  const button = $(`address-${door}`);
  const [, scheme = "", rest] = text.match(/^(https?:\/\/)?(.*)$/);
  button.replaceChildren(scheme && el("span", { class: "scheme" }, scheme), rest);
  button.setAttribute("aria-label", t("copy_address", { address: text }));
  copies(button, () => text);
}

/** Without the Socket.IO client there is no chat: the page says what to do. */
function missing() {
  $("name-form").hidden = true;
  link("", "");
  $("link").hidden = false;
  $("link").className = "link bad";
  $("link").replaceChildren(el("span", {}, t("missing_vendor"), " ", t("missing_vendor_how"), " ", el("code", {}, "make pages"), ", ", t("missing_vendor_then")));
}

setUp();
now = conversation("room", roomInHash() || "lobby");
$("logs").replaceChildren(now.log.node);
draw();
link(t("connecting"));
import("/vendor/socket.io.esm.min.js").then(({ io }) => connect(io), missing);
