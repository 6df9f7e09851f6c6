import numpy as np
import pytest

from sklearn_mtl.data import RowSplit, held_out_groups, held_out_rows


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


def test_the_last_of_a_class_is_learned_from_and_its_group_with_it():
    codes, groups = np.array([0, 0, 0, 1, 0, 1, -1]), np.array([0, 0, 1, 2, 2, 3, 3])
    split = RowSplit.from_validation(np.array([3, 4, 5, 6]), 7)
    assert split.train.tolist() == [0, 1, 2]
    alone, whole = (
        split.with_every_class_in_training([codes], None),
        split.with_every_class_in_training([codes], groups),
    )
    assert (alone.train.tolist(), alone.validation.tolist()) == ([0, 1, 2, 3, 5], [4, 6])
    assert (whole.train.tolist(), whole.validation.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [])
    # A class that is learned from elsewhere needs no row back.
    assert split.with_every_class_in_training([np.zeros(7, dtype=int)], groups).validation.tolist() == [
        3,
        4,
        5,
        6,
    ]
