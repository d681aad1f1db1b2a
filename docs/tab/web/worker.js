// A server process of a step: Python in a Web Worker. panel.js starts one or two of them.

import { load } from "./files.js";

const LOOK_INTERVAL = 300; // milliseconds between two looks at the database

let python, server, folder;
let known = ""; // what the database's files were like when they were last copied

const say = (kind, values = {}) => postMessage({ kind, ...values });
const print = (text) => say("log", { text });

const started = new Promise((resolve) => {
  addEventListener("message", ({ data }) => resolve(start(data)), { once: true });
});

addEventListener("message", async ({ data, ports }) => {
  if (data.kind === "start" || !(await started)) {
    return;
  }
  if (data.kind === "request") {
    await answer(data);
  } else {
    open(data, ports[0]);
  }
});

// Start the server; return whether it runs. `archives` are the addresses of zip files: libraries,
// what is in docs/tab/python, and the step; `files`, {path: text or bytes, null for none}, are in
// place of the step's own.
async function start({ runtime, archives, step, files, cookies, options }) {
  folder = `/${step}`;
  try {
    say("stage", { text: "Loading Python…" });
    const unpacked = Promise.all(archives.map(load));
    const { loadPyodide } = await import(`${runtime}pyodide.mjs`);
    python = await loadPyodide({ indexURL: runtime, env: {}, stdout: print, stderr: print });
    say("stage", { text: "Unpacking Django and Channels…" });
    const [libraries, ours, theirs] = await unpacked;
    python.unpackArchive(libraries, "zip", { extractDir: "/libraries" });
    python.unpackArchive(ours, "zip", { extractDir: "/libraries" });
    python.unpackArchive(theirs, "zip", { extractDir: folder });
    Object.entries(files).forEach(([path, content]) => write(path, content));
    say("stage", { text: "Starting the server…" });
    python.runPython("import sys; sys.path.insert(0, '/libraries')");
    server = python.pyimport("tab_server").Server.callKwargs(folder, options);
    if (!server.start()) {
      say("failed");
      return false;
    }
    if (cookies) {
      server.cookies = python.toPy(cookies);
    } else {
      server.sign_in();
    }
  } catch (error) {
    say("failed", { reason: error.message });
    return false;
  }
  copyDatabase();
  setInterval(copyDatabase, LOOK_INTERVAL);
  say("ready", { cookies: readCookies() });
  return true;
}

function write(path, content) {
  const file = `${folder}/${path}`;
  if (content === null) {
    python.FS.unlink(file);
  } else {
    python.FS.mkdirTree(file.slice(0, file.lastIndexOf("/")));
    python.FS.writeFile(file, content);
  }
}

function readCookies() {
  return server.cookies.toJs({ dict_converter: Object.fromEntries });
}

async function answer({ id, user, method, path, query, headers, body }) {
  const proxy = await server.http(user, method, path, query, python.toPy(headers), body);
  const [status, shown, content] = proxy.toJs();
  proxy.destroy();
  say("response", { id, response: { status, headers: shown, body: content } });
  say("cookies", { cookies: readCookies(), readable: server.visible_cookies(user), user });
}

function open({ user, path, query }, port) {
  const tell = (kind, value) => port.postMessage({ kind, value: value?.toJs?.() ?? value });
  const socket = server.websocket(user, path, query, tell);
  port.onmessage = ({ data: { kind, value } }) => {
    if (kind === "message") {
      socket.receive(value);
    } else {
      socket.leave(value);
    }
  };
}

// Give the panel a copy of the database when it has changed: it outlives this process.
function copyDatabase() {
  const names = python.FS.readdir(folder).filter((name) => name.startsWith("db.sqlite3"));
  const states = names.map((name) => python.FS.stat(`${folder}/${name}`));
  const now = states.map(({ size, mtime }) => `${size} ${mtime.getTime()}`).join();
  if (now !== known) {
    known = now;
    const files = names.map((name) => [name, python.FS.readFile(`${folder}/${name}`)]);
    say("database", { files: Object.fromEntries(files) });
  }
}
