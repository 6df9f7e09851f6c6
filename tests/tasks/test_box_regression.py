"""Laws of tasks of boxes."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import BoxRegression, Regression
from sklearn_mtl.tasks.box_regression import box_iou, corners, ordered_corners

RNG = np.random.default_rng(0)
CORNER = RNG.uniform(0, 10, size=(60, 2))
SIZE = RNG.uniform(1, 5, size=(60, 2))
XYXY, XYWH = np.hstack([CORNER, CORNER + SIZE]), np.hstack([CORNER, SIZE])
X = XYXY + RNG.normal(scale=0.01, size=XYXY.shape)


def bound(boxes, **parameters):
    column = read_targets({"box": boxes}).columns["box"]
    return column, BoxRegression(**parameters).bind(column, np.ones(len(boxes)))


def test_iou_by_hand():
    some = np.array([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 4, 4], [0, 0, 1, 1]])
    others = np.array([[1.0, 1, 3, 3], [2, 2, 3, 3], [1, 1, 2, 2], [0, 0, 1, 1]])
    np.testing.assert_allclose(box_iou(some, others), [1 / 7, 0, 1 / 16, 1])


def test_iou_of_empty_boxes_is_zero():
    empty = np.zeros((2, 4))
    assert box_iou(empty, empty).tolist() == [0, 0]


def test_corners_of_both_notations_agree():
    np.testing.assert_allclose(corners(XYWH, "xywh"), XYXY)
    np.testing.assert_array_equal(ordered_corners(XYXY[:, [2, 3, 0, 1]]), XYXY)


@pytest.mark.parametrize(("coordinates", "boxes"), [("xyxy", XYXY), ("xywh", XYWH)])
def test_labels_come_back_and_score_one(coordinates, boxes):
    column, task = bound(boxes, coordinates=coordinates)
    response = task.encode(column)[:, :, None]
    np.testing.assert_allclose(task.predict(response), boxes)
    assert task.score(column, response, np.ones(60)) == pytest.approx(1)
    assert task.metric == "mean_iou"


def test_rows_without_a_box_do_not_count():
    boxes = XYXY.copy()
    boxes[:20] = np.nan
    column, task = bound(boxes)
    response = task.encode(column)[:, :, None]
    assert np.isnan(response[:20]).all()
    response[:20] = 0
    assert task.score(column, response, np.ones(60)) == pytest.approx(1)
    assert np.isnan(task.score(column.take(slice(20)), response[:20], np.ones(20)))


def test_score_is_weighted():
    column, task = bound(XYXY)
    response = task.encode(column)[:, :, None]
    response[30:] = task.encode(bound(XYXY + 100)[0])[30:, :, None]
    assert task.score(column, response, np.r_[np.ones(30), np.zeros(30)]) == pytest.approx(1)
    assert task.score(column, response, np.ones(60)) < 0.6


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (XYXY[:, :3], r"needs four numbers for each row, 'xyxy'\. Found labels of shape \(60, 3\)"),
        (XYXY[:, [2, 1, 0, 3]], "must have a positive width and height, as 'xyxy'"),
        (np.where(np.arange(4) == 2, np.nan, XYXY), "must have all four numbers of its box, or none"),
        (XYXY.astype(str), "is of boxes and needs numbers"),
    ],
    ids=["three", "crossed", "half", "text"],
)
def test_labels_that_are_no_boxes(boxes, message):
    with pytest.raises(ValueError, match=message):
        bound(boxes)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coordinates": "yxyx"}, r"`coordinates` of BoxRegression must be one of \['xyxy', 'xywh'\]"),
        ({"loss": "poisson"}, "`loss` of BoxRegression must be one of .*Found 'poisson'"),
        ({"loss": 3}, "`loss` of BoxRegression must be one of .*Found 3"),
    ],
)
def test_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        bound(XYXY, **parameters)


def test_two_tasks_of_boxes_beside_a_regression_of_the_same_loss(tmp_path):
    y = {"one": XYXY, "two": XYWH, "wide": SIZE[:, 0] > 3, "size": SIZE[:, 0]}
    tasks = {
        "one": BoxRegression(),
        "two": BoxRegression("xywh"),
        "size": Regression(loss="huber"),
    }
    est = MultiTaskClassifierRegressor(tasks=tasks, trunk="mlp", n_bags=1, max_epochs=30, random_state=0)
    est.fit(X, y)
    found = est.predict(X)
    assert found["one"].shape == found["two"].shape == (60, 4)
    assert (found["one"][:, 2:] >= found["one"][:, :2]).all()
    scores = est.score_tasks(X, y)
    assert scores.attrs["metrics"]["two"] == "mean_iou"
    assert scores["one"] == pytest.approx(est.task("one").score(X, XYXY))
    save(est, tmp_path / "boxes.mtl")
    np.testing.assert_array_equal(load(tmp_path / "boxes.mtl").predict(X)["two"], found["two"])


def test_in_a_search_and_by_its_short_name():
    est = MultiTaskRegressor(tasks={"box": "boxes"}, trunk="mlp", n_bags=1, max_epochs=2, random_state=0)
    search = GridSearchCV(est, {"tasks__box__loss": ["huber", "absolute_error"]}, cv=2)
    search.fit(X, MultiTaskTarget({"box": XYXY}))
    assert 0 <= search.best_score_ <= 1
