// Return an element with attributes, and children that are elements or texts. An attribute such as
// `onclick` is a listener, one that is false is left out.
export function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      created.addEventListener(name.slice(2), value);
    } else if (value !== false) {
      created.setAttribute(name, value === true ? "" : value);
    }
  }
  created.append(...children);
  return created;
}

export function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}
