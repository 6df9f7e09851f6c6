"""How often a row is drawn, by its labels."""

import numpy as np
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.sampling import (
    ClassBalanced,
    Sampler,
    SampleWeighted,
    TaskBalanced,
    TrainingLabels,
    checked_rates,
)
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Multilabel, Regression, TaskSet


def labels_of(Y, weight=None, counted=None):
    """The labels of some tasks, as a sampler is given them."""
    columns = read_targets(Y).columns
    n_rows = len(next(iter(Y.values())))

    def bound(name, column):
        if column.values.ndim == 2:
            kind = Multilabel()
        else:
            kind = Regression() if column.values.dtype.kind == "f" else Classification()
        return kind.bind(column, np.ones(n_rows))

    tasks = TaskSet(tuple(bound(name, column) for name, column in columns.items()))
    weight = np.ones((n_rows, 1)) if weight is None else weight
    y, weight = tasks.encode(columns, weight)
    return TrainingLabels(tasks, y, weight, counted or (True,) * len(tasks))


def with_labels(*rows, n_rows=12):
    """A number for each of the given rows, and a gap in the others."""
    values = np.full(n_rows, np.nan)
    values[list(rows)] = np.arange(len(rows))
    return values


MANY, FEW, OTHERS = with_labels(*range(8)), with_labels(8, 9), with_labels(9, 10, 11)


def test_each_task_is_drawn_as_often_as_the_others():
    labels = labels_of({"many": MANY, "few": with_labels(8, 9)}, counted=(True, True))
    rates = TaskBalanced().rates(labels)
    shares = rates @ labels.has_label / rates.sum()
    np.testing.assert_allclose(shares, 0.5)
    np.testing.assert_allclose(rates[10:], 0)


@pytest.mark.parametrize("exponent", [0.0, 0.3, 1.0])
def test_shares_of_tasks_are_a_power_of_their_numbers_of_labels(exponent):
    labels = labels_of({"many": MANY, "few": FEW})
    rates = TaskBalanced(exponent=exponent).rates(labels)
    many, few = rates @ labels.has_label
    assert many / few == pytest.approx((8 / 2) ** exponent)


def test_a_row_with_labels_of_several_tasks_is_drawn_for_each():
    rates = TaskBalanced().rates(labels_of({"few": FEW, "others": OTHERS}))
    np.testing.assert_allclose(rates, [0] * 8 + [1 / 2, 1 / 2 + 1 / 3, 1 / 3, 1 / 3])


def test_where_all_rows_have_all_labels_all_rates_are_equal():
    y = np.arange(6.0)
    rates = TaskBalanced().rates(labels_of({"one": y, "other": -y}))
    assert np.ptp(rates) == 0


def test_labels_of_weight_0_and_tasks_of_weight_0_do_not_count():
    labels = labels_of({"many": MANY, "few": FEW}, counted=(False, True))
    np.testing.assert_allclose(TaskBalanced().rates(labels), [0] * 8 + [0.5, 0.5, 0, 0])
    weight = np.ones((12, 1))
    weight[8] = 0
    labels = labels_of({"many": MANY, "few": FEW}, weight=weight)
    np.testing.assert_allclose(TaskBalanced().rates(labels), [1 / 8] * 8 + [0, 1, 0, 0])


TYPES = np.array(["a"] * 6 + ["b"] * 2 + ["c"], dtype=object)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_shares_of_classes_are_a_power_of_their_numbers_of_rows(exponent):
    types = np.append(TYPES, [None] * 3)
    labels = labels_of({"size": np.arange(12.0), "type": types})
    rates = ClassBalanced("type", exponent=exponent).rates(labels)
    np.testing.assert_allclose(rates[types == None], 1)  # noqa: E711
    of_classes = np.array([rates[types == one].sum() for one in "abc"])
    counts = np.array([6, 2, 1]) ** exponent
    np.testing.assert_allclose(of_classes, 9 * counts / counts.sum())
    for one in "abc":
        assert np.ptp(rates[types == one]) == pytest.approx(0)


def test_the_only_task_with_classes_needs_no_name():
    labels = labels_of({"size": np.arange(9.0), "type": TYPES})
    np.testing.assert_array_equal(ClassBalanced().rates(labels), ClassBalanced("type").rates(labels))


@pytest.mark.parametrize("task", [None, "size", "tags", "colour", 3, ["type"]])
def test_a_task_without_one_class_for_each_row_is_refused(task):
    tags = np.eye(9, dtype=int)[:, :2]
    labels = labels_of({"size": np.arange(9.0), "tags": tags, "type": TYPES, "kind": TYPES})
    rule = r"`task` of ClassBalanced must be a task with one class for each row, one of \['type', 'kind'\]"
    way_out = r"ClassBalanced\('type'\), or by set_params\(sampler__task='type'\)\.$"
    with pytest.raises(ValueError, match=rf"{rule}\. Found .*{way_out}"):
        ClassBalanced(task).rates(labels)


def test_without_a_task_of_classes_the_tasks_are_named():
    labels = labels_of({"size": np.arange(9.0), "age": np.arange(9.0)})
    rule = r"needs a task with one class for each row\. Found none among the tasks \['size', 'age'\]\.$"
    with pytest.raises(ValueError, match=rule):
        ClassBalanced().rates(labels)


def test_columns_of_an_unknown_task_are_refused():
    labels = labels_of({"size": np.arange(9.0), "type": TYPES})
    assert labels.columns_of("type").tolist() == [1]
    with pytest.raises(ValueError, match=r"must be a task .* one of \['size', 'type'\]\. Found 'nix'\.$"):
        labels.columns_of("nix")


def test_rows_are_drawn_by_the_mean_weight_of_their_labels():
    weight = np.array([[1.0, 3.0], [2.0, 2.0], [0.0, 0.0], [4.0, 5.0]])
    y = np.array([1.0, 2.0, 3.0, 4.0])
    labels = labels_of({"one": y, "other": np.array([1.0, 2.0, 3.0, np.nan])}, weight=weight)
    np.testing.assert_allclose(SampleWeighted().rates(labels), [2, 2, 0, 4])


@pytest.mark.parametrize("exponent", [-0.1, 1.1, "1", None, np.nan, True])
@pytest.mark.parametrize("sampler", [TaskBalanced, ClassBalanced])
def test_an_exponent_is_from_0_to_1(sampler, exponent):
    labels = labels_of({"size": np.arange(9.0), "type": TYPES})
    rule = f"`exponent` of {sampler.__name__} must be a number from 0 to 1. Found"
    with pytest.raises(ValueError, match=rule):
        sampler(exponent=exponent).rates(labels)


class Given(Sampler):
    def __init__(self, of_rows=None):
        self.of_rows = of_rows

    def rates(self, labels):
        return self.of_rows


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ([1.0, 2.0], r"shape \(2,\)"),
        ([1.0] * 8 + [-1.0], "-1.0"),
        ([1.0] * 8 + [np.nan], "nan"),
        ([1.0] * 8 + [np.inf], "inf"),
        ([0.0] * 9, "a sum of 0.0"),
        ([1e308] * 9, "a sum of inf"),
        (["a"] * 9, r"\['a'"),
        (None, r"shape \(\)"),
    ],
    ids=["short", "negative", "nan", "infinite", "zero", "huge", "text", "none"],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_rates_are_finite_numbers_one_for_each_row(rates, found):
    labels = labels_of({"size": np.arange(9.0), "type": TYPES})
    rule = "`rates` of Given must return a finite non-negative number for each of the 9 training rows"
    with pytest.raises(ValueError, match=rf"{rule}.* Found {found}"):
        checked_rates(Given(rates), labels)


def test_rates_have_a_mean_of_1():
    labels = labels_of({"type": TYPES})
    assert checked_rates(Given([7.0] * 9), labels).tolist() == [1.0] * 9


X = np.random.default_rng(0).normal(size=(60, 3))


def quick(kind=MultiTaskClassifierRegressor, **params):
    return kind(trunk="mlp", n_bags=1, max_epochs=3, linear_blend=False, random_state=0, **params)


@pytest.mark.parametrize("validated", [True, False])
def test_training_rows_are_drawn_by_the_labels_of_these_rows(validated):
    y = {"many": X[:, 0], "few": np.where(np.arange(60) < 12, X[:, 1], np.nan)}
    est = quick(MultiTaskRegressor, sampler="task_balanced", early_stopping=validated)
    planned = est._plan(FitData(X, y), Stages())
    (plan,) = planned.plans
    has_few = plan.train.weight[:, 1].cpu() > 0
    rates = plan.train.drawing.rates
    assert float(rates.mean()) == pytest.approx(1)
    assert float(rates[has_few].sum() / rates.sum()) == pytest.approx(
        0.5 + 0.5 * float(has_few.float().mean())
    )
    assert plan.valid is None or plan.valid.drawing is None


def test_a_rare_class_is_found_more_often_where_classes_are_balanced():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    y = np.where(X[:, 0] + rng.normal(size=600) > 2.2, "rare", "common")

    def share(**params):
        est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=15, random_state=0, **params)
        est.set_params(linear_blend=False, tree_blend=False).fit(X, {"type": y})
        return est.predict_proba(X)["type"][:, 1].mean()

    plain, balanced = share(), share(sampler=ClassBalanced("type"))
    assert plain < 2 * (y == "rare").mean() < balanced


def test_a_sampler_of_a_task_that_a_fold_leaves_out_draws_all_rows_alike():
    assert ClassBalanced("type").without(["type"]) is None
    sampler = ClassBalanced("type")
    assert sampler.without(["price"]) is sampler
    assert TaskBalanced().without(["type"]) is not None
