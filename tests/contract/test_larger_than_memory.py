"""X that is not in memory: memory maps and datasets of torch, read batch by batch."""

import threading
import traceback

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.features import encoder as encoder_module
from sklearn_mtl.inference import prediction
from sklearn_mtl.trunks import MLP

N_ROWS = 300
MEMORY = {
    "array": lambda X, path: X,
    "memmap": lambda X, path: memory_map(X, path),
    "rows": lambda X, path: Rows(X),
}


def quick(**params):
    settings = {"trunk": MLP((16,)), "n_bags": 1, "max_epochs": 3, "batch_size": 32, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, "preprocessing": None, **params})


def memory_map(X, path):
    np.save(path / "X.npy", X)
    return np.load(path / "X.npy", mmap_mode="r")


class Rows(Dataset):
    """Rows of an array, which notes what is read."""

    def __init__(self, X):
        self.X = X
        self.read = []

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        self.read.append(i)
        return self.X[i]


class Broken(Rows):
    """One of its rows can't be read."""

    def __getitem__(self, i):
        if i == 77 and threading.current_thread() is not threading.main_thread():
            raise OSError("the disk has a scratch")
        return super().__getitem__(i)


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        n_samples=N_ROWS, n_regression=1, n_binary=1, n_features=5, n_factors=2, random_state=0
    )
    X = X.astype(np.float32)
    X[:, 4] = X[:, 4] > 0
    return X, Y


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def assert_same(left, right, X, other=None):
    other = X if other is None else other
    for method in ("predict", "predict_proba"):
        ours, theirs = getattr(left, method)(X), getattr(right, method)(other)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    np.testing.assert_array_equal(left.transform(X), right.transform(other))
    assert left.history_.equals(right.history_)


@pytest.mark.parametrize("kept", ["memmap", "rows"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": False},
        {"preprocessing": "auto"},
        {"n_bags": 2, "trunk": None, "preprocessing": "auto"},
        {"precision": "float64"},
    ],
)
def test_what_is_streamed_gives_what_an_array_gives_to_the_bit(data, tmp_path, kept, settings):
    X, Y = data
    streamed = MEMORY[kept](X, tmp_path)
    one, other = quick(**settings).fit(X, Y), quick(**settings).fit(streamed, Y)
    assert_same(one, other, X, streamed)
    assert_same(one, other, X)
    assert one.score(X, Y) == other.score(streamed, Y)


@pytest.mark.parametrize("kept", ["memmap", "rows"])
def test_missing_labels_weights_and_rows_of_ones_own(data, tmp_path, kept):
    X, Y = data
    streamed = MEMORY[kept](X, tmp_path)
    gaps = {name: np.where(np.arange(N_ROWS) % 7 == 0, np.nan, values) for name, values in Y.items()}
    weight = np.arange(N_ROWS) % 3
    settings = {"tasks": {"binary0": "classification"}, "preprocessing": "auto"}
    first, later = {k: v[:200] for k, v in Y.items()}, {k: v[200:] for k, v in Y.items()}
    parts = (memory_map(X, tmp_path)[:200], memory_map(X, tmp_path)[200:])
    for given in ([(X, gaps, weight), {}], [(X[:200], first), {"X_val": X[200:], "y_val": later}]):
        one = quick(**settings).fit(*given[0], **given[1])
        changed = (streamed, *given[0][1:]) if not given[1] else (parts[0], first)
        other = quick(**settings).fit(*changed, **({"X_val": parts[1], "y_val": later} if given[1] else {}))
        assert_same(one, other, X)


def test_training_on_is_streamed_too(data, tmp_path):
    X, Y = data
    mapped = memory_map(X, tmp_path)
    fits = []
    for kept in (X, mapped):
        est = quick(warm_start=True).fit(kept, Y)
        est.set_params(max_epochs=5).fit(kept, Y)
        fits.append(est.partial_fit(kept, Y))
    assert_same(*fits, X)


def test_statistics_come_from_a_sample(data, tmp_path, monkeypatch):
    X, Y = data
    monkeypatch.setattr(encoder_module, "ROWS_FOR_STATISTICS", 50)
    rows = Rows(X)
    one, other = quick(preprocessing="auto").fit(X, Y), quick(preprocessing="auto").fit(rows, Y)
    assert_same(one, other, X)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_no_more_than_a_few_batches_are_read_ahead(data, early_stopping, monkeypatch):
    X, Y = data
    monkeypatch.setattr(encoder_module, "ROWS_FOR_STATISTICS", 50)
    rows, most, ahead = Rows(X), 3 * 32, []

    class Watching(Callback):
        def on_train_begin(self, net, **kwargs):
            # The first row, the sample, and the first held-out rows, by which chunks are measured.
            assert len(rows.read) <= 1 + 100 + 64
            self.unused = -len(rows.read)

        def on_batch_end(self, net, batch, training, **kwargs):
            self.unused -= len(batch.y)
            ahead.append(self.unused + len(rows.read))

    est = quick(early_stopping=early_stopping, callbacks=[Watching()]).fit(rows, Y)
    assert len(ahead) == 3 * (len(range(0, N_ROWS - 30 * early_stopping, 32)) + early_stopping)
    assert max(ahead) <= most
    assert set(rows.read) == set(range(N_ROWS))
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE", 16 * 70)
    est.predict(rows)
    rows.read.clear()
    est.predict(rows)
    # The first row tells their shape and whether they are numbers at all.
    assert rows.read == [0, 0, *range(N_ROWS)]


def test_an_error_while_reading_surfaces_as_it_was_raised(data):
    X, Y = data
    with pytest.raises(OSError, match="the disk has a scratch") as caught:
        quick().fit(Broken(X), Y)
    assert "__getitem__" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_in_training_leaves_no_thread(data, error):
    X, Y = data

    class Raising(Callback):
        def on_batch_end(self, net, batch, training, **kwargs):
            assert any(thread.name.startswith("sklearn_mtl-reader") for thread in threading.enumerate())
            raise error("enough")

    with pytest.raises(error, match="enough") as caught:
        quick(callbacks=[Raising()]).fit(Rows(X), Y)
    # While the error, and with it every frame, is still held.
    assert caught.value is not None
    assert not any(thread.name.startswith("sklearn_mtl-reader") for thread in threading.enumerate())


def test_numbers_that_are_not_finite_are_found_when_they_are_read(data):
    X, Y = data
    X = X.copy()
    X[200, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        quick().fit(Rows(X), Y)
    est = quick(preprocessing="auto").fit(Rows(X), Y)
    assert np.isfinite(est.predict(Rows(X))["regression0"]).all()
    X[0, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        est.predict(Rows(X))


def test_a_transformer_of_ones_own_takes_a_memory_map_and_no_dataset(data, tmp_path):
    X, Y = data
    mapped = memory_map(X, tmp_path)
    one, other = (quick(preprocessing=StandardScaler()).fit(kept, Y) for kept in (X, mapped))
    assert_same(one, other, X, mapped)
    with pytest.raises(TypeError, match=r"`X` must be in memory, or a memory map, .* Found a Rows"):
        quick(preprocessing=StandardScaler()).fit(Rows(X), Y)
    with pytest.raises(TypeError, match="Found a Rows"):
        one.predict(Rows(X))


class Stream(IterableDataset):
    def __iter__(self):
        yield np.ones(3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda X, path: Stream(), TypeError, "`X` must be a Dataset with `__len__`.* Found Stream"),
        (lambda X, path: TensorDataset(torch.as_tensor(X)), TypeError, "Found a tuple of 1"),
        (lambda X, path: Rows(X[:0]), ValueError, r"0 sample\(s\)"),
        (lambda X, path: Rows(X[:, 0]), ValueError, "Expected 2D array, got 1D array"),
        (lambda X, path: memory_map(X[:, 0], path), ValueError, "Expected 2D array, got 1D array"),
        (lambda X, path: Rows(X[:-1]), ValueError, "X has 299 rows"),
        (lambda X, path: Rows(X.astype("U8")[:, :0]), ValueError, r"0 feature\(s\)"),
    ],
)
def test_refused(data, tmp_path, make, error, message):
    X, Y = data
    with pytest.raises(error, match=message):
        quick().fit(make(X, tmp_path), Y)


@pytest.mark.parametrize("kept", ["memmap", "rows"])
def test_another_width_is_refused(data, tmp_path, kept):
    X, Y = data
    est = quick().fit(X, Y)
    with pytest.raises(ValueError, match="X has 4 features, but MultiTaskClassifierRegressor is expecting 5"):
        est.predict(MEMORY[kept](X[:, :4], tmp_path))


def test_rows_of_tensors_and_of_more_dimensions(data):
    X, Y = data
    images = np.repeat(X[:, None], 3, axis=1)
    one, other = quick().fit(images, Y), quick().fit(Rows(torch.as_tensor(images)), Y)
    assert_same(one, other, images)
    half = Subset(Rows(images), range(150))
    np.testing.assert_array_equal(one.predict(half)["regression0"], one.predict(images)["regression0"][:150])


def test_rows_are_fetched_together_where_the_dataset_can(data):
    X, Y = data

    class Together(Rows):
        def __getitem__(self, i):
            assert i == 0

        def __getitems__(self, rows):
            return list(self.X[rows])

    assert_same(quick().fit(X, Y), quick().fit(Together(X), Y), X)


def test_splitters_and_searches_take_rows_of_them(data, tmp_path):
    X, Y = data
    target = MultiTaskTarget(Y)
    expected = cross_val_score(quick(), X, target, cv=2)
    for kept in (memory_map(X, tmp_path), Rows(X)):
        np.testing.assert_array_equal(cross_val_score(quick(), kept, target, cv=2), expected)
    search = GridSearchCV(quick(), {"lr": [0.01]}, cv=2).fit(memory_map(X, tmp_path), target)
    assert search.best_score_ > 0


def test_one_task_is_predicted_from_a_memory_map(data, tmp_path):
    X, Y = data
    est = MultiTaskRegressor(trunk=MLP((8,)), n_bags=1, max_epochs=2).fit(
        memory_map(X, tmp_path), Y["regression0"]
    )
    np.testing.assert_array_equal(est.predict(memory_map(X, tmp_path)), est.predict(X))
