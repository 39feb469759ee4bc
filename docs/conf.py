"""The documentation site, which `make docs` builds. Its contents are those of index.md."""

import importlib.util
import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent

project = "Spikeloom"
author = "the Spikeloom authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["figures"]
html_theme = "furo"
html_title = "Spikeloom"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
autodoc_mock_imports = [name for name in ("torch",) if not importlib.util.find_spec(name)]
autodoc_typehints = "none"  # docstrings say shapes, units and ranges
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False


def toctrees(page: str) -> str:
    """A hidden toctree for each heading of a page, of the pages that are listed under it."""
    parts = []
    for part in re.split(r"^## ", page, flags=re.M)[1:]:
        pages = re.findall(r"^- \[.*?\]\((.*?)(?:\.md|\.rst)\)", part, re.M)
        caption = part.splitlines()[0]
        parts.append("\n".join((":::{toctree}", ":hidden:", f":caption: {caption}", *pages, ":::")))
    return "\n\n".join(parts)


def without_links_out(name: str, page: str) -> str:
    """A page whose links to files outside docs/, which a site does not have, are plain text."""

    def label(link: re.Match[str]) -> str:
        target = (DOCS / name).parent / link[2].partition("#")[0]
        return link[0] if target.resolve().is_relative_to(DOCS) else link[1]

    return re.sub(r"\[([^]]+)\]\((\.\./[^)]+)\)", label, page)


def adapt(_: Sphinx, name: str, source: list[str]) -> None:
    """Give index.md its toctrees, pages at the root their text, and drop links out of docs/."""
    if name == "index":
        source[0] += "\n" + toctrees(source[0])
    if name in ("changelog", "contributing"):
        page = DOCS.parent / f"{name.upper()}.md"
        source[0] = page.read_text(encoding="utf-8").replace("](docs/", "](")
    source[0] = without_links_out(name, source[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", adapt)
