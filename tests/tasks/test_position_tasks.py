"""Laws of tasks with a label for each position."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score

from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Segmentation, TaskSet, TokenClassification
from sklearn_mtl.tasks.losses.spans import best_legal_tags, legal_tags

TAGS = ("B-city", "B-day", "I-city", "I-day", "O")
RNG = np.random.default_rng(0)


def bound(kind, labels):
    column = read_targets({"y": labels}).columns["y"]
    return column, kind.bind(column, np.ones(len(labels)))


def right(task, column):
    """Return the responses of a network that is right."""
    codes = np.nan_to_num(task.encode(column)).astype(int)
    response = np.eye(len(task.classes))[codes]
    gone = np.arange(codes.shape[1]) >= column.lengths[:, None]
    response[gone] = np.nan
    return response if task.loss.width > 1 else response[..., 1:]


def test_legal_tags():
    first, after = legal_tags(TAGS)
    assert first.tolist() == [True, True, False, False, True]
    assert [TAGS[code] for code in torch.nonzero(after[:, 2]).ravel().tolist()] == ["B-city", "I-city"]


def test_the_best_legal_sequence_is_that_of_a_search_of_all():
    probability = torch.tensor(RNG.dirichlet(np.ones(5) / 2, size=(20, 4)))
    first, after = legal_tags(TAGS)
    found = best_legal_tags(probability, TAGS)
    for row in range(20):
        legal = [
            codes
            for codes in product(range(5), repeat=4)
            if first[codes[0]] and all(after[a, b] for a, b in pairwise(codes))
        ]
        best = max(legal, key=lambda codes: probability[row, range(4), list(codes)].prod())
        assert found[row].tolist() == list(best)


def test_steps_that_a_row_lacks_do_not_change_the_others():
    probability = torch.tensor(RNG.dirichlet(np.ones(5) / 2, size=(20, 4)))
    longer = torch.cat([probability, torch.full((20, 3, 5), torch.nan, dtype=probability.dtype)], dim=1)
    assert torch.equal(best_legal_tags(longer, TAGS)[:, :4], best_legal_tags(probability, TAGS))


@pytest.mark.parametrize("scheme", [None, "bio"])
def test_tags_come_back(scheme):
    rows = [["O", "B-city", "I-city"], ["O"], ["B-day", "O"]]
    column, task = bound(TokenClassification(scheme=scheme), rows)
    response = right(task, column)
    assert [row.tolist() for row in task.predict(response)] == rows
    assert task.score(column, response, np.ones(3)) == 1


def test_token_accuracy_is_that_of_scikit_learn():
    rows = [RNG.integers(0, 3, size=length).tolist() for length in (4, 1, 7, 3)]
    column, task = bound(TokenClassification(), rows)
    response = RNG.random((4, 7, 3))
    response[np.arange(7) >= column.lengths[:, None]] = np.nan
    weight = np.array([1.0, 2.0, 0.5, 0.0])
    expected = accuracy_score(
        np.concatenate(rows),
        np.concatenate(task.predict(response)),
        sample_weight=np.repeat(weight, [4, 1, 7, 3]),
    )
    assert task.score(column, response, weight) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scoring", "metric"), [("mean_iou", jaccard_score), ("pixel_accuracy", accuracy_score)]
)
def test_scores_of_a_segmentation_are_those_of_scikit_learn(scoring, metric):
    masks = RNG.integers(0, 3, size=(6, 4, 5))
    column, task = bound(Segmentation(scoring=scoring), masks)
    response = RNG.random((6, 20, 3))
    found = task.predict(response)
    assert found.shape == masks.shape
    more = {"average": "macro"} if metric is jaccard_score else {}
    expected = metric(masks.ravel(), found.ravel(), **more)
    assert task.score(column, response, np.ones(6)) == pytest.approx(expected)


def test_a_class_that_was_not_in_fit_is_one_of_the_labels():
    _, task = bound(Segmentation(), np.array([[[0, 1], [0, 1]]]))
    new, _ = bound(Segmentation(), np.array([[[0, 2], [3, 1]]]))
    found = task.predict(response := RNG.random((1, 4, 1))).ravel()
    expected = jaccard_score([0, 2, 3, 1], found, average="macro", zero_division=0)
    assert task.score(new, response, np.ones(1)) == pytest.approx(expected)


def test_pixels_without_a_label_do_not_count():
    masks = RNG.integers(0, 2, size=(6, 2, 2)).astype(float)
    masks[0, 0, 0] = np.nan
    masks[1] = np.nan
    column, task = bound(Segmentation(), masks)
    response = right(task, column)
    response[np.isnan(response)] = 0.5
    assert task.score(column, response, np.ones(6)) == 1
    y, weight = TaskSet((task,)).encode({"y": column}, np.ones((6, 1)))
    assert (y.shape, weight.sum()) == ((6, 4), 19)


def test_the_constant_is_that_of_all_positions():
    rows = [["a"] * 9 + ["b"], ["a"]]
    column, task = bound(TokenClassification(), rows)
    y, weight = map(torch.from_numpy, TaskSet((task,)).encode({"y": column}, np.ones((2, 1))))
    constant = task.loss.constant(y, weight)
    assert constant.shape == (10, 1)
    torch.testing.assert_close(constant.sigmoid(), torch.full((10, 1), 1 / 11, dtype=y.dtype))


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        (TokenClassification(scheme="iob"), [["O"], ["O", "O"]], "`scheme` of TokenClassification must be"),
        (TokenClassification(scheme="bio"), [["O"], ["X", "O"]], "must be 'O', or 'B-' or 'I-'"),
        (TokenClassification(scheme="bio"), [["O", "I-x"], ["O"]], "must begin with 'B-', or none"),
        (TokenClassification(scheme="bio"), [["I-x", "I-x"], ["I-x"]], "must begin with 'B-', or none"),
        (TokenClassification(scoring="f1"), [["O"], ["O", "X"]], "`scoring` of TokenClassification must be"),
        (TokenClassification(), ["O", "X"], "needs a label for each position of a row"),
        (TokenClassification(), np.zeros((2, 2, 2), dtype=int), "an image of labels is a 'segmentation'"),
        (Segmentation(), [["O"], ["X", "O"]], "is a segmentation and needs an image of labels"),
        (TokenClassification(), [["O"], []], "must have at least one label"),
    ],
    ids=["scheme", "tag", "iob1", "within", "scoring", "rows", "images", "steps", "empty"],
)
def test_errors(kind, labels, message):
    with pytest.raises(ValueError, match=message):
        bound(kind, labels)


@pytest.mark.parametrize("row", [["O", "I-x"], ["I-x", "I-x"], ["B-y", "I-x"]], ids=["O", "first", "other"])
def test_labels_of_another_scheme_are_warned_of(row):
    with pytest.warns(UserWarning, match=r"1 of 3 rows of task 'y' are no legal BIO.*Found \['"):
        bound(TokenClassification(scheme="bio"), [["B-x", "B-y"], row, ["B-x", None, "I-x", "O"]])


def test_seqeval_is_named_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "seqeval.metrics", None)
    with pytest.raises(ImportError, match="seqeval"):
        bound(TokenClassification(scoring="span_f1"), [["O"], ["B-x", "O"]])
