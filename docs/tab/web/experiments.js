// Experiments: a WebSocket that the reader opens by hand, and what else can happen to users.

import { button, element } from "./element.js";

const FRAMES = [
  '{"message": "hi"}',
  '{"message": "   "}',
  '{"message": 5}',
  "hello",
  '{"type": "chat_message", "room_id": 1, "username": "teacher", "message": "No homework!"}',
  '{"type": "nonsense"}',
];

export class Experiments {
  // `stopped` is called when a server was stopped.
  constructor(step, servers, stopped) {
    this.step = step;
    this.servers = servers;
    this.stopped = stopped;
    this.port = null; // of the socket that is open
  }

  build() {
    return element(
      "details",
      { class: "experiments" },
      element("summary", {}, "Experiments"),
      element(
        "div",
        { class: "tools" },
        button("Sign bob out", () => this.signOut("bob")),
        ...(this.step.servers > 1 ? [button("Stop bob’s server", () => this.stop("bob"))] : []),
      ),
      element("p", {}, "“Sign bob out” works like another tab of his browser. When does his page notice?"),
      ...(this.step.number > 2 ? this.buildSocket() : []),
    );
  }

  buildSocket() {
    this.user = element(
      "select",
      {},
      ...["alice", "bob", "nobody"].map((name) => element("option", {}, name)),
    );
    this.path = element("input", { value: "/ws/chat/room/1", size: 18, spellcheck: "false" });
    this.frame = element("input", { value: FRAMES[0], list: "run-step-frames", spellcheck: "false" });
    this.lines = element("pre", { role: "log", "aria-label": "Frames of this socket", tabindex: 0 });
    const send = (event) => {
      event.preventDefault();
      this.send(this.frame.value);
    };
    return [
      element("p", {}, "A WebSocket of your own. Open it as somebody, and send it what no page would:"),
      element(
        "div",
        { class: "tools" },
        element("label", {}, "as ", this.user),
        element("label", {}, "to ", this.path),
        button("Open", () => this.open()),
        button("Close", () => this.close()),
      ),
      element(
        "form",
        { class: "tools", onsubmit: send },
        element("label", { class: "wide" }, "frame ", this.frame),
        element("button", {}, "Send"),
        element("datalist", { id: "run-step-frames" }, ...FRAMES.map((value) => element("option", { value }))),
      ),
      this.lines,
    ];
  }

  print(text) {
    this.lines.append(`${text}\n`);
    this.lines.scrollTop = this.lines.scrollHeight;
  }

  open() {
    this.close();
    const { port1, port2 } = new MessageChannel();
    const [path, query = ""] = this.path.value.split("?");
    this.port = port1;
    this.print(`→ GET ${this.path.value} (handshake, as ${this.user.value})`);
    port1.onmessage = ({ data: { kind, value } }) => {
      if (kind === "close") {
        this.port = null;
        port1.close();
      }
      const refused = value === 1006 ? ": refused, or the server has ended" : "";
      const words = { open: "101 (open)", close: `closed (code ${value})${refused}` };
      this.print(`← ${words[kind] ?? value}`);
    };
    this.servers.openSocket({ user: this.user.value, path, query }, port2);
  }

  send(text) {
    if (this.port) {
      this.print(`→ ${text}`);
      this.port.postMessage({ kind: "message", value: text });
    } else {
      this.print("Open the socket first.");
    }
  }

  close() {
    this.port?.postMessage({ kind: "close", value: 1000 });
    if (this.port) {
      this.print("→ closed (code 1000)");
      this.port = null;
    }
  }

  stop(user) {
    this.servers.end([this.servers.processOf(user)].filter(Boolean));
    this.stopped();
  }

  // As from another tab of the browser: the page that is open isn't reloaded.
  signOut(user) {
    if (this.servers.state === "running") {
      this.servers.submit(user, "/accounts/logout/", {});
    }
  }
}
