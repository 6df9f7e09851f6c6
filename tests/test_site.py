"""The site of docs/: what is in it, and that links in Markdown lead to headings on a code host too."""

from __future__ import annotations

import importlib
import pkgutil
import re
import runpy
from functools import cache
from pathlib import Path

import pytest

import sklearn_mtl

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SITE = DOCS / "site"
PAGES = sorted(path for path in [*DOCS.rglob("*.md"), ROOT / "README.md"] if SITE not in path.parents)
CHECK = runpy.run_path(str(SITE / "check.py"), run_name="check")


@cache
def conf() -> dict[str, object]:
    return runpy.run_path(str(DOCS / "conf.py"))


def without_code(text: str) -> str:
    """Markdown without its blocks of code."""
    return re.sub(r"^ *(```+|~~~+).*?^ *\1", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a code host calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    words = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in words}


def path_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=path_id)
def test_links_lead_to_files_and_headings(page):
    text = re.sub(r"`[^`\n]*`", "", without_code(page.read_text(encoding="utf-8")))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_each_module_with_public_names_is_in_the_reference():
    found = pkgutil.walk_packages(sklearn_mtl.__path__, "sklearn_mtl.")
    modules = [importlib.import_module(name) for name in ["sklearn_mtl", *(one.name for one in found)]]
    listed = [importlib.import_module(name) for name in conf()["listed_modules"]()]
    pages = {
        getattr(module, name)
        for module in listed
        for name in module.__all__
        if name != "__version__"
        if hasattr(getattr(module, name), "__qualname__")
    }
    for module in modules:
        if module in listed or module.__name__.endswith("_private"):
            continue
        for name in getattr(module, "__all__", ()):
            assert getattr(module, name) in pages, f"{module.__name__}.{name}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT], ids=path_id)
def test_each_page_is_in_a_menu(page):
    menus = [*SITE.glob("*.md"), *(SITE / "menus").glob("*.txt")]
    place = page.relative_to(DOCS).with_suffix("").as_posix()
    entry = re.compile(rf"^(?:.* <)?(?:\.\./)?{place}>?$", re.MULTILINE)
    assert place == "index" or any(entry.search(menu.read_text(encoding="utf-8")) for menu in menus)


@pytest.mark.parametrize(
    ("link", "seen"),
    [
        ("[demo](../examples/two_digits.py)", "[demo](gallery/two_digits.rst)"),
        ("[top](../README.md#install)", "[top](site/readme.md#install)"),
        ("[here](targets.md#kinds)", "[here](targets.md#kinds)"),
        ("[below](#kinds)", "[below](#kinds)"),
        ("[targets.md](targets.md#kinds)", "[](targets.md#kinds)"),
        ("[examples/two_digits.py](../examples/two_digits.py)", "[](gallery/two_digits.rst)"),
        ("[licence](../LICENSE)", "[licence](../LICENSE)"),
        ("stages[0](x)", "stages[0](x)"),
        ("[paper](https://doi.org/10.1)", "[paper](https://doi.org/10.1)"),
    ],
)
def test_links_of_a_page_are_those_of_the_site(link, seen):
    page = DOCS / "index.md"
    assert conf()["with_links_of_site"](link, page, page) == seen


def test_links_of_the_readme_are_those_of_its_page():
    page, moved = SITE / "readme.md", conf()["with_links_of_site"]
    assert moved("[map](docs/index.md)", ROOT / "README.md", page) == "[map](../index.md)"
    assert moved("[log](CHANGELOG.md)", ROOT / "README.md", page) == "[log](changelog.md)"


def test_the_check_of_a_site_names_what_leads_nowhere(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">1</a><a href="b.html#not">2</a><a href="#no">3</a>'
    )
    (tmp_path / "b.html").write_text('<p id="there"><img src="none.png"><a href="https://doi.org">4</a></p>')
    broken = list(CHECK["broken_links"](CHECK["read_pages"](tmp_path)))
    assert [line.split(": ")[1].split()[0] for line in broken] == ["b.html#not", "#no", "none.png"]


def test_the_check_of_a_site_names_what_is_not_in_the_reference(tmp_path):
    (tmp_path / "a.html").write_text('<dt id="sklearn_mtl.export.load"></dt>')
    missing = list(CHECK["missing_names"](CHECK["read_pages"](tmp_path)))
    assert "sklearn_mtl.export.save is in no page of the reference" in missing
    assert not any(line.startswith("sklearn_mtl.export.load") for line in missing)


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_each_example_begins_with_a_title(example):
    title, line = example.read_text(encoding="utf-8").removeprefix('"""').lstrip("\n").split("\n")[:2]
    assert title
    assert line == "=" * len(title)
