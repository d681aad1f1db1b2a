// Real time the AJAX way: ask the server every two seconds whether there is something new.

import { anotherUserSignedIn } from "./account.js";
import { addLine } from "./feed.js";
import { addColumn, bytesOf } from "./meter.js";
import { followEnd } from "./scroll.js";
import { showStatus, stopPanel } from "./status.js";
import { logWire } from "./wire_log.js";

const POLL_INTERVAL = 2000; // milliseconds

// A script can't see the headers of a request. These are about what Chromium sends and receives.
const REQUEST_HEADERS = 600; // bytes
const RESPONSE_HEADERS = 300;

const panel = document.querySelector("#alerts");
const feed = panel.querySelector("[role=log]");
const form = panel.querySelector("form");
const problem = panel.querySelector("[role=alert]");
const count = addColumn("Polling");
let lastId = 0;

class Ended extends Error {} // trying again can't help

async function request(url, options = {}) {
  if (anotherUserSignedIn()) {
    throw new Ended("Somebody signed in again in this browser.");
  }
  const method = options.method ?? "GET";
  const body = options.body?.toString() ?? "";
  logWire(`→ ${method} ${url} ${body}`);
  count({ requests: 1, sent: REQUEST_HEADERS + bytesOf(body) });
  const response = await fetch(url, { redirect: "manual", ...options }).catch(() => {
    logWire("← no answer");
    throw new Error("The server isn’t answering.");
  });
  const text = await response.text();
  count({ received: RESPONSE_HEADERS + bytesOf(text) });
  if (response.type === "opaqueredirect") {
    logWire("← redirect to the login page");
    throw new Ended("You are signed out.");
  }
  logWire(`← ${response.status} ${text}`);
  if (response.headers.get("Content-Type") !== "application/json") {
    throw new Error(`The server answered ${response.status} ${response.statusText}.`);
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
    count({ messages: alerts.length, empty: alerts.length ? 0 : 1 });
    const time = new Date().toLocaleTimeString();
    showStatus(panel, "connected", `Asked at ${time}: ${alerts.length} new.`);
  } catch (error) {
    if (error instanceof Ended) {
      stopPanel(panel, error.message);
      return;
    }
    showStatus(panel, "failed", `${error.message} Asking again every two seconds.`);
  }
  setTimeout(poll, POLL_INTERVAL);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const body = new URLSearchParams(new FormData(form));
    await request(form.getAttribute("action"), { method: "POST", body });
    form.reset();
    problem.textContent = "";
  } catch (error) {
    problem.textContent = `Not posted: ${error.message}`;
  }
});

followEnd(feed, "New alerts");
poll();
