"""How Sphinx builds the site: `make docs`. Warnings are errors there: dead links and missing docstrings among them."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "extensions"))

project = "Edge-MoE, again and in the open"
author = "the project's contributors"
project_copyright = "MIT licence"
release = version = installed("edgemoe")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "commands",
    "docstrings",
    "repository_pages",
]
exclude_patterns = ["report_template.html", "drawings", "extensions"]
default_role = "code"

myst_heading_anchors = 4
copybutton_exclude = ".linenos, .gp, .go"

# Boards have PYNQ, the computer that builds the site need not; nothing is looked up over the network.
autodoc_mock_imports = ["pynq", "pynqmetadata", "cv2", "av"]
toc_object_entries = False  # modules are listed, their names are found by searching; half the time of a build
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True, "special-members": "__call__"}
# Types of other packages, and type variables; ours must resolve.
nitpick_ignore_regex = [(r"py:.*", r"(?!edgemoe).*"), (r"py:class", r"edgemoe[\w.]*\.T")]

html_theme = "furo"
html_title = "Edge-MoE, in the open"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["report.html"]
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5fa8", "color-brand-content": "#1f5fa8"},
    "dark_css_variables": {"color-brand-primary": "#7db4f0", "color-brand-content": "#7db4f0"},
}
