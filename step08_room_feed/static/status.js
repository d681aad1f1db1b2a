// The status line of a panel: words, and a sign and a colour for the kind.

// `kind` is one of waiting, connected, failed, ended.
export function showStatus(panel, kind, text) {
  const status = panel.querySelector("[role=status]");
  status.className = `status ${kind}`;
  status.textContent = text;
}

// Show why the panel has stopped, and disable its form. The text in the form stays.
export function stopPanel(panel, reason) {
  showStatus(panel, "ended", `${reason} `);
  const link = document.createElement("a");
  link.href = "";
  link.textContent = "Reload the page.";
  panel.querySelector("[role=status]").append(link);
  for (const field of panel.querySelector("form").elements) {
    field.disabled = true;
  }
}
