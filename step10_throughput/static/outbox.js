// The messages that the room doesn't show yet. They survive a reload of the page in this tab.

import { addLine } from "./feed.js";

const list = document.querySelector("#chat .unsaved");
const { csrfCookie, username } = document.body.dataset;
const key = [csrfCookie, username, location.pathname].join(" "); // one outbox a step, user and room
const outbox = new Map(); // client_id → { message, line }

export function put(clientId, message) {
  outbox.set(clientId, { message, line: addLine(list, username, message) });
  store();
}

// The server has saved it, and it will come.
export function confirm(clientId) {
  outbox.get(clientId)?.line.classList.add("saved");
}

export function remove(clientId) {
  outbox.get(clientId)?.line.remove();
  if (outbox.delete(clientId)) {
    store();
  }
}

// Sending it again can't help. The text can be put into a field and edited.
export function refuse(clientId, field) {
  if (!outbox.has(clientId)) {
    return;
  }
  const { message, line } = outbox.get(clientId);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Edit";
  button.addEventListener("click", () => {
    field.value += message;
    field.focus();
    line.remove();
  });
  line.classList.add("refused");
  line.append(button);
  outbox.delete(clientId);
  store();
}

// Return what has to be sent, as [client_id, message], oldest first.
export function unsaved() {
  const waiting = [...outbox].filter(([, { line }]) => !line.classList.contains("saved"));
  return waiting.map(([clientId, { message }]) => [clientId, message]);
}

function store() {
  const messages = [...outbox].map(([clientId, { message }]) => [clientId, message]);
  sessionStorage.setItem(key, JSON.stringify(messages));
}

for (const [clientId, message] of JSON.parse(sessionStorage.getItem(key) ?? "[]")) {
  put(clientId, message);
}
