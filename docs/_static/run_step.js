// The offer of a chapter to run its step in this page. What that needs is loaded on a click.

const HOW_ELSE = "To run the step on your machine, see “Follow along” above.";

// Return why the step can't run here, or an empty text.
function findObstacle() {
  if (location.protocol === "file:") {
    return "This page was opened from a file, where no step can run. In the page’s folder, type python3 -m http.server --bind 127.0.0.1, and open http://127.0.0.1:8000.";
  }
  if (!isSecureContext) {
    return "A step runs only in a page from https or localhost, because it needs a service worker.";
  }
  if (!navigator.serviceWorker) {
    return "This browser gives the page no service worker. A private window of Firefox is such a case: use another window.";
  }
  if (typeof WebAssembly === "undefined") {
    return "WebAssembly is switched off in this browser, and Python needs it here.";
  }
  return "";
}

function explain(section, sentence) {
  section.querySelector("button").disabled = true;
  section.querySelector(".obstacle").textContent = `${sentence} ${HOW_ELSE}`;
}

async function open(section) {
  const base = new URL(document.documentElement.dataset.content_root ?? ".", location.href);
  const addresses = { base };
  for (const name of ["runtime", "panel"]) {
    addresses[name] = new URL(`${section.dataset[name]}/`, new URL("tab/", base));
  }
  section.querySelector("button").disabled = true;
  try {
    const { openPanel } = await import(new URL("panel.js", addresses.panel));
    await openPanel(section, addresses);
  } catch (error) {
    const offline = "There is no network. The panel has to be loaded once; then it works without.";
    const reason = navigator.onLine ? `The panel can’t be loaded: ${error.message}.` : offline;
    explain(section, `${reason} Reload the page to try again.`);
  }
}

addEventListener("DOMContentLoaded", () => {
  for (const section of document.querySelectorAll(".run-step")) {
    const obstacle = findObstacle();
    if (obstacle) {
      explain(section, obstacle);
    } else {
      section.querySelector("button").addEventListener("click", () => open(section));
    }
  }
});
