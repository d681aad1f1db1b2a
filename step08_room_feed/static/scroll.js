// A box whose list grows shows the newest line, unless the reader has scrolled up.

export function followEnd(box, label) {
  const button = document.createElement("button");
  let following = true;
  let lastTop = 0;

  function showEnd() {
    box.scrollTop = box.scrollHeight;
  }

  button.type = "button";
  button.className = "newest";
  button.textContent = label;
  button.hidden = true;
  button.addEventListener("click", showEnd);
  box.append(button);

  box.addEventListener("scroll", () => {
    const atEnd = box.scrollTop + box.clientHeight > box.scrollHeight - 8;
    // Lines may have been added since we scrolled: only a way up is the reader's.
    following = atEnd || (following && box.scrollTop >= lastTop);
    lastTop = box.scrollTop;
    button.hidden ||= atEnd;
  });

  // The browser calls this once a frame, however many lines were added.
  const observer = new ResizeObserver(() => (following ? showEnd() : (button.hidden = false)));
  observer.observe(box);
  observer.observe(box.querySelector("ol"));
}
