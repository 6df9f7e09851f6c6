"""Pseudo-labels are rows beside those of labels: a soft label is as many rows as it has classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_mtl.data import RowSplit
from sklearn_mtl.estimators.rows import FitData, ReadData, Rows
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.semi_supervised.pseudo_labels import (
    LABELLERS,
    PseudoLabels,
    with_pseudo_labels,
)
from sklearn_mtl.semi_supervised.stages import PseudoLabelStages
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import KINDS, TaskSet

X = np.arange(24.0).reshape(12, 2)
Y = {
    "type": np.array(["a", "b", "c", *[None] * 9], dtype=object),
    "price": np.array([1, 2, 3, 4, None, None, None, *range(5)], dtype=object),
    "marks": np.array([[1.0, 0.0], [0.0, 1.0], *[[np.nan, 1.0]] * 5, *[[np.nan, np.nan]] * 5]),
}
OF_KIND = {"type": "classification", "price": "regression", "marks": "multilabel"}
WEIGHT = np.arange(1.0, 37.0).reshape(12, 3)


@pytest.fixture
def targets():
    return read_targets(Y, n_rows=12)


def bound(targets, name, kind):
    return KINDS[kind]().bind(targets.columns[name], np.ones(12))


def test_soft_labels_of_classes_are_their_probabilities(targets):
    task = bound(targets, "type", "classification")
    response = np.full((12, 1, 3), [0.7, 0.29, 0.01])
    cells = np.arange(12)[:, None] >= 10
    labels = LABELLERS["classification"].labels(task, response, cells, targets.columns["type"])
    assert labels.rows.tolist() == [10, 10, 11, 11]
    assert labels.values.tolist() == ["a", "b", "a", "b"]  # c is improbable
    np.testing.assert_allclose(labels.share, [0.7 / 0.99, 0.29 / 0.99] * 2)
    uncertainty = LABELLERS["classification"].uncertainty(task, response, None)
    np.testing.assert_allclose(uncertainty, 0.3)


def test_multilabel_cells_are_labelled_one_by_one(targets):
    task = bound(targets, "marks", "multilabel")
    response = np.full((12, 2, 1), [[0.9], [0.2]])
    np.testing.assert_allclose(LABELLERS["multilabel"].uncertainty(task, response, None), [[0.1, 0.2]] * 12)
    cells = np.zeros((12, 2), dtype=bool)
    cells[3, 0] = cells[8] = True
    labels = LABELLERS["multilabel"].labels(task, response, cells, targets.columns["marks"])
    assert labels.rows.tolist() == [3, 8]
    assert labels.values.tolist() == [[1, 0], [1, 0]]
    assert labels.missing.tolist() == [[False, True], [False, False]]


def test_rows_of_pseudo_labels_come_after_all_others(targets):
    rows = Rows(X, targets.columns, np.ones((12, 1)), weighted=False).labelled()
    half = np.array([False, False])
    labels = {
        "type": PseudoLabels(
            np.array([5, 5]), np.array(["a", "b"], dtype=object), half, np.array([0.75, 0.25])
        ),
        "price": PseudoLabels(np.array([4, 5]), np.array([2.5, 3.5]), half, np.ones(2)),
    }
    found = with_pseudo_labels(rows, labels, WEIGHT, list(Y))
    assert found.index.tolist() == [*range(12), 4, 5, 5]
    assert found.columns["type"].missing[12:].tolist() == [True, False, False]
    assert found.columns["type"].values[13:].tolist() == ["a", "b"]
    assert found.columns["price"].missing[12:].tolist() == [False, False, True]
    assert found.columns["price"].values[12:14].tolist() == [2.5, 3.5]
    assert found.columns["price"].values[:4].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert found.columns["marks"].missing[12:].all()
    # A soft label weighs in all what a label of its row weighs.
    assert found.weight[13:, 0].tolist() == [0.75 * WEIGHT[5, 0], 0.25 * WEIGHT[5, 0]]
    assert found.weight[12:, 1].tolist() == [WEIGHT[4, 1], WEIGHT[5, 1], 0.0]
    assert found.weight[:12].tolist() == [[1.0] * 3] * 12
    assert found.weight[12:, 2].tolist() == [0.0] * 3


def test_labels_of_two_rounds_are_one(targets):
    def of(*rows):
        zeros = np.zeros(len(rows))
        return PseudoLabels(np.array(rows), zeros, zeros.astype(bool), zeros + 1)

    both = of(2, 2, 7).joined(of(1, 5, 5))
    assert both.rows.tolist() == [1, 2, 2, 5, 5, 7]
    assert both.occurrence.tolist() == [0, 0, 1, 0, 1, 0]


@pytest.fixture
def stages(targets):
    rows = Rows(X, targets.columns, np.ones((12, 1)), weighted=False).labelled()
    read = ReadData(rows, targets, None)
    every = np.arange(4, 12)
    labels = PseudoLabels(every, np.full(8, "b", dtype=object), np.zeros(8, dtype=bool), np.ones(8))
    return PseudoLabelStages(read, {"price": np.array([0, 8])}, {"type": labels}, WEIGHT)


def test_hidden_labels_are_learned_by_no_net(stages):
    rows = stages.read(X, Y, None, owner="", accepted=None).rows
    places = rows.places(np.arange(len(rows)))
    known = set(places[~rows.columns["price"].missing])
    assert known == {1, 2, 3, 7, 9, 10, 11}
    assert 8 not in places[: stages._n_labelled]  # nothing else is known of it
    assert (~rows.columns["type"].missing)[stages._n_labelled :].all()


@pytest.mark.parametrize("groups", [None, np.arange(12) // 2])
def test_nets_hold_out_labels_only_and_learn_no_pseudo_label_of_these_rows(stages, groups):
    rows = stages.read(X, Y, None, owner="", accepted=None).rows
    kinds = {name: KINDS[kind]() for name, kind in OF_KIND.items()}
    data = FitData(X, Y, groups=groups)
    splits = stages.split(rows, kinds, data, validation_fraction=0.3, n_nets=3, seed=0)
    n_labelled = stages._n_labelled
    group = np.arange(12) if groups is None else groups
    # The only row of a class, and its group, is in every training part.
    splits = [split for split in splits if len(split.validation)]
    assert splits
    for split in splits:
        assert split.validation.max() < n_labelled
        more = split.train[split.train >= n_labelled]
        assert len(more)
        held_out = group[rows.places(split.validation)]
        assert not set(group[rows.places(more)]) & set(held_out)
        left = set(range(n_labelled, len(rows))) - set(more)
        assert {group[rows.places(np.array([row]))[0]] for row in left} <= set(held_out)


def test_labels_are_split_as_without_pseudo_labels(stages, targets):
    rows = stages.read(X, Y, None, owner="", accepted=None).rows
    kinds = {name: KINDS[kind]() for name, kind in OF_KIND.items()}
    how = {"validation_fraction": 0.3, "n_nets": 2, "seed": 1}
    labelled = rows.take(np.arange(stages._n_labelled))
    alone = Stages().split(labelled, kinds, FitData(X, Y), **how)
    both = stages.split(rows, kinds, FitData(X, Y), **how)
    for one, other in zip(alone, both, strict=True):
        assert isinstance(other, RowSplit)
        np.testing.assert_array_equal(one.validation, other.validation)
        np.testing.assert_array_equal(one.train, other.train[other.train < stages._n_labelled])


class Seen(TransformerMixin, BaseEstimator):
    """Keeps what it is fitted to."""

    def fit(self, X, sample_weight=None):
        self.rows_, self.weight_ = np.asarray(X)[:, 0].tolist(), sample_weight
        return self

    def transform(self, X):
        return X


class SeenWithLabels(Seen):
    """Takes labels too."""

    def fit(self, X, y):
        self.y_ = y
        return super().fit(X)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_row_counts_once_for_the_features(weighted, targets):
    weight = np.arange(1.0, 13.0)[:, None]
    rows = Rows(X, targets.columns, weight if weighted else np.ones((12, 1)), weighted).take(np.arange(4))
    soft = np.repeat(np.arange(2, 6), 2)
    labels = PseudoLabels(
        soft, np.array(["a", "b"] * 4, dtype=object), np.zeros(8, dtype=bool), np.tile([0.75, 0.25], 4)
    )
    stages = PseudoLabelStages(ReadData(rows, targets, None), {}, {"type": labels}, np.tile(weight, 3))
    read = stages.read(X, Y, None, owner="", accepted=None).rows
    assert len(read) == 12
    tasks = TaskSet(tuple(KINDS[OF_KIND[name]]().bind(of, np.ones(12)) for name, of in read.columns.items()))
    found = {
        kind: stages.fit_encoder(read, tasks, preprocessing=kind(), dtype=np.float32).transformer
        for kind in (Seen, SeenWithLabels)
    }
    assert found[Seen].rows_ == X[:6, 0].tolist()
    assert found[SeenWithLabels].rows_ == X[:4, 0].tolist()
    assert len(found[SeenWithLabels].y_) == 4
    if weighted:
        assert found[Seen].weight_.tolist() == [1, 2, 3, 4, 5, 6]
