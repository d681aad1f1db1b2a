// The chat: one WebSocket that stays open as long as the page does.

import { anotherUserSignedIn } from "./account.js";
import { addLine } from "./feed.js";
import { addColumn, bytesOf } from "./meter.js";
import { followEnd } from "./scroll.js";
import { showStatus, stopPanel } from "./status.js";
import { logWire } from "./wire_log.js";

const RETRY_PAUSE = 2000; // milliseconds

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
let retry = null; // the timer of RETRY_PAUSE
let lastMessage = "";

function connect() {
  leave();
  if (stopForAnotherUser()) {
    return;
  }
  const url = new URL(panel.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  logWire(`→ GET ${url.pathname} (handshake)`);
  count({ requests: 1, sent: HANDSHAKE_SENT });
  listen("open", () => {
    logWire("← 101 (open)");
    count({ received: HANDSHAKE_RECEIVED });
    showStatus(panel, "connected", "Connected.");
  });
  listen("message", (event) => {
    logWire(`← ${event.data}`);
    count({ frames: 1, received: FRAME_HEADER_RECEIVED + bytesOf(event.data) });
    receive(JSON.parse(event.data));
  });
  listen("close", (event) => {
    logWire(`← closed (code ${event.code})`);
    reconnect("No connection to the server");
  });
}

// Ignore the events of a socket that we have left.
function listen(type, handler) {
  socket.addEventListener(type, (event) => event.target === socket && handler(event));
}

function reconnect(reason) {
  leave();
  showStatus(panel, "failed", `${reason}. Trying again every two seconds.`);
  retry = setTimeout(connect, RETRY_PAUSE);
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
  const left = socket;
  socket = null;
  left?.close();
}

function receive(frame) {
  if (frame.msg_type === "error") {
    problem.textContent = frame.message;
    form.elements.message.value ||= lastMessage;
    return;
  }
  count({ messages: 1 });
  addLine(feed, "Echo", frame.message);
}

function send(frame) {
  const text = JSON.stringify(frame);
  logWire(`→ ${text}`);
  count({ frames: 1, sent: FRAME_HEADER_SENT + bytesOf(text) });
  socket.send(text);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (stopForAnotherUser()) {
    return;
  }
  if (socket?.readyState !== WebSocket.OPEN) {
    problem.textContent = "Not connected. Send it again in a moment.";
    return;
  }
  problem.textContent = "";
  lastMessage = form.elements.message.value;
  send({ message: lastMessage });
  form.reset();
});

// Without a network, a socket may seem open for minutes.
window.addEventListener("offline", () => reconnect("This device is offline"));
document.addEventListener("visibilitychange", stopForAnotherUser);

followEnd(feed, "New messages");
connect();
