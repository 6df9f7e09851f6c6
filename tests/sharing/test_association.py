"""What tasks explain of each other, by labels alone."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mtl.sharing.association import N_BINS, best_ancestors, explained_shares
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Multilabel, Regression, TaskSet


def shares_of(kinds, labels, weight=None):
    columns = read_targets(labels).columns
    n_rows = len(next(iter(columns.values())))
    weight = np.ones(n_rows) if weight is None else weight
    tasks = TaskSet(tuple(kind.bind(columns[name], weight) for name, kind in kinds.items()))
    y, cells = (torch.tensor(part) for part in tasks.encode(columns, weight[:, None]))
    names = [task.name for task in tasks.ordered]
    return pd.DataFrame(explained_shares(tasks.ordered, y, cells).numpy(), names, names)


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    size = rng.normal(size=3000)
    return {
        "size": size,
        "squared": size**2,
        "group": np.array(list("abc"))[np.digitize(size, [-0.5, 0.5])],
        "large": size > 0.5,
        "noise": rng.normal(size=3000),
    }


KINDS = {
    "size": Regression(),
    "squared": Regression(),
    "group": Classification(),
    "large": Classification(),
    "noise": Regression(),
}


def test_a_function_is_explained_and_what_it_forgets_is_not(labels):
    shares = shares_of(KINDS, labels)
    assert shares.loc["large", "group"] == pytest.approx(1)
    assert shares.loc["group", "large"] < 0.6
    assert shares.loc["squared", "size"] > 0.6
    assert shares.loc["size", "squared"] < 0.01
    assert shares["noise"].max() < 0.01
    assert shares.loc["noise"].max() < 0.01
    assert (np.diag(shares) == 0).all()


def test_the_share_is_the_adjusted_correlation_ratio_in_plain_numpy(labels):
    found = shares_of(KINDS, labels)
    size, group = labels["size"], labels["group"]
    within = sum(((size[group == one] - size[group == one].mean()) ** 2).sum() for one in "abc")
    expected = 1 - (within / (3000 - 3)) / (((size - size.mean()) ** 2).sum() / (3000 - 1))
    assert found.loc["size", "group"] == pytest.approx(expected, abs=1e-9)
    ends = np.quantile(size, np.arange(1, N_BINS) / N_BINS)
    bins = np.searchsorted(ends, size, side="right")
    of_classes = []
    for one in "abc":
        member = (group == one).astype(float)
        within = sum(((member[bins == b] - member[bins == b].mean()) ** 2).sum() for b in range(N_BINS))
        of_classes.append(1 - within / (3000 - N_BINS) / (member.var() * 3000 / (3000 - 1)))
    assert found.loc["group", "size"] == pytest.approx(np.mean(of_classes), abs=1e-9)


def test_rows_without_both_labels_do_not_count(labels):
    half = np.arange(3000) < 1500
    gaps = {**labels, "large": np.where(half, labels["large"].astype(float), np.nan)}
    few = {name: values[half] for name, values in labels.items()}
    with_gaps, of_few = shares_of(KINDS, gaps), shares_of(KINDS, few)
    assert with_gaps.loc["large", "group"] == pytest.approx(of_few.loc["large", "group"])
    weight = half.astype(float)
    assert shares_of(KINDS, labels, weight).loc["size", "group"] == pytest.approx(
        of_few.loc["size", "group"], abs=0.05
    )


def test_tasks_of_few_common_rows_or_of_one_number_explain_nothing(labels):
    never = {
        "size": np.where(np.arange(3000) < 5, labels["size"], np.nan),
        "large": np.where(np.arange(3000) < 5, np.nan, labels["large"]),
    }
    shares = shares_of({"size": Regression(), "large": Classification()}, never)
    assert (shares == 0).all(axis=None)


def test_of_several_columns_the_best_explains(labels):
    several = {"tags": np.column_stack([labels["noise"] > 0, labels["large"]]).astype(int)}
    shares = shares_of({"tags": Multilabel(), "size": Regression()}, {"size": labels["size"], **several})
    assert shares.loc["size", "tags"] == pytest.approx(shares_of(KINDS, labels).loc["size", "large"])


def test_labels_of_more_rows_decide_between_equal_explanations():
    shares = torch.tensor([[0.0, 0.6], [0.6, 0.0]])
    assert best_ancestors(shares, torch.tensor([10, 90])).tolist() == [[0, 1], [0, 0]]
    assert best_ancestors(shares, torch.tensor([90, 10])).tolist() == [[0, 0], [1, 0]]
    assert best_ancestors(shares, torch.tensor([50, 50])).tolist() == [[0, 1], [0, 0]]


def test_weak_explanations_are_none_and_there_is_no_cycle():
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        reads = best_ancestors(torch.rand(6, 6, generator=rng), torch.ones(6)).double()
        assert (torch.linalg.matrix_power(reads, 6) == 0).all()
        assert (reads.sum(1) == 0).sum() == 1
    assert (best_ancestors(torch.full((3, 3), 0.04), torch.ones(3)) == 0).all()
