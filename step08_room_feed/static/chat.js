// The chat: one WebSocket that stays open as long as the page does.

import { addLine } from "./feed.js";
import { bytesOf, count } from "./meter.js";
import { logWire } from "./wire_log.js";

const FIRST_PAUSE = 500; // milliseconds before we connect again; doubled each time
const LONGEST_PAUSE = 30000;
const SYNC_INTERVAL = 15000;
const SYNC_TIMEOUT = 10000; // without an answer for that long, the line is dead
const UNAVAILABLE = 4503; // a close code that means "try again later"

const panel = document.querySelector("#chat");
const state = panel.querySelector("[role=status]");
const feed = panel.querySelector("[role=log]");
const unsaved = panel.querySelector(".unsaved");
const form = panel.querySelector("form");
const readCsrfToken = () => document.cookie.match(/csrftoken=[^;]*/)?.[0];
const csrfToken = readCsrfToken(); // Django changes it whenever somebody signs in
const outbox = new Map(); // messages that aren't shown yet, by client_id
let lastSeq = null; // the number of the last message shown
let askedAfter = null; // where we found a gap and asked for what is missing
let acceptGap = false; // whether what we asked for was deleted
let synced = false;
let deadline = null; // the timer of SYNC_TIMEOUT
let pause = FIRST_PAUSE;
let socket;

function connect() {
  if (readCsrfToken() !== csrfToken) {
    state.textContent = "Somebody has signed in again in this browser. Reload the page.";
    return;
  }
  const url = new URL(panel.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = lastSeq === null ? "" : `?after=${lastSeq}`;
  socket = new WebSocket(url);
  deadline ??= setTimeout(giveUp, SYNC_TIMEOUT);
  logWire(`⇒ GET ${url.pathname}${url.search} (handshake)`);
  count("frames");
  socket.addEventListener("open", () => {
    logWire("⇐ open");
    state.textContent = "Connected.";
  });
  socket.addEventListener("message", (event) => {
    logWire(`⇐ ${event.data}`);
    count("frame-bytes", bytesOf(event.data));
    stopDeadline();
    receive(JSON.parse(event.data));
  });
  socket.addEventListener("close", (event) => {
    logWire(`⇐ closed (code ${event.code})`);
    if (event.target === socket) {
      const unavailable = "The server can’t reach the database";
      reconnect(event.code === UNAVAILABLE ? unavailable : "Not connected");
    }
  });
}

function reconnect(reason) {
  synced = false;
  stopDeadline();
  const wait = pause * (0.5 + Math.random() / 2); // so that not all pages come back at once
  state.textContent = `${reason}. Trying again in ${Math.ceil(wait / 1000)} s.`;
  setTimeout(connect, wait);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

function receive(frame) {
  switch (frame.msg_type) {
    case "message":
      return show(frame);
    case "ack":
      return outbox.get(frame.client_id)?.line.classList.add("saved");
    case "synced":
      return finishSync(frame.seq);
    case "error":
      state.textContent = frame.message;
      return markRefused(frame.client_id);
  }
}

function show(frame) {
  if (lastSeq !== null && frame.seq <= lastSeq) {
    return;
  }
  if (lastSeq !== null && frame.seq > lastSeq + 1 && !acceptGap) {
    if (askedAfter !== lastSeq) {
      askedAfter = lastSeq;
      sync();
    }
    return;
  }
  lastSeq = frame.seq;
  state.textContent = "Connected.";
  count("messages");
  outbox.get(frame.client_id)?.line.remove();
  outbox.delete(frame.client_id);
  addLine(feed, frame.username, frame.message, frame.create_at);
}

// The server says how far the room is, and that we have everything up to there.
function finishSync(seq) {
  pause = FIRST_PAUSE;
  if (lastSeq !== null && seq < lastSeq) {
    // The room has fewer messages than we have shown: its database was replaced.
    lastSeq = null;
    feed.firstElementChild.replaceChildren();
    socket.close();
    return;
  }
  lastSeq ??= seq;
  acceptGap = askedAfter === lastSeq && seq > lastSeq;
  if (acceptGap) {
    sync();
  }
  if (!synced) {
    synced = true;
    for (const [client_id, { message }] of outbox) {
      send({ message, client_id });
    }
  }
}

function markRefused(clientId) {
  outbox.get(clientId)?.line.classList.add("refused");
  outbox.delete(clientId);
}

// Ask for what we lack. A line that is dead doesn't say so by itself: it gives no answer.
function sync() {
  send({ sync: lastSeq });
  deadline ??= setTimeout(giveUp, SYNC_TIMEOUT);
}

function giveUp() {
  const dead = socket;
  socket = null;
  dead.close(); // without an answer, it may take minutes until that is done
  reconnect("No answer");
}

function stopDeadline() {
  clearTimeout(deadline);
  deadline = null;
}

function send(frame) {
  const text = JSON.stringify(frame);
  logWire(`⇒ ${text}`);
  count("frames");
  socket.send(text);
}

// The form of a UUID. crypto.randomUUID() exists only on https and on localhost.
function newClientId() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  const digits = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const message = form.elements.message.value;
  const client_id = newClientId();
  const line = addLine(unsaved, panel.dataset.username, message);
  outbox.set(client_id, { message, line });
  if (synced) {
    send({ message, client_id });
  }
  form.reset();
});

connect();
setInterval(() => synced && sync(), SYNC_INTERVAL);
