"""What scikit-learn's tests ask of pytest, and what is expected to fail."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import matplotlib as mpl
import pytest

from tests.peers.loading import matches


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thread_unsafe: of scikit-learn's tests, and means nothing here")


@pytest.fixture
def pyplot() -> Iterator[ModuleType]:
    mpl.use("Agg")
    from matplotlib import pyplot

    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


@pytest.fixture
def global_random_seed() -> int:
    return 42


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        module = getattr(item, "module", None)
        if not hasattr(module, "MUST_FAIL"):
            continue
        # As where scikit-learn runs them: its tests cause warnings that they do not look at.
        item.add_marker(pytest.mark.filterwarnings("ignore::UserWarning"))
        for entry, reason in module.MUST_FAIL.items():
            if matches(item.name, entry):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        for entry, reason in module.NOT_RUN.items():
            if matches(item.name, entry):
                item.add_marker(pytest.mark.skip(reason=reason))
