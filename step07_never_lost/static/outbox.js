// The messages that aren't saved yet. They survive a reload of the page in this tab.

import { addLine } from "./feed.js";

const list = document.querySelector("#chat .unsaved");
const { csrfCookie, username } = document.body.dataset;
const key = [csrfCookie, username, location.pathname].join(" "); // one for each step, user, room
const messages = new Map(); // by client_id, the oldest first
const lines = new Map(); // their lines on the page, until the room shows them

export function unsaved() {
  return [...messages];
}

export function put(clientId, message) {
  messages.set(clientId, message);
  lines.set(clientId, addLine(list, username, message));
  store();
}

export function confirm(clientId) {
  lines.get(clientId)?.classList.add("saved");
  forget(clientId);
}

export function remove(clientId) {
  lines.get(clientId)?.remove();
  forget(clientId);
}

// Sending it again can't help. The Edit button puts the text back into the form.
export function refuse(clientId, field) {
  const message = messages.get(clientId);
  const line = lines.get(clientId);
  const button = Object.assign(document.createElement("button"), { textContent: "Edit" });
  button.addEventListener("click", () => {
    field.value += message;
    line.remove();
  });
  line?.classList.add("refused");
  line?.append(button);
  forget(clientId);
}

function forget(clientId) {
  if (messages.delete(clientId)) {
    store();
  }
}

function store() {
  sessionStorage.setItem(key, JSON.stringify([...messages]));
}

for (const [clientId, message] of JSON.parse(sessionStorage.getItem(key) ?? "[]")) {
  put(clientId, message);
}
