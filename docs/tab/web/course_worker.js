// Check, Hint and Solve: the course's own Python code in a Web Worker, beside those of the servers.

import { load } from "./files.js";

let python, course, begun, libraries;

const ready = new Promise((resolve, reject) => {
  addEventListener("message", ({ data }) => start(data).then(resolve, reject), { once: true });
});

addEventListener("message", async ({ data }) => {
  if (data.kind === "start") {
    return;
  }
  try {
    await ready;
    postMessage({ id: data.id, result: await act(data) });
  } catch (error) {
    postMessage({ id: data.id, error: error.message });
  }
});

// `archives` are the addresses of zip files: what is in docs/tab/python, the course, the step
// before, and the step. `forTests` are those that the step's tests need besides.
async function start({ runtime, archives, forTests, number }) {
  libraries = forTests;
  const unpacked = Promise.all(archives.map(load));
  const { loadPyodide } = await import(`${runtime}pyodide.mjs`);
  python = await loadPyodide({ indexURL: runtime, env: {} });
  const [ours, theirs, before, step] = await unpacked;
  python.unpackArchive(ours, "zip", { extractDir: "/libraries" });
  python.unpackArchive(theirs, "zip", { extractDir: "/course" });
  python.runPython("import sys; sys.path[:0] = ['/libraries', '/course']");
  const { Course } = python.pyimport("tab_course");
  course = Course(number, python.toPy(before), python.toPy(step));
  begun = toObject(course.begin()).texts;
}

// `texts` are the files that the chapter changes, null for no file.
async function act({ action, texts, path }) {
  const all = Object.entries({ ...begun, ...texts }).filter(([, text]) => text !== null);
  const given = python.toPy(Object.fromEntries(all));
  if (action === "test") {
    for (const address of libraries.splice(0)) {
      python.unpackArchive(await load(address), "zip", { extractDir: "/libraries" });
    }
    return toObject(await course.test.callPromising(given, (line) => postMessage({ line })));
  }
  return toObject(action === "solve" ? course.solve(given, path) : course[action](given));
}

function toObject(result) {
  return result?.toJs ? result.toJs({ dict_converter: Object.fromEntries }) : result;
}
