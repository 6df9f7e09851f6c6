"""Every kind of input gets as far as a table does: a line in `KINDS` for each kind, a test for each thing."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.features import Files, ImagePreprocessing
from sklearn_mtl.model_selection import StackedGridSearchCV, cross_val_predict_tasks
from sklearn_mtl.trunks import CNN, MLP, RNN, TCN, Fusion, TabM, TextEncoder

N_ROWS = 40
WORDS = ("house", "garden", "roof", "window", "door")


def images():
    return np.random.default_rng(0).integers(0, 255, size=(N_ROWS, 1, 6, 6)).astype(np.uint8)


def sequences():
    rng = np.random.default_rng(1)
    return [rng.normal(size=(rng.integers(2, 7), 2)) for _ in range(N_ROWS)]


def texts():
    rng = np.random.default_rng(2)
    return [" ".join(rng.choice(WORDS, rng.integers(2, 6))) for _ in range(N_ROWS)]


def table():
    rng = np.random.default_rng(3)
    return pd.DataFrame({"area": rng.normal(size=N_ROWS), "kind": rng.choice(["u", "v"], N_ROWS)})


def several():
    notes = [None if row % 5 == 0 else text for row, text in enumerate(texts())]
    return MultiInput({"photo": images(), "table": table(), "notes": notes})


@dataclass(frozen=True)
class Case:
    """What makes X, and a small trunk for it; by default the default trunk is tested as well."""

    make: Callable
    trunk: object


SMALL_FUSION = Fusion(
    {"photo": MLP((4,)), "table": TabM((4,), members=2), "notes": TextEncoder(embedding_size=8)},
    hidden_sizes=(4,),
)
KINDS = {
    "table": Case(table, TabM((4,), members=2)),
    "images": Case(images, CNN((4,), pooled_size=2, hidden_sizes=(4,))),
    "images, a perceptron": Case(images, MLP((4,))),
    "images, channels last": Case(lambda: images().transpose(0, 2, 3, 1), CNN((4,), pooled_size=1)),
    "sequences": Case(sequences, RNN(hidden_size=4)),
    "sequences of one length": Case(lambda: np.stack([row[:2] for row in sequences()]), TCN(width=4)),
    "files": Case(lambda: Files(range(N_ROWS), images().__getitem__), MLP((4,))),
    "texts": Case(texts, TextEncoder(embedding_size=8)),
    "several": Case(several, SMALL_FUSION),
    "several, gated": Case(several, clone(SMALL_FUSION).set_params(fusion="gated", width=4)),
    "several, attention": Case(several, clone(SMALL_FUSION).set_params(fusion="attention", width=4)),
}
Y = MultiTaskTarget(
    {
        "price": np.random.default_rng(4).normal(size=N_ROWS),
        "sold": np.random.default_rng(5).integers(0, 2, N_ROWS).astype(bool),
    }
)


@pytest.fixture(params=KINDS)
def case(request):
    return KINDS[request.param]


def estimator(trunk, **parameters):
    settings = {"n_bags": 1, "max_epochs": 1, "linear_blend": False, "tree_blend": False, "random_state": 0}
    return MultiTaskClassifierRegressor(trunk=trunk, **{**settings, **parameters})


def some(X, rows):
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def test_a_row_is_predicted_alone_as_among_others(case):
    X = case.make()
    est = estimator(case.trunk).fit(X, Y)
    every = est.predict(X)["price"]
    assert np.isfinite(every).all()
    for rows in (slice(0, 1), slice(5, 6), slice(7, 20)):
        np.testing.assert_allclose(est.predict(some(X, rows))["price"], every[rows], rtol=1e-5, atol=1e-6)


def test_pickles_and_files_predict_the_same(case, tmp_path):
    pytest.importorskip("safetensors")
    X = case.make()
    est = estimator(case.trunk).fit(X, Y)
    save(est, tmp_path / "it.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "it.mtl")):
        np.testing.assert_array_equal(again.predict(X)["price"], est.predict(X)["price"])
    clone(est)


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
@pytest.mark.filterwarnings("ignore:.*candidates were trained one by one")
@pytest.mark.filterwarnings("ignore:.*trained alone")
def test_searches_split_it(case, search):
    grid = {"task_weights__price": [0.1, 1.0]}
    found = search(
        Pipeline([("net", estimator(case.trunk))]),
        {f"net__{k}": v for k, v in grid.items()},
        cv=2,
        refit=False,
        error_score="raise",
    )
    found.fit(case.make(), Y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_it_is_trained_on_batch_by_batch(case):
    X = case.make()
    est = estimator(case.trunk)
    for rows in (slice(0, 20), slice(20, 40)):
        est.partial_fit(some(X, rows), Y[rows], classes={"sold": [False, True]})
    assert np.isfinite(est.predict(X)["price"]).all()


def test_weights_missing_labels_and_double_precision(case):
    X, labels = case.make(), Y["price"].copy()
    labels[::3] = np.nan
    est = estimator(case.trunk, precision="float64")
    est.fit(X, {"price": labels, "sold": Y["sold"]}, sample_weight=np.linspace(0, 1, N_ROWS))
    assert np.isfinite(est.task("price").predict(X)).all()


def test_a_mapping_is_as_good_as_a_multi_input():
    X = several()
    plain = {name: list(X[name]) if name == "notes" else X[name] for name in X}
    est = estimator(SMALL_FUSION).fit(plain, Y)
    np.testing.assert_array_equal(est.predict(plain)["price"], est.predict(X)["price"])
    assert est.n_features_in_ == 3
    assert est.feature_names_in_.tolist() == ["photo", "table", "notes"]
    assert cross_val_predict(estimator(SMALL_FUSION), X, Y["price"], cv=2).shape == (N_ROWS,)


def test_an_input_may_be_missing_at_predict_only():
    X = several()
    est = estimator(SMALL_FUSION).fit(X, Y)
    photo = X["photo"].astype(float)
    photo[3:5] = np.nan
    found, before = (est.predict(MultiInput({**X, "photo": of}))["price"] for of in (photo, X["photo"]))
    assert np.isfinite(found).all()
    assert (found != before).tolist() == [row in (3, 4) for row in range(N_ROWS)]
    est.predict({**X, "notes": [None] * N_ROWS})


@pytest.mark.parametrize("form", ["csr", "coo"])
def test_a_sparse_table_is_one_of_several_inputs(form):
    words = sparse.random_array((N_ROWS, 12), density=0.2, random_state=0).asformat(form)
    X, dense = ({"words": of, "photo": images()} for of in (words, words.toarray()))
    est = estimator(Fusion({"words": MLP((4,)), "photo": MLP((4,))}, hidden_sizes=(4,))).fit(X, Y)
    np.testing.assert_array_equal(est.predict(X)["price"], est.predict(dense)["price"])
    assert cross_val_predict(est, MultiInput(X), Y["price"], cv=2).shape == (N_ROWS,)


def test_each_input_has_a_preprocessing():
    X = several()
    photo = ImagePreprocessing()
    given = {"photo": photo, "table": "auto"}
    est = estimator(SMALL_FUSION, preprocessing=given).fit(X, Y)
    np.testing.assert_array_equal(
        est.predict(X)["price"], estimator(SMALL_FUSION).fit(X, Y).predict(X)["price"]
    )
    assert given["photo"] is photo
    assert not [name for name in vars(photo) if name.endswith("_")]


def test_the_importance_of_an_input_is_what_the_score_loses_without_it():
    X, rng = several(), np.random.default_rng(0)
    y = X["table"]["area"].to_numpy()
    est = estimator(
        Fusion({"photo": MLP((4,)), "notes": TextEncoder(embedding_size=8)}), max_epochs=60, lr=0.01
    ).fit(X, y)

    def lost(name):
        shuffled = X[rng.permutation(len(X))][name]
        return est.score(X, y) - est.score(MultiInput({**X, name: shuffled}), y)

    assert lost("table") > 2 * max(lost("photo"), lost("notes"))


def test_the_preprocessing_of_an_input_is_set_and_searched_by_its_name():
    X, photo = several(), ImagePreprocessing()
    given = {"photo": photo}
    est = estimator(SMALL_FUSION, preprocessing=given)
    grid = {"preprocessing__photo__normalize": [True, False], "preprocessing__notes__tokens": ["characters"]}
    for search in (GridSearchCV, StackedGridSearchCV):
        found = search(est, grid, cv=2, error_score="raise").fit(X, Y)
        assert len(set(found.cv_results_["mean_test_score"])) == 2
    assert given == {"photo": photo}
    assert photo.normalize
    assert est.get_params()["preprocessing__photo__channels"] == "auto"


def test_predictions_have_the_index_of_the_first_frame():
    X, labels = several(), pd.DataFrame(dict(Y))
    rows = [f"row {row}" for row in range(N_ROWS)]
    X = {**X, "table": X["table"].set_axis(rows)}
    est = estimator(SMALL_FUSION).fit(X, labels.set_axis(rows))
    assert est.predict(X).index.tolist() == rows
    assert est.predict(MultiInput(X)[3:5]).index.tolist() == rows[3:5]
    with pytest.warns(UserWarning, match=r"index of `X\['table'\]` and that of .*y.* hold the same labels"):
        est.fit(X, labels.set_axis(rows[::-1]))
    notes = pd.Series(list(X["notes"]), rows[::-1])
    with pytest.warns(UserWarning, match=r"index of `X\['table'\]` and that of .*X\['notes'\].* hold the"):
        est.fit({**X, "notes": notes}, labels.set_axis(rows))


def test_searches_and_predictions_of_this_package_split_a_mapping():
    X = several()
    est = estimator(SMALL_FUSION)
    found = [cross_val_predict_tasks(est, of, Y, cv=2)["price"] for of in (dict(X.items()), X)]
    np.testing.assert_array_equal(*found)
    search = StackedGridSearchCV(est, {"lr": [0.01]}, cv=2).fit(dict(X.items()), dict(Y.items()))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


BAD = {
    "another input": (lambda X: {"photo": X["photo"]}, r"`X` must have the inputs of `fit`, \['photo',"),
    "other columns": (
        lambda X: {**X, "table": X["table"].rename(columns={"area": "size"})},
        r"`X\['table'\]` must have the columns of `fit`, \['area', 'kind'\]. Found \['size', 'kind'\]",
    ),
    "another length": (lambda X: {**X, "photo": X["photo"][1:]}, "must have the same number of rows"),
    "one input": (lambda X: X["table"], "`X` must be several inputs, a MultiInput or a mapping"),
    "other channels": (lambda X: {**X, "photo": np.zeros((N_ROWS, 3, 6, 6))}, r"`X\['photo'\]`"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_as_in_fit_is_named(name):
    change, message = BAD[name]
    X = several()
    est = estimator(SMALL_FUSION).fit(X, Y)
    with pytest.raises((ValueError, TypeError), match=message):
        est.predict(change(dict(X)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"trunk": Fusion({"image": MLP()})}, r"`trunks` of Fusion names unknown inputs \['image'\]"),
        (
            {"trunk": Fusion({"photo": 3})},
            "A trunk in `trunks` of Fusion must be None, one of .* input 'photo'",
        ),
        ({"trunk": Fusion({"notes": "text"})}, "Found 'text' for input 'notes'"),
        ({"trunk": Fusion(fusion="sum")}, r"`fusion` of Fusion must be one of \['attention'"),
        ({"trunk": Fusion(fusion="attention", width=6)}, "`width` of Fusion must be a multiple of 4"),
        ({"trunk": MLP()}, r"`trunk` must be one for several inputs, such as Fusion"),
        ({"preprocessing": {"image": None}}, r"`preprocessing` names unknown inputs \['image'\]"),
    ],
)
def test_a_wrong_parameter_is_named_before_training(parameters, message):
    with pytest.raises(ValueError, match=message):
        estimator(**{"trunk": None, **parameters}).fit(several(), Y)


def test_an_input_that_no_row_has_is_refused():
    X = MultiInput({**several(), "notes": [None] * N_ROWS})
    with pytest.raises(ValueError, match=r"`X\['notes'\]` must be there in some training row"):
        estimator(None).fit(X, Y)


@pytest.mark.parametrize(("shape", "n_nets"), [((2,), 8), ((6, 2), 2), ((1, 6, 6), 2)])
def test_inputs_of_which_a_net_takes_long_have_small_bags(shape, n_nets):
    X = np.random.default_rng(0).normal(size=(40, *shape))
    y = X.reshape(40, -1).mean(1)
    est = MultiTaskClassifierRegressor(max_epochs=1, linear_blend=False, random_state=0).fit(X, {"mean": y})
    assert len(est.nets_) == n_nets
