"""An ONNX file gives in onnxruntime what the estimator gives."""

from __future__ import annotations

import json
import sys
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.impute import KNNImputer
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor
from sklearn_mtl.export import onnx_file, quantize, to_onnx
from sklearn_mtl.export.onnx_graph import behind, made_private
from sklearn_mtl.targets import rows_as_objects
from sklearn_mtl.tasks import BoxRegression, Classification, Multilabel, Ordinal, Regression, Survival
from sklearn_mtl.trunks import MLP, RNN, Fusion, TabM, TextEncoder

runtime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

QUICK = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 2, "random_state": 0}
QUICK |= {"linear_blend": False, "tree_blend": False}


@cache
def session_of(path):
    return runtime.InferenceSession(path)


def outputs_of(file, X):
    return dict(zip(file.outputs, session_of(file.path).run(file.outputs, file.feed(X)), strict=True))


def check_same(file, est, X):
    found = outputs_of(file, X)
    for name, own in est.predict(X).items():
        if own.dtype.kind == "f" and not est.tasks_[name].has_classes:
            size = np.sqrt(np.mean(own**2, axis=0))
            np.testing.assert_allclose(found[f"{name}__prediction"] / size, own / size, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(found[f"{name}__prediction"], own)
    for name, own in est.predict_proba(X).items():
        np.testing.assert_allclose(found[f"{name}__probabilities"], own, rtol=1e-5, atol=1e-6)
    return found


@pytest.fixture(scope="module")
def patients():
    """Patients of scikit-learn's diabetes data, with columns of text, a date and gaps."""
    X, progress = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X["sex"] = np.where(X["sex"] == 1, "woman", "man")
    X["seen"] = pd.Timestamp("1969-12-30") + pd.to_timedelta(np.arange(len(X)) * 40_000, unit="s")
    X.loc[::9, ["bmi", "seen"]] = None
    X.loc[::11, "sex"] = None
    group = np.digitize(progress, [90, 180])
    return X, {
        "progress": progress.to_numpy(),
        "group": group,
        "word": np.array(["low", "middle", "high"])[group],
        "high": progress.to_numpy() > 150,
        # What trees learn sooner than networks do.
        "pair": ((X["s1"] > 190) ^ (X["bp"] > 94)).astype(int).to_numpy(),
    }


def test_the_default_of_a_table_as_one_graph(patients, tmp_path):
    X, Y = patients
    trunk = TabM((16,), members=2)
    est = MultiTaskClassifierRegressor(trunk=trunk, max_epochs=1, n_bags=1, tree_blend=True, random_state=0)
    est.fit(X, {name: Y[name] for name in ("progress", "word", "high", "pair")})
    beside = {type(part).__name__ for net in est.nets_ for part in net.evaluated.beside}
    assert beside == {"LinearPart", "TreePart"}
    file = to_onnx(est, tmp_path / "model.onnx", X)
    assert not file.encoded
    assert file.left_out == []
    assert file.difference < 1e-6
    assert file.inputs["seen"].startswith("float64 of shape (rows, 1): seconds since 1970")
    assert file.inputs["sex"] == "text of shape (rows, 1): '' where missing"
    new = X[:5].assign(sex=["unheard of", None, "man", "", None], bmi=[1e6, -1e6, None, 0, 25])
    found = check_same(file, est, pd.concat([X, new]))
    assert set(found["word__prediction"]) <= {"low", "middle", "high"}
    assert found["high__prediction"].dtype == bool
    check_same(file, est, new[:1])
    # The text that stands for missing ones is no level: in Python it is one that was never seen.
    check_same(file, est, new[3:4])
    described = {own.key: own.value for own in onnx.load(file.path).metadata_props}
    assert json.loads(described["classes"])["word"] == ["high", "low", "middle"]
    assert json.loads(described["inputs"]) == file.inputs


KINDS = {
    "progress": Regression("gaussian_nll"),
    "log": Regression(transform="log"),
    "two": "regression",
    "group": Classification("focal", class_weight="balanced", label_smoothing=0.1),
    "high": Classification(class_weight={False: 1, True: 3}),
    "grade": Ordinal(["low", "middle", "high"]),
    "marks": Multilabel(pos_weight="balanced"),
    "relapse": Survival(6),
    "box": BoxRegression(),
}


@pytest.fixture(scope="module")
def every_kind(patients):
    """Columns of numbers, and labels of each kind of task."""
    X, Y = patients
    rows, time = X[["age", "bp", "s1"]].to_numpy(), Y["progress"]
    usual = np.median(rows, axis=0)
    return rows, {
        "progress": time,
        "log": time,
        "two": np.column_stack([rows[:, 1] * 1e-3, time * 1e3]),
        "group": Y["group"].astype(np.uint16),
        "high": Y["high"],
        "grade": Y["word"],
        "marks": np.column_stack([Y["high"], rows > usual]).astype(int),
        "relapse": np.column_stack([time, Y["pair"]]),
        "box": np.column_stack([rows[:, 0], rows[:, 1], rows[:, 0] + 9, rows[:, 1] + rows[:, 2]]),
    }


def test_every_kind_of_task(every_kind, tmp_path):
    X, Y = every_kind
    est = MultiTaskClassifierRegressor(**QUICK, tasks=KINDS).fit(X, Y)
    file = to_onnx(est, tmp_path / "model.onnx", X)
    assert file.left_out == []
    found = check_same(file, est, X)
    check_same(file, est, X[:1])
    far = np.array([[1e30, -1e30, 0.0], [np.nan, np.nan, np.nan]])
    check_same(file, est, far)
    curve = est.tasks_["relapse"].survival(est._responses(X)[0]["relapse"])
    np.testing.assert_allclose(found["relapse__survival"], curve, atol=1e-6)


def test_sparse_rows_are_fed_as_an_array_to_the_average_of_two_nets(every_kind, tmp_path):
    rows, Y = every_kind
    usual = np.median(rows, axis=0)
    X = sparse.csr_array(np.where(rows > usual, rows, 0))
    est = MultiTaskClassifierRegressor(**{**QUICK, "n_bags": 2})
    est.fit(X, {name: Y[name] for name in ("progress", "high")})
    file = to_onnx(est, tmp_path / "model.onnx", X)
    assert file.inputs == {"X": "float64 of shape (rows, 3): numbers, NaN where missing"}
    check_same(file, est, X)
    check_same(file, est, X.toarray())


def test_several_inputs_sequences_and_texts_are_encoded(tmp_path):
    rng = np.random.default_rng(0)
    steps = [rng.normal(size=(length, 2)) for length in rng.integers(1, 6, size=40)]
    notes = [" ".join(rng.choice(["sea", "hill", "town"], rng.integers(1, 5))) for _ in steps]
    X = MultiInput({"steps": rows_as_objects(steps), "notes": notes})
    trunks = {"steps": RNN(hidden_size=3), "notes": TextEncoder(embedding_size=4)}
    est = MultiTaskClassifierRegressor(**{**QUICK, "trunk": Fusion(trunks, hidden_sizes=(4,))})
    est.fit(X, {"level": [row.mean() for row in steps], "by_the_sea": ["sea" in text for text in notes]})
    with pytest.warns(UserWarning, match="does not hold images, sequences, texts or several inputs"):
        file = to_onnx(est, tmp_path / "model.onnx", X)
    assert file.encoded
    check_same(file, est, X)
    for row in (int(np.argmin([len(own) for own in steps])), 7):
        check_same(file, est, X[row : row + 1])
    longer = MultiInput({"steps": [np.ones((9, 2))], "notes": ["hill"]})
    with pytest.raises(ValueError, match=r"no longer than the longest of `fit`.* in 'steps'. Found 9"):
        file.feed(longer)


def test_an_array_of_numbers_is_one_input(tmp_path):
    X, y = load_wine(return_X_y=True)
    est = MultiTaskClassifierRegressor(**{**QUICK, "tree_blend": True}, precision="float64")
    est.fit(X, {"wine": y, "ash": X[:, 2]})
    file = to_onnx(est, tmp_path / "wine.onnx", X)
    assert file.inputs == {"X": "float64 of shape (rows, 13): numbers, NaN where missing"}
    assert file.difference < 1e-9
    check_same(file, est, X)


def test_a_transformer_of_scikit_learn(patients, tmp_path):
    X, Y = patients
    X = X[["age", "bp", "sex"]].fillna({"sex": "unknown"})
    columns = make_column_transformer(
        (StandardScaler(), ["age", "bp"]), (OneHotEncoder(handle_unknown="ignore"), ["sex"])
    )
    est = MultiTaskClassifierRegressor(**QUICK, preprocessing=columns).fit(X, Y)
    pytest.importorskip("skl2onnx")
    file = to_onnx(est, tmp_path / "model.onnx", X)
    assert not file.encoded
    check_same(file, est, X)


def test_a_model_that_gives_other_classes_is_not_written(tmp_path, monkeypatch):
    X, y = load_wine(return_X_y=True)
    word = np.array(["low", "middle", "high"])[y]
    est = MultiTaskClassifierRegressor(**QUICK).fit(X, {"word": word})
    with_text = onnx_file.with_text
    monkeypatch.setattr(
        onnx_file, "with_text", lambda model, name, texts: with_text(model, name, texts[::-1])
    )
    with pytest.raises(ValueError, match=r"'word__prediction' to differ by \S+ of the rows"):
        to_onnx(est, tmp_path / "model.onnx", X)
    assert list(tmp_path.iterdir()) == []


def part_from(given, made):
    """A model of two steps, the tensor between them named 'view'."""
    helper, kind = onnx.helper, onnx.TensorProto.DOUBLE
    ends = [helper.make_tensor_value_info(name, kind, ["rows", 2]) for name in (given, made)]
    nodes = [helper.make_node("Abs", [given], ["view"]), helper.make_node("Neg", ["view"], [made])]
    return helper.make_model(helper.make_graph(nodes, "part", ends[:1], ends[1:]))


def test_a_transformer_and_a_network_may_have_tensors_of_one_name():
    model = made_private(part_from("numbers", "out"))
    behind(part_from("table", "encoded"), model, "numbers")
    onnx.checker.check_model(model)


def test_a_transformer_that_is_written_as_functions_takes_encoded_rows(tmp_path):
    pytest.importorskip("skl2onnx")
    X, y = load_wine(return_X_y=True)
    X[::7, 0] = np.nan
    est = MultiTaskClassifierRegressor(**QUICK, preprocessing=KNNImputer())
    est.fit(X, {"ash": X[:, 2], "kind": y})
    with pytest.warns(UserWarning, match="does not hold KNNImputer, .* functions.* encoded rows"):
        file = to_onnx(est, tmp_path / "model.onnx", X)
    np.testing.assert_allclose(outputs_of(file, X)["ash__prediction"], est.predict(X)["ash"], rtol=1e-5)


class Squares(StandardScaler):
    """A transformer that skl2onnx has never heard of."""

    def transform(self, X):
        return super().transform(X) ** 2


def test_what_can_not_be_held_is_said_and_takes_encoded_rows(tmp_path):
    pytest.importorskip("skl2onnx")
    X, y = load_wine(return_X_y=True)
    day = np.array(["2024-02-01", "2024-02-02"], "datetime64[D]")[y // 2]
    tasks = {"day": "classification"}
    est = MultiTaskClassifierRegressor(**QUICK, tasks=tasks, preprocessing=Squares())
    est.fit(X, {"ash": X[:, 2], "day": day})
    with pytest.warns(
        UserWarning, match="does not hold Squares, .*; the classes of task 'day'.* encoded rows"
    ):
        file = to_onnx(est, tmp_path / "model.onnx", X)
    assert file.encoded
    assert file.inputs == {"x": "float32 of shape (rows, 13): encoded rows"}
    found = outputs_of(file, X)
    np.testing.assert_allclose(found["ash__prediction"], est.predict(X)["ash"], rtol=1e-5)
    days = np.asarray(est.classes_["day"])[found["day__prediction"]].astype("datetime64[D]")
    np.testing.assert_array_equal(days, est.predict(X)["day"])


def test_what_is_no_estimator_or_has_the_name_of_an_output_is_refused(tmp_path):
    with pytest.raises(TypeError, match="`estimator` must be one of"):
        to_onnx(LinearRegression(), tmp_path / "model.onnx")
    X = pd.DataFrame({"a__prediction": np.arange(60.0), "b": np.arange(60.0) % 7})
    est = MultiTaskClassifierRegressor(**QUICK).fit(X, {"a": np.sin(np.arange(60.0))})
    with pytest.raises(ValueError, match=r"other names than the outputs.*'a__prediction'"):
        to_onnx(est, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


class Branch(nn.Module):
    """Computes otherwise where a row is far away."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x / 100 if bool((x > 100).any()) else x)


def test_what_can_not_be_run_or_traced_is_refused_before_a_file_is_written(every_kind, tmp_path):
    X, Y = every_kind
    gelu = {**QUICK, "trunk": MLP((4,), activation="gelu"), "precision": "float64", "max_epochs": 1}
    est = MultiTaskClassifierRegressor(**gelu).fit(X, {"progress": Y["progress"]})
    with pytest.raises(ValueError, match=r"operations that onnxruntime has in its precision.*Erf"):
        to_onnx(est, tmp_path / "model.onnx")
    branch = {**QUICK, "trunk": Branch(), "preprocessing": None, "max_epochs": 1}
    est = MultiTaskClassifierRegressor(**branch).fit(X, {"progress": Y["progress"]})
    with pytest.raises(ValueError, match=r"operations that torch can trace.* data-dependent"):
        to_onnx(est, tmp_path / "model.onnx")
    est = MultiTaskClassifierRegressor(**QUICK).fit(X, {"progress": Y["progress"]})
    with pytest.raises(TypeError, match=r"quantized estimator can't be .* exported"):
        to_onnx(quantize(est), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_onnx_can_not_have_is_refused(tmp_path):
    X = pd.DataFrame({"": np.arange(60.0), "sklearn_mtl/x": np.arange(60.0) % 7})
    est = MultiTaskClassifierRegressor(**QUICK).fit(X, {"a": np.sin(np.arange(60.0))})
    with pytest.raises(ValueError, match=r"must have names .* Found \['', 'sklearn_mtl/x'\]"):
        to_onnx(est, tmp_path / "model.onnx")


def test_without_onnx_the_extra_is_named(monkeypatch, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = MultiTaskClassifierRegressor(**QUICK).fit(
            np.arange(90.0).reshape(-1, 3), {"a": np.arange(30.0)}
        )
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r'needs onnxscript: pip install "sklearn-mtl\[onnx\]"'):
        to_onnx(est, tmp_path / "model.onnx")
