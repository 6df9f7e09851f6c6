"""docs/errors.md has the texts that the package has, and every warning of it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
# What scikit-learn says, which tests of searches hold it to.
NOT_OURS = ("Found input variables with inconsistent numbers of samples",)


def template(node: ast.expr) -> str | None:
    """The text of a string of the source, with … in place of what is put into it; None of anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            template(part) or "…" if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (template(node.left) or "…") + (template(node.right) or "…")
    return None


@cache
def trees() -> list[ast.Module]:
    return [
        ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "sklearn_mtl").rglob("*.py"))
    ]


@cache
def texts() -> list[str]:
    """All strings of the source."""
    found = (template(node) for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.expr))
    return sorted({text for text in found if text})


@cache
def warnings() -> list[str]:
    """The texts that are warned of where they are written."""
    calls = (node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    found = (
        template(call.args[0]) for call in calls if ast.unparse(call.func) in ("warn_caller", "warnings.warn")
    )
    return sorted({text for text in found if text})


def entries() -> list[str]:
    """What the page explains: the code that each entry of a list begins with."""
    return [found[1].strip() for found in re.findall(r"^- (`+)(.+?)\1: ", PAGE, flags=re.MULTILINE)]


def has(text: str, entry: str) -> bool:
    """Whether the parts of an entry, between …, are in a text in their order."""
    place = 0
    for part in entry.split("…"):
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True


def test_every_list_entry_begins_with_a_text():
    assert len(entries()) == len(re.findall(r"^- ", PAGE, flags=re.MULTILINE)) > 50


@pytest.mark.parametrize("entry", entries())
def test_a_text_of_the_page_is_one_of_the_package(entry):
    assert entry in NOT_OURS or any(has(text, entry) for text in texts())


@pytest.mark.parametrize("warning", warnings())
def test_every_warning_is_on_the_page(warning):
    assert any(has(warning, entry) for entry in entries() if len(entry) > 12)
