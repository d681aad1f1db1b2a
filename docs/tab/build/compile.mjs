// Compile Python modules: node compile.mjs PYODIDE SOURCES COMPILED
//
// SOURCES is a zip file with modules under the paths that they have in the tab. The zip file
// COMPILED gets a .pyc file for each, without docstrings. Pyodide compiles them, because .pyc files
// belong to a version of Python.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const COMPILE = `
import ast
import importlib.util
import marshal
import zipfile

UNCHECKED = (0b01).to_bytes(4, "little") + bytes(8)  # don't look for the source
HAVE_DOCSTRINGS = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
HEADER = importlib.util.MAGIC_NUMBER + UNCHECKED


def without_docstrings(source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, HAVE_DOCSTRINGS) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.copy_location(ast.Pass(), node.body[0])]
    return tree


with zipfile.ZipFile("/sources.zip") as sources, zipfile.ZipFile("/compiled.zip", "w") as compiled:
    for name in sources.namelist():
        tree = without_docstrings(sources.read(name))
        code = compile(tree, f"/{name}", "exec", dont_inherit=True)
        compiled.writestr(f"{name}c", HEADER + marshal.dumps(code))
`;

const [pyodide, sources, compiled] = process.argv.slice(2);
try {
  const { loadPyodide } = await import(pathToFileURL(`${pyodide}/pyodide.mjs`));
  const python = await loadPyodide({ env: { PYTHONHASHSEED: "0" } });
  python.FS.writeFile("/sources.zip", readFileSync(sources));
  python.runPython(COMPILE);
  writeFileSync(compiled, python.FS.readFile("/compiled.zip"));
} catch (error) {
  console.error(error.message); // node itself would also show Pyodide's one line of a megabyte
  process.exit(1);
}
