// A web server for the built guide, below a path, on 127.0.0.1; and what a reader does there.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const BUILD = fileURLToPath(new URL("../../../build/docs/", import.meta.url));
const SITE = process.env.SITE ?? join(BUILD, "html");
const packages = createRequire(join(BUILD, "tab/npm/package.json"));
const { default: puppeteer } = await import(pathToFileURL(packages.resolve("puppeteer-core")));
export const axe = await readFile(packages.resolve("axe-core/axe.min.js"), "utf-8");

const PATIENCE = Number(process.env.PATIENCE ?? 60) * 1000; // milliseconds
export const PATH = "/some/path/";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml" };
const QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP insecure.test 127.0.0.1"];
const PROGRAMS = {
  chrome: [
    process.env.CHROME_BIN,
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ],
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
};

// Serve the site; `close()` ends that, as if the network were gone.
export async function serve(port = 0) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    try {
      const file = join(SITE, path.startsWith(PATH) ? path.slice(PATH.length) : "../outside");
      const body = await readFile(file);
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    url: `http://127.0.0.1:${server.address().port}${PATH}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

// Return the path of a browser on this machine, undefined if there is none.
export function findProgram(browser) {
  return PROGRAMS[browser].find((path) => path && existsSync(path));
}

export function launch(browser) {
  return puppeteer.launch({
    browser,
    executablePath: findProgram(browser),
    args: browser === "chrome" ? QUIET : [],
    protocolTimeout: PATIENCE,
  });
}

// A chapter that a reader has open.
export class Chapter {
  constructor(page, url) {
    this.page = page;
    this.url = url;
    this.requests = [];
    page.on("request", (request) => this.requests.push(request.url()));
  }

  static async open(browser, site, step, { width = 1280, scheme = "light" } = {}) {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.setViewport({ width, height: 900 });
    const chapter = new Chapter(page, `${site.url}step${String(step).padStart(2, "0")}.html`);
    await page.goto(chapter.url);
    await page.evaluate((scheme) => {
      localStorage.clear(); // what another test has typed
      localStorage.setItem("theme", scheme);
    }, scheme);
    await page.reload();
    return chapter;
  }

  // Press the button of the panel and wait until the server runs.
  async run() {
    await this.click(".run-step .offer button");
    await this.reaches("running");
    return this;
  }

  async click(selector) {
    const found = await this.page.waitForSelector(selector);
    await found.evaluate((node) => node.click());
  }

  // Press the button with that text.
  async press(text) {
    await this.click(`.run-step ::-p-xpath(.//button[normalize-space()="${text}"])`);
  }

  async unfold(name) {
    await this.page.$eval(`.run-step details.${name}`, (details) => (details.open = true));
  }

  async reaches(state) {
    try {
      await this.page.waitForFunction(
        (state) => document.querySelector(".run-step .state")?.dataset.state === state,
        {},
        state,
      );
    } catch {
      throw new Error(`The server isn't ${state}:\n${await this.text(".run-step")}`);
    }
  }

  // Wait until the server has started, or couldn't.
  settles() {
    return this.page.waitForFunction(
      () => !["starting", "ended"].includes(document.querySelector(".run-step .state").dataset.state),
    );
  }

  text(selector) {
    return this.page.$eval(selector, (node) => node.innerText);
  }

  async logs(text, selector = ".server-log pre") {
    await until(async () => (await this.text(selector)).includes(text), async () => {
      return `The log doesn't say ${text}:\n${await this.text(selector)}`;
    });
  }

  async frame(user) {
    return (await this.page.waitForSelector(`iframe[data-user=${user}]`)).contentFrame();
  }

  // Run a function in the page of a user; undefined while that page is loading.
  async in(user, action, ...values) {
    try {
      return await (await this.frame(user)).evaluate(action, ...values);
    } catch {
      return undefined;
    }
  }

  async sees(user, text) {
    const read = () => this.in(user, () => document.body?.innerText);
    await until(async () => (await read())?.includes(text), async () => {
      return `${user} doesn't see ${text}:\n${await read()}\n${await this.text(".server-log pre")}`;
    });
  }

  // Wait until the page of a user is connected, and its script has begun.
  connected(user) {
    return this.sees(user, "Connected.");
  }

  // Wait until the pages of both users are connected.
  async bothConnected() {
    const isConnected = () => {
      const panel = document.querySelector("#chat") ?? document.querySelector("#alerts");
      return Boolean(panel?.querySelector(".status.connected"));
    };
    for (const user of ["alice", "bob"]) {
      await until(() => this.in(user, isConnected), () => this.text(".server-log pre"));
    }
  }

  // Send a message, or post an alert where the step has no chat, when both are connected.
  async say(user, text) {
    await this.bothConnected();
    await this.in(
      user,
      (text) => {
        const form = document.querySelector("#chat form") ?? document.querySelector("#alerts form");
        form.querySelector("input:not([type=hidden])").value = text;
        form.requestSubmit();
      },
      text,
    );
  }

  // Do what starts the server again and loads both pages anew; wait until they are there.
  async restart(action) {
    for (const user of ["alice", "bob"]) {
      await this.in(user, () => (window.isOld = true));
    }
    await action();
    await this.reaches("running");
    for (const user of ["alice", "bob"]) {
      await until(() => this.in(user, () => document.readyState === "complete" && !window.isOld));
    }
  }

  // Replace the text of the file that is open in the editor.
  async write(path, change) {
    await this.unfold("workshop");
    await this.page.waitForSelector(".cm-content");
    await this.page.select(".workshop select", path);
    await this.page.$eval(
      ".cm-content",
      (content, change) => {
        const view = content.cmTile?.view ?? content.cmView.view;
        const [old, now] = change;
        const from = view.state.doc.toString().indexOf(old);
        if (from < 0) {
          throw new Error(`no ${old}`);
        }
        view.dispatch({ changes: { from, to: from + old.length, insert: now } });
      },
      change,
    );
  }

  // What the panel knows about the step.
  describe() {
    return this.page.$eval(".run-step", async ({ dataset }) => {
      const name = `step${dataset.step.padStart(2, "0")}.json`;
      return (await fetch(`tab/${dataset.panel}/${name}`)).json();
    });
  }

  // Open a WebSocket among the experiments.
  async openSocket(user) {
    await this.unfold("experiments");
    await this.page.select(".experiments select", user);
    await this.press("Open");
  }

  async sendFrame(text) {
    await this.page.$eval(".experiments form input", (input, text) => (input.value = text), text);
    await this.press("Send");
  }

  // Wait for the sentence that says why the step can't run here.
  async obstacle(text) {
    await until(async () => (await this.text(".obstacle")).includes(text), () => this.text(".run-step"));
    assert.ok(await this.page.$eval(".run-step .offer button", (button) => button.disabled));
  }

  // Return what axe finds wrong with the panel.
  async violations() {
    await this.page.evaluate(axe);
    return this.page.evaluate(async () => {
      const { violations } = await window.axe.run(".run-step", { iframes: false });
      return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html.slice(0, 200))]);
    });
  }

  close() {
    return this.page.close();
  }
}

export async function until(condition, describe = () => "It never came true") {
  const end = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(await describe());
    }
    await sleep(50);
  }
}
