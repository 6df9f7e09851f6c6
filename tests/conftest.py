"""What many tests share."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.estimators import fit_parameters, fitted
from sklearn_mtl.network import resolve_device
from tests.device.left_out import LEFT_OUT


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """The networks are small and the tests run in several processes: threads would only cost."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def mixed() -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """A table of 120 rows with numbers, text and gaps, and three tasks with some labels missing."""
    values, Y = make_multitask(
        n_samples=120,
        n_features=6,
        n_regression=1,
        n_binary=1,
        n_multiclass=1,
        n_factors=2,
        missing_labels=0.1,
        string_labels=True,
        random_state=0,
    )
    X = pd.DataFrame(values, columns=[f"x{column}" for column in range(6)])
    X["kind"] = np.where(X.pop("x5") > 0, "high", "low")
    X.loc[::10, "x0"] = np.nan
    return X, Y


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        choices=["cpu", "cuda"],
        default="cpu",
        help='what device="auto" is, but in the tests marked gpu; many tests compare with numbers of the CPU',
    )


@pytest.fixture(autouse=True)
def auto_is_the_same_device_on_every_machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = request.config.getoption("--device") == "cuda" or request.node.get_closest_marker("gpu")
    if torch.cuda.is_available() and not chosen:
        for module in (fit_parameters, fitted):
            monkeypatch.setattr(module, "resolve_device", _cpu_for_auto)


def _cpu_for_auto(device: Any) -> torch.device:
    return resolve_device("cpu" if isinstance(device, str) and device == "auto" else device)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.config.getoption("--device") == "cuda":
        for beginning, reason in LEFT_OUT.items():
            if item.nodeid.startswith(beginning):
                pytest.skip(f"not on a card: {reason}")
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
