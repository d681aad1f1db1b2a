// Answers requests below tab/run/ from the servers in the tab, and keeps what the tab needs.

const ROOT = new URL(registration.scope);
const RUN = new URL("tab/run/", ROOT).pathname;
const CACHE = "__RUNTIME__ __PANEL__"; // the folders whose files never change
const PAGES = "pages"; // of the guide, for when there is no network

addEventListener("install", () => skipWaiting());

addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([clients.claim(), deleteOtherCaches()]));
});

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== ROOT.origin || !url.pathname.startsWith(ROOT.pathname)) {
    return;
  }
  if (url.pathname.startsWith(RUN)) {
    event.respondWith(askServer(event.request, url));
  } else if (CACHE.split(" ").some((folder) => url.pathname.includes(`/${folder}/`))) {
    event.respondWith(fromCache(event.request));
  } else if (event.request.method === "GET") {
    event.respondWith(fromNetwork(event.request));
  }
});

// The servers of a tab are in the page that started them. Ask all pages: only it answers.
async function askServer(request, url) {
  const question = {
    kind: "request",
    method: request.method,
    path: url.pathname,
    query: url.search.slice(1),
    headers: [...request.headers],
    body: new Uint8Array(await request.arrayBuffer()),
  };
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const pages = windows.filter((page) => !new URL(page.url).pathname.startsWith(RUN));
  try {
    return respond(request, await Promise.any(pages.map((page) => ask(page, question))));
  } catch {
    return new Response("The page that this server ran in is closed.", { status: 503 });
  }
}

function ask(page, question) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve, reject) => {
    port1.onmessage = ({ data }) => (data ? resolve(data) : reject());
    page.postMessage(question, [port2]);
  });
}

function respond(request, { status, headers, body }) {
  if (!status) {
    return Response.error(); // as if nobody listened on the port
  }
  const empty = [204, 205, 304].includes(status) || request.method === "HEAD";
  return new Response(empty ? null : body, { status, headers });
}

async function fromCache(request) {
  const cache = await caches.open(CACHE);
  const known = await cache.match(request.url);
  if (known) {
    return known;
  }
  return keep(cache, request.url, await fetch(request));
}

// Put a response into a cache, if there is room, and return it.
async function keep(cache, request, response) {
  if (response.ok) {
    await cache.put(request, response.clone()).catch(() => {});
  }
  return response;
}

// The guide as it is now; without a network as it was when it was last read.
async function fromNetwork(request) {
  const cache = await caches.open(PAGES);
  try {
    return await keep(cache, request, await fetch(request));
  } catch (error) {
    const known = await cache.match(request, { ignoreSearch: true });
    if (known) {
      return known;
    }
    throw error;
  }
}

async function deleteOtherCaches() {
  const others = (await caches.keys()).filter((name) => name !== CACHE && name !== PAGES);
  return Promise.all(others.map((name) => caches.delete(name)));
}
