"""A list of paths as X: as good as the same rows in memory, of which few are there at once."""

import pickle
import threading
import weakref

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_predict
from skorch.callbacks import Callback

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.features import Files, ImagePreprocessing
from sklearn_mtl.inference import prediction
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training import runs
from sklearn_mtl.trunks import CNN, MLP, TCN, Fusion

N_ROWS, BATCH = 60, 8
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 255, size=(N_ROWS, 6, 6, 3)).astype(np.uint8)
SEQUENCES = RNG.normal(size=(N_ROWS, 5, 2)).astype(np.float32)
TABLE = RNG.normal(size=(N_ROWS, 4))
KINDS = {
    "images": (IMAGES, CNN((4,), hidden_sizes=(4,))),
    "sequences": (SEQUENCES, TCN(4)),
    "tables": (TABLE, MLP((4,))),
}
Y = MultiTaskTarget({"price": RNG.normal(size=N_ROWS), "sold": RNG.random(N_ROWS) < 0.5})


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


class Load:
    """Reads rows of an array by their number, and counts how many of those that it gave are kept."""

    def __init__(self, rows):
        self.rows, self.n_read, self.alive, self.most_alive = rows, 0, 0, 0
        self.lock = threading.Lock()

    def __call__(self, number):
        row = np.array(self.rows[number])
        with self.lock:
            self.n_read += 1
            self.alive += 1
            self.most_alive = max(self.most_alive, self.alive)
        weakref.finalize(row, self.forget)
        return row

    def forget(self):
        self.alive -= 1

    def __reduce__(self):
        raise TypeError("files are not to be pickled")


def files(rows):
    return Files(range(N_ROWS), Load(rows))


def estimator(trunk, **parameters):
    settings = {"n_bags": 1, "max_epochs": 2, "linear_blend": False, "tree_blend": False}
    return MultiTaskClassifierRegressor(
        trunk=trunk, **{**settings, "batch_size": BATCH, "random_state": 0, **parameters}
    )


def same(one, other, X, other_X):
    for name, values in one.predict(X).items():
        np.testing.assert_array_equal(other.predict(other_X)[name], values)


def test_it_gives_what_the_same_rows_in_memory_give(kind):
    rows, trunk = kind
    X = files(rows)
    in_memory, from_files = estimator(trunk).fit(rows, Y), estimator(trunk).fit(X, Y)
    same(in_memory, from_files, rows, X)
    same(in_memory, from_files, rows, rows)
    assert in_memory.score(rows, Y) == from_files.score(X, Y)
    assert in_memory.history_.equals(from_files.history_)


def test_the_fitted_estimator_has_nothing_of_the_data(kind):
    rows, trunk = kind
    X = files(rows)
    est = estimator(trunk).fit(X, Y)
    # The loader can't be pickled.
    same(est, pickle.loads(pickle.dumps(est)), X, rows)


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_searches_split_it(kind, search):
    rows, trunk = kind
    found = [
        search(estimator(trunk), {"lr": [0.001, 0.01]}, cv=2).fit(X, Y).cv_results_["mean_test_score"]
        for X in (rows, files(rows))
    ]
    np.testing.assert_array_equal(*found)


def test_default_trunks_and_cross_validation():
    for rows, _ in KINDS.values():
        price = [cross_val_predict(estimator(None), X, Y["price"], cv=2) for X in (rows, files(rows))]
        np.testing.assert_array_equal(*price)


def test_it_is_one_of_several_inputs_and_may_lack_rows():
    trunk = Fusion({"photo": MLP((4,)), "table": MLP((4,))}, hidden_sizes=(4,))
    photo = IMAGES.astype(np.float32)
    photo[::7] = np.nan
    paths = [None if number % 7 == 0 else number for number in range(N_ROWS)]
    for in_memory, given in (
        (IMAGES, files(IMAGES)),
        (photo, Files(paths, Load(IMAGES))),
    ):
        X, of_files = MultiInput({"photo": in_memory, "table": TABLE}), {"photo": given, "table": TABLE}
        one, other = estimator(trunk).fit(X, Y), estimator(trunk).fit(of_files, Y)
        same(one, other, X, of_files)
        searches = [
            GridSearchCV(estimator(trunk), {"lr": [0.01]}, cv=2).fit(some, Y).best_score_
            for some in (X, MultiInput(of_files))
        ]
        assert searches[0] == searches[1]
    gone = [{"photo": of, "table": TABLE} for of in ([None] * N_ROWS, Files([None] * N_ROWS))]
    same(other, other, *gone)


@pytest.mark.parametrize("several", [False, True])
def test_few_rows_are_in_memory_at_once(several, monkeypatch):
    monkeypatch.setattr(ImagePreprocessing, "most_rows_to_fit", 10)
    monkeypatch.setattr(runs, "NUMBERS_FOR_STATISTICS", 6 * IMAGES[0].size)
    load, ahead = Load(IMAGES), []

    class Watching(Callback):
        def on_train_begin(self, net, **kwargs):
            self.unused = -load.n_read

        def on_batch_end(self, net, batch, training, **kwargs):
            self.unused -= len(batch.y)
            ahead.append(self.unused + load.n_read)

    X = Files(range(N_ROWS), load)
    X, trunk = ({"photo": X, "table": TABLE}, None) if several else (X, KINDS["images"][1])
    est = estimator(trunk, callbacks=[Watching()], early_stopping=False).fit(X, Y)
    # Two batches, and the one that is being read.
    assert max(ahead) <= 3 * BATCH
    # A batch, or the rows that statistics are found in, let go as soon as they are one array.
    assert load.most_alive <= 12
    assert load.alive == 0
    est.predict(X)
    assert load.alive == 0


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_few_rows_are_in_memory_at_once_in_a_search(search, monkeypatch):
    monkeypatch.setattr(ImagePreprocessing, "most_rows_to_fit", 10)
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE", 1)
    monkeypatch.setattr(prediction, "FEWEST_ROWS_AT_ONCE", 64)
    load, n_rows = Load(np.tile(IMAGES, (5, 1, 1, 1))), 5 * N_ROWS
    X, y = Files(range(n_rows), load), np.tile(Y["price"], 5)
    trunk = KINDS["images"][1]
    search(estimator(trunk, max_epochs=1, batch_size=64), {"lr": [0.001, 0.01]}, cv=2).fit(X, y)
    # Rows are predicted 64 at a time, and trained on in as large batches.
    assert load.most_alive <= 64


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda row: 1 / 0, "readable by `load`. Found ZeroDivisionError for 23"),
        (lambda row: row[:5], r"rows of one shape. Found \(5, 6, 3\) in 23 and \(6, 6, 3\) in the first"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(broken, message):
    X = Files(range(N_ROWS), lambda number: broken(IMAGES[23]) if number == 23 else IMAGES[number])
    for given in (X, {"photo": X, "table": TABLE}):
        with pytest.raises(ValueError, match=message):
            estimator(None).fit(given, Y)
