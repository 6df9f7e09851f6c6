"""scikit-learn's own test files, read where it is installed, with our estimators in the place of its own."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sklearn
from sklearn.exceptions import SkipTestWarning

from tests.peers.stand_ins import STAND_INS

# The release whose tests are counted, and whose exceptions are listed: other releases have other tests.
COUNTED = "1.9."


def run_with_ours(
    name: str, *, fail: Mapping[str, str], skip: Mapping[str, str] | None = None, n_run: int
) -> dict[str, Any]:
    """Return what a test file of scikit-learn defines, our estimators in the place of its own.

    Parameters
    ----------
    name : str
        The file, below the installed package.
    fail, skip : mapping of str to str
        Tests that must fail, and tests that are not run, each with the reason: names, or single cases of
        parametrized tests.
    n_run : int
        The number of all other cases.
    """
    if not sklearn.__version__.startswith(COUNTED):
        reason = f"what is left out is known of scikit-learn {COUNTED}x, and this is {sklearn.__version__}"
        pytest.skip(reason, allow_module_level=True)
    path = Path(sklearn.__file__).parent / name
    if not path.exists():
        pytest.skip(
            f"scikit-learn is installed without its tests: there is no {path}", allow_module_level=True
        )
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source, str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
            kept = [alias for alias in node.names if alias.name not in STAND_INS]
            # One import must be left, where all names have a stand-in.
            node.names = kept or [ast.alias(name="__doc__", asname="_")]
    module = ModuleType(f"{__package__}.of_{Path(name).stem}")
    # What a test defines may be pickled.
    sys.modules[module.__name__] = module
    vars(module).update(STAND_INS, __file__=str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)  # of estimators that need more to be made
        exec(compile(ast.fix_missing_locations(tree), str(path), "exec"), vars(module))

    left_out = {**fail, **(skip or {})}

    def test_all_are_run_but_for_those_that_are_listed(request: pytest.FixtureRequest) -> None:
        module = request.node.getparent(pytest.Module)
        names = [item.name for item in module.collect() if item.name != request.node.name]
        of_entries = {entry: [name for name in names if matches(name, entry)] for entry in left_out}
        assert not [entry for entry, found in of_entries.items() if not found], "an entry is of no test"
        listed = [name for found in of_entries.values() for name in found]
        assert len(listed) == len(set(listed)), "a test is listed twice"
        found = len(names) - len(listed)
        assert found == n_run, f"{found} tests are run, and {n_run} are said to be"

    defined = {key: value for key, value in vars(module).items() if not key.startswith("__")}
    return {
        **defined,
        "MUST_FAIL": fail,
        "NOT_RUN": skip or {},
        "test_all_are_run_but_for_those_that_are_listed": test_all_are_run_but_for_those_that_are_listed,
    }


def matches(name: str, entry: str) -> bool:
    """Whether an entry is the name of a test, or of the function of which it is one case."""
    return entry in (name, name.partition("[")[0])
