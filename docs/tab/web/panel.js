// The panel of a chapter: its step, served in this page, with alice's and bob's browser.

import { button, element } from "./element.js";
import { Experiments } from "./experiments.js";
import { stepFile } from "./files.js";
import { Servers } from "./servers.js";
import { Workshop } from "./workshop.js";

const USERS = ["alice", "bob"];
const FIRST_PAGE = "/chat/room/1/";
const MOST_LOG_LINES = 500;

// Build the panel in `section` and start the step. `addresses` has base, runtime and panel.
export async function openPanel(section, addresses) {
  const file = stepFile(section.dataset.step, "json");
  const response = await fetch(new URL(file, addresses.panel));
  const step = await response.json();
  await Promise.all([addStyle(addresses.panel), register(addresses.base)]);
  const panel = new Panel(section, step, addresses);
  await panel.start();
  await keep(addresses);
}

// Ask again for what came before the service worker: it keeps that for when there is no network.
function keep({ base, panel }) {
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const later = ["editor.js"].map((name) => String(new URL(name, panel)));
  const addresses = [location.href, ...loaded, ...later];
  const ours = addresses.filter((address) => address.startsWith(base) && !address.includes("/tab/run/"));
  return Promise.allSettled([...new Set(ours)].map((address) => fetch(address)));
}

function addStyle(panel) {
  const link = element("link", { rel: "stylesheet", href: new URL("panel.css", panel) });
  document.head.append(link);
  return new Promise((resolve) => link.addEventListener("load", resolve, { once: true }));
}

async function register(base) {
  await navigator.serviceWorker.register(new URL("service-worker.js", base), { scope: base.pathname });
  const { active } = await navigator.serviceWorker.ready;
  if (active.state !== "activated") {
    await new Promise((resolve) => active.addEventListener("statechange", resolve, { once: true }));
  }
}

class Panel {
  constructor(section, step, addresses) {
    this.step = step;
    this.servers = new Servers(step, addresses, (kind, text) => this.hear(kind, text));
    this.workshop = new Workshop(step, addresses, {
      restart: () => this.start(true),
      newDatabase: () => this.reset(),
    });
    this.experiments = new Experiments(step, this.servers, () => this.sayStopped());
    this.count = 1;
    this.build(section);
  }

  build(section) {
    this.status = element("p", { role: "status", class: "state", tabindex: -1 }, "Starting…");
    this.frames = Object.fromEntries(USERS.map((user) => [user, this.buildFrame(user)]));
    this.log = element("pre", { role: "log", "aria-label": "Log of the server", tabindex: 0 });
    section.querySelector(".offer").replaceWith(
      element(
        "div",
        { class: "tools" },
        this.status,
        button("Restart", () => this.start()),
        button("Stop", () => this.stop()),
        button("New database", () => this.reset()),
        ...(this.step.servers > 1 ? [this.buildServers()] : []),
      ),
      this.buildTabs(),
      element("div", { class: "browsers" }, ...USERS.map((user) => this.frames[user].parentNode)),
      element(
        "details",
        { class: "server-log", open: true },
        element("summary", {}, "Log of the server"),
        this.log,
      ),
      this.workshop.build(),
      this.experiments.build(),
      this.describeLimits(),
    );
    this.status.focus({ preventScroll: true });
  }

  buildFrame(user) {
    const frame = element("iframe", { title: `${user}’s browser`, "data-user": user });
    element(
      "div",
      { class: "browser", "data-shown": String(user === "alice") },
      element(
        "div",
        { class: "bar" },
        element("span", {}, `${user}’s browser`),
        button("Open the room", () => this.show(user)),
      ),
      frame,
    );
    return frame;
  }

  // Where there is no room for two browsers, one is shown.
  buildTabs() {
    const tabs = USERS.map((user) =>
      button(user, () => choose(user), { "aria-pressed": String(user === "alice") }),
    );
    const choose = (user) =>
      USERS.forEach((other, n) => {
        tabs[n].setAttribute("aria-pressed", String(other === user));
        this.frames[other].parentNode.dataset.shown = other === user;
      });
    return element("div", { class: "browser-tabs", role: "group", "aria-label": "Browser" }, ...tabs);
  }

  buildServers() {
    const choice = element("input", {
      type: "checkbox",
      onchange: ({ target }) => {
        this.count = target.checked ? 2 : 1;
        this.start(true); // the pages name their server
      },
    });
    return element("label", {}, choice, " bob uses a second server");
  }

  describeLimits() {
    const sentences = [
      "The code, the templates and the database of the step are real; so are Django and Channels.",
      "No Daphne: a page like this can’t listen on a port. A service worker brings the requests.",
      "The sockets never leave this page, so there is no network that could fail, and no TLS.",
      "Passwords are hashed with MD5, because Python has no OpenSSL here.",
      "There are no threads: synchronous code runs in turn with the rest, and blocks it.",
    ];
    if (this.step.number >= 5) {
      sentences.push("No Redis: a channel layer stands in for it that connects the servers of this page.");
    }
    if (this.step.number >= 6) {
      sentences.push("One server: each would have a database of its own, and messages are saved now.");
    }
    return element(
      "details",
      {},
      element("summary", {}, "What isn’t real here"),
      element("ul", {}, ...sentences.map((sentence) => element("li", {}, sentence))),
    );
  }

  // Start the servers with the reader's code; with `reload` the pages are loaded again, too.
  async start(reload = false) {
    this.say("Starting…", "starting");
    if (this.log.textContent) {
      this.print("\n(started again)\n");
    }
    await this.servers.start(this.workshop.overlay, this.count);
    const runs = this.servers.state === "running";
    if (runs) {
      USERS.filter((user) => reload || !this.shows(user)).forEach((user) => this.show(user));
    }
    return runs;
  }

  stop() {
    this.servers.stop();
    this.sayStopped();
  }

  sayStopped() {
    const one = this.servers.state === "running" ? "One server is stopped, and one is running" : "Stopped";
    this.say(`${one}. The pages try to reach their server again and again.`, "ended");
  }

  async reset() {
    this.servers.stop();
    this.servers.forget();
    this.log.replaceChildren();
    await this.start(true);
  }

  // Whether the browser shows a page of the step, and not an error of its own.
  shows(user) {
    try {
      return this.frames[user].contentWindow.location.pathname.startsWith(this.servers.root);
    } catch {
      return false; // the address of such an error can't be read
    }
  }

  show(user) {
    this.frames[user].src = this.servers.address(user, FIRST_PAGE);
  }

  hear(kind, text) {
    if (kind === "log") {
      this.print(text);
    } else if (kind === "stage") {
      this.say(text, "starting");
    } else if (kind === "failed") {
      this.fail(text);
    } else if (this.servers.state === "running") {
      const changes = this.workshop.changed.length ? ", with your changes" : "";
      const words = this.count > 1 ? "Two servers are running" : "The server is running";
      const task = this.count > 1 ? " Send a message as alice. Does bob get it?" : "";
      this.say(`${words}${changes}.${task}`, "running");
    }
  }

  // `reason` is why Python itself couldn't start; what the step's code says is in the log.
  fail(reason) {
    const advice =
      "On a phone, too little memory is the usual cause. Close other tabs and press Restart, or run " +
      "the step on your machine: see “Follow along” above.";
    const words = reason ? `Python didn’t start: ${reason}. ${advice}` : "The server didn’t start. Its log says why.";
    this.say(words, "failed");
  }

  say(text, state) {
    this.status.textContent = text;
    this.status.dataset.state = state;
  }

  print(text) {
    const follows = this.log.scrollTop + this.log.clientHeight > this.log.scrollHeight - 8;
    this.log.append(`${text}\n`);
    while (this.log.childNodes.length > MOST_LOG_LINES) {
      this.log.firstChild.remove();
    }
    if (follows) {
      this.log.scrollTop = this.log.scrollHeight;
    }
  }
}
