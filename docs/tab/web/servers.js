// The servers of a step: one or two workers, the requests and sockets that lead to them, and what
// outlives a worker: the database and the cookies.

import { stepFile } from "./files.js";

export class Servers {
  // `step` has the name and number of the step, `base` the address of the guide; `tell` is called
  // with what happens: ("stage", text), ("log", text), ("ready") and ("failed", reason).
  constructor(step, { base, runtime, panel }, tell) {
    this.step = step;
    this.addresses = { base, runtime, panel };
    this.tell = tell;
    this.id = crypto.randomUUID().slice(0, 8); // several pages may run the same step
    this.root = new URL(`tab/run/${this.id}`, base).pathname;
    this.processes = [];
    this.turn = 0; // how often start() or stop() was called
    this.forget();
    navigator.serviceWorker.addEventListener("message", (event) => this.receiveRequest(event));
    navigator.serviceWorker.startMessages();
    addEventListener("message", (event) => this.receiveSocket(event));
  }

  // Forget the database and the cookies: the next start makes new ones.
  forget() {
    this.databases = {}; // the files of each server's database, by its number
    this.cookies = null;
  }

  // One word for all servers: ended, starting, failed or running.
  get state() {
    const states = this.processes.map((process) => process.state);
    return ["starting", "failed", "running"].find((state) => states.includes(state)) ?? "ended";
  }

  // Start `count` servers with the reader's files, {path: text}; the second is bob's. It begins
  // with a copy of the first one's database.
  async start(files, count) {
    this.stop();
    const { turn } = this;
    for (let number = 1; number <= count && turn === this.turn; number++) {
      const process = new Process(this, number, count, files);
      this.processes.push(process);
      if (!this.cookies || number === count) {
        await process.started;
      }
    }
    await Promise.all(this.processes.map((process) => process.started));
  }

  stop() {
    this.turn++;
    this.end(this.processes);
    this.processes = [];
  }

  // End servers, like `kill -9`: their sockets break.
  end(processes) {
    processes.forEach((process) => process.end());
    this.post({ kind: "stopped" }, (user) => processes.includes(this.processOf(user)));
  }

  processOf(user) {
    return this.processes[user === "bob" ? this.processes.length - 1 : 0];
  }

  address(user, path) {
    return `${this.root}/${user}${path}`;
  }

  // Post a message to the pages of some users.
  post(message, isMeant) {
    for (const frame of document.querySelectorAll("iframe[data-user]")) {
      if (isMeant(frame.dataset.user)) {
        frame.contentWindow?.postMessage(message, location.origin);
      }
    }
  }

  async receiveRequest({ data, ports: [port] }) {
    if (data.kind !== "request" || !data.path.startsWith(`${this.root}/`)) {
      port?.postMessage(null);
      return;
    }
    const user = data.path.slice(this.root.length + 1).split("/")[0];
    const process = this.processOf(user);
    port.postMessage((await process?.request({ ...data, user })) ?? { status: 0 });
  }

  receiveSocket({ data, ports: [port], source }) {
    const frames = [...document.querySelectorAll("iframe[data-user]")];
    if (data?.kind === "socket" && frames.some(({ contentWindow }) => contentWindow === source)) {
      this.openSocket(data, port);
    }
  }

  // Open a WebSocket whose client has the other end of the port.
  openSocket({ user, path, query }, port) {
    const process = this.processOf(user);
    if (process?.state === "running") {
      process.worker.postMessage({ kind: "socket", user, path, query }, [port]);
    } else {
      port.postMessage({ kind: "close", value: 1006 });
    }
  }

  // Post a form as a user; return the response.
  submit(user, path, fields) {
    const token = Object.entries(this.cookies[user]).find(([name]) => name.endsWith("csrftoken"));
    const body = new URLSearchParams({ ...fields, csrfmiddlewaretoken: token?.[1] ?? "" });
    return this.processOf(user).request({
      kind: "request",
      user,
      method: "POST",
      path: `${this.root}/${user}${path}`,
      query: "",
      headers: [["content-type", "application/x-www-form-urlencoded"]],
      body: new TextEncoder().encode(body),
    });
  }
}

// A server process: a worker. `state` is starting, running, failed or ended.
class Process {
  constructor(servers, number, count, files) {
    const { runtime, panel } = servers.addresses;
    const step = servers.step;
    this.servers = servers;
    this.number = number;
    this.label = count > 1 ? `${number} | ` : "";
    this.state = "starting";
    this.waiting = new Map(); // what resolves the request with that id
    this.lastId = 0;
    this.worker = new Worker(new URL("worker.js", panel), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => this.hear({ kind: "failed", reason: event.message });
    this.started = new Promise((resolve) => (this.settle = resolve));
    this.worker.postMessage({
      kind: "start",
      runtime: String(runtime),
      archives: [
        String(new URL("libs.zip", runtime)),
        String(new URL("python.zip", panel)),
        String(new URL(stepFile(step.number, "zip"), panel)),
      ],
      step: step.name,
      files: { ...files, ...(servers.databases[number] ?? servers.databases[1]) },
      cookies: servers.cookies,
      options: {
        root: servers.root,
        script: new URL("pane.js", panel).pathname,
        number,
        count,
      },
    });
  }

  hear({ kind, ...data }) {
    const { servers } = this;
    if (this.state === "ended") {
      return; // it was said before the end
    }
    if (kind === "log") {
      servers.tell("log", this.label + data.text);
    } else if (kind === "stage") {
      servers.tell("stage", data.text);
    } else if (kind === "response") {
      this.waiting.get(data.id)?.(data.response);
      this.waiting.delete(data.id);
    } else if (kind === "cookies") {
      servers.cookies = { ...servers.cookies, [data.user]: data.cookies[data.user] };
      const message = { kind: "cookies", value: data.readable };
      servers.post(message, (user) => user === data.user);
    } else if (kind === "database") {
      servers.databases[this.number] = data.files;
    } else {
      this.state = kind === "ready" ? "running" : "failed";
      servers.cookies ??= data.cookies ?? null;
      servers.tell(kind, data.reason);
      this.settle();
    }
  }

  // Ask the server as soon as it runs; return its response, undefined if it ends before.
  async request(question) {
    await this.started;
    if (this.state !== "running") {
      return undefined;
    }
    const id = ++this.lastId;
    const response = new Promise((resolve) => this.waiting.set(id, resolve));
    this.worker.postMessage({ ...question, id });
    return response;
  }

  end() {
    this.state = "ended";
    this.worker.terminate();
    this.settle();
    this.waiting.forEach((resolve) => resolve(undefined));
    this.waiting.clear();
  }
}
