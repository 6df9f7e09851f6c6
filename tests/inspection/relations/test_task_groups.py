"""Groups of tasks by their affinity."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.inspection import suggest_groups
from sklearn_mtl.inspection.relations import task_groups


def frame(values):
    names = [f"t{i}" for i in range(len(values))]
    return pd.DataFrame(values, index=names, columns=names)


def blocks(sizes, within=1.0, noise=0.1, seed=0):
    group = np.repeat(np.arange(len(sizes)), sizes)
    order = np.random.default_rng(seed).permutation(len(group))
    group = group[order]
    values = within * (group[:, None] == group) + noise * np.random.default_rng(seed).normal(
        size=(len(group),) * 2
    )
    return frame(values), [[f"t{i}" for i in np.flatnonzero(group == g)] for g in dict.fromkeys(group)]


@pytest.mark.parametrize("sizes", [(3, 3), (1, 5), (2, 3, 4), (4, 4, 4), (9, 5, 6), (30, 20, 10)])
def test_groups_that_were_made_are_found(sizes):
    affinity, made = blocks(sizes)
    assert suggest_groups(affinity, len(sizes)) == made


def worth(values, labels):
    both = values + values.T
    off = ~np.eye(len(values), dtype=bool)
    same = (np.asarray(labels)[:, None] == labels) & off
    return ((both - both[off].mean()) * same).sum()


@pytest.mark.parametrize("n_groups", [1, 2, 3, 5])
def test_no_other_partition_is_worth_more(n_groups):
    values = np.random.default_rng(1).normal(size=(5, 5))
    groups = suggest_groups(frame(values), n_groups)
    assert len(groups) == n_groups
    assert sorted(name for group in groups for name in group) == [f"t{i}" for i in range(5)]
    labels = [next(g for g, group in enumerate(groups) if f"t{i}" in group) for i in range(5)]
    others = [of for of in product(range(n_groups), repeat=5) if len(set(of)) == n_groups]
    assert worth(values, labels) == pytest.approx(max(worth(values, of) for of in others))


def test_both_ways_to_find_groups_agree_where_they_are_plain(monkeypatch):
    affinity, made = blocks((3, 4, 3))
    monkeypatch.setattr(task_groups, "MOST_EXACT", 1)
    assert suggest_groups(affinity, 3) == made


def test_the_diagonal_and_unknown_pairs_do_not_count():
    affinity, made = blocks((3, 3))
    np.fill_diagonal(other := affinity.to_numpy().copy(), 100)
    assert suggest_groups(frame(other), 2) == made
    one, two = made[0][0], made[1][0]
    assert (
        suggest_groups(affinity.mask((affinity.index == one)[:, None] & (affinity.columns == two)), 2) == made
    )
    before = affinity.copy()
    suggest_groups(affinity, 2)
    pd.testing.assert_frame_equal(affinity, before)


def test_bad_input_is_named():
    affinity, _ = blocks((2, 2))
    for n_groups in (0, 5, 1.5, "2"):
        with pytest.raises(
            ValueError, match="`n_groups` must be an integer from 1 to the number of tasks, 4"
        ):
            suggest_groups(affinity, n_groups)
    with pytest.raises(TypeError, match="`affinity` must be a DataFrame of tasks by tasks"):
        suggest_groups(affinity.to_numpy(), 2)
    with pytest.raises(ValueError, match="the same tasks as rows and as columns"):
        suggest_groups(affinity.iloc[:, ::-1], 2)
    with pytest.raises(ValueError, match="`affinity` must hold numbers"):
        suggest_groups(affinity.astype(str), 2)
