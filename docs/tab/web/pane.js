// Comes first in each page of a step that runs in the tab: its WebSocket leads to the server there.
{
  const { user, cookies } = document.currentScript.dataset;
  const sockets = new Set();
  let readable = cookies;

  // Like the browser's own class, as far as a page can tell.
  class WebSocket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;

    readyState = WebSocket.CONNECTING;
    binaryType = "blob";
    bufferedAmount = 0;
    extensions = "";
    protocol = "";
    onopen = onmessage = onerror = onclose = null;
    #port;

    constructor(address) {
      super();
      const url = new URL(address, location.href);
      const { port1, port2 } = new MessageChannel();
      this.url = url.href.replace(/^http/, "ws");
      this.#port = port1;
      port1.onmessage = ({ data }) => this.#hear(data);
      sockets.add(this);
      const question = { kind: "socket", user, path: url.pathname, query: url.search.slice(1) };
      parent.postMessage(question, location.origin, [port2]);
    }

    #hear({ kind, value }) {
      if (this.readyState === WebSocket.CLOSED) {
        return;
      }
      if (kind === "open") {
        this.readyState = WebSocket.OPEN;
        this.#dispatch(new Event("open"));
      } else if (kind === "message") {
        this.#dispatch(new MessageEvent("message", { data: value, origin: location.origin }));
      } else {
        this.end(value);
      }
    }

    #dispatch(event) {
      this[`on${event.type}`]?.(event);
      this.dispatchEvent(event);
    }

    // The other side has closed the socket, or is no longer there (1006).
    end(code) {
      if (this.readyState === WebSocket.CLOSED) {
        return;
      }
      this.readyState = WebSocket.CLOSED;
      sockets.delete(this);
      this.#port.close();
      if (code === 1006) {
        this.#dispatch(new Event("error"));
      }
      this.#dispatch(new CloseEvent("close", { code, wasClean: code !== 1006 }));
    }

    send(data) {
      if (this.readyState === WebSocket.CONNECTING) {
        throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
      }
      if (this.readyState === WebSocket.OPEN) {
        this.#port.postMessage({ kind: "message", value: data });
      }
    }

    close(code = 1005) {
      if (this.readyState < WebSocket.CLOSING) {
        this.readyState = WebSocket.CLOSING;
        this.#port.postMessage({ kind: "close", value: code });
        setTimeout(() => this.end(code));
      }
    }
  }

  // A service worker can't make the kind of response that a redirect is with `redirect: "manual"`.
  const { fetch } = window;
  window.fetch = async (resource, options) => {
    const response = await fetch(resource, options);
    const redirects = options?.redirect === "manual" && response.headers.has("Location");
    return redirects ? Object.defineProperty(response, "type", { value: "opaqueredirect" }) : response;
  };

  window.WebSocket = WebSocket;
  Object.defineProperty(document, "cookie", { get: () => readable, set() {} });
  addEventListener("pagehide", () => sockets.forEach((socket) => socket.close(1001)));
  addEventListener("message", ({ data, source }) => {
    if (source !== parent) {
      return;
    }
    if (data.kind === "cookies") {
      readable = data.value;
    } else if (data.kind === "stopped") {
      [...sockets].forEach((socket) => socket.end(1006));
    }
  });
}
