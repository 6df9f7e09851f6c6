"""Check a site that was built: links within it lead somewhere, and every public name is in the reference.

Run by ``make docs``: ``python docs/site/check.py build/docs``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sklearn_mtl

ATTRIBUTES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}


class Page(HTMLParser):
    """The links of a page, and the places in it that a link may name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the link and the name of an element."""
        found = dict(attrs)
        if name := found.get("id"):
            self.places.add(name)
        if tag in ATTRIBUTES and (link := found.get(ATTRIBUTES[tag])):
            self.links.append(link)


def read_pages(site: Path) -> dict[Path, Page]:
    """Return every page of a site by its path."""
    return {
        path.resolve(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }


def broken_links(pages: dict[Path, Page]) -> Iterator[str]:
    """Yield each link within the site that leads nowhere, with the page that it is on."""
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{path}: {link} is no file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{path}: {link} is no place in that page"


def public_names() -> dict[object, set[str]]:
    """Return every name of every ``__all__``, those of one class or function together."""
    names: dict[object, set[str]] = {}
    found = pkgutil.walk_packages(sklearn_mtl.__path__, "sklearn_mtl.")
    for module in map(importlib.import_module, ["sklearn_mtl", *(one.name for one in found)]):
        if module.__name__.endswith("_private"):
            continue
        for name in set(getattr(module, "__all__", ())) - {"__version__"}:
            member, place = getattr(module, name), f"{module.__name__}.{name}"
            # Values, such as numbers, may be the same object by chance.
            names.setdefault(member if hasattr(member, "__qualname__") else place, set()).add(place)
    return names


def missing_names(pages: dict[Path, Page]) -> Iterator[str]:
    """Yield each public name that no page has a place for, under none of its names."""
    told = set().union(*(page.places for page in pages.values()))
    for names in public_names().values():
        if not names & told:
            yield f"{' or '.join(sorted(names))} is in no page of the reference"


def main(site: Path) -> None:
    """Check a site, and exit with what is wrong."""
    pages = read_pages(site)
    wrong = [*broken_links(pages), *missing_names(pages)]
    if not pages or wrong:
        sys.exit("\n".join(wrong) or f"no pages in {site}")
    print(f"{len(pages)} pages, all links within them lead somewhere")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
