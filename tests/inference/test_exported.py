"""Prediction as torch operations gives what numpy and scikit-learn give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import FeatureEncoder
from sklearn_mtl.features.codes import texts_of
from sklearn_mtl.inference.exported import (
    CannotBeHeld,
    Predictor,
    TableEncoding,
    example_rows,
    labels_of,
    program_of,
)
from sklearn_mtl.inference.exported.trees import FixedTrees
from sklearn_mtl.network import TreePart
from sklearn_mtl.sharing import MMoE
from sklearn_mtl.tasks import BoxRegression, Classification, Multilabel, Ordinal, Regression, Survival
from sklearn_mtl.trunks import MLP, FTTransformer

DAYS = ["2000-02-29", "2000-03-01", "1900-03-01", "2005-05-14 23:59:59"]


def mixed_table(n_rows=700):
    rng = np.random.default_rng(0)
    seconds = pd.to_timedelta(rng.integers(0, 80 * 365 * 86_400, n_rows), unit="s")
    X = pd.DataFrame(
        {
            "size": rng.normal(2000, 50, n_rows),
            "tail": rng.standard_cauchy(n_rows),
            "bit": rng.choice([0.0, 1.0, np.nan], n_rows),
            "colour": rng.choice(["u", "v", "w", None], n_rows),
            "code": rng.choice([f"l{i}" for i in range(60)], n_rows),
            "when": pd.Timestamp("1921-01-01") + seconds,
            "lasts": pd.to_timedelta(rng.integers(0, 10**6, n_rows), unit="s"),
        }
    )
    # The days around a leap day, and the last second of a day.
    X.loc[:3, "when"] = [pd.Timestamp(t) for t in DAYS]
    X.loc[::7, ["size", "when"]] = None
    X.loc[5, "colour"] = "rare"
    return X


def seconds_of(column):
    if column.dtype.kind == "M":
        return ((column - pd.Timestamp(0)) / pd.Timedelta(seconds=1)).to_numpy(float)
    return (column.dt.total_seconds() if column.dtype.kind == "m" else column).to_numpy(float)


def test_a_table_is_encoded_bit_for_bit():
    X = mixed_table()
    encoder = FeatureEncoder("auto").fit(X)
    encoding = TableEncoding(encoder)
    # A text that was never seen, and one that was rare.
    X.loc[8, "colour"], X.loc[9, "code"] = "new", "new"
    numbers = np.column_stack([seconds_of(X.iloc[:, column]) for column in encoding.numeric])
    codes = [
        [of.texts.index(text) + 1 if text in of.texts else 0 for text in texts_of(X, of.column)]
        for of in encoding.texts
    ]
    found = encoding(torch.from_numpy(numbers), torch.tensor(codes).T)
    expected = encoder.transform(X)
    assert expected.keys() == {"x", "x_codes"}
    for block, (_, own) in zip(found, expected.items(), strict=True):
        assert block.numpy().dtype == own.dtype
        np.testing.assert_array_equal(block.numpy(), own)


def test_free_text_is_named():
    words = pd.DataFrame({"title": [f"the {a} of {b} and {a * b}" for a in range(20) for b in range(20)]})
    with pytest.warns(UserWarning, match="free text"):
        encoder = FeatureEncoder("auto").fit(words)
    with pytest.raises(CannotBeHeld, match="free text"):
        TableEncoding(encoder)


def labels(X, rng):
    x = X[:, 0]
    event = np.column_stack([np.exp(x), rng.integers(0, 2, len(x))])
    kinds = {
        "number": Regression(),
        "numbers": Regression(loss="quantile"),
        "log": Regression(transform="log"),
        "count": Regression(loss="poisson"),
        "spread": Regression(loss="gaussian_nll"),
        "two": Classification(class_weight={"a": 1.0, "b": 5.0}),
        "three": Classification(class_weight={1: 1.0, 2: 3.0, 3: 0.0}),
        "flag": Classification(),
        "many": Multilabel(pos_weight=3.0),
        "grade": Ordinal(order=["poor", "fair", "good"]),
        "life": Survival(n_intervals=5),
        "box": BoxRegression(),
    }
    place = np.digitize(x, [-0.5, 0.5])
    corners = np.column_stack([x, x + 1, x + 2, x + 3])
    Y = {
        "number": x * 1000,
        "numbers": np.column_stack([x, -x]),
        "log": np.exp(x),
        "count": rng.poisson(np.exp(x)).astype(float),
        "spread": x + rng.normal(size=len(x)),
        "two": np.where(x > 0, "a", "b"),
        "three": place + 1,
        "flag": x > 1,
        "many": (X[:, :3] > 0).astype(int),
        "grade": np.array(["poor", "fair", "good"])[place],
        "life": event,
        "box": corners,
    }
    return kinds, Y


@pytest.fixture(scope="module")
def of_every_kind():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    kinds, Y = labels(X, rng)
    est = MultiTaskClassifierRegressor(
        tasks=kinds, trunk=MLP((16,)), preprocessing=None, n_bags=2, max_epochs=4, random_state=0
    )
    return X, est.fit(X, Y)


def test_every_kind_is_decoded_as_in_numpy(of_every_kind):
    X, est = of_every_kind
    X = X * 3  # beyond the range of the labels
    predictor = Predictor(est.nets_, est._fitted.tasks, ["x"])
    with torch.no_grad():
        found = dict(zip(predictor.names, predictor(torch.from_numpy(X)), strict=True))
    predicted, proba = est.predict(X), est.predict_proba(X)
    for name, task in est.tasks_.items():
        own = found[f"{name}__prediction"].numpy()
        of_classes = labels_of(task)
        if of_classes is not None and of_classes.are_text:
            own = of_classes.classes[own]
        if predicted[name].dtype.kind == "f":
            np.testing.assert_allclose(own, predicted[name], rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(own, predicted[name])
        if name in proba:
            np.testing.assert_allclose(found[f"{name}__probabilities"], proba[name], rtol=1e-5, atol=1e-7)
    curve = est.task("life").predict_survival(X)
    np.testing.assert_allclose(found["life__survival"], curve, rtol=1e-5)
    # What is compared must not be the same for all rows.
    assert all(len(np.unique(np.asarray(values), axis=0)) > 1 for values in found.values())


def test_a_program_takes_any_number_of_rows(of_every_kind):
    X, est = of_every_kind
    predictor = Predictor(est.nets_, est._fitted.tasks, ["x"])
    program = program_of(predictor, example_rows(est._fitted.encoder.spec, "float32")).module()
    for n_rows in (1, 2, 90):
        rows = torch.from_numpy(X[:n_rows])
        with torch.no_grad():
            for one, other in zip(program(rows), predictor(rows), strict=True):
                torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "parameters",
    [{"trunk": FTTransformer(width=8, blocks=1)}, {"trunk": MLP((8,)), "sharing": MMoE(2)}, {}],
    ids=["ft_transformer", "mmoe", "tabm"],
)
def test_networks_can_be_traced(parameters):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    est = MultiTaskClassifierRegressor(n_bags=1, max_epochs=1, random_state=0, **parameters)
    est.fit(X, {"a": X[:, 0], "b": X[:, 1] > 0})
    encoder = est._fitted.encoder
    predictor = Predictor(est.nets_, est._fitted.tasks, [block.name for block in encoder.spec.blocks])
    program = program_of(predictor, example_rows(encoder.spec, "float32")).module()
    with torch.no_grad():
        found = program(torch.from_numpy(encoder.transform(X)["x"]))
    np.testing.assert_allclose(found[0], est.predict(X)["a"], rtol=1e-5, atol=1e-6)


def test_trees_go_as_many_steps_as_the_deepest_has():
    # The second tree is deeper, and its leaves lie at two depths.
    part = TreePart(
        column=torch.tensor([0, 0, 0, 1, 0, 2, 0, 0], dtype=torch.int32),
        number=torch.tensor([0.5, -1.0, 1.0, 0.0, 10.0, 0.25, 20.0, 30.0]),
        below=torch.tensor(
            [[1, 2], [1, 1], [2, 2], [4, 5], [4, 4], [6, 7], [6, 6], [7, 7]], dtype=torch.int32
        ),
        root=torch.tensor([0, 3], dtype=torch.int32),
        n_trees=torch.tensor([0, 2], dtype=torch.int32),
        start=torch.tensor([7.0, 100.0]),
        share=torch.tensor([0.0, 0.5]),
    )
    rows = {"x": torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 0.25], [0.5, 1.0, 1.0]])}
    fixed = FixedTrees(part)
    assert fixed.depth == 2
    torch.testing.assert_close(fixed(rows), part(rows))
    assert fixed(rows)[:, 1].tolist() == [109.0, 121.0, 129.0]


def test_a_task_of_positions_is_refused():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 5, size=(40, 6))
    est = MultiTaskClassifierRegressor(tasks={"tag": "tokens"}, n_bags=1, max_epochs=1, trunk="rnn")
    est.fit(rng.normal(size=(40, 6, 2)), {"tag": tokens % 2})
    with pytest.raises(CannotBeHeld, match="'tag' of kind 'tokens'"):
        Predictor(est.nets_, est._fitted.tasks, ["x"])
