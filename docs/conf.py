"""The settings of Sphinx for the guide; `make docs` runs it."""

import logging
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
logging.getLogger("traitlets").setLevel(logging.WARNING)  # it names every notebook

project = "mychannels"
copyright = "the authors of mychannels, CC BY 4.0"
language = "en"
extensions = ["myst_nb", "sphinx_copybutton", "sphinx_design", "steps", "sequence", "terms"]
exclude_patterns = ["LICENSE.md", "tab", "tests"]

nb_execution_mode = "force"  # a cache would know the cells, not the steps that they run
if only := os.environ.get("CHAPTERS", "").split():
    pages = {page.stem for page in HERE.glob("*.md")}
    nb_execution_excludepatterns = [f"{name}.md" for name in sorted(pages.difference(only))]
nb_execution_raise_on_error = False  # a warning instead, and the other chapters go on
nb_execution_show_tb = True
nb_execution_timeout = 300  # seconds for a cell
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables that a cell prints, too
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "mychannels: WebSockets in Django"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_js_files = ["guide.js", "run_step.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_exclude = ".linenos, .gp, .go, .sign, del, .context"
