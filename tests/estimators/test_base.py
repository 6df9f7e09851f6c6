"""Containers, attributes and methods that all three estimators have."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, r2_score

from sklearn_mtl import (
    MultiTaskClassifier,
    MultiTaskClassifierRegressor,
    MultiTaskRegressor,
    MultiTaskTarget,
)
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.tasks import Regression
from sklearn_mtl.trunks import MLP

# Containers


def test_a_mapping_gives_a_multi_task_target(quick, houses):
    X, Y = houses
    est = quick().fit(X, {"price": Y["price"].to_numpy(), "type": Y["type"].to_list()})
    found = est.predict(X)
    assert isinstance(found, MultiTaskTarget)
    assert list(found) == ["price", "type"]
    assert found["price"].dtype == np.float64
    assert found["price"].shape == (80,)
    assert set(found["type"]) <= {"flat", "house"}
    assert isinstance(est.predict_proba(X), MultiTaskTarget)
    assert list(est.predict_proba(X)) == ["type"]
    np.testing.assert_allclose(est.predict_proba(X)["type"].sum(axis=1), 1)
    assert {name: values.tolist() for name, values in est.classes_.items()} == {"type": ["flat", "house"]}


def test_what_is_predicted_can_be_learned_from(quick, houses):
    X, Y = houses
    once = quick().fit(X, dict(Y))
    again = quick().fit(X, once.predict(X))
    assert isinstance(again.predict(X), MultiTaskTarget)


def test_integer_names_of_columns_are_tasks_by_their_text(quick, houses):
    X, Y = houses
    Y = Y.set_axis([0, 1], axis="columns")
    est = quick(tasks={"1": "classification"}, task_weights={"0": 2.0})
    est.fit(X, Y, pd.DataFrame({1: np.ones(80)}))
    assert list(est.tasks_) == list(est.score_tasks(X, Y).index) == ["0", "1"]
    assert est.predict(X).columns.tolist() == [0, 1]
    for parameter in ("tasks", "task_weights", "head_hidden_sizes"):
        with pytest.raises(ValueError, match=rf"`{parameter}` names unknown tasks \[0\].*'0', '1'"):
            quick(**{parameter: {0: 1}}).fit(X, Y)


def test_a_block_of_one_column_is_predicted_in_one_dimension(quick, houses):
    X, Y = houses
    y = {name: Y[[name]].to_numpy() for name in Y}
    est = quick().fit(X, y)
    assert {name: task.kind for name, task in est.tasks_.items()} == {
        "price": "regression",
        "type": "classification",
    }
    assert {name: part.shape for name, part in est.predict(X).items()} == {"price": (80,), "type": (80,)}
    assert est.score(X, y) == est.score(X, Y) == est.score(X, dict(Y))


def test_a_prediction_is_a_frame_at_once(quick, houses):
    X, Y = houses
    found = quick().fit(X, {name: Y[name].to_numpy() for name in Y}).predict(X)
    frame = pd.DataFrame(found, index=X.index)
    assert frame.columns.tolist() == ["price", "type"]
    assert (frame == found.to_frame(X.index)).all(axis=None)
    assert MultiTaskTarget(frame) == found


def test_a_frame_gives_a_frame_with_the_index_of_X(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    found = est.predict(X.iloc[[5, 2]])
    assert isinstance(found, pd.DataFrame)
    assert found.index.tolist() == ["house5", "house2"]
    assert found.columns.tolist() == ["price", "type"]
    assert found.dtypes.tolist() == [Y["price"].dtype, Y["type"].dtype]
    assert isinstance(est.predict_proba(X), MultiTaskTarget)


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([0, 1, 2, 1] * 20),
        pd.Series([0, 1, 2, 1] * 20, dtype="int8"),
        pd.Series([-5, 7] * 40, dtype="Int64"),
        pd.Series(["a", "b", "c", "a"] * 20),
        pd.Series(["a", "b", "c", "a"] * 20, dtype=object),
        pd.Series(["a", "b", "c", "a"] * 20, dtype="string"),
        pd.Series([True, False] * 40),
        pd.Series([True, False] * 40, dtype="boolean"),
        pd.Series(["low", "high"] * 40, dtype=pd.CategoricalDtype(["low", "mid", "high"], ordered=True)),
        pd.Series([3, 1] * 40, dtype="category"),
        pd.Series([b"x", b"y"] * 40, dtype=object),
    ],
    ids=lambda labels: f"{labels.dtype}-{labels[0]}",
)
@pytest.mark.parametrize("gaps", [False, True])
def test_labels_come_back_in_their_dtype(quick, houses, labels, gaps):
    X, _ = houses
    frame = pd.DataFrame({"label": labels.copy()}).set_index(X.index)
    if gaps and isinstance(labels.dtype, np.dtype) and labels.dtype.kind in "biu":
        pytest.skip("this dtype has no missing value")
    if gaps:
        frame.loc[frame.index[::6], "label"] = None
    found = quick(max_epochs=2).fit(X, frame).predict(X)
    assert found["label"].dtype == labels.dtype
    assert set(found["label"]) <= set(labels)
    assert not found["label"].isna().any()


def test_a_polars_frame_gives_a_polars_frame(quick, houses):
    X, Y = houses
    X, Y = pl.DataFrame(X.to_dict("list")), pl.DataFrame(Y.to_dict("list"))
    Y = Y.with_columns(
        flag=pl.Series([True, False] * 40), level=pl.Series(["lo", "hi"] * 40, dtype=pl.Categorical)
    )
    est = quick().fit(X, Y)
    found = est.predict(X)
    assert isinstance(found, pl.DataFrame)
    assert found.schema == Y.schema
    assert est.feature_names_in_.tolist() == X.columns
    assert est.score(X, Y) == pytest.approx(est.score_tasks(X, Y).mean())


def test_one_dimension_gives_one_dimension(quick, houses):
    X, Y = houses
    regression = quick().fit(X, Y["price"].to_numpy())
    assert regression.predict(X).shape == (80,)
    assert not hasattr(regression, "classes_")
    classes = quick().fit(X, Y["type"].to_numpy())
    assert classes.predict(X).shape == (80,)
    assert classes.classes_.tolist() == ["flat", "house"]
    assert classes.predict_proba(X).shape == (80, 2)
    assert list(classes.tasks_) == ["y"]


def test_two_dimensions_give_two_dimensions(quick, houses):
    X, Y = houses
    rng = np.random.RandomState(0)
    numbers = quick().fit(X, rng.normal(size=(80, 3)))
    assert numbers.predict(X).shape == (80, 3)
    assert list(numbers.tasks_) == ["y0", "y1", "y2"]
    labels = np.column_stack([Y["type"], rng.choice(["a", "b", "c"], 80)])
    classes = quick(MultiTaskClassifier).fit(X, labels)
    assert classes.predict(X).shape == (80, 2)
    assert [part.tolist() for part in classes.classes_] == [["flat", "house"], ["a", "b", "c"]]
    assert [part.shape for part in classes.predict_proba(X)] == [(80, 2), (80, 3)]


def test_a_cell_of_a_two_dimensional_array_may_be_missing(quick, houses):
    X, _ = houses
    values = np.random.RandomState(0).normal(size=(80, 2))
    values[::3, 1] = np.nan
    assert np.isfinite(quick(MultiTaskRegressor).fit(X, values).predict(X)).all()


def test_two_dimensional_tasks_of_a_mapping_keep_their_shape(quick, houses):
    X, _ = houses
    rng = np.random.RandomState(0)
    Y = {
        "place": rng.normal(size=(80, 2)),
        "tags": rng.randint(0, 2, size=(80, 3)),
        "one": rng.normal(size=80),
    }
    est = quick().fit(X, Y)
    assert [est.tasks_[name].kind for name in Y] == ["regression", "multilabel", "regression"]
    assert {name: values.shape for name, values in est.predict(X).items()} == {
        name: values.shape for name, values in Y.items()
    }
    assert est.predict(X)["tags"].dtype == Y["tags"].dtype
    assert est.predict_proba(X)["tags"].shape == (80, 3)
    assert [part.tolist() for part in est.classes_["tags"]] == [[0, 1]] * 3


def test_predictions_of_integers_that_are_a_regression_are_floats(quick, houses):
    X, _ = houses
    est = quick(tasks={"rooms": "regression"}).fit(X, pd.DataFrame({"rooms": np.arange(80)}, index=X.index))
    assert est.predict(X)["rooms"].dtype == np.float64


# Scores


def test_score_is_the_mean_of_scikit_learns_default_scores(quick, houses):
    X, Y = houses
    weight = np.linspace(0.1, 2, 80)
    est = quick(max_epochs=30, lr=0.01).fit(X, Y)
    found = est.predict(X)
    for sample_weight in (None, weight):
        expected = {
            "price": r2_score(Y["price"], found["price"], sample_weight=sample_weight),
            "type": accuracy_score(Y["type"], found["type"], sample_weight=sample_weight),
        }
        pd.testing.assert_series_equal(est.score_tasks(X, Y, sample_weight), pd.Series(expected))
        assert est.score(X, Y, sample_weight) == pytest.approx(np.mean(list(expected.values())))


def test_scores_take_weights_by_task(quick, houses):
    X, Y = houses
    weight = np.linspace(0, 2, 80)
    est = quick().fit(X, Y)
    scores = est.score_tasks(X, Y, {"type": weight})
    assert scores["price"] == pytest.approx(r2_score(Y["price"], est.predict(X)["price"]))
    assert scores["type"] == pytest.approx(
        accuracy_score(Y["type"], est.predict(X)["type"], sample_weight=weight)
    )


def test_task_weights_take_no_part_in_the_score(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    before = est.score(X, Y)
    assert est.set_params(task_weights={"price": 100.0, "type": 0.0}).score(X, Y) == before


def test_scores_of_several_columns_are_the_mean_over_columns(quick, houses):
    X, _ = houses
    rng = np.random.RandomState(0)
    Y = {"place": rng.normal(size=(80, 2)), "tags": rng.randint(0, 2, size=(80, 3))}
    est = quick().fit(X, Y)
    found = est.predict(X)
    assert est.score_tasks(X, Y)["place"] == pytest.approx(r2_score(Y["place"], found["place"]))
    assert est.score_tasks(X, Y)["tags"] == pytest.approx((Y["tags"] == found["tags"]).mean())


def test_missing_labels_are_left_out_of_the_score(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    gappy = Y.copy()
    gappy.loc[gappy.index[:30], "price"] = np.nan
    gappy.loc[gappy.index[50:], "type"] = None
    scores = est.score_tasks(X, gappy)
    assert scores["price"] == pytest.approx(r2_score(Y["price"][30:], est.predict(X)["price"][30:]))
    assert scores["type"] == pytest.approx(accuracy_score(Y["type"][:50], est.predict(X)["type"][:50]))


def test_a_task_without_a_label_is_left_out_of_the_score_with_a_warning(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    empty = Y.assign(price=np.nan)
    with pytest.warns(UserWarning, match=r"too few labels of the tasks \['price'\]"):
        score = est.score(X, empty)
    assert score == accuracy_score(Y["type"], est.predict(X)["type"])
    with pytest.warns(UserWarning, match="too few labels"):
        assert np.isnan(est.score_tasks(X, empty)["price"])


def test_a_class_not_seen_in_fit_counts_as_wrong(quick, houses):
    X, Y = houses
    est = quick(max_epochs=20).fit(X, Y)
    right = est.predict(X)
    assert est.score_tasks(X, right)["type"] == 1
    assert est.score_tasks(X, right.assign(type=["castle", *right["type"][1:]]))["type"] == 79 / 80


def test_score_takes_the_tasks_in_any_order_but_all_of_them(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    assert est.score(X, Y[["type", "price"]]) == est.score(X, Y)
    for wrong in (Y[["price"]], Y.assign(more=1.0)):
        with pytest.raises(ValueError, match=r"y must have the tasks of `fit`, \['price', 'type'\]"):
            est.score(X, wrong)


# History


@pytest.mark.parametrize("n_bags", [1, 2])
def test_history_has_a_row_for_each_epoch_and_a_column_for_each_number(quick, houses, n_bags):
    X, Y = houses
    est = quick(n_bags=n_bags, task_weights={"price": 0.25}).fit(X, Y)
    history = est.history_
    expected = {"epoch", "train_loss", "valid_loss"} | ({"bag"} if n_bags > 1 else set())
    for name in Y:
        expected |= {f"train_loss_{name}", f"valid_loss_{name}", f"weight_{name}"}
    assert set(history.columns) == expected | {"valid_r2_price", "valid_accuracy_type"}
    assert len(history) == 3 * n_bags
    assert history["epoch"].tolist() == [1, 2, 3] * n_bags
    if n_bags > 1:
        assert history["bag"].tolist() == [0, 0, 0, 1, 1, 1]
    assert (history["weight_price"] == 0.25).all()
    assert (history["weight_type"] == 1).all()
    # Scale-free: the network begins near the best constant.
    assert history["train_loss_price"].between(0.3, 2.5).all()
    assert history["valid_accuracy_type"].between(0, 1).all()
    assert len(est.nets_) == n_bags
    assert est.net_ is est.nets_[0]


def test_history_scores_are_those_of_the_validation_rows(quick, houses):
    X, Y = houses
    # Those of the network, before it is corrected or blended.
    est = quick(max_epochs=1, calibrate=False, ema_decay=None, linear_blend=False)
    est.fit(X[:60], Y[:60], X_val=X[60:], y_val=Y[60:])
    scores = est.score_tasks(X[60:], Y[60:])
    assert est.history_["valid_accuracy_type"][0] == pytest.approx(scores["type"], rel=1e-6)
    assert est.history_["valid_r2_price"][0] == pytest.approx(scores["price"], rel=1e-4, abs=1e-5)


def test_the_total_is_the_mean_over_tasks_whatever_their_weights(quick, houses):
    X, Y = houses
    weights = {"price": 0.25, "type": 3.0}
    est = quick(task_weights=weights, batch_size=1000, early_stopping=False).fit(X, Y)
    history = est.history_
    expected = (history["train_loss_price"] + history["train_loss_type"]) / 2
    np.testing.assert_allclose(history["train_loss"], expected, rtol=1e-5)


def test_n_iter_is_that_of_the_net_that_ran_longest(quick, houses):
    X, Y = houses
    est = quick(n_bags=3, max_epochs=60, patience=1, lr=0.05).fit(X, Y)
    lengths = est.history_.groupby("bag").size()
    assert lengths.nunique() > 1
    assert est.n_iter_ == lengths.max()


def test_verbose_prints_a_line_for_each_epoch(quick, houses, capsys):
    quick(verbose=2).fit(*houses)
    printed = capsys.readouterr().out
    assert len(printed.strip().splitlines()) == 2 + 3
    assert "train_loss" in printed
    assert "valid_loss" in printed


def test_silent_by_default(quick, houses, capsys):
    quick().fit(*houses).predict(houses[0])
    assert capsys.readouterr() == ("", "")


# The representation


def test_transform_gives_the_representation_under_names(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    found = est.transform(X)
    assert found.shape == (80, 16)
    names = est.get_feature_names_out()
    assert names.tolist() == [f"multitaskclassifierregressor{i}" for i in range(16)]
    np.testing.assert_array_equal(quick().fit_transform(X, Y), found)
    frame = est.set_output(transform="pandas").transform(X)
    assert frame.columns.tolist() == names.tolist()
    assert frame.index.equals(X.index)


def test_transform_is_the_first_nets_averaged_over_members(quick, houses):
    X, Y = houses
    assert quick(trunk="tabm", max_epochs=1).fit(X, Y).transform(X).shape == (80, 128)


# Probabilities and intervals


def test_probabilities_are_hidden_where_no_task_has_any(quick, houses):
    X, Y = houses
    est = quick()
    assert hasattr(est, "predict_proba")
    est.fit(X, Y[["price"]])
    assert not hasattr(est, "predict_proba")
    assert not hasattr(est, "classes_")
    assert hasattr(est.fit(X, Y), "predict_proba")
    assert not hasattr(est.fit(X, Y[["price"]]), "classes_")


def test_a_regressor_has_no_probabilities_even_before_fit(quick):
    assert not hasattr(quick(MultiTaskRegressor), "predict_proba")


def test_intervals_are_hidden_where_no_task_has_any(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    with pytest.raises(AttributeError, match="predict_interval"):
        est.predict_interval(X)


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    X = rng.uniform(-1, 1, size=(1500, 2))
    return X, 100 + 10 * X[:, 0] + (1 + X[:, 1] ** 2) * rng.normal(size=1500)


@pytest.mark.parametrize(
    ("loss", "coverage"), [("quantile", 0.9), ("gaussian_nll", 0.9), ("gaussian_nll", 0.5)]
)
def test_intervals_cover_what_they_say(quick, noisy, loss, coverage):
    X, y = noisy
    est = quick(tasks={"y": Regression(loss)}, max_epochs=30, lr=0.01, batch_size=100)
    est.fit(X[:1000], {"y": y[:1000], "plain": y[:1000]})
    found = est.predict_interval(X[1000:], coverage)
    assert list(found) == ["y"]
    assert found["y"].shape == (500, 2)
    low, high = found["y"].T
    assert (low <= high).all()
    assert abs(((low <= y[1000:]) & (y[1000:] <= high)).mean() - coverage) < 0.08
    point = est.predict(X[1000:])["y"]
    assert ((low <= point) & (point <= high)).mean() > 0.98


@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, 0.8])
def test_a_coverage_that_can_not_be_had_is_refused(quick, noisy, coverage):
    X, y = noisy
    est = quick(tasks={"y": Regression("quantile")}, max_epochs=1).fit(X[:100], {"y": y[:100]})
    with pytest.raises(ValueError, match=r"`coverage`.*Found"):
        est.predict_interval(X, coverage)


def test_intervals_of_arrays_are_arrays(quick, noisy):
    X, y = noisy
    est = quick(MultiTaskRegressor, tasks={"y": Regression("quantile")}, max_epochs=1).fit(X[:100], y[:100])
    assert est.predict_interval(X).shape == (1500, 2)


# Recipes


@pytest.mark.parametrize("params", [{"trunk": "mlp"}, {"sharing": "hard"}, {"balancing": "static"}])
def test_a_short_name_is_the_default_recipe(quick, houses, params):
    X, Y = houses
    (name,) = params
    recipe = {"trunk": MLP(), "sharing": HardSharing(), "balancing": StaticWeights()}[name]
    one, other = quick(**params).fit(X, Y), quick(**{name: recipe}).fit(X, Y)
    pd.testing.assert_frame_equal(one.predict(X), other.predict(X))


def test_the_default_trunk_is_tabm_for_tables_and_mlp_for_the_rest(quick, houses):
    X, Y = houses
    table = quick(trunk=None, max_epochs=1).fit(X, Y)
    assert table.net_.module_.sharing.members == 4
    films = np.zeros((80, 2, 3, 2, 2)) + np.arange(80)[:, None, None, None, None]
    others = quick(trunk=None, max_epochs=1).fit(films, Y)
    assert others.net_.module_.sharing.members == 1
    assert others.transform(np.ones((2, 2, 3, 2, 2))).shape == (2, 256)


def test_hidden_layers_of_the_branches_are_set_for_all_or_by_task(quick, houses):
    X, Y = houses

    def shapes(sizes):
        est = quick(head_hidden_sizes=sizes, max_epochs=1).fit(X, Y)
        return sorted(
            tuple(p.shape[-2:]) for n, p in est.net_.module_.heads.named_parameters() if "weight" in n
        )

    assert shapes(()) == [(2, 16)]
    assert shapes((5,)) == [(1, 5), (5, 16)]
    assert shapes({"type": (5, 4)}) == [(1, 4), (1, 16), (4, 5), (5, 16)]
    assert shapes(3) == [(1, 3), (3, 16)]


@pytest.mark.parametrize(("n_rows", "n_nets"), [(999, 8), (1000, 2)])
def test_bags_are_eight_below_a_thousand_rows_and_two_from_there(quick, n_rows, n_nets):
    X = np.random.RandomState(0).normal(size=(n_rows, 2))
    est = quick(n_bags="auto", max_epochs=1, trunk=MLP((2,)), preprocessing=None).fit(X, {"y": X[:, 0]})
    assert len(est.nets_) == n_nets


@pytest.mark.parametrize("seed", range(6))
def test_every_class_of_y_is_known_whatever_rows_are_held_out(quick, houses, seed):
    X, _ = houses
    first = np.array(["a", "b"] * 40)
    second = np.where(np.arange(80) == 11, "rare", first)
    est = quick(random_state=seed, validation_fraction=0.4, max_epochs=1).fit(
        X, {"first": first, "second": second}
    )
    assert est.classes_["second"].tolist() == ["a", "b", "rare"]


@pytest.mark.parametrize("seed", range(6))
def test_a_task_of_few_labels_is_learned_whatever_rows_are_held_out(quick, houses, seed):
    X, Y = houses
    few = np.full(80, np.nan)
    few[[4, 30]] = [1.5, 2.5]
    est = quick(random_state=seed, validation_fraction=0.5, max_epochs=1)
    assert np.isfinite(est.fit(X, {"price": Y["price"], "few": few}).predict(X)["few"]).all()


def test_refitting_forgets(quick, houses):
    X, Y = houses
    est = quick().fit(X.to_numpy(), Y["price"].to_numpy())
    est.fit(X, Y)
    pd.testing.assert_frame_equal(est.predict(X), quick().fit(X, Y).predict(X))
    assert est.feature_names_in_.tolist() == X.columns.tolist()


@pytest.mark.parametrize("cls", [MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskClassifier])
def test_the_three_agree_on_what_all_can_do(quick, houses, cls):
    X, Y = houses
    Y = {
        MultiTaskRegressor: Y[["price"]],
        MultiTaskClassifier: Y[["type"]],
        MultiTaskClassifierRegressor: Y,
    }[cls]
    est, mixed = quick(cls).fit(X, Y), quick().fit(X, Y)
    pd.testing.assert_frame_equal(est.predict(X), mixed.predict(X))
    assert est.score(X, Y) == mixed.score(X, Y)


@pytest.mark.parametrize("others", [{}, {"price": "same gaps"}])
def test_rows_without_any_label_tell_that_a_column_has_gaps(quick, others):
    rng = np.random.default_rng(0)
    codes = pd.Series(rng.integers(0, 3, 60), dtype=float).mask(np.arange(60) % 6 == 0)
    Y = pd.DataFrame({"kind": codes, **dict.fromkeys(others, codes + 0.5)})
    X = rng.normal(size=(60, 2))
    with pytest.warns(UserWarning, match="'kind' has whole floats of few values with gaps") as warned:
        est = quick().fit(X, Y)
    assert len(warned) == 1
    assert est.tasks_["kind"].kind == "classification"
