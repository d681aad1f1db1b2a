// The chat: one WebSocket that stays open as long as the page does.

import { addLine } from "./feed.js";
import { bytesOf, count } from "./meter.js";
import { logWire } from "./wire_log.js";

const FIRST_PAUSE = 500; // milliseconds; doubled from one try to connect to the next
const LONGEST_PAUSE = 30000;
const RESEND_PAUSE = 1000; // milliseconds, when the server says that we are too fast
const UNAVAILABLE = 4503; // the close code of a server that can't reach its database
const FORBIDDEN = 4403; // and of one that doesn't let us in any more

const panel = document.querySelector("#chat");
const state = panel.querySelector("[role=status]");
const feed = panel.querySelector("[role=log]");
const unsaved = panel.querySelector(".unsaved");
const form = panel.querySelector("form");
const outbox = new Map(); // what we have sent and not seen yet, by its client_id
let seq = null; // the number of the last message shown
let syncing = false;
let resending; // the timer
let pause = FIRST_PAUSE;
let socket;

function connect() {
  const url = new URL(panel.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = seq === null ? "" : `?after=${seq}`;
  syncing = true;
  socket = new WebSocket(url);
  logWire(`⇒ GET ${url.pathname}${url.search} (handshake)`);
  count("frames");
  let opened = false;
  socket.addEventListener("open", () => {
    opened = true;
    logWire("⇐ open");
    state.textContent = "Connected.";
  });
  socket.addEventListener("message", (event) => {
    logWire(`⇐ ${event.data}`);
    count("frame-bytes", bytesOf(event.data));
    receive(JSON.parse(event.data));
  });
  socket.addEventListener("close", async (event) => {
    logWire(`⇐ closed (code ${event.code})`);
    const refusal = opened && event.code !== FORBIDDEN ? null : await askWhyRefused();
    if (refusal) {
      state.textContent = refusal;
      return;
    }
    const wait = pause * (0.5 + Math.random() / 2); // so that not all pages come back at once
    const reason =
      event.code === UNAVAILABLE ? "The server has lost its database" : "Not connected";
    state.textContent = `${reason}. Trying again in ${Math.ceil(wait / 1000)} s.`;
    setTimeout(connect, wait);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  });
}

// A handshake that fails doesn't tell a page why; a request does.
async function askWhyRefused() {
  const options = { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(LONGEST_PAUSE) };
  const response = await fetch(location.href, options).catch(() => null);
  const answer = response?.status || response?.type || "no answer";
  logWire(`⇔ HEAD ${location.pathname} (${answer})`);
  if (response?.type === "opaqueredirect") {
    return "You are not signed in any more. Reload the page to sign in.";
  }
  return response?.status === 403 ? "You are not in this room any more." : null;
}

function receive(frame) {
  switch (frame.msg_type) {
    case "message":
      return show(frame);
    case "ack":
      return markSaved(frame.client_id);
    case "synced":
      return goOn(frame);
    case "error":
      state.textContent = frame.message;
      if (frame.code === "rate_limited") {
        state.textContent = "That was fast. Sending it again in a moment.";
        clearTimeout(resending);
        resending = setTimeout(resend, RESEND_PAUSE);
      }
  }
}

function show(frame) {
  if (seq !== null && frame.seq <= seq) {
    return;
  }
  if (seq !== null && frame.seq > seq + 1) {
    sync();
    return;
  }
  seq = frame.seq;
  state.textContent = "Connected.";
  count("messages");
  outbox.get(frame.client_id)?.line.remove();
  outbox.delete(frame.client_id);
  addLine(feed, frame.username, frame.message, frame.create_at);
}

function sync() {
  if (!syncing) {
    syncing = true;
    send({ sync: seq });
  }
}

function goOn(frame) {
  syncing = false;
  pause = FIRST_PAUSE;
  if (seq !== null && frame.seq < seq) {
    startOver();
    return;
  }
  seq ??= frame.seq;
  resend();
}

function startOver() {
  seq = null;
  feed.firstElementChild.replaceChildren();
  socket.close();
}

function markSaved(clientId) {
  const message = outbox.get(clientId);
  if (message) {
    message.saved = true;
    message.line.classList.add("saved");
  }
}

function resend() {
  for (const [client_id, { message, saved }] of outbox) {
    if (!saved) {
      send({ message, client_id });
    }
  }
}

function send(frame) {
  if (socket.readyState !== WebSocket.OPEN) {
    return;
  }
  const text = JSON.stringify(frame);
  logWire(`⇒ ${text}`);
  count("frames");
  socket.send(text);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const message = form.elements.message.value;
  if (!message.trim()) {
    state.textContent = "Write something first.";
    return;
  }
  const client_id = crypto.randomUUID();
  const line = addLine(unsaved, panel.dataset.username, message);
  outbox.set(client_id, { message, line, saved: false });
  send({ message, client_id });
  form.reset();
});

connect();
