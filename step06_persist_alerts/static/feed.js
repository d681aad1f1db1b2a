// The lists of what people say. Every line is text, whatever is written in it.

export function addLine(feed, who, text, when) {
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = who;
  item.append(name, " ", text);
  if (when) {
    const time = document.createElement("time");
    time.dateTime = when;
    time.textContent = new Date(when).toLocaleTimeString();
    item.append(" ", time);
  }
  feed.firstElementChild.append(item);
  feed.scrollTop = feed.scrollHeight;
  return item;
}
