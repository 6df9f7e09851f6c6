"""The README and the pages of docs/ do what they say: every Python block is run, and prints what is shown."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SITE = ROOT / "docs" / "site"  # menus and cards, which are no pages to read
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if SITE not in page.parents),
]
WITHOUT_CODE = {"benchmarks.md", "demo.md", "errors.md", "index.md", "quality.md"}
# A full stop behind it ends a sentence; followed by more, it is a version or a path.
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w|\.\w)")
# What another processor makes of the same fit: it rounds otherwise, and stops at another epoch. Of 60 rows,
# an accuracy moves by 0.017 with one of them.
ABSOLUTE, RELATIVE = 0.025, 0.05


def python_blocks(page: Path) -> list[tuple[int, str, str | None]]:
    """The line on which each block starts, its code, and the output that is shown right below it, if any."""
    text = page.read_text(encoding="utf-8")
    blocks = r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?"
    return [
        (text.count("\n", 0, block.start(1)), block.group(1), block.group(2))
        for block in re.finditer(blocks, text, flags=re.MULTILINE | re.DOTALL)
    ]


def compared(text: str) -> tuple[str, list[float]]:
    """The words and the numbers of an output, without what lays them out and which row is marked."""
    numbers = [float(number.replace(",", "")) for number in NUMBER.findall(text)]
    words = re.sub(r"[─*]", " ", NUMBER.sub("#", text))
    return " ".join(words.split()), numbers


def assert_shows(shown: str, printed: str) -> None:
    """Raise an ``AssertionError`` unless two outputs say the same, numbers to a tolerance."""
    words, numbers = compared(shown)
    now, numbers_now = compared(printed)
    assert words == now
    assert numbers_now == pytest.approx(numbers, abs=ABSOLUTE, rel=RELATIVE)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in WITHOUT_CODE], ids=lambda p: p.name
)
def test_python_blocks_run_and_print_what_is_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(page)
    assert blocks
    namespace = {"__name__": "__main__"}
    for line, code, shown in blocks:
        printed = StringIO()
        with redirect_stdout(printed):
            # Blank lines in front, so that a traceback names the line of the page.
            exec(compile("\n" * line + code, str(page), "exec"), namespace)
        if shown is not None:
            assert_shows(shown, printed.getvalue())


def test_the_readme_shows_an_output():
    assert any(shown for _, _, shown in python_blocks(ROOT / "README.md"))


@pytest.mark.parametrize(
    "printed", ["price 0.45\ntype  0.95", "price 0.52\nkind  0.95", "price 0.52", "price 0.52\ntype  nan"]
)
def test_an_output_that_is_another_is_noticed(printed):
    assert_shows("price 0.52\ntype  0.95", "price 0.51\ntype    0.97")
    with pytest.raises(AssertionError):
        assert_shows("price 0.52\ntype  0.95", printed)


def test_a_number_that_ends_a_sentence_is_compared_as_one():
    assert_shows("R² 0.870, accuracy 0.963.", "R² 0.867, accuracy 0.965.")
    with pytest.raises(AssertionError):
        assert_shows("accuracy 0.963.", "accuracy 0.865.")
    with pytest.raises(AssertionError):
        assert_shows("torch 2.13.0", "torch 2.13.1")


def test_a_page_shows_what_the_demo_prints(tmp_path):
    example = str(ROOT / "examples" / "house_price_and_type.py")
    run = subprocess.run(
        [sys.executable, example],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=True,
    )
    page = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(\d+ held-out sales.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    printed = iter(run.stdout.splitlines())
    # Between the lines that are shown come those of progress, with times.
    for line in filter(str.strip, shown.splitlines()):
        assert_shows(line, next((found for found in printed if compared(found)[0] == compared(line)[0]), ""))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert links or page.name not in {"README.md", "index.md"}
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200


def test_the_picture_of_a_network_is_what_its_script_draws():
    pictures = ROOT / "docs" / "pictures"
    drawing = runpy.run_path(str(pictures / "network.py"), run_name="pictures")["drawing"]
    assert drawing() == (pictures / "network.svg").read_text(encoding="utf-8")
