"""Sequences get as far as tables do: searched, stacked, pickled, saved, weighed, with missing labels."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_mtl import MultiTaskClassifier, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.features import SequencePreprocessing
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, RNN, TCN, TransformerEncoder

TRUNKS = [RNN(hidden_size=6), TCN(6), TransformerEncoder(6, heads=2, blocks=1)]
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 25, size=70)
X = [RNG.normal(size=(length, 2)) for length in LENGTHS]
Y = MultiTaskTarget(
    {
        "mean": np.array([row[:, 0].mean() for row in X]),
        "first": np.where([row[0, 1] > 0 for row in X], "high", "low"),
    }
)


@pytest.fixture(params=TRUNKS, ids=str)
def est(request, quick):
    return quick(trunk=request.param)


def same(one, other):
    np.testing.assert_allclose(one["mean"], other["mean"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one["first"], other["first"], rtol=1e-4, atol=1e-5)


def proba(est, rows):
    return {"mean": est.predict(rows)["mean"], "first": est.predict_proba(rows)["first"]}


def test_a_row_is_predicted_alike_alone_and_among_longer_ones(est):
    est.fit(X, Y)
    found = proba(est, X)
    longest = int(np.argmax(LENGTHS))
    for place in (0, 7, int(np.argmin(LENGTHS))):
        for rows in ([X[place]], [X[place], X[longest]], [X[place], np.ones((60, 2))]):
            one = proba(est, rows)
            same(
                {name: of[:1] for name, of in one.items()},
                {n: of[place : place + 1] for n, of in found.items()},
            )


def test_rows_read_batch_by_batch_and_at_once_are_learned_alike(est, monkeypatch):
    found = proba(est.fit(X, Y), X)
    monkeypatch.setattr("sklearn_mtl.features.ragged.MOST_FILLED", 1e9)
    same(proba(clone(est).fit(X, Y), X), found)


def test_a_list_of_one_length_is_learned_as_an_array_is(est):
    rows = np.stack([np.resize(row, (9, 2)) for row in X]).astype(np.float32)
    same(proba(clone(est).fit(list(rows), Y), list(rows)), proba(est.fit(rows, Y), rows))


@pytest.mark.parametrize("precision", ["float64", "bf16"])
def test_precisions(est, precision):
    est.set_params(precision=precision).fit(X, Y)
    assert np.isfinite(est.predict(X)["mean"]).all()


def test_a_pickle_and_a_file_predict_the_same(est, tmp_path):
    pytest.importorskip("safetensors")
    est.set_params(preprocessing=SequencePreprocessing(scale=False)).fit(X, Y)
    save(est, tmp_path / "it.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "it.mtl")):
        np.testing.assert_array_equal(again.predict(X)["mean"], est.predict(X)["mean"])


def test_searches_agree_and_say_what_is_not_stacked(est, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    grid = [{"task_weights__mean": [0.1, 1.0]}, {"preprocessing__scale": [False]}]
    est.set_params(preprocessing=SequencePreprocessing(), precision="float64")
    plain, stacked = (
        search(est, grid, cv=KFold(2), refit=False, error_score="raise").fit(X, Y)
        for search in (GridSearchCV, StackedGridSearchCV)
    )
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=0, atol=1e-9)
    assert len(set(plain.cv_results_["mean_test_score"].round(9))) == 3
    is_recurrent = isinstance(est.trunk, RNN)
    assert (stacked.stacked_["stacked"] != is_recurrent).all()
    assert stacked.stacked_["reason"].str.contains("torch's LSTM is computed").all() == is_recurrent


def test_bags_weights_and_missing_labels(est):
    labels = {"mean": Y["mean"].copy(), "first": Y["first"].astype(object)}
    labels["mean"][::3] = np.nan
    labels["first"][1::5] = None
    est.set_params(n_bags=2, early_stopping=True, validation_fraction=0.2)
    est.fit(X, labels, sample_weight=RNG.random(len(X)))
    assert len(est.nets_) == 2
    assert np.isfinite(est.score(X, labels))


def test_more_of_a_fit(est):
    est.partial_fit(X[:40], {name: y[:40] for name, y in Y.items()})
    est.partial_fit(X[40:], {name: y[40:] for name, y in Y.items()})
    est.set_params(warm_start=True, max_epochs=3).fit(X, Y)
    assert est.transform(X).shape[0] == len(X)
    assert est.task("first").predict(X).shape == (len(X),)
    assert np.isfinite(cross_val_score(make_pipeline(est), X, Y, cv=2)).all()


def test_the_default_is_a_convolutional_network(quick):
    est, of_tcn = (quick(trunk=trunk).fit(X, Y) for trunk in (None, "tcn"))
    np.testing.assert_array_equal(est.predict(X)["mean"], of_tcn.predict(X)["mean"])
    assert len(of_tcn.set_params(n_bags="auto").fit(X, Y).nets_) == 2


def test_a_memory_map_is_read_batch_by_batch(tmp_path, quick):
    rows = np.stack([np.resize(row, (9, 2)) for row in X]).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    found = [proba(quick(trunk=TCN(6)).fit(given, Y), given) for given in (mapped, rows)]
    same(*found)


def test_what_is_no_sequence_or_has_other_channels_is_refused(est, quick):
    est.fit(X, Y)
    with pytest.raises(ValueError, match="must have 2 channels, as in `fit`"):
        est.predict([np.ones((3, 1))])
    with pytest.raises(ValueError, match=r"must be finite\. Found it in row 1"):
        est.fit([X[0], np.full((2, 2), np.nan)], {"y": [0.0, 1.0]})
    with pytest.raises(ValueError, match=r"\(steps, channels\) with at least one step"):
        est.fit([X[0], np.ones((0, 2))], {"y": [0.0, 1.0]})
    with pytest.raises(ValueError, match="rows of unequal lengths; a trunk for sequences"):
        quick(trunk=MLP((4,))).fit(X, Y)


def test_one_kind_of_task_and_arrays_as_labels(quick):
    est = quick(MultiTaskClassifier, trunk=TCN(6), max_epochs=20, lr=0.01)
    y = np.array([row[:, 0].sum() > 0 for row in X])
    assert est.fit(X, y).score(X, y) > 0.7
