"""What only a real card shows: its memory, its processes, its precisions."""

import gc
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.inference import prediction
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.network import resolve_device
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP
from tests.device.answers import answers, assert_alike

pytestmark = pytest.mark.gpu
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        300, 10, n_regression=1, n_binary=1, n_multiclass=1, missing_labels=0.1, random_state=0
    )
    return X, MultiTaskTarget(Y)


def quick(**params):
    given = {"trunk": MLP((16,)), "n_bags": 1, "max_epochs": 3, "batch_size": 32, "linear_blend": False}
    return MultiTaskClassifierRegressor(**{**given, "random_state": 0, "device": "cuda", **params})


@pytest.fixture
def memory():
    """Begin with what torch keeps on the card from now on, and with nothing else."""
    X, Y = make_multitask(100, 4, n_regression=1, n_binary=1, n_multiclass=0, random_state=0)
    # Enough steps to be recorded: torch's libraries keep memory for the stream on which that is done.
    quick(max_epochs=20, batch_size=16, early_stopping=False).fit(X, Y).predict(X)
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


@pytest.fixture
def bounded():
    """Bound the memory that torch may use, in bytes."""
    total = torch.cuda.mem_get_info()[1]

    def bound(n_bytes):
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(n_bytes / total)

    yield bound
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


# The same numbers


def test_a_fit_is_the_same_again_and_leaves_the_generators_as_they_were(data):
    X, Y = data
    before = torch.cuda.get_rng_state(), torch.get_rng_state()
    first, second = (answers(quick(trunk="tabm", n_bags=4).fit(X, Y), X) for _ in range(2))
    assert torch.equal(torch.cuda.get_rng_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert_alike(second, first)


def test_a_stacked_search_has_the_scores_of_the_plain_one(data):
    X, Y = data
    grid = {"task_weights__binary0": [0.1, 1.0, 10.0], "trunk__dropout": [0.0, 0.3]}
    est = quick(precision="float64")
    found = [
        search(est, grid, cv=KFold(3), refit=False, error_score="raise").fit(X, Y)
        for search in (GridSearchCV, StackedGridSearchCV)
    ]
    assert found[1].stacked_["stacked"].all(), found[1].stacked_["reason"].tolist()
    scores = [search.cv_results_["mean_test_score"] for search in found]
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-6)


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:0", torch.device("cuda")], ids=str)
def test_names_of_the_card(data, device):
    X, Y = data
    est = quick(device=device).fit(X, Y)
    assert next(est.net_.module_.parameters()).is_cuda
    assert all(state["step"].is_cuda for state in est.net_.optimizer_.state.values())


def test_a_card_that_is_not_there(data):
    with pytest.raises(ValueError, match=r"`device` must be a device of this machine. Found 'cuda:99'"):
        quick(device="cuda:99").fit(*data)


# Files


@pytest.mark.parametrize("device", ["cpu", "cuda", "auto"])
def test_a_model_goes_from_and_to_the_card(data, tmp_path, monkeypatch, device):
    X, Y = data
    est = quick(device=device, precision="float64", n_bags=4, calibrate=True).fit(X, Y)
    expected = answers(est, X)
    save(est, tmp_path / "model.mtl")
    there = load(tmp_path / "model.mtl")
    assert next(there.net_.module_.parameters()).is_cuda == (device != "cpu")
    assert_alike(answers(there, X), expected)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    here = load(tmp_path / "model.mtl")
    assert not next(here.net_.module_.parameters()).is_cuda
    assert_alike(answers(here, X), expected)


# Memory


def test_memory_is_given_back_after_a_fit_and_after_the_estimator(memory):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200_000, 50)).astype(np.float32)
    est = quick(trunk=MLP((64,)), max_epochs=1, batch_size=4096, preprocessing=None, tree_blend=False)
    est.fit(X, {"y": X[:, 0], "positive": X[:, 1] > 0})
    assert torch.cuda.max_memory_allocated() - memory > X.nbytes
    assert torch.cuda.memory_allocated() - memory < MEBIBYTE
    # What torch keeps for the next fit is given back too: other processes need it.
    assert torch.cuda.memory_reserved() - memory < 30 * MEBIBYTE
    est.predict(X)
    assert torch.cuda.memory_allocated() - memory < MEBIBYTE
    del est
    gc.collect()
    assert torch.cuda.memory_allocated() <= memory


def test_memory_of_a_stacked_search_is_given_back(data, memory):
    X, Y = data
    grid = {"task_weights__binary0": np.geomspace(0.1, 10, 4)}
    StackedGridSearchCV(quick(trunk=MLP((512, 512))), grid, cv=KFold(3), refit=False).fit(X, Y)
    gc.collect()
    assert torch.cuda.memory_allocated() - memory < MEBIBYTE


def test_a_stack_is_halved_where_memory_is_short(data, memory, bounded, monkeypatch):
    X, Y = data
    est = quick(trunk=MLP((1024, 1024)), max_epochs=1, early_stopping=False)
    grid = {"task_weights__binary0": np.geomspace(0.1, 10, 4)}
    halved = []
    attempt = train._Stacks._attempt

    def attempted(self, stack):
        n_nets, found = len(stack), attempt(self, stack)
        if found is None:
            halved.append(n_nets)
        return found

    monkeypatch.setattr(train._Stacks, "_attempt", attempted)

    def scores():
        search = StackedGridSearchCV(est, grid, cv=KFold(4), refit=False, error_score="raise")
        return search.fit(X, Y).cv_results_["mean_test_score"]

    expected = scores()
    assert not halved
    peak = torch.cuda.max_memory_allocated() - memory
    bounded(memory + 0.75 * peak)
    with pytest.warns(UserWarning, match="Memory was short"):
        found = scores()
    assert halved[0] == 16
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_network_that_does_not_fit_says_so(data, memory, bounded):
    X, Y = data
    bounded(memory + 40 * MEBIBYTE)
    with pytest.raises(torch.OutOfMemoryError, match=r"`batch_size` must .*Found 256.*smaller"):
        quick(trunk=MLP((4096, 4096)), batch_size=256).fit(X, Y)


def test_rows_are_predicted_in_halves_where_memory_is_short(data, memory, bounded, monkeypatch):
    X, Y = data
    rows = np.tile(X, (400, 1)).astype(np.float32)
    est = quick(trunk=MLP((2048,)), preprocessing=None).fit(X.astype(np.float32), Y)
    expected = est.predict(rows)
    # As if the card were thought to be larger than it is.
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE_ON_GPU", 2**40)
    bounded(torch.cuda.memory_allocated() + 400 * MEBIBYTE)
    found = est.predict(rows)
    np.testing.assert_allclose(found["regression0"], expected["regression0"], rtol=1e-4, atol=1e-5)


# Processes


def in_a_process(code):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_fork_after_cuda_has_started_gets_words_and_no_hang():
    said = in_a_process(
        """
        import os, warnings
        import numpy as np, torch
        from sklearn_mtl import MultiTaskRegressor
        warnings.simplefilter("ignore")
        torch.ones(1, device="cuda")
        child = os.fork()
        if child == 0:
            X = np.random.default_rng(0).normal(size=(50, 2))
            for device in ("cuda", "auto"):
                try:
                    MultiTaskRegressor(device=device, n_bags=1, max_epochs=1).fit(X, X)
                except RuntimeError as error:
                    print("said:", error, flush=True)
            MultiTaskRegressor(device="cpu", n_bags=1, max_epochs=1).fit(X, X)
            print("fitted on the CPU", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        """
    )
    assert said.count("said: `device` must not be CUDA in a process that was forked after CUDA") == 2
    assert "fitted on the CPU" in said


def test_workers_of_a_search_share_the_cards(data):
    X, Y = data
    grid = {"lr": [0.001, 0.01]}
    found = [
        GridSearchCV(quick(device="auto"), grid, cv=KFold(2), n_jobs=n_jobs, error_score="raise").fit(X, Y)
        for n_jobs in (1, 2)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in found]
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-4, atol=1e-5)
    n_cards = torch.cuda.device_count()
    cards = set(map(str, Parallel(n_jobs=2)(delayed(resolve_device)("auto") for _ in range(16))))
    assert cards == {"cuda"} if n_cards == 1 else len(cards) == 2


# Precisions


@pytest.mark.parametrize("trunk", ["mlp", "tabm", "ft_transformer"])
@pytest.mark.parametrize("n_bags", [1, 4])
def test_scores_in_bfloat16_are_those_of_float32_to_noise(data, trunk, n_bags):
    X, Y = data
    scores = [
        quick(trunk=trunk, n_bags=n_bags, max_epochs=15, precision=precision).fit(X, Y).score(X, Y)
        for precision in ("float32", "bf16")
    ]
    assert scores[1] == pytest.approx(scores[0], abs=0.05)
    assert scores[0] > 0.5


# Of torch's compiler itself: what newer Pythons have no more of, and that products could be less exact.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:TensorFloat32:UserWarning")
def test_a_compiled_network_learns_the_same(data):
    X, Y = data
    plain, compiled = (quick(compile=compiled).fit(X, Y) for compiled in (False, True))
    assert_alike(answers(compiled, X), answers(plain, X), rtol=1e-2, atol=1e-3)
