"""An ONNX file gives in onnxruntime what the estimator gives."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.export import onnx_file, to_onnx
from sklearn_mtl.trunks import MLP

runtime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

QUICK = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3, "random_state": 0}


def outputs_of(file, X):
    session = runtime.InferenceSession(file.path)
    return dict(zip(file.outputs, session.run(file.outputs, file.feed(X)), strict=True))


def check_same(file, est, X):
    found = outputs_of(file, X)
    predicted = est.predict(X)
    for name, own in predicted.items():
        if own.dtype.kind == "f":
            size = np.sqrt(np.mean(own**2))
            np.testing.assert_allclose(found[f"{name}__prediction"], own, rtol=1e-5, atol=1e-5 * size)
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


def test_default_settings_as_one_graph(patients, tmp_path):
    X, Y = patients
    est = MultiTaskClassifierRegressor(max_epochs=1, n_bags=2, tree_blend=True, random_state=0).fit(X, Y)
    beside = {type(part).__name__ for net in est.nets_ for part in net.evaluated.beside}
    assert beside == {"LinearPart", "TreePart"}
    file = to_onnx(est, tmp_path / "model.onnx", X)
    assert not file.encoded
    assert file.left_out == []
    assert file.difference < 1e-5
    assert file.inputs["seen"].startswith("float64 of shape (rows, 1): seconds since 1970")
    assert file.inputs["sex"] == "text of shape (rows, 1): '' where missing"
    found = check_same(file, est, X)
    assert set(found["word__prediction"]) <= {"low", "middle", "high"}
    assert found["high__prediction"].dtype == bool
    new = X[:3].assign(sex=["unheard of", None, "man"], bmi=[1e6, -1e6, None])
    check_same(file, est, new)
    check_same(file, est, new[:1])
    # The text that stands for missing ones is no level: in Python it is one that was never seen.
    check_same(file, est, X[:1].assign(sex=""))
    check_same(file, est, X[:1].assign(sex=None))
    described = {own.key: own.value for own in onnx.load(file.path).metadata_props}
    assert json.loads(described["classes"])["word"] == ["high", "low", "middle"]
    assert json.loads(described["inputs"]) == file.inputs


def test_an_array_of_numbers_is_one_input(tmp_path):
    X, y = load_wine(return_X_y=True)
    est = MultiTaskClassifierRegressor(**QUICK, precision="float64", tree_blend=True)
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


def test_without_onnx_the_extra_is_named(monkeypatch, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = MultiTaskClassifierRegressor(**QUICK).fit(
            np.arange(90.0).reshape(-1, 3), {"a": np.arange(30.0)}
        )
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r'needs onnxscript: pip install "sklearn-mtl\[onnx\]"'):
        to_onnx(est, tmp_path / "model.onnx")
