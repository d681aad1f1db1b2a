// The reader's code: the editor, what was changed, the chapter's mistakes, and Check, Hint, Solve.

import { CourseTools } from "./course.js";
import { button, element } from "./element.js";

const MODES = {
  finished: "Change the finished step",
  chapter: "Write the step yourself",
};

export class Workshop {
  // `step` is what stepNN.json has; `actions` has restart(), which returns whether the server runs,
  // and newDatabase().
  constructor(step, addresses, actions) {
    this.step = step;
    this.addresses = addresses;
    this.actions = actions;
    this.stored = true; // whether the browser keeps what is typed
    this.mode = this.recall("mode", "finished");
    this.edits = Object.fromEntries(Object.keys(MODES).map((mode) => [mode, this.recall(mode, {})]));
    this.paths = Object.keys(step.files);
    this.path = this.paths[0];
    this.beforeMistake = null; // the edits without the mistake that is in place
    this.course = new CourseTools(step, addresses, this);
  }

  recall(name, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`mychannels ${this.step.name} ${name}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  store(name, value) {
    try {
      localStorage.setItem(`mychannels ${this.step.name} ${name}`, JSON.stringify(value));
    } catch {
      this.stored = false;
    }
  }

  storeEdits() {
    this.store(this.mode, this.edits[this.mode]);
  }

  // The text of a file before the reader changed it, null where there is no such file yet.
  original(path) {
    return this.step.files[path][this.mode === "chapter" ? "before" : "after"];
  }

  text(path) {
    const edits = this.edits[this.mode];
    return path in edits ? edits[path] : this.original(path);
  }

  // What differs from the finished step: {path: text, null for no file}.
  get overlay() {
    const texts = Object.entries(this.texts);
    return Object.fromEntries(texts.filter(([path, text]) => text !== this.step.files[path].after));
  }

  // The reader's files among those that the chapter changes, null for no file.
  get texts() {
    return Object.fromEntries(this.paths.map((path) => [path, this.text(path)]));
  }

  get changed() {
    return this.paths.filter((path) => this.text(path) !== this.original(path));
  }

  // Note what the reader has typed, or null for a file that is deleted.
  change(path, text) {
    this.beforeMistake = null;
    this.course.next.replaceChildren();
    if (text === this.original(path) || (text === "" && this.original(path) === null)) {
      delete this.edits[this.mode][path];
    } else {
      this.edits[this.mode][path] = text;
    }
    this.storeEdits();
    this.showChanged();
  }

  build() {
    this.note = element("p", { role: "status", class: "note" });
    this.files = element(
      "select",
      { "aria-label": "File", onchange: ({ target }) => this.open(target.value) },
      ...this.paths.map((path) => element("option", { value: path }, path)),
    );
    this.place = element("div", { class: "editor" });
    this.comparison = element("div", { class: "comparison" });
    const tools = element(
      "div",
      { class: "tools" },
      this.files,
      button("Run my code", () => this.run(), { class: "primary" }),
      button("What I changed", () => this.showChanges()),
      (this.back = button("Back to the step’s code", () => this.revert())),
      ...(this.step.number > 1 ? [button("Take it home", () => this.takeHome())] : []),
      (this.remove = button("Delete this file", () => this.delete(), { hidden: true })),
    );
    this.details = element(
      "details",
      { class: "workshop", ontoggle: () => this.details.open && this.load() },
      element("summary", {}, "Change the code"),
      ...(this.step.number > 1 ? [this.buildModes()] : []),
      tools,
      this.note,
      ...(this.step.number > 1 ? [this.course.build()] : []),
      this.place,
      element("p", { class: "hint" }, "Tab indents. To leave the editor, press Escape, then Tab."),
      this.comparison,
      ...(this.step.mistakes.length ? [this.buildMistakes()] : []),
    );
    return this.details;
  }

  buildModes() {
    const choices = Object.entries(MODES).map(([mode, words]) => {
      const attributes = { type: "radio", name: "mode", value: mode, checked: mode === this.mode };
      const input = element("input", { ...attributes, onchange: () => this.choose(mode) });
      return element("label", {}, input, ` ${words}`);
    });
    return element("fieldset", { class: "modes" }, element("legend", {}, "Begin with"), ...choices);
  }

  buildMistakes() {
    const buttons = this.step.mistakes.map((mistake) =>
      element("li", {}, button(mistake.title, () => this.make(mistake))),
    );
    return element(
      "details",
      { class: "mistakes" },
      element("summary", {}, "Make a mistake of this chapter"),
      element("p", {}, "Each button changes the code and restarts the server. Then use the page, or open a socket among the experiments, and read the log."),
      element("ul", {}, ...buttons),
    );
  }

  // Download the files as they are now.
  async takeHome() {
    const { number, name } = this.step;
    this.say("…");
    const content = await this.course.ask("zip").catch((error) => this.say(error.message));
    if (!content) {
      return;
    }
    const address = URL.createObjectURL(new Blob([content], { type: "application/zip" }));
    element("a", { href: address, download: `${name}.zip` }).click();
    URL.revokeObjectURL(address);
    this.say(`To go on with it on your machine, type: make start ${number} FROM=${name}.zip`);
  }

  async load() {
    if (!this.editor) {
      const { createEditor, showDifference } = await import(new URL("editor.js", this.addresses.panel));
      this.showDifference = showDifference;
      this.editor = createEditor(this.place, (text) => this.change(this.path, text));
      this.open(this.path);
    }
  }

  open(path) {
    this.path = path;
    this.files.value = path;
    this.editor.open(path, this.text(path) ?? "");
    this.comparison.replaceChildren();
    this.showChanged();
  }

  // Show a file at a line, from 1.
  goTo(path, line) {
    this.open(path);
    this.editor.goTo(line);
  }

  delete() {
    this.change(this.path, null);
    this.open(this.path);
  }

  showChanged() {
    this.back.textContent = this.mode === "chapter" ? "Begin again" : "Back to the step’s code";
    this.remove.hidden = this.text(this.path) === null || this.step.files[this.path].after !== null;
    for (const option of this.files.options) {
      const mark = this.text(option.value) === null ? " (no file)" : "";
      option.textContent = `${this.changed.includes(option.value) ? "● " : ""}${option.value}${mark}`;
    }
  }

  say(text) {
    this.note.textContent = text;
  }

  async run() {
    const warning = this.stored ? "" : " This browser doesn’t keep what you type: a reload loses it.";
    this.say("Starting…");
    const runs = await this.actions.restart();
    this.say(`${runs ? "Your code runs." : "The server didn’t start. Its log says why."}${warning}`);
  }

  async choose(mode) {
    this.mode = mode;
    this.beforeMistake = null;
    this.store("mode", mode);
    this.course.place.hidden = mode !== "chapter";
    this.course.forget();
    this.open(this.path);
    await this.actions.newDatabase();
  }

  showChanges() {
    const pairs = this.changed.map((path) => [path, this.original(path), this.text(path)]);
    this.compare(pairs, "Before, and with your changes:", "Nothing is changed.");
  }

  compareWithStep() {
    const pairs = this.paths.map((path) => [path, this.text(path), this.step.files[path].after]);
    const differing = pairs.filter(([, yours, finished]) => yours !== finished);
    this.compare(differing, "Yours, and the finished step:", "Your code is that of the step.");
  }

  // Show pairs of texts of files, [path, before, after].
  compare(pairs, title, nothing) {
    this.say(pairs.length ? "See below the editor." : nothing);
    this.comparison.replaceChildren(...(pairs.length ? [element("p", {}, title)] : []));
    for (const [path, before, after] of pairs) {
      const place = element("div");
      this.comparison.append(element("h3", {}, path), place);
      this.showDifference(place, path, before ?? "", after ?? "");
    }
  }

  // Put files in place of the reader's; what was typed can be had again.
  put(texts) {
    const typed = { ...this.edits[this.mode] };
    for (const [path, text] of Object.entries(texts)) {
      this.change(path, text);
    }
    this.open(Object.keys(texts)[0] ?? this.path);
    this.offerUndo("The finished code is in place. ", typed);
  }

  offerUndo(sentence, typed) {
    const mode = this.mode;
    this.say(sentence);
    this.note.append(
      button("Undo", () => {
        this.beforeMistake = null;
        this.edits[mode] = typed;
        this.store(mode, typed);
        this.open(this.path);
        this.say("Your code is back.");
      }),
    );
  }

  // Put the step's code back; what was typed can be had again.
  async revert() {
    const typed = this.edits[this.mode];
    this.edits[this.mode] = {};
    this.beforeMistake = null;
    this.storeEdits();
    this.open(this.path);
    this.course.forget();
    const end = `This is the end of step ${this.step.number - 1} again. `;
    this.offerUndo(this.mode === "chapter" ? end : "The step’s code is back. ", typed);
    await this.actions.restart();
  }

  // Make a mistake of the chapter, in place of the one before.
  async make(mistake) {
    await this.load();
    const now = this.edits[this.mode];
    const typed = this.beforeMistake ?? now;
    this.edits[this.mode] = { ...typed };
    for (const [path, edits] of Object.entries(mistake.edits)) {
      const before = this.text(path) ?? "";
      const text = edits.reduce((text, [old, now]) => replaceOnce(text, old, now), before);
      if (text === before) {
        this.edits[this.mode] = now;
        this.storeEdits();
        this.say(`Your ${path} is too different for this. Press “${this.back.textContent}” first.`);
        return;
      }
      this.change(path, text);
    }
    this.beforeMistake = typed;
    this.open(Object.keys(mistake.edits)[0]);
    this.showChanges();
    this.offerUndo(`The log will say: ${mistake.says} `, typed);
    this.details.scrollIntoView({ block: "nearest" });
    await this.actions.restart();
  }
}

function replaceOnce(text, old, now) {
  return old ? text.replace(old, () => now) : text + now;
}
