"""Log-odds of products of probabilities."""

import numpy as np
import pytest
import torch

from sklearn_mtl.sharing.conditional import (
    ConditionalProducts,
    as_log_odds,
    checked_conditions,
    conditions_without,
    events_without_condition,
    labelled_with_condition_only,
    product_logit,
)
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Classification, Multilabel, Ordinal, Regression

NAMES = ["a", "b", "c", "d"]


def bound(name, labels, kind):
    labels = np.asarray(labels)
    return kind.bind(read_column(name, labels), np.ones(len(labels)))


@pytest.fixture
def tasks():
    types = bound("type", [0, 1, 2], Classification())
    return [types, *(bound(name, [0, 1, 1], Classification()) for name in NAMES)]


def test_it_is_the_product_of_the_probabilities():
    rng = np.random.default_rng(0)
    a, b = torch.tensor(rng.normal(0, 4, size=(2, 1000)))
    expected = a.sigmoid() * b.sigmoid()
    torch.testing.assert_close(product_logit(a, b).sigmoid(), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_outputs_of_a_hundred_have_finite_numbers_and_gradients(dtype):
    ends = torch.tensor([-100.0, -1.0, 0.0, 1.0, 100.0], dtype=dtype)
    a, b = (part.requires_grad_() for part in torch.cartesian_prod(ends, ends).T.contiguous())
    found = product_logit(a, b)
    exact = -torch.log(
        torch.expm1(
            torch.nn.functional.softplus(-a.detach().double())
            + torch.nn.functional.softplus(-b.detach().double())
        )
    )
    torch.testing.assert_close(found.detach().double(), exact, rtol=1e-5, atol=1e-5)
    gradients = torch.autograd.grad(found.sum(), [a, b])
    assert found.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all((gradient >= 0).all() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_it_is_never_above_its_factors_in_rounding(dtype):
    generator = torch.Generator().manual_seed(0)
    for scale in (0.1, 3.0, 30.0, 1000.0):
        a, b = (scale * torch.randn(20_000, generator=generator, dtype=dtype) for _ in range(2))
        found = product_logit(a, b)
        assert (found <= a).all()
        assert (found <= b).all()


def test_chains_and_trees_are_products_level_by_level(tasks):
    products = ConditionalProducts({"b": "a", "d": "b", "c": "a"}, tasks)
    assert products.outputs == (4, 5, 6)
    raw = torch.tensor(np.random.default_rng(0).normal(size=(10, 2, 7)))
    found, p = products(raw), raw.sigmoid()
    torch.testing.assert_close(found[..., :4], raw[..., :4], rtol=0, atol=0)
    expected = [p[..., 3] * p[..., 4], p[..., 3] * p[..., 5], p[..., 3] * p[..., 4] * p[..., 6]]
    torch.testing.assert_close(found[..., 4:].sigmoid(), torch.stack(expected, -1))


def test_a_diverged_task_does_not_spoil_the_gradients_of_others(tasks):
    raw = torch.zeros(3, 1, 7)
    raw[..., 0] = torch.inf
    raw.requires_grad_()
    ConditionalProducts({"b": "a"}, tasks)(raw)[..., 4].sum().backward()
    assert raw.grad[..., 3:5].isfinite().all()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["a"], r"must be None or a mapping from a task to the task that is its condition, .* Found \['a'\]"),
        ({"a": "x"}, r"names unknown tasks \['x'\]; the tasks are \['a', 'b', 'c', 'd'\]"),
        ({"x": "a"}, r"names unknown tasks \['x'\]"),
        ({"a": ["b"]}, r"names unknown tasks \[\['b'\]\]"),
        ({"a": "a"}, "no cycle, .* Found 'a -> a'"),
        ({"a": "b", "b": "a"}, "no cycle"),
    ],
    ids=repr,
)
def test_what_is_no_condition_is_refused(given, told):
    with pytest.raises(ValueError, match=f"`conditional` .*{told}"):
        checked_conditions(given, NAMES)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"b": "a", "c": "b", "d": "c"}, {"d": "a"}),
        ({"c": "a", "a": "b"}, {}),
        ({"b": "c", "c": "b", "a": "b"}, {}),
        ({"a": ["b"]}, {"a": ["b"]}),
        (["a"], ["a"]),
        (None, None),
    ],
    ids=repr,
)
def test_in_the_place_of_a_condition_that_is_left_out_stands_its_own(given, left):
    assert conditions_without(given, ["b", "c"]) == left


def labels_of(event, condition, missing=0):
    """Labels of a task of three classes and of a to d, of which b and a are given."""
    y = torch.zeros(len(event), 5)
    y[:, 2], y[:, 1] = torch.tensor(event), torch.tensor(condition)
    weight = torch.ones(y.shape)
    weight[:missing, 1] = 0
    return {"y": y, "weight": weight}


@pytest.mark.parametrize(
    ("event", "condition", "missing", "told"),
    [
        ([1] * 60 + [0] * 40, [1] * 90 + [0] * 10, 0, ""),
        ([1] * 60 + [0] * 40, [0] * 40 + [1] * 60, 0, "40 of 100"),
        ([1] * 60 + [0] * 40, [0] * 40 + [1] * 60, 30, "10 of 70"),
        # Few rows may be mistakes.
        ([1] * 60 + [0] * 40, [0] * 4 + [1] * 56 + [0] * 40, 0, ""),
        ([1] * 600 + [0] * 400, [0] * 20 + [1] * 580 + [0] * 400, 0, ""),
        ([1] * 600 + [0] * 400, [0] * 40 + [1] * 560 + [0] * 400, 0, "40 of 1,000"),
        # Of many rows with the event few are without the condition, but hardly any other is.
        ([1] * 999 + [0], [0] * 10 + [1] * 989 + [0], 0, "10 of 1,000"),
    ],
)
def test_events_without_their_condition_are_found_where_they_are_many(event, condition, missing, told, tasks):
    found = events_without_condition({"b": "a"}, tasks, labels_of(event, condition, missing))
    assert found == ([f"1 of task 'b' without 1 of task 'a' in {told} rows"] if told else [])


@pytest.mark.parametrize(
    ("unlabelled", "told"), [(slice(40, 100), True), (slice(41, 100), False), (slice(0, 40), False)], ids=repr
)
def test_labels_of_an_event_in_rows_with_its_condition_only_are_found(unlabelled, told, tasks):
    labels = labels_of([1] * 20 + [0] * 80, [1] * 40 + [0] * 60)
    labels["weight"][unlabelled, 2] = 0
    found = labelled_with_condition_only({"b": "a"}, tasks, labels)
    assert found == (["no label of task 'b' in 60 rows without 'a'"] if told else [])


@pytest.mark.parametrize(
    "task",
    [
        bound("t", [0.5, 1.5, 2.5], Regression()),
        bound("t", [0, 1, 2], Classification()),
        bound("t", [[0, 1], [1, 0]], Multilabel()),
        bound("t", [0, 1, 1], Ordinal()),
    ],
    ids=lambda task: task.kind,
)
def test_a_task_that_is_not_of_two_classes_is_refused(task):
    with pytest.raises(ValueError, match=f"classifications of two classes.* Found task 't', {task.kind}"):
        as_log_odds(task)
