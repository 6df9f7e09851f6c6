"""The rows that tell when to stop: by a splitter, in groups, or both."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.estimators.held_out import held_out_groups, held_out_rows, read_groups
from sklearn_mtl.estimators.kinds import KindsFromLabels
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features import AcceptedInput
from sklearn_mtl.model_selection import TaskStratifiedShuffleSplit

N_ROWS = 80


@pytest.fixture
def parts(houses):
    """Return a function: for each net of a bag, the rows that it learns from and holds out."""
    X, Y = houses

    def found(how, groups=None, y=Y, n_nets=2, seed=0):
        stages, data = Stages(), FitData(X, y, groups=groups)
        rows = stages.read(X, y, None, owner="Estimator", accepted=AcceptedInput.by(None)).rows
        kinds = KindsFromLabels().infer(rows.columns)
        splits = stages.split(rows, kinds, data, validation_fraction=how, n_nets=n_nets, seed=seed)
        index = np.arange(N_ROWS) if rows.index is None else rows.index
        return [(index[split.train].tolist(), index[split.validation].tolist()) for split in splits]

    return found


def test_a_splitter_says_which_rows(parts):
    splits = list(KFold(5, shuffle=True, random_state=1).split(np.zeros(N_ROWS)))
    found = parts(KFold(5, shuffle=True, random_state=1))
    assert found == [(train.tolist(), test.tolist()) for train, test in splits[-2:]]


def test_fewer_splits_than_nets_are_used_again(parts):
    (train, test) = next(ShuffleSplit(1, test_size=0.2, random_state=0).split(np.zeros(N_ROWS)))
    expected = (sorted(train.tolist()), sorted(test.tolist()))
    assert parts(ShuffleSplit(1, test_size=0.2, random_state=0), n_nets=3) == [expected] * 3


def test_rows_in_neither_part_are_not_learned_from(parts):
    (train, test) = list(TimeSeriesSplit(4, gap=5).split(np.zeros(N_ROWS)))[-1]
    assert parts(TimeSeriesSplit(4, gap=5), n_nets=1) == [(train.tolist(), test.tolist())]
    assert len(train) + len(test) < N_ROWS


def test_a_splitter_counts_the_rows_as_they_were_given(parts, houses):
    _, Y = houses
    unlabelled = Y.copy()
    unlabelled.iloc[[0, 10, 70]] = None
    folds = np.where(np.arange(N_ROWS) < 20, 0, -1)
    ((learned, held),) = parts(PredefinedSplit(folds), y=unlabelled, n_nets=1)
    assert held == [row for row in range(20) if row not in (0, 10)]
    assert learned == [row for row in range(20, N_ROWS) if row != 70]


def test_a_splitter_gets_labels_and_groups(parts, houses):
    _, Y = houses
    groups = np.arange(N_ROWS) // 4
    for learned, held in parts(GroupShuffleSplit(2, test_size=0.25, random_state=0), groups):
        assert len(held) == 20
        assert not set(groups[learned]) & set(groups[held])
    stratified = TaskStratifiedShuffleSplit(1, task="type", test_size=0.25, random_state=0)
    ((_, held),) = parts(stratified, y={name: Y[name].to_numpy() for name in Y}, n_nets=1)
    share = (Y["type"] == "flat").mean()
    assert abs((Y["type"].iloc[held] == "flat").mean() - share) <= 0.05


def test_a_share_is_of_whole_groups(parts):
    groups = [f"patient{row // 4}" for row in range(N_ROWS)]
    found = parts(0.2, groups, n_nets=4)
    for learned, held in found:
        assert sorted(learned + held) == list(range(N_ROWS))
        assert {groups[row] for row in held}.isdisjoint(groups[row] for row in learned)
        assert 12 <= len(held) <= 20
    every = [row for _, held in found for row in held]
    assert len(set(every)) == len(every)
    # Otherwise rows of a group are on both sides.
    for learned, held in parts(0.2, n_nets=4):
        assert not {groups[row] for row in held}.isdisjoint(groups[row] for row in learned)


@pytest.mark.parametrize("how", [0.5, GroupShuffleSplit(1, test_size=0.5, random_state=0)])
def test_a_group_with_the_last_of_a_class_is_learned_from(parts, houses, how):
    _, Y = houses
    groups = np.arange(N_ROWS) // 8
    rare = Y.assign(type=np.where(groups == 3, "castle", Y["type"]))
    for seed in range(4):
        for learned, held in parts(how, groups, rare, seed=seed):
            assert set(range(24, 32)) <= set(learned)
            assert not set(groups[learned]) & set(groups[held])


def test_a_warm_start_holds_out_the_same_groups(quick, houses):
    X, Y = houses
    groups = np.arange(N_ROWS) // 4
    whole = quick(early_stopping=True, max_epochs=6, patience=50).fit(X, Y, groups=groups)
    halves = quick(early_stopping=True, max_epochs=3, patience=50, warm_start=True).fit(X, Y, groups=groups)
    halves.set_params(max_epochs=6).fit(X, Y, groups=groups)
    np.testing.assert_allclose(halves.history_["valid_loss"][:3], whole.history_["valid_loss"][:3])
    without = clone(whole).fit(X, Y)
    assert (without.history_["valid_loss"] != whole.history_["valid_loss"]).all()


def test_a_splitter_is_a_parameter_as_any(quick, houses):
    X, Y = houses
    splitter = KFold(4)
    est = quick(early_stopping=True, validation_fraction=splitter, n_bags=2)
    est.fit(X, MultiTaskTarget({name: Y[name] for name in Y}))
    assert est.validation_fraction is splitter
    assert "valid_loss" in est.history_
    assert repr(clone(est).validation_fraction) == repr(splitter)
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict(X)["price"], est.predict(X)["price"])


def test_one_group_can_not_be_held_out(quick, houses):
    with pytest.warns(
        UserWarning, match="`groups` should hold several groups.*Found one: no row is held out"
    ):
        est = quick(early_stopping=True).fit(*houses, groups=np.zeros(N_ROWS))
    assert "valid_loss" not in est.history_


@pytest.mark.parametrize(
    ("how", "groups", "message"),
    [
        (0.1, np.zeros(79), "`groups` must hold the group of each row of X. Found 79 of 80 rows"),
        (0.1, np.r_[np.nan, np.zeros(79)], "Found 1 missing"),
        (GroupShuffleSplit(1), None, r"GroupShuffleSplit(?s:.)*fit\(X, y, groups=...\)"),
        (GroupKFold(5), None, r"`validation_fraction`.*GroupKFold.*needs groups; fit\(X, y, groups=...\)"),
        (KFold(100), None, r"`validation_fraction`.*KFold\(n_splits=100.*greater than the number of samples"),
        (
            PredefinedSplit(np.full(80, -1)),
            None,
            "`validation_fraction` as a splitter must give.*Found 0 splits",
        ),
        (PredefinedSplit(np.zeros(80)), None, "with labelled rows to learn from"),
    ],
)
def test_what_can_not_be_split(quick, houses, how, groups, message):
    with pytest.raises(ValueError, match=message):
        quick(early_stopping=True, validation_fraction=how).fit(*houses, groups=groups)


def test_a_splitter_of_one_target_does_not_split_several(quick, houses):
    X, Y = houses
    est = quick(early_stopping=True, validation_fraction=StratifiedKFold(5))
    with pytest.raises(ValueError, match=r"`validation_fraction`.*[^k]StratifiedKFold.*TaskStratifiedKFold"):
        est.fit(X, {name: Y[name] for name in Y})


def test_groups_without_early_stopping_are_not_read(quick, houses):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(early_stopping=False).fit(*houses, groups=np.zeros(N_ROWS))


# --------------------------------------------------------------------------- the drawing


def split(n_rows, fraction=0.1, n_splits=1, strata=None, seed=0):
    return held_out_rows(n_rows, fraction, n_splits, strata, np.random.RandomState(seed))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("n_rows", [40, 101, 1000])
def test_the_fraction_is_held_out(n_rows, fraction):
    for rows in split(n_rows, fraction, n_splits=3):
        assert abs(len(rows) - fraction * n_rows) <= 1


@pytest.mark.parametrize(
    ("n_rows", "fraction", "n_splits"),
    [(1000, 0.1, 8), (100, 0.1, 10), (57, 0.1, 8), (200, 0.25, 4), (31, 0.3, 3), (12, 0.05, 4), (10, 0.1, 8)],
)
def test_splits_share_no_row(n_rows, fraction, n_splits):
    rows = np.concatenate(split(n_rows, fraction, n_splits))
    assert len(np.unique(rows)) == len(rows)


@pytest.mark.parametrize("seed", range(5))
def test_every_stratum_gives_its_share(seed):
    strata = np.repeat([0, 1, 2], [600, 300, 100])
    for rows in split(1000, 0.1, n_splits=8, strata=strata, seed=seed):
        np.testing.assert_allclose(np.bincount(strata[rows]), [60, 30, 10], atol=1)


def test_strata_split_apart_too():
    strata = np.random.RandomState(0).randint(0, 7, size=500)
    rows = np.concatenate(split(500, 0.1, n_splits=8, strata=strata))
    assert len(np.unique(rows)) == len(rows)


@pytest.mark.parametrize("seed", range(20))
def test_a_rare_class_stays_among_the_training_rows(seed):
    strata = np.zeros(50, dtype=int)
    strata[[3, 40]] = 1
    strata[7] = 2
    for rows in split(50, 0.1, n_splits=8, strata=strata, seed=seed):
        assert 7 not in rows
        assert not {3, 40} <= set(rows)


def test_rows_all_of_their_own_stratum_are_all_kept():
    assert [len(rows) for rows in split(30, n_splits=2, strata=np.arange(30))] == [0, 0]


@pytest.mark.parametrize("n_rows", [1, 2, 9])
def test_few_rows_are_all_kept(n_rows):
    assert [len(rows) for rows in split(n_rows, n_splits=3)] == [0, 0, 0]


def test_ten_rows_give_at_least_one():
    for rows in split(10, 0.01, n_splits=2):
        assert len(rows) == 1


@pytest.mark.parametrize("fraction", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("n_splits", [1, 2, 8])
def test_rows_are_left_to_learn_from(fraction, n_splits):
    assert all(len(rows) < 20 for rows in split(20, fraction, n_splits))


def test_rows_are_sorted_and_follow_the_seed():
    one, again, other = (split(100, seed=seed)[0] for seed in (0, 0, 1))
    assert (np.diff(one) > 0).all()
    np.testing.assert_array_equal(one, again)
    assert set(one) != set(other)


def split_groups(groups, fraction=0.1, n_splits=1, seed=0):
    return held_out_groups(groups, fraction, n_splits, np.random.RandomState(seed))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_groups_are_held_out_whole_and_apart(fraction, seed):
    groups = np.random.RandomState(seed).randint(0, 100, size=1000)
    groups = np.unique(groups, return_inverse=True)[1]
    n_splits = int(1 / fraction)
    found = split_groups(groups, fraction, n_splits, seed)
    for rows in found:
        assert (np.diff(rows) > 0).all()
        assert abs(len(rows) - fraction * 1000) <= 20
        assert not np.intersect1d(groups[rows], np.delete(groups, rows)).size
    rows = np.concatenate(found)
    assert len(np.unique(rows)) == len(rows)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_of_few_groups_at_least_one_is_held_out_and_one_learned_from(fraction):
    for seed in range(10):
        for rows in split_groups(np.repeat([0, 1, 2], [20, 5, 5]), fraction, 3, seed):
            assert 0 < len(rows) < 30


def test_one_group_or_few_rows_are_all_kept():
    assert [len(rows) for rows in split_groups(np.zeros(30, dtype=int), 0.5, 2)] == [0, 0]
    assert [len(rows) for rows in split_groups(np.arange(9), 0.5, 2)] == [0, 0]


def test_masked_groups_are_missing():
    with pytest.raises(ValueError, match=r"`groups` must hold the group of each row of X\. Found 1 missing"):
        read_groups(np.ma.array([0, 1, 1], mask=[False, True, False]), 3)
