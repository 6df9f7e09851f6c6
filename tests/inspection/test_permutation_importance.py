"""What each task loses when features are shuffled."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.inspection import task_permutation_importance
from sklearn_mtl.inspection.shuffling import named_parts, shuffled, with_columns_to_shuffle

PARAMS = {
    "trunk": "mlp",
    "n_bags": 1,
    "max_epochs": 25,
    "lr": 0.01,
    "linear_blend": False,
    "tree_blend": False,
    "random_state": 0,
}
ORDER = np.array([2, 0, 1])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(240, 4)), columns=list("abcd"))
    Y = {"first": 2 * X["a"].to_numpy() + X["d"], "second": np.where(X["b"] > 0, "yes", "no")}
    return X, MultiTaskTarget({name: np.asarray(labels) for name, labels in Y.items()})


@pytest.fixture(scope="module")
def est(data):
    return MultiTaskClassifierRegressor(**PARAMS).fit(*data)


def test_each_task_needs_the_features_that_its_labels_were_made_of(est, data):
    found = task_permutation_importance(est, *data, random_state=0)
    assert list(found.importances_mean.index) == list("abcd")
    assert list(found.importances_mean.columns) == ["first", "second"]
    assert found.importances_mean.idxmax().to_dict() == {"first": "a", "second": "b"}
    assert found.importances_mean.loc["c"].abs().max() < 0.1
    assert found.importances_mean.attrs["metrics"] == {"first": "r2", "second": "accuracy"}
    assert found.importances.index.names == ["feature", "repeat"]
    assert len(found.importances) == 4 * 5
    pd.testing.assert_series_equal(found.scores, est.score_tasks(*data))


def test_the_numbers_are_those_of_scikit_learn_for_each_task(est, data):
    X, Y = data
    found = task_permutation_importance(est, X, Y, n_repeats=3, random_state=7)
    for task in Y:
        own = permutation_importance(est.task(task), X, Y[task], n_repeats=3, random_state=7)
        np.testing.assert_allclose(found.importances_mean[task], own.importances_mean, atol=1e-12)
        np.testing.assert_allclose(found.importances_std[task], own.importances_std, atol=1e-12)


def test_rows_go_through_the_network_once_for_all_tasks(est, data, monkeypatch):
    calls = []
    original = type(est)._responses

    def counted(self, X):
        calls.append(len(X))
        return original(self, X)

    monkeypatch.setattr(type(est), "_responses", counted)
    forwards = []
    hook = est.net_.evaluated.register_forward_hook(lambda *_: forwards.append(1))
    task_permutation_importance(est, *data, n_repeats=2)
    hook.remove()
    assert calls == [240] * (1 + 4 * 2)
    # The rows are cut into chunks by their number alone.
    by_one_call = len(forwards) / len(calls)
    assert by_one_call == int(by_one_call)


def test_columns_of_a_group_are_shuffled_together(est, data):
    X, Y = data
    found = task_permutation_importance(est, X, Y, features={"all": list(X), "a": "a"}, random_state=0)
    assert list(found.importances_mean.index) == ["all", "a"]
    assert (found.importances_mean.loc["all"] > [0.9, 0.2]).all()
    only = task_permutation_importance(est, X, Y, features=["c", "a"], random_state=0)
    assert list(only.importances_mean.index) == ["c", "a"]
    pd.testing.assert_series_equal(only.importances_mean.loc["a"], found.importances_mean.loc["a"])


def test_rows_without_a_label_do_not_count(est, data):
    X, Y = data
    gaps = pd.DataFrame(dict(Y))
    gaps.loc[100:, "first"] = np.nan
    found = task_permutation_importance(est, X, gaps, features=["a"], random_state=0)
    every = task_permutation_importance(est, X, Y, features=["a"], random_state=0)
    assert found.importances_mean.loc["a", "second"] == every.importances_mean.loc["a", "second"]
    assert found.scores["first"] == est.score_tasks(X[:100], {"first": Y["first"][:100]})["first"]
    gaps["first"] = np.nan
    with pytest.warns(UserWarning, match="too few labels of the tasks") as caught:
        found = task_permutation_importance(est, X, gaps, features=["a"])
    assert len(caught) == 1
    assert found.importances_mean["first"].isna().all()
    assert found.importances_mean["second"].notna().all()


def test_metrics_and_weights_are_those_of_score_tasks(est, data):
    X, Y = data
    metrics = {"first": "neg_mean_absolute_error", "second": ["roc_auc", "neg_log_loss"]}
    weight = np.arange(240) % 2 + 0.0
    found = task_permutation_importance(est, X, Y, features=["b"], metrics=metrics, sample_weight=weight)
    pd.testing.assert_series_equal(found.scores, est.score_tasks(X, Y, weight, metrics=metrics))
    assert list(found.importances_mean.columns) == list(found.scores.index)
    assert found.importances_mean.loc["b", ("second", "roc_auc")] > 0.3


def test_pipelines_and_searches_are_of_the_columns_that_they_take(data):
    X, Y = data
    pipe = make_pipeline(
        StandardScaler().set_output(transform="pandas"), MultiTaskClassifierRegressor(**PARAMS)
    )
    search = GridSearchCV(pipe, {"multitaskclassifierregressor__lr": [0.01]}, cv=2).fit(X, Y)
    found = task_permutation_importance(search, X, Y, random_state=0)
    assert found.importances_mean.idxmax().to_dict() == {"first": "a", "second": "b"}


def test_inputs_are_shuffled_whole_or_by_column():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(160, 2)), columns=["size", "age"])
    notes = rng.choice(["by the lake", "at the road"], 160)
    X = {"table": table, "notes": notes.tolist()}
    Y = {"price": table["size"].to_numpy(), "lake": notes == "by the lake"}
    params = {**PARAMS, "trunk": None, "max_epochs": 15}
    est = MultiTaskClassifierRegressor(**params).fit(X, Y)
    found = task_permutation_importance(est, X, Y, n_repeats=2, random_state=0).importances_mean
    assert list(found.index) == ["table", "notes"]
    assert found.idxmax().to_dict() == {"price": "table", "lake": "notes"}
    features = [("table", "size"), ("table", "age"), "notes"]
    parts = task_permutation_importance(est, X, Y, features=features, random_state=0).importances_mean
    assert list(parts.index) == ["table: size", "table: age", "notes"]
    assert parts["price"].idxmax() == "table: size"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["a", "x"], r"`features` must be among those of X, \['a', 'b', 'c', 'd'\]\. Found 'x'\."),
        ({"one": ["a"], "two": ["e"]}, "Found 'e'"),
        ({"one": []}, "must name at least one column"),
        ([], "must name at least one column"),
        ("a", "must be None, a sequence of columns, or a mapping"),
    ],
)
def test_features_that_are_none_are_refused(est, data, features, message):
    with pytest.raises(ValueError, match=message):
        task_permutation_importance(est, *data, features=features)


def test_other_bad_input_is_refused(est, data):
    with pytest.raises(ValueError, match=r"`n_repeats` must be a positive whole number\. Found 0"):
        task_permutation_importance(est, *data, n_repeats=0)
    with pytest.raises(TypeError, match="must be a multi-task estimator"):
        task_permutation_importance(StandardScaler(), *data)


def test_frames_keep_types_and_index_and_are_not_written_to():
    X = pd.DataFrame({"a": pd.Categorical(["u", "v", "u"]), "b": [1, 2, 3]}, index=[5, 6, 7])
    before = X.copy()
    found = shuffled(X, ["a"], ORDER)
    pd.testing.assert_frame_equal(X, before)
    assert found["a"].tolist() == ["u", "u", "v"]
    assert found["a"].dtype == X["a"].dtype
    assert found.index.tolist() == [5, 6, 7]
    assert found["b"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("container", [np.array, csr_matrix], ids=["array", "sparse"])
def test_columns_of_arrays_and_sparse_matrices_are_known_by_position(container):
    values = np.arange(9.0).reshape(3, 3)
    X = container(values)
    assert named_parts(X, None) == {"x0": [0], "x1": [1], "x2": [2]}
    found = shuffled(X, [0, 2], ORDER)
    found = found.toarray() if container is csr_matrix else found
    np.testing.assert_array_equal(found[:, 1], values[:, 1])
    np.testing.assert_array_equal(found[:, [0, 2]], values[ORDER][:, [0, 2]])
    np.testing.assert_array_equal(X.toarray() if container is csr_matrix else X, values)


def test_frames_of_polars_are_shuffled_too():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"a": [1, 2, 3], "b": ["u", "v", "w"]})
    found = shuffled(X, ["b"], ORDER)
    assert found["b"].to_list() == ["w", "u", "v"]
    assert found["a"].to_list() == [1, 2, 3]


def test_what_has_no_columns_is_shuffled_whole():
    texts = pd.Series(["one", "two", "three"], index=[7, 8, 9])
    found = shuffled(texts, ["X"], ORDER)
    assert found.tolist() == ["three", "one", "two"]
    assert found.index.tolist() == [7, 8, 9]
    images = np.arange(24).reshape(3, 2, 2, 2)
    assert named_parts(images, None) == {"X": ["X"]}
    np.testing.assert_array_equal(shuffled(images, ["X"], ORDER), images[ORDER])
    assert with_columns_to_shuffle([[1, 2], [3, 4]]).shape == (2, 2)
    assert with_columns_to_shuffle([[1, 2], [3]]) == [[1, 2], [3]]
    inputs = MultiInput({"a": np.eye(3), "texts": ["one", None, "three"]})
    assert shuffled(inputs, ["texts"], ORDER)["texts"].tolist() == ["three", "one", None]
