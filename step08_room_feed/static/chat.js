// The chat: one WebSocket that stays open as long as the page does.

import { anotherUserSignedIn } from "./account.js";
import { addLine } from "./feed.js";
import { addColumn, bytesOf } from "./meter.js";
import { confirm, put, refuse, remove, unsaved } from "./outbox.js";
import { followEnd } from "./scroll.js";
import { showStatus, stopPanel } from "./status.js";
import { logWire } from "./wire_log.js";

const FIRST_PAUSE = 500; // milliseconds before we connect again; doubled each time
const LONGEST_PAUSE = 30000;
const SYNC_INTERVAL = 15000;
const SYNC_TIMEOUT = 10000; // without an answer for that long, the connection is dead
const BATCH_PAUSE = 50; // milliseconds in which frames are collected
const UNAVAILABLE = 4503; // a close code that means "try again later"

// A script can't see headers. These are about what Chromium sends and receives, in bytes.
const HANDSHAKE_SENT = 600;
const HANDSHAKE_RECEIVED = 150;
const FRAME_HEADER_SENT = 6;
const FRAME_HEADER_RECEIVED = 2;

const panel = document.querySelector("#chat");
const feed = panel.querySelector("[role=log]");
const form = panel.querySelector("form");
const problem = panel.querySelector("[role=alert]");
const count = addColumn("WebSocket");
let socket = null;
let received = []; // frames that wait for BATCH_PAUSE
let retry = null; // the timer of the next try
let pause = FIRST_PAUSE;
let deadline = null; // the timer of SYNC_TIMEOUT
let lastSeq = null; // the number of the last message shown
let askedAfter = null; // where we found a gap and asked for what is missing
let acceptGap = false; // whether what we asked for was deleted
let synced = false;

function connect() {
  leave();
  if (stopForAnotherUser()) {
    return;
  }
  const url = new URL(panel.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = lastSeq === null ? "" : `?after=${lastSeq}`;
  socket = new WebSocket(url);
  deadline ??= setTimeout(giveUp, SYNC_TIMEOUT);
  logWire(`→ GET ${url.pathname}${url.search} (handshake)`);
  count({ requests: 1, sent: HANDSHAKE_SENT });
  listen("open", () => {
    logWire("← 101 (open)");
    count({ received: HANDSHAKE_RECEIVED });
    showStatus(panel, "connected", "Connected.");
  });
  listen("message", (event) => {
    stopDeadline();
    if (received.push(event.data) === 1) {
      setTimeout(receiveAll, BATCH_PAUSE);
    }
  });
  listen("close", (event) => {
    receiveAll();
    logWire(`← closed (code ${event.code})`);
    const unavailable = "The server can’t reach the database";
    reconnect(event.code === UNAVAILABLE ? unavailable : "No connection to the server");
  });
}

// Ignore the events of a socket that we have left.
function listen(type, handler) {
  socket.addEventListener(type, (event) => event.target === socket && handler(event));
}

function reconnect(reason) {
  leave();
  const wait = pause * (0.5 + Math.random() / 2); // so that not all pages come back at once
  showStatus(panel, "failed", `${reason}. Trying again in ${Math.ceil(wait / 1000)} s.`);
  retry = setTimeout(connect, wait);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

function stopForAnotherUser() {
  const stops = anotherUserSignedIn();
  if (stops) {
    stop("Somebody signed in again in this browser.");
  }
  return stops;
}

function stop(reason) {
  leave();
  stopPanel(panel, reason);
}

function leave() {
  clearTimeout(retry);
  stopDeadline();
  synced = false;
  received = [];
  const left = socket;
  socket = null;
  left?.close();
}

// Handled one by one, frames would make the browser lay out the page for each of them.
function receiveAll() {
  for (const text of received.splice(0)) {
    logWire(`← ${text}`);
    count({ frames: 1, received: FRAME_HEADER_RECEIVED + bytesOf(text) });
    receive(JSON.parse(text));
  }
}

function receive(frame) {
  switch (frame.msg_type) {
    case "message":
      return show(frame);
    case "ack":
      return frame.seq <= lastSeq ? remove(frame.client_id) : confirm(frame.client_id);
    case "synced":
      return finishSync(frame.seq);
    case "error":
      problem.textContent = frame.message;
      return refuse(frame.client_id, form.elements.message);
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
  count({ messages: 1 });
  remove(frame.client_id);
  addLine(feed, frame.username, frame.message, frame.create_at);
}

// The server says how far the room is, and that we have everything up to there.
function finishSync(seq) {
  pause = FIRST_PAUSE;
  if (lastSeq !== null && seq < lastSeq) {
    // The room has fewer messages than we have shown: its database was replaced.
    lastSeq = null;
    feed.querySelector("ol").replaceChildren();
    return socket.close();
  }
  lastSeq ??= seq;
  acceptGap = askedAfter === lastSeq && seq > lastSeq;
  if (acceptGap) {
    sync();
  }
  if (!synced) {
    synced = true;
    for (const [client_id, message] of unsaved()) {
      send({ message, client_id });
    }
  }
}

// Ask for missing messages. A dead connection shows only by not answering.
function sync() {
  send({ sync: lastSeq });
  deadline ??= setTimeout(giveUp, SYNC_TIMEOUT);
}

const giveUp = () => reconnect("The server isn’t answering");

function stopDeadline() {
  clearTimeout(deadline);
  deadline = null;
}

function send(frame) {
  const text = JSON.stringify(frame);
  logWire(`→ ${text}`);
  count({ frames: 1, sent: FRAME_HEADER_SENT + bytesOf(text) });
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
  if (stopForAnotherUser()) {
    return;
  }
  problem.textContent = "";
  const message = form.elements.message.value;
  const client_id = newClientId();
  put(client_id, message);
  if (synced) {
    send({ message, client_id });
  }
  form.reset();
});

// Without a network, a socket may seem open for minutes.
window.addEventListener("offline", () => reconnect("This device is offline"));
window.addEventListener("online", connect);
document.addEventListener("visibilitychange", stopForAnotherUser);

followEnd(feed, "New messages");
connect();
setInterval(() => synced && sync(), SYNC_INTERVAL);
