// The chat: one WebSocket that stays open as long as the page does.

import { addLine } from "./feed.js";
import { bytesOf, count } from "./meter.js";
import { logWire } from "./wire_log.js";

const RETRY_PAUSE = 2000; // milliseconds
const UNAVAILABLE = 4503; // a close code that means "try again later"

const panel = document.querySelector("#chat");
const state = panel.querySelector("[role=status]");
const feed = panel.querySelector("[role=log]");
const form = panel.querySelector("form");
let socket;

function connect() {
  const url = new URL(panel.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  logWire(`⇒ GET ${url.pathname} (handshake)`);
  count("frames");
  socket.addEventListener("open", () => {
    logWire("⇐ open");
    state.textContent = "Connected.";
  });
  socket.addEventListener("message", (event) => {
    logWire(`⇐ ${event.data}`);
    count("frame-bytes", bytesOf(event.data));
    receive(JSON.parse(event.data));
  });
  socket.addEventListener("close", (event) => {
    logWire(`⇐ closed (code ${event.code})`);
    const reason = event.code === UNAVAILABLE ? "The server can’t reach Redis" : "Not connected";
    state.textContent = `${reason}. Trying again every two seconds.`;
    setTimeout(connect, RETRY_PAUSE);
  });
}

function receive(frame) {
  if (frame.msg_type === "error") {
    state.textContent = frame.message;
    return;
  }
  state.textContent = "Connected.";
  count("messages");
  addLine(feed, frame.username, frame.message, frame.create_at);
}

function send(frame) {
  const text = JSON.stringify(frame);
  logWire(`⇒ ${text}`);
  count("frames");
  socket.send(text);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) {
    state.textContent = "Not connected. Send it again in a moment.";
    return;
  }
  send({ message: form.elements.message.value });
  form.reset();
});

connect();
