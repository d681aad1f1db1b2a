// Small repairs of what the theme and Markdown make of a page.

// What can be scrolled has to be reachable with the keyboard.
function makeReachable() {
  for (const block of document.querySelectorAll("pre, .table-wrapper")) {
    if (block.scrollWidth > block.clientWidth) {
      block.tabIndex = 0;
    }
  }
}

function name(selector, attribute, value) {
  for (const element of document.querySelectorAll(selector)) {
    element.setAttribute(attribute, value);
  }
}

function replaceEmptyHeaders() {
  for (const header of document.querySelectorAll("th")) {
    if (!header.textContent.trim()) {
      header.replaceWith(document.createElement("td"));
    }
  }
}

// The theme's search page has none.
function addTitle() {
  if (!document.querySelector("h1")) {
    const title = document.createElement("h1");
    title.textContent = document.title.split(" - ")[0];
    document.querySelector("article")?.prepend(title);
  }
}

// On paper nothing can be unfolded.
function unfold() {
  for (const folded of document.querySelectorAll("details:not([open])")) {
    folded.open = true;
    addEventListener("afterprint", () => (folded.open = false), { once: true });
  }
}

addEventListener("DOMContentLoaded", () => {
  addTitle();
  name(".caption[role=heading]", "aria-level", "2");
  name("aside.sidebar-drawer", "aria-label", "All pages");
  name("aside.toc-drawer", "aria-label", "On this page");
  replaceEmptyHeaders();
});
addEventListener("load", makeReachable);
addEventListener("resize", makeReachable);
addEventListener("beforeprint", unfold);
