// Check, Hint and Solve, for a reader who writes the step in the panel.

import { button, element } from "./element.js";
import { stepFile } from "./files.js";

export class CourseTools {
  constructor(step, addresses, workshop) {
    this.step = step;
    this.addresses = addresses;
    this.workshop = workshop;
    this.lastId = 0;
    this.waiting = new Map();
  }

  build() {
    this.said = element("pre", { role: "status", tabindex: 0, "aria-label": "What Check and Hint say" });
    this.next = element("p", { class: "next" });
    this.stop = button("Stop the tests", () => this.end(), { hidden: true });
    this.place = element(
      "div",
      { class: "course", hidden: this.workshop.mode !== "chapter" },
      element(
        "div",
        { class: "tools" },
        button("Check", () => this.check("check"), { class: "primary" }),
        button("Run the tests", () => this.check("test")),
        this.stop,
        button("Hint", () => this.say("hint")),
        button("Compare with the finished step", () => this.workshop.compareWithStep()),
        button("Solve this file", () => this.solve(), { class: "small" }),
      ),
      this.next,
      this.said,
    );
    return this.place;
  }

  // Ask the worker, which is started by the first question.
  ask(action, path = null) {
    this.worker ??= this.startWorker();
    const id = ++this.lastId;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.worker.postMessage({ id, action, path, texts: this.workshop.texts });
    return answer;
  }

  startWorker() {
    const { runtime, panel } = this.addresses;
    const worker = new Worker(new URL("course_worker.js", panel), { type: "module" });
    const at = (base) => (name) => String(new URL(name, base));
    const { number } = this.step;
    worker.onmessage = ({ data: { id, line, result, error } }) => {
      if (line) {
        this.said.textContent = line; // of the tests that are running
        return;
      }
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) {
        resolve(result);
      } else {
        reject(new Error(error));
      }
    };
    worker.postMessage({
      kind: "start",
      runtime: String(runtime),
      number,
      archives: [
        "python.zip",
        "course.zip",
        stepFile(number - 1, "zip"),
        stepFile(number, "zip"),
      ].map(at(panel)),
      forTests: ["libs.zip", "tests.zip"].map(at(runtime)),
    });
    return worker;
  }

  async say(action, path) {
    this.said.textContent = "…";
    try {
      const result = await this.ask(action, path);
      this.said.textContent = result.text ?? result;
      return result;
    } catch (error) {
      this.said.textContent = error.message;
      return {};
    }
  }

  // Check the code, and with the action "test" run the step's tests, too.
  async check(action) {
    this.next.replaceChildren();
    this.stop.hidden = action !== "test";
    const { passed, next } = await this.say(action);
    this.stop.hidden = true;
    if (passed) {
      const following = document.querySelector("a.next-page")?.href;
      this.next.append(following ? element("a", { class: "primary", href: following }, "Next chapter") : "");
    } else if (next) {
      this.next.append(
        button("Next", () => this.workshop.goTo(next.path, next.line), { class: "primary" }),
        ` ${next.path}${next.line ? `, line ${next.line}` : ""}`,
      );
    }
  }

  // End the worker, whose tests may never end; the next question starts another.
  end() {
    this.worker.terminate();
    this.worker = null;
    this.waiting.forEach(({ reject }) => reject(new Error("The tests were stopped.")));
    this.waiting.clear();
  }

  // Forget what was said of other code.
  forget() {
    this.said.textContent = "";
    this.next.replaceChildren();
  }

  async solve() {
    const { texts = {} } = await this.say("solve", this.workshop.path);
    this.workshop.put(texts);
  }
}
