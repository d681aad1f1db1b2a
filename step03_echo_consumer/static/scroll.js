// Keeps a box at the end of its growing list, unless the reader has scrolled up.

export function followEnd(box, label) {
  const button = document.createElement("button");
  let following = true;
  let lastTop = 0;

  function scrollToEnd() {
    box.scrollTop = box.scrollHeight;
  }

  button.type = "button";
  button.className = "newest";
  button.textContent = label;
  button.hidden = true;
  button.addEventListener("click", scrollToEnd);
  box.append(button);

  box.addEventListener("scroll", () => {
    const atEnd = box.scrollTop + box.clientHeight > box.scrollHeight - 8;
    // New lines may have moved the end since we scrolled. Only the reader scrolls up.
    following = atEnd || (following && box.scrollTop >= lastTop);
    lastTop = box.scrollTop;
    button.hidden ||= atEnd;
  });

  // The browser calls this once a frame, however many lines were added.
  const observer = new ResizeObserver(() => (following ? scrollToEnd() : (button.hidden = false)));
  observer.observe(box);
  observer.observe(box.querySelector("ol"));
}
