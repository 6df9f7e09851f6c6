"""Labels for each position of a row, through everything an estimator does."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

from sklearn_mtl import MultiTaskClassifier, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.features import TextPreprocessing
from sklearn_mtl.model_selection import StackedGridSearchCV, cross_val_predict_tasks, task_scorer
from sklearn_mtl.tasks import TokenClassification
from tests.contract.positions import CHANNELS, STEPS, TAGS, N, Steps, sequences, tagger

X, Y = sequences()


@pytest.fixture(scope="module")
def fitted():
    return tagger().fit(X, Y)


def lengths(rows):
    return [len(row) for row in rows]


def test_predictions_come_back_row_by_row(fitted):
    found = fitted.predict(X)
    assert lengths(found["tags"]) == lengths(Y["tags"])
    assert found["tags"].dtype == object
    assert set(np.concatenate(found["tags"])) <= set(TAGS)
    assert fitted.score_tasks(X, Y)["tags"] > 0.9
    assert fitted.score_tasks(X, Y).attrs["metrics"]["tags"] == "token_accuracy"


def test_probabilities_of_each_position(fitted):
    probabilities = fitted.predict_proba(X)["tags"]
    assert [row.shape for row in probabilities] == [(length, 3) for length in lengths(Y["tags"])]
    np.testing.assert_allclose(np.concatenate(probabilities).sum(1), 1)
    logs = np.concatenate(fitted.predict_log_proba(X)["tags"])
    np.testing.assert_allclose(np.exp(logs), np.concatenate(probabilities), atol=1e-6)
    best = fitted.classes_["tags"][np.concatenate(fitted.decision_function(X)["tags"]).argmax(1)]
    assert best.tolist() == np.concatenate(fitted.predict(X)["tags"]).tolist()


def test_rows_may_be_longer_than_those_of_fit(fitted):
    longer, labels = sequences(longest=STEPS, seed=1)
    assert lengths(fitted.predict(longer)["tags"])[0] == STEPS > max(lengths(Y["tags"]))
    assert fitted.score_tasks(longer, labels)["tags"] > 0.8


def test_a_row_is_predicted_alike_alone_and_among_longer_ones(fitted):
    longer, _ = sequences(n=300, longest=STEPS, seed=1)
    among = fitted.predict_proba(longer)["tags"]
    for row in (0, 1, 150, 299):
        alone = fitted.predict_proba(longer[row : row + 1])["tags"][0]
        np.testing.assert_allclose(alone, among[row], atol=1e-6)


def test_missing_labels_of_positions_and_rows_cost_nothing():
    tags = Y["tags"].copy()
    gaps = {**Y, "tags": tags}
    tags[3] = None
    tags[4] = np.array([None, *tags[4][1:]], dtype=object)
    est = tagger(max_epochs=3).fit(X, gaps)
    assert lengths(est.predict(X)["tags"]) == lengths(Y["tags"])
    complete = [row for row in range(len(X)) if row not in (3, 4)]
    right = [np.mean(est.predict(X)["tags"][row] == Y["tags"][row]) for row in complete]
    sizes = [len(Y["tags"][row]) for row in complete]
    known = est.predict(X[[4]])["tags"][0][1:] == tags[4][1:]
    expected = (np.dot(right, sizes) + known.sum()) / (sum(sizes) + len(known))
    assert est.score_tasks(X, gaps)["tags"] == pytest.approx(expected)


def test_weight_zero_is_as_good_as_no_row():
    weight = np.r_[np.zeros(8), np.ones(len(X) - 8)]
    one = tagger(max_epochs=3, early_stopping=False).fit(X, Y, sample_weight=weight)
    rest = MultiTaskTarget(Y)[np.arange(8, len(X))]
    other = tagger(max_epochs=3, early_stopping=False).fit(X[8:], rest)
    np.testing.assert_allclose(
        np.concatenate(one.predict_proba(X)["tags"]),
        np.concatenate(other.predict_proba(X)["tags"]),
        atol=1e-5,
    )


def test_tasks_of_rows_alone_read_what_they_always_did():
    rows = {name: Y[name] for name in ("level", "high")}
    est = tagger(tasks=None, max_epochs=3).fit(X, rows)
    assert est.transform(X).shape == (len(X), 12)
    assert tagger(max_epochs=3).fit(X, Y).transform(X).shape == (len(X), 12)


def test_rows_without_labels_are_as_those_of_other_tasks():
    gaps = {"tags": [None] * 24 + list(Y["tags"][24:]), "level": Y["level"]}
    est = tagger(tasks=None, max_epochs=2).fit(X, gaps)
    first = {"tags": gaps["tags"][:24], "level": Y["level"][:24]}
    with pytest.warns(UserWarning, match="too few labels"):
        assert np.isnan(est.score_tasks(X[:24], first)["tags"])
    with pytest.warns(UserWarning, match="too few labels"):
        assert np.isfinite(est.score(X[:24], first))
    est.partial_fit(X[:24], first)
    tagger(tasks=None, max_epochs=2).fit(X, gaps, X_val=X[:24], y_val=first)
    fold = [(np.arange(24, 48), np.arange(24))]
    with pytest.warns(UserWarning, match="too few labels"):
        scores = cross_val_score(tagger(tasks=None, max_epochs=2), X, MultiTaskTarget(gaps), cv=fold)
    assert np.isfinite(scores).all()


def test_rows_of_one_step(fitted):
    one = [row[:1] for row in X]
    labels = {"tags": [list(row[:1]) for row in Y["tags"]], "level": Y["level"]}
    assert fitted.score_tasks(one, labels)["tags"] > 0.8
    est = tagger(max_epochs=2).fit(one, labels)
    assert lengths(est.predict(one)["tags"]) == [1] * len(X)


def test_the_only_task_may_be_one_of_positions():
    est = tagger(tasks=None).fit(X, Y["tags"])
    assert est.tasks_["y"].kind == "tokens"
    assert lengths(est.predict(X)) == lengths(Y["tags"])
    assert est.score(X, Y["tags"]) > 0.9


def test_a_frame_of_lists():
    frame = pd.DataFrame({"tags": [list(row) for row in Y["tags"]], "level": Y["level"]})
    found = tagger(max_epochs=3).fit(X, frame).predict(X)
    assert isinstance(found, pd.DataFrame)
    assert lengths(found["tags"]) == lengths(Y["tags"])


def test_an_array_of_labels_comes_back_as_one():
    full = np.random.default_rng(0).normal(size=(N, STEPS, CHANNELS))
    block = np.digitize(full[..., 0], [0.0])
    est = tagger(tasks={"y": "tokens"}, max_epochs=20).fit(full, {"y": block})
    found = est.predict(full)["y"]
    assert (found.shape, found.dtype) == (block.shape, block.dtype)
    assert est.predict_proba(full)["y"].shape == (*block.shape, 2)
    assert est.predict_log_proba(full)["y"].shape == (*block.shape, 2)
    assert est.decision_function(full)["y"].shape == block.shape


def test_copies_pickles_and_files(fitted, tmp_path):
    save(fitted, tmp_path / "tags.mtl")
    for again in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "tags.mtl", modules={"Steps": Steps})):
        one, other = again.predict_proba(X)["tags"], fitted.predict_proba(X)["tags"]
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))
    assert clone(fitted).get_params()["tasks"]["tags"].get_params()["scheme"] is None


def test_view_of_the_task(fitted):
    view = fitted.task("tags")
    assert lengths(view.predict(X)) == lengths(Y["tags"])
    assert view.score(X, Y["tags"]) == fitted.score_tasks(X, Y)["tags"]
    assert view.classes_.tolist() == fitted.classes_["tags"].tolist()
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        ours, whole = getattr(view, method)(X), getattr(fitted, method)(X)["tags"]
        np.testing.assert_array_equal(np.concatenate(ours), np.concatenate(whole))
    assert not is_classifier(view)
    again = view.fit(X, Y["tags"])
    assert lengths(again.predict(X)) == lengths(Y["tags"])


@pytest.mark.parametrize("estimator", [MultiTaskClassifier, MultiTaskRegressor])
def test_estimators_of_one_type_refuse_them_by_name(estimator):
    with pytest.raises(
        ValueError, match=r"for each position of a row of task 'tags'; MultiTaskClassifierReg"
    ):
        estimator().fit(X, {"tags": Y["tags"]})


def test_training_on_with_longer_rows():
    est = tagger(max_epochs=3).partial_fit(X, Y)
    longer, labels = sequences(longest=STEPS, seed=1)
    est.partial_fit(longer, labels)
    assert est.tasks_["tags"].n_columns == STEPS
    assert lengths(est.predict(longer)["tags"]) == lengths(labels["tags"])
    pickle.loads(pickle.dumps(est)).predict(X)


def test_validation_rows_may_be_longer():
    longer, labels = sequences(longest=STEPS, seed=1)
    est = tagger(max_epochs=3).fit(X, Y, X_val=longer, y_val=labels)
    assert est.history_["valid_loss_tags"].notna().all()
    # Those of one length are one array to numpy.
    rows = [np.ones((STEPS, CHANNELS), np.float32)] * 4
    some = {name: values[:4] for name, values in Y.items()}
    est = tagger(max_epochs=3).fit(X, Y, X_val=rows, y_val={**some, "tags": [["O"] * STEPS] * 4})
    assert est.history_["valid_loss_tags"].notna().all()


def test_splitting():
    y = MultiTaskTarget(Y)
    assert len(cross_val_score(tagger(max_epochs=2), X, y, cv=2)) == 2
    found = cross_val_predict(tagger(max_epochs=2), X, y, cv=2)
    assert lengths(found["tags"]) == lengths(Y["tags"])
    found = cross_val_predict_tasks(tagger(max_epochs=2), X, y, cv=2)
    assert lengths(found["tags"]) == lengths(Y["tags"])


def test_stacked_search_equals_the_fits_alone():
    grid = {"task_weights": [{"tags": 1.0}, {"tags": 0.1}], "lr": [0.01, 0.03]}
    stacked = StackedGridSearchCV(tagger(max_epochs=4), grid, cv=2, refit=False).fit(X, MultiTaskTarget(Y))
    alone = GridSearchCV(tagger(max_epochs=4), grid, cv=2, refit=False).fit(X, MultiTaskTarget(Y))
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=1e-6
    )


@pytest.mark.parametrize(
    "parameters", [{"precision": "float64"}, {"precision": "bf16"}, {"balancing": "famo"}]
)
def test_precisions_and_balancing(parameters):
    est = tagger(max_epochs=3, **parameters).fit(X, Y)
    assert lengths(est.predict(X)["tags"]) == lengths(Y["tags"])


def test_gradients_are_balanced_on_what_is_shared():
    pytest.importorskip("torchjd")
    for balancing in ("upgrad", "graddrop"):
        assert np.isfinite(tagger(max_epochs=2, balancing=balancing).fit(X, Y).score(X, Y))


def test_hidden_layers_of_the_head_of_positions():
    est = tagger(max_epochs=3, head_hidden_sizes={"tags": (5,)}).fit(X, Y)
    assert lengths(est.predict(X)["tags"]) == lengths(Y["tags"])


def test_spans_of_which_there_are_none():
    nothing = [["O"] * len(row) for row in X]
    est = tagger(tasks={"tags": TokenClassification(scheme="bio")}, max_epochs=1)
    with pytest.warns(UserWarning, match="one class only, 'O'"):
        est.fit(X, {"tags": nothing})
    assert [row.tolist() for row in est.predict(X)["tags"]] == nothing


@pytest.mark.parametrize("sharing", ["separate", "mmoe", "cross_stitch"])
def test_other_ways_of_sharing_are_refused(sharing):
    with pytest.raises(
        ValueError, match=r"`sharing` must be one that gives a representation for each position"
    ):
        tagger(sharing=sharing).fit(X, Y)


def test_a_trunk_without_positions_is_refused():
    full = np.zeros((4, STEPS, CHANNELS))
    with pytest.raises(ValueError, match="needs a trunk with a representation for each"):
        tagger(trunk="mlp").fit(full, {"tags": np.eye(4, STEPS, dtype=int)})


def test_labels_of_another_length_than_their_row(fitted):
    tags = Y["tags"].copy()
    tags[2] = tags[2][:-1]
    match = r"A row of task 'tags' must have as many labels as positions.*row 2"
    for rows in (X, [*X[:-1], np.ones((50, CHANNELS))]):  # The last is filled up batch by batch.
        last = tags[-1] if rows is X else ["O"] * 50
        wrong = {**Y, "tags": [*tags[:-1], last]}
        with pytest.raises(ValueError, match=match):
            tagger(max_epochs=1).fit(rows, wrong)
        with pytest.raises(ValueError, match=match):
            tagger(max_epochs=1).partial_fit(rows, wrong)
        with pytest.raises(ValueError, match=match):
            tagger(max_epochs=1).fit(X, Y, X_val=rows, y_val=wrong)
    with pytest.raises(ValueError, match=match):
        fitted.score(X, {**Y, "tags": tags})


def test_several_labels_of_a_row_that_may_be_of_its_steps_are_warned_of():
    full, labels = np.ones((30, 3, CHANNELS)), [[0, 1, 0], [1, 0, 0], [1, 1, 1]] * 10
    for rows in (full, list(full)):
        with pytest.warns(UserWarning, match=r"tasks=\{'tags': 'tokens'\} makes them labels of the steps"):
            tagger(tasks=None, max_epochs=1).fit(rows, {"tags": labels})
    tagger(tasks={"tags": "multilabel"}, max_epochs=1).fit(full, {"tags": labels})


def test_labels_beyond_the_tokens_of_a_text():
    text = TextPreprocessing(max_tokens=2, min_count=1)
    with pytest.raises(ValueError, match=r"must have as many labels .*first `max_tokens` tokens"):
        tagger(tasks=None, trunk=None, preprocessing=text).fit(
            ["a b c", "a b"] * 9, {"tags": [list("xyx"), list("xy")] * 9}
        )


def test_several_inputs_are_refused():
    several = {"series": list(X), "table": np.ones((len(X), 2))}
    with pytest.raises(ValueError, match=r"here \['tags'\], take an `X` of one input. Found 2"):
        tagger(trunk=None, max_epochs=1).fit(several, Y)


def test_metrics_of_scikit_learn_get_the_labels_one_by_one(fitted):
    gaps = [[None, *row[1:]] for row in Y["tags"]]
    gaps[3] = None
    labels = {**Y, "tags": gaps}
    weight = np.arange(1.0, len(X) + 1)
    known = [row for row in range(len(X)) if row != 3 and len(X[row]) > 1]
    true = np.concatenate([Y["tags"][row][1:] for row in known])
    found = np.concatenate([fitted.predict(X)["tags"][row][1:] for row in known])
    proba = np.concatenate([fitted.predict_proba(X)["tags"][row][1:] for row in known])
    of_each = np.repeat(weight[known], [len(X[row]) - 1 for row in known])
    for metric, expected in [
        ("accuracy", accuracy_score(true, found)),
        ("neg_log_loss", -log_loss(true, proba, labels=fitted.classes_["tags"])),
        (make_scorer(f1_score, average="macro"), f1_score(true, found, average="macro")),
    ]:
        assert fitted.score_tasks(X, labels, metrics={"tags": metric})["tags"].item() == pytest.approx(
            expected
        )
    weighted = fitted.score_tasks(X, labels, metrics={"tags": "accuracy"}, sample_weight=weight)[
        "tags"
    ].item()
    assert weighted == pytest.approx(accuracy_score(true, found, sample_weight=of_each))
    assert task_scorer("tags", "accuracy")(fitted, X, labels) == pytest.approx(accuracy_score(true, found))


def test_other_metrics_get_rows(fitted):
    def n_rows(y_true, y_pred):
        assert lengths(y_true) == lengths(y_pred)
        return len(y_true)

    gaps = {**Y, "tags": [None, *Y["tags"][1:]]}
    assert fitted.score_tasks(X, gaps, metrics={"tags": n_rows})["tags"].item() == len(X) - 1
    with pytest.raises(ValueError, match="must have as many labels as positions"):
        fitted.score_tasks(X, {**Y, "tags": [row[:-1] for row in Y["tags"]]}, metrics={"tags": n_rows})


def test_steps_and_pixels_are_refused_together():
    with pytest.raises(ValueError, match=r"must all have one for each step, or all for each pixel"):
        tagger(tasks=None).fit(X, {"tags": Y["tags"], "mask": np.zeros((len(X), 2, 2), dtype=int)})


def test_tasks_of_one_kind_beside_each_other():
    other = np.empty(len(X), dtype=object)
    for row in range(1, len(X)):
        other[row] = (X[row][:, 2] > 0).astype(int)
    est = tagger(tasks=None, max_epochs=30).fit(X, {"tags": Y["tags"], "sign": other, "level": Y["level"]})
    assert est.predict(X)["sign"][1].dtype == other[1].dtype
    scores = est.score_tasks(X, {"tags": Y["tags"], "sign": other, "level": Y["level"]})
    assert (scores[["tags", "sign"]] > 0.85).all()


def test_class_weights_are_taken_out_of_probabilities():
    kind = TokenClassification(class_weight="balanced")
    est = tagger(tasks={"tags": kind}, max_epochs=10).fit(X, Y)
    np.testing.assert_allclose(np.concatenate(est.predict_proba(X)["tags"]).sum(1), 1)


def test_temperatures_are_the_same_for_all_positions(fitted):
    module = fitted.net_.evaluated
    assert module.raw_scale.shape == (1 + 1 + 3,)
    assert len(module.raw_scale[2:].unique()) == 1
    assert fitted.tasks_["tags"].n_columns == 5


def test_pixels_and_their_image_on_one_trunk(tmp_path):
    rng = np.random.default_rng(0)
    images, masks = rng.normal(scale=0.3, size=(60, 1, 8, 8)), np.zeros((60, 8, 8), dtype=int)
    for row, (top, left) in enumerate(rng.integers(0, 5, size=(60, 2))):
        images[row, 0, top : top + 3, left : left + 3] += 2
        masks[row, top : top + 3, left : left + 3] = 1
    y = {"mask": masks, "low": masks.any(2).argmax(1) > 2}
    est = tagger(tasks=None, trunk=None, max_epochs=8, lr=0.01).fit(images, y)
    found = est.predict(images)["mask"]
    assert (found.shape, found.dtype) == (masks.shape, masks.dtype)
    assert est.predict_proba(images)["mask"].shape == (*masks.shape, 2)
    assert est.score_tasks(images, y)["mask"] > 0.5  # 0.43 for no pixel in any
    save(est, tmp_path / "masks.mtl")
    np.testing.assert_array_equal(load(tmp_path / "masks.mtl").predict(images)["mask"], found)
    # A column of a frame holds an image for each row, and so does that of predictions.
    frame = pd.DataFrame({"mask": list(masks), "low": y["low"]}, index=range(5, 65))
    of_frame = clone(est).fit(images, frame).predict(images)
    assert of_frame.columns.tolist() == ["mask", "low"]
    np.testing.assert_array_equal(np.stack(of_frame["mask"].tolist()), found)
    unlabelled = {"mask": [None] * 30, "low": y["low"][:30]}
    with pytest.warns(UserWarning, match="too few labels"):
        assert np.isnan(est.score_tasks(images[:30], unlabelled)["mask"])
    void = masks.astype(float)
    void[:, 0, 0] = np.nan
    for metric in ("accuracy", "roc_auc"):
        assert est.score_tasks(images, {**y, "mask": void}, metrics={"mask": metric})["mask"].item() > 0.8
    with pytest.raises(ValueError, match=r"must have the height and width of the images, \(8, 8\)"):
        tagger(tasks=None, trunk=None).fit(images, {"mask": masks[:, :4]})
