// The editor of the panel: CodeMirror, with one document for each file.

import { minimalSetup } from "codemirror";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { indentWithTab } from "@codemirror/commands";
import { indentUnit, syntaxHighlighting } from "@codemirror/language";
import { classHighlighter } from "@lezer/highlight";
import { css } from "@codemirror/lang-css";
import { html } from "@codemirror/lang-html";
import { javascript } from "@codemirror/lang-javascript";
import { python } from "@codemirror/lang-python";
import { MergeView, unifiedMergeView } from "@codemirror/merge";

const LANGUAGES = { css, html, js: javascript, py: python };

function extensions(path, more = []) {
  const ending = path.split(".").pop();
  return [
    // Neither completion nor closing quotes: what is typed is what the reader learns.
    minimalSetup,
    lineNumbers(),
    LANGUAGES[ending]?.() ?? [],
    indentUnit.of(ending === "py" ? "    " : "  "),
    syntaxHighlighting(classHighlighter), // panel.css has the colours, for light and dark pages
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": path }),
    ...more,
  ];
}

// Copied lines come with their own indentation: let it replace what Enter has put there.
const pasteWholeLines = EditorView.domEventHandlers({
  paste(event, view) {
    const text = event.clipboardData.getData("text/plain");
    const { from, to } = view.state.selection.main;
    const line = view.state.doc.lineAt(from);
    const before = line.text.slice(0, from - line.from);
    if (before.trim() || !/^\s/.test(text)) {
      return false;
    }
    view.dispatch({
      changes: { from: line.from, to, insert: text },
      selection: { anchor: line.from + text.length },
      userEvent: "input.paste",
    });
    event.preventDefault();
    return true;
  },
});

// Return an editor in `parent`: open(path, text) shows a file; `changed(text)` is called as the
// reader types. Tab indents; Escape, then Tab, leaves the editor.
export function createEditor(parent, changed) {
  const view = new EditorView({ parent });
  view.scrollDOM.tabIndex = 0; // what can be scrolled has to be reachable with the keyboard
  return {
    open(path, text) {
      const listener = EditorView.updateListener.of((update) => {
        if (update.docChanged) {
          changed(update.state.doc.toString());
        }
      });
      view.setState(
        EditorState.create({
          doc: text,
          extensions: extensions(path, [keymap.of([indentWithTab]), pasteWholeLines, listener]),
        }),
      );
    },
    goTo(line) {
      const { from } = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
      view.focus();
    },
  };
}

// Show what differs between two texts of a file in `parent`: side by side, if there is room.
export function showDifference(parent, path, before, after) {
  const shown = extensions(path, [EditorState.readOnly.of(true)]);
  const collapseUnchanged = { margin: 3, minSize: 6 };
  let views;
  if (matchMedia("(max-width: 46rem)").matches) {
    const unified = unifiedMergeView({ original: before, collapseUnchanged, mergeControls: false });
    views = [new EditorView({ parent, doc: after, extensions: [...shown, unified] })];
  } else {
    const sides = { a: { doc: before, extensions: shown }, b: { doc: after, extensions: shown } };
    const { a, b } = new MergeView({ parent, ...sides, collapseUnchanged });
    views = [a, b];
  }
  for (const { scrollDOM } of views) {
    scrollDOM.tabIndex = 0;
  }
}
