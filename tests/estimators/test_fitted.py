"""What a fit leaves: it goes through pickle, joblib, cloudpickle, copies, processes and skops unchanged.

And it is shown in a notebook.
"""

import copy
import pickle
import pickletools
from collections.abc import Iterator, Mapping

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
import torch
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.estimators.fitted import Fitted
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features import AcceptedInput
from sklearn_mtl.tasks import Classification, Regression
from sklearn_mtl.trunks import MLP, ModuleTrunk, TabM

ANY = AcceptedInput.by("auto")


@pytest.fixture
def fitted(quick, houses):
    X, Y = houses
    X = X.assign(colour=["red", "blue"] * 40)
    return quick(n_bags=2, sharing="hard", balancing="static").fit(X, Y), X


def through_skops(est):
    content = skops.io.dumps(est)
    return skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))


COPIES = {
    "pickle": lambda est: pickle.loads(pickle.dumps(est)),
    "oldest pickle": lambda est: pickle.loads(pickle.dumps(est, protocol=2)),
    "cloudpickle": lambda est: cloudpickle.loads(cloudpickle.dumps(est)),
    "deepcopy": copy.deepcopy,
    "skops": through_skops,
}


@pytest.fixture(params=COPIES.values(), ids=COPIES)
def copied(request):
    return request.param


def assert_same(found, expected, X):
    assert type(found) is type(expected)
    assert repr(found.get_params()) == repr(expected.get_params())
    pd.testing.assert_frame_equal(found.predict(X), expected.predict(X), check_exact=True)
    for name, probabilities in expected.predict_proba(X).items():
        np.testing.assert_array_equal(found.predict_proba(X)[name], probabilities)
    np.testing.assert_array_equal(found.transform(X), expected.transform(X))
    pd.testing.assert_frame_equal(found.history_, expected.history_, check_exact=True)
    assert found.feature_names_in_.tolist() == expected.feature_names_in_.tolist()
    assert found.n_iter_ == expected.n_iter_
    assert len(found.nets_) == len(expected.nets_)
    assert found.net_ is found.nets_[0]


def test_a_copy_is_the_same(fitted, copied):
    est, X = fitted
    assert_same(copied(est), est, X)


def test_it_predicts_without_the_number_of_features(quick, houses):
    X = houses[0].to_numpy()
    est = quick(MultiTaskRegressor).fit(X, X[:, 0])
    expected = est.predict(X)
    del est.n_features_in_
    np.testing.assert_array_equal(est.predict(X), expected)


def test_a_copy_is_fitted_anew_to_the_same_result(fitted, houses, copied):
    est, X = fitted
    assert_same(copied(est).fit(X, houses[1]), est, X)


def test_training_a_copy_leaves_the_original_alone(fitted, houses, copied):
    est, X = fitted
    before = est.predict(X)
    found = copied(est).partial_fit(X, houses[1])
    assert len(found.history_) == len(est.history_) + 2
    assert not found.predict(X).equals(before)
    pd.testing.assert_frame_equal(est.predict(X), before, check_exact=True)


def test_a_copy_of_what_is_not_fitted_is_not_fitted(quick, copied):
    found = copied(quick(task_weights={"price": 0.5}))
    assert not hasattr(found, "_fitted")
    assert found.task_weights == {"price": 0.5}


def test_a_clone_of_a_fitted_one_is_not_fitted(fitted):
    assert not hasattr(clone(fitted[0]), "_fitted")


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_joblib(fitted, houses, tmp_path, mmap_mode):
    est, X = fitted
    joblib.dump(est, tmp_path / "est.joblib")
    found = joblib.load(tmp_path / "est.joblib", mmap_mode=mmap_mode)
    assert_same(found, est, X)
    # What is mapped is read-only; training must not write to it.
    found.partial_fit(X, houses[1])
    found.set_params(warm_start=True, max_epochs=5).fit(X, houses[1])
    assert_same(found.set_params(**est.get_params()).fit(X, houses[1]), est, X)


def test_other_processes(fitted):
    est, X = fitted
    try:
        parts = joblib.Parallel(n_jobs=2, backend="loky")(
            joblib.delayed(est.predict)(X.iloc[rows]) for rows in (slice(40), slice(40, None))
        )
    finally:
        get_reusable_executor().shutdown(wait=True)
    pd.testing.assert_frame_equal(pd.concat(parts), est.predict(X))


DATA = {
    "dtypes": pd.DataFrame(
        {
            "Int64": pd.Series([-5, 7] * 40, dtype="Int64"),
            "string": pd.Series(["a", "b"] * 40, dtype="string"),
            "object": pd.Series(["a", "b"] * 40, dtype=object),
            "level": pd.Series(["low", "high"] * 40, dtype=pd.CategoricalDtype(["low", "mid", "high"])),
            "flag": pd.Series([True, False] * 40),
        }
    ),
    "mapping": {
        "place": np.linspace(0, 1, 160).reshape(80, 2),
        "tags": np.array([[0, 1, 1], [1, 0, 1]] * 40),
    },
    "polars": pl.DataFrame({"type": ["a", "b"] * 40}).with_columns(pl.col("type").cast(pl.Enum(["a", "b"]))),
    "2d": np.linspace(0, 1, 160).reshape(80, 2),
}


@pytest.mark.parametrize("y", DATA.values(), ids=DATA)
@pytest.mark.parametrize("preprocessing", [None, "auto", StandardScaler()], ids=["none", "auto", "scaler"])
def test_containers_and_dtypes(quick, houses, y, preprocessing):
    X, _ = houses
    est = quick(preprocessing=preprocessing, max_epochs=1).fit(X, y)
    expected = est.predict(X)
    for through in COPIES.values():
        found = through(est).predict(X)
        assert type(found) is type(expected)
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected, check_exact=True)
        elif isinstance(expected, pl.DataFrame):
            assert found.equals(expected)
            assert found.schema == expected.schema
        else:
            for name in expected if isinstance(expected, Mapping) else [...]:
                np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    "params",
    [
        {"trunk": TabM((8,), members=2)},
        {"trunk": None},
        {"tasks": {"price": Regression("quantile"), "type": Classification("focal")}},
        {"precision": "float64"},
        {"early_stopping": False, "ema_decay": None, "calibrate": False},
        {"head_hidden_sizes": {"price": (4,)}, "lr_schedule": "cosine", "gradient_clip": 1.0},
    ],
    ids=lambda params: "-".join(params),
)
def test_parameters(quick, houses, params):
    X, Y = houses
    est = quick(**{"max_epochs": 1, **params}).fit(X, Y)
    for through in COPIES.values():
        assert_same(through(est), est, X)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_module_of_ones_own(quick, houses, frozen):
    X, Y = houses
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU())
    est = quick(trunk=ModuleTrunk(module, frozen=frozen)).fit(X, Y)
    found = pickle.loads(pickle.dumps(est))
    pd.testing.assert_frame_equal(found.predict(X), est.predict(X), check_exact=True)
    pd.testing.assert_frame_equal(found.fit(X, Y).predict(X), est.predict(X), check_exact=True)


# skops


def harmless(name: str) -> bool:
    # scikit-learn's SimpleImputer holds a dtype, which skops does not know.
    return name == "numpy.dtype" or name.startswith("sklearn_mtl.")


@pytest.mark.parametrize("cls", [MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor])
def test_skops_asks_about_types_of_this_package_only(quick, houses, cls):
    X, Y = houses
    y = Y["price"] if cls is MultiTaskRegressor else Y["type"]
    for est in (
        quick(cls),
        make_pipeline(StandardScaler(), quick(cls)),
        quick(cls, trunk=None, max_epochs=1),
    ):
        asked = skops.io.get_untrusted_types(data=skops.io.dumps(est.fit(X, y)))
        assert [name for name in asked if not harmless(name)] == []
        assert f"sklearn_mtl.estimators.{_module_of(cls)}.{cls.__name__}" in asked


def _module_of(cls):
    return cls.__module__.rpartition(".")[2]


def test_skops_asks_about_nothing_else_without_an_imputer(quick, houses):
    est = quick(preprocessing=StandardScaler()).fit(*houses)
    asked = skops.io.get_untrusted_types(data=skops.io.dumps(est))
    assert all(name.startswith("sklearn_mtl.") for name in asked)


# What the state is made of


def parts_of(value, where="state", seen=None) -> Iterator[tuple[str, object]]:
    """Walk over everything that a pickle of the state would hold."""
    seen = {} if seen is None else seen
    if id(value) in seen or isinstance(value, type):
        return
    seen[id(value)] = value
    yield where, value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from parts_of(item, f"{where}[{key!r}]", seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for position, item in enumerate(value):
            yield from parts_of(item, f"{where}[{position}]", seen)
    elif type(value).__module__.partition(".")[0] in ("sklearn_mtl", "sklearn"):
        yield from parts_of(value.__getstate__(), f"{where}.{type(value).__name__}", seen)


def test_the_state_holds_no_object_of_torch(quick, houses):
    X, Y = houses
    est = quick(n_bags=2, trunk=None, max_epochs=1, balancing="static").fit(X, Y)
    parts = list(parts_of(est.__getstate__()))
    assert {"MLP", "TabM"} & {type(part).__name__ for _, part in parts}
    of_torch = [
        where for where, part in parts if type(part).__module__.partition(".")[0] in ("torch", "skorch")
    ]
    assert of_torch == []
    assert sum(isinstance(part, np.ndarray) for _, part in parts) > 20


def test_a_pickle_names_nothing_of_torch(fitted):
    content = pickle.dumps(fitted[0])
    named = {argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)}
    assert not [name for name in named if name.partition(".")[0].partition(" ")[0] in ("torch", "skorch")]


def test_a_pickle_is_as_large_as_its_weights(quick, houses):
    est = quick(trunk=MLP((512, 512)), max_epochs=1).fit(*houses)
    weights = sum(tensor.numel() * 4 for tensor in est.net_.module_.state_dict().values())
    assert weights < len(pickle.dumps(est)) < weights + 50_000


# Other machines


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_model_of_a_machine_with_cuda_loads_without(fitted, no_cuda, copied, device):
    est, X = fitted
    before = est.predict(X)
    found = copied(est.set_params(device=device))
    assert found.device == device
    pd.testing.assert_frame_equal(found.predict(X), before, check_exact=True)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_on_a_device_that_is_not_here_says_so(fitted, houses, no_cuda, method):
    est, X = fitted
    found = pickle.loads(pickle.dumps(est.set_params(device="cuda")))
    message = r"`device` must be a device of this machine. Found 'cuda'.*'auto' falls back to the CPU"
    with pytest.raises(ValueError, match=message):
        getattr(found, method)(X, houses[1])
    getattr(found.set_params(device="auto"), method)(X, houses[1])


@pytest.mark.gpu
def test_a_model_fitted_with_cuda_loads_without(quick, houses, monkeypatch):
    X, Y = houses
    est = quick(device="cuda").fit(X, Y)
    content = pickle.dumps(est)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = pickle.loads(content)
    assert next(found.net_.module_.parameters()).device.type == "cpu"
    # Another device rounds otherwise.
    np.testing.assert_allclose(found.predict(X)["price"], est.predict(X)["price"], rtol=1e-4)


# --------------------------------------------------------------------------- in a notebook

ROWS = np.random.RandomState(0).normal(size=(30, 2))
LABELS = {
    "price": 1000 * ROWS[:, 0],
    "type": np.where(ROWS[:, 1] > 0, "<flat>", "house"),
    "sets": (ROWS > 0).astype(int),
    "ends": ROWS,
}


def shown(**params):
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1, "task_weights": {"type": 2.5}}
    return MultiTaskClassifierRegressor(**settings | params)


def test_a_fitted_estimator_shows_tasks_kinds_weights_and_trunk():
    html = shown().fit(ROWS, LABELS)._repr_html_()
    for words in ("price", "regression", "type", "classification", "2.5", "sets", "2 labels", "2 outputs"):
        assert words in html
    assert "1 net of MLP(hidden_sizes=(4,)), HardSharing(), StaticWeights()" in html


def test_labels_are_text_not_markup():
    html = shown().fit(ROWS, LABELS)._repr_html_()
    assert "&lt;flat&gt;" in html
    assert "<flat>" not in html


def test_many_tasks_are_counted():
    html = (
        shown(task_weights=None, n_bags=2).fit(ROWS, {f"t{i}": ROWS[:, 0] for i in range(25)})._repr_html_()
    )
    assert "… 5 more" in html
    assert "2 nets of" in html


def test_an_unfitted_one_shows_what_scikit_learn_shows():
    assert "HardSharing" not in shown()._repr_html_()


def test_a_pipeline_still_has_its_picture():
    pipeline = make_pipeline(StandardScaler(), shown()).fit(ROWS, LABELS)
    assert "MultiTaskClassifierRegressor" in pipeline._repr_html_()


def test_the_text_stays_short():
    assert repr(shown().fit(ROWS, LABELS)).count("\n") <= 1
    assert repr(MultiTaskClassifierRegressor()) == "MultiTaskClassifierRegressor()"


# --------------------------------------------------------------------------- the value


def test_more_rows_widen_the_tasks_of_a_new_value(fitted, houses):
    before = fitted[0]._fitted
    X, Y = houses
    rows = Stages().read(X, Y.assign(price=Y["price"] * 10), None, owner="X", accepted=ANY).rows
    after = before.updated_with(rows, (2.0, 0.0))
    assert after.blueprint.task_weights == (2.0, 0.0)
    assert before.blueprint.task_weights == (1.0, 1.0)
    assert after.nets is before.nets
    assert after.tasks is not before.tasks
    strange = Y.assign(type="castle")
    with pytest.raises(ValueError, match="'type' must be among the classes of the first fit"):
        before.updated_with(Stages().read(X, strange, None, owner="X", accepted=ANY).rows, (1.0, 1.0))


def test_what_is_packed_holds_arrays_and_comes_back(fitted):
    before = fitted[0]._fitted
    state = before.packed()
    assert {"encoder", "blueprint", "nets", "kinds"} <= set(state)
    assert all(isinstance(array, np.ndarray) for array in state["nets"][0]["weights"].values())
    after = Fitted.unpacked(state, "cpu")
    assert after.all_tasks == before.all_tasks == ["price", "type"]
    assert after.representation_width == before.representation_width
    assert len(after.nets) == len(before.nets)
