// The line of a panel that says how its connection is, in words, with a sign and a colour.

// `kind` is one of waiting, connected, failed, ended.
export function showStatus(panel, kind, text) {
  const status = panel.querySelector("[role=status]");
  status.className = `status ${kind}`;
  status.textContent = text;
}

// Show why the panel is of no more use, and disable its form. What was typed stays there.
export function showEnd(panel, reason) {
  showStatus(panel, "ended", `${reason} `);
  const link = document.createElement("a");
  link.href = "";
  link.textContent = "Reload the page.";
  panel.querySelector("[role=status]").append(link);
  for (const field of panel.querySelector("form").elements) {
    field.disabled = true;
  }
}
