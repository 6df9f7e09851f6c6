"""The README and the pages of docs/ do what they say: every Python block of them is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITHOUT_CODE = {"benchmarks.md", "index.md"}


def python_blocks(page: Path) -> list[tuple[int, str]]:
    """The line on which each block starts, and its code."""
    text = page.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, block.start(1)), block.group(1))
        for block in re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    ]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in WITHOUT_CODE], ids=lambda p: p.name
)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(page)
    assert blocks
    namespace = {"__name__": "__main__"}
    for line, code in blocks:
        # Blank lines in front, so that a traceback names the line of the page.
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert links or page.name not in {"README.md", "index.md"}
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken
