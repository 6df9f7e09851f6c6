"""How Sphinx makes the site of these pages: ``make docs``."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

import sklearn_mtl  # noqa: E402

project = "sklearn_mtl"
author = "the sklearn_mtl developers"
project_copyright = author
version = release = sklearn_mtl.__version__
language = "en"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
root_doc = "index"
suppress_warnings = ["config.cache"]  # the function of the gallery cannot be stored, and need not be
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["site/cards.md", "site/menus", "site/templates", "site/static"]
templates_path = ["site/templates"]
default_role = "py:obj"  # a word in one pair of backticks is a link where it is a name, and code where not
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 88

# --- Pages in Markdown -----------------------------------------------------------------------------

myst_heading_anchors = 4  # those that code hosts make of headings
myst_enable_extensions = ["colon_fence"]

# Files of the repository that are a page of the site, and where.
PAGES_FROM_ABOVE = {"README.md": "site/readme.md", "CHANGELOG.md": "site/changelog.md"}
LINK = re.compile(r"\[(?P<text>[^]\n]*)\]\((?!\w+:|#)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
FILE_NAME = re.compile(r"[\w/]+\.(md|py)")


def place_in_site(target: Path) -> Path:
    """Return where in docs/ a file of the repository is a page, or the file itself if it is none."""
    if target.parent == ROOT / "examples" and target.suffix == ".py":
        return DOCS / "gallery" / f"{target.stem}.rst"
    inside = target.relative_to(ROOT).as_posix()
    return DOCS / PAGES_FROM_ABOVE[inside] if inside in PAGES_FROM_ABOVE else target


def with_links_of_site(text: str, origin: Path, page: Path) -> str:
    """Return Markdown whose links to files of the repository lead to their pages in the site."""

    def moved(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(origin.parent / link["path"]))
        # What else looks like a link is code that calls an item: `stages[0](x)`.
        if not (target.is_relative_to(ROOT) and target.exists()):
            return link[0]
        place = place_in_site(target)
        # Where a link has the name of a file, the title of the page that it leads to is better.
        is_named = place.suffix in source_suffix and FILE_NAME.fullmatch(link["text"])
        path = Path(os.path.relpath(place, page.parent)).as_posix()
        return f"[{'' if is_named else link['text']}]({path}{link['anchor'] or ''})"

    return LINK.sub(moved, text)


def front_page(page: Path) -> str:
    """Return the first page: how the README begins, with its first example, then cards, then every page."""
    _, rest = page.read_text(encoding="utf-8").split("\n", 1)
    begun = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[:2]
    cards = (DOCS / "site" / "cards.md").read_text(encoding="utf-8")
    return (
        with_links_of_site("\n## ".join(begun), ROOT / "README.md", page)
        + "\n\n"
        + cards
        + with_links_of_site(rest, page, page)
    )


def read_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give a page of Markdown the links of the site, and the one of a file above docs/ its text."""
    page = DOCS / f"{docname}.md"
    if not page.exists():
        return
    origins = {place: ROOT / origin for origin, place in PAGES_FROM_ABOVE.items()}
    if docname == root_doc:
        source[0] = front_page(page)
    elif f"{docname}.md" in origins:
        origin = origins[f"{docname}.md"]
        source[0] = with_links_of_site(origin.read_text(encoding="utf-8"), origin, page)
    else:
        source[0] = with_links_of_site(source[0], page, page)
    # The pages below another one; on a code host what the site's menus need would be noise.
    menu = DOCS / "site" / "menus" / f"{docname}.txt"
    if menu.exists():
        source[0] += menu.read_text(encoding="utf-8")


# --- Reference from the docstrings -----------------------------------------------------------------

autosummary_ignore_module_all = False  # exactly the public names
autosummary_imported_members = True
autodoc_typehints = "none"  # the docstrings say them in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# A module is named in the page that lists them all, alone in its line.
MODULE_LINE = re.compile(r"^   (sklearn_mtl[\w.]*)$", re.MULTILINE)


def listed_modules() -> list[str]:
    """Return the modules of the reference, in its order."""
    return MODULE_LINE.findall((DOCS / "reference" / "index.rst").read_text(encoding="utf-8"))


def told_before() -> Iterator[tuple[str, str]]:
    """Yield each public name whose object has a page by another name already, and that name."""
    places: dict[int, str] = {}
    for module in listed_modules():
        members = importlib.import_module(module)
        for name in members.__all__:
            member, place = getattr(members, name), f"{module}.{name}"
            if hasattr(member, "__qualname__") and places.setdefault(id(member), place) != place:
                yield place, places[id(member)]


def values_of() -> Iterator[tuple[str, str]]:
    """Yield each public value that is no class or function, and how the reference shows it."""
    for module in listed_modules():
        members = importlib.import_module(module)
        for name in members.__all__:
            value = getattr(members, name)
            keys = value if isinstance(value, dict) else [value]
            yield f"{module}.{name}", ", ".join(f"``{key!r}``" for key in keys)


autosummary_context = {"told_before": dict(told_before()), "values_of": dict(values_of())}


def leave_out_foreign(
    app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what a class inherits from scikit-learn, torch or skorch, whose own pages tell it."""
    if what not in {"class", "exception"}:
        return None  # of a module exactly the public names are listed
    function = getattr(member, "fget", None) or getattr(member, "func", None) or member
    module = getattr(function, "__module__", None) or ""
    return True if not module.startswith("sklearn_mtl") else None


# --- Gallery ---------------------------------------------------------------------------------------


# What an example is called with, where its default takes more than a minute.
ARGUMENTS = {"house_price_and_type.py": "--short"}


def arguments_of(gallery_conf: dict[str, Any], script: dict[str, Any]) -> list[str]:
    """Return what an example of the gallery is called with: all with what ``EXAMPLES`` says, if it is set."""
    name = Path(script["src_file"]).name
    told = (os.environ.get("EXAMPLES") or ARGUMENTS.get(name, "")).split()
    return [*told, "--out", "../build/demo"] if name in ARGUMENTS else told


sphinx_gallery_conf = {
    "reset_argv": arguments_of,
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",  # every example runs
    "backreferences_dir": "reference/examples",
    "doc_module": ("sklearn_mtl",),
    "reference_url": {"sklearn_mtl": None},
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
}

# --- Looks -----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_mtl"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "sklearn_mtl"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def setup(app: Sphinx) -> None:
    """Connect the functions above to the events of Sphinx."""
    app.connect("source-read", read_page)
    app.connect("autodoc-skip-member", leave_out_foreign)
