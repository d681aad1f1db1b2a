// Real time the AJAX way: ask the server every two seconds whether there is something new.

import { addLine } from "./feed.js";
import { bytesOf, count } from "./meter.js";
import { logWire } from "./wire_log.js";

const POLL_INTERVAL = 2000; // milliseconds

const panel = document.querySelector("#alerts");
const state = panel.querySelector("[role=status]");
const feed = panel.querySelector("[role=log]");
const form = panel.querySelector("form");
const problem = panel.querySelector("[role=alert]");
let lastId = 0;

async function request(url, options = {}) {
  logWire(`→ ${options.method ?? "GET"} ${url}`);
  count("requests");
  const response = await fetch(url, { redirect: "manual", ...options });
  if (response.type === "opaqueredirect") {
    throw new Error("You are signed out. Reload the page to sign in again.");
  }
  const text = await response.text();
  count("request-bytes", bytesOf(text));
  logWire(`← ${response.status} ${text}`);
  if (response.headers.get("Content-Type") !== "application/json") {
    throw new Error(`The server said ${response.status} ${response.statusText}.`);
  }
  const answer = JSON.parse(text);
  if (!response.ok) {
    throw new Error(answer.message);
  }
  return answer;
}

async function poll() {
  try {
    const { alerts } = await request(`${panel.dataset.latest}?after=${lastId}`);
    for (const alert of alerts) {
      addLine(feed, alert.user, alert.content, alert.create_at);
      lastId = alert.id;
    }
    count("alerts", alerts.length);
    state.textContent = `Asked at ${new Date().toLocaleTimeString()}: ${alerts.length} new.`;
  } catch (error) {
    state.textContent = `No answer: ${error.message}`;
  }
  setTimeout(poll, POLL_INTERVAL);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await request(form.getAttribute("action"), { method: "POST", body: new FormData(form) });
    form.reset();
    problem.textContent = "";
  } catch (error) {
    problem.textContent = `Not posted: ${error.message}`;
  }
});

poll();
