"""What pyproject.toml promises to install is what the code uses."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What the code never imports: tools, and the peers that users put beside it.
TOOLS = {"dev", "docs"}
EXTRAS = {name: found for name, found in PROJECT["optional-dependencies"].items() if name not in TOOLS}


def distribution(requirement: str) -> str:
    """The name that a requirement begins with."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return found.group()


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_installs_what_the_code_imports(extra):
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("sklearn_mtl", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    ]
    for requirement in EXTRAS[extra]:
        module = distribution(requirement).replace("-", "_")
        # A module of an extra is imported by its name as text where it may be missing.
        imported = re.compile(rf'^\s*(?:import|from) {module}\b|\(f?"{module}[."]', re.MULTILINE)
        assert any(imported.search(source) for source in sources), requirement


def test_the_lowest_constraints_are_the_lower_bounds():
    every = [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]
    bounds = {
        found[1]: found[2] for one in every if (found := re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\d.]+)", one))
    }
    # After an empty line come packages that are none of ours, as the oldest releases need them.
    ours, others = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").split("\n\n")
    pinned = dict(line.split("==") for line in ours.splitlines() if not line.startswith("#"))
    del bounds["torch"]
    assert pinned == bounds
    assert not {distribution(line) for line in others.splitlines() if not line.startswith("#")} & {
        distribution(one) for one in every
    }


@pytest.mark.parametrize("library", ["scikit-learn", "torch"])
def test_private_parts_have_an_upper_bound_right_above_what_the_tests_run_with(library):
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    major, minor = re.search(rf"^{library}==(\d+)\.(\d+)", constraints, re.MULTILINE).groups()
    (bounds,) = (one for one in PROJECT["dependencies"] if distribution(one) == library)
    assert bounds.endswith(f",<{major}.{int(minor) + 1}")


def test_the_readme_names_extras_that_there_are():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {extra for found in re.findall(r"\.\[([\w,]+)\]", readme) for extra in found.split(",")}
    assert named
    assert named <= set(PROJECT["optional-dependencies"])
