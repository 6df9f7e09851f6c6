"""Rows that are encoded when they are read, and columns of which nothing is as in `fit`."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.features import EncodedRows, FeatureEncoder
from sklearn_mtl.features import encoder as encoder_module

N = 60
ROWS = np.arange(N)
X = pd.DataFrame(
    {
        "area": np.char.add((ROWS % 9).astype(str), ".5").astype(object),
        "sold": pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d").astype(object),
        "zip": np.array(["01067", "04109", "09111"], dtype=object)[ROWS % 3],
        "age": ROWS.astype(float),
    }
)
COMMAS = X["area"].str.replace(".", ",")
DAY_FIRST = pd.to_datetime(X["sold"]).dt.strftime("%d.%m.%Y").astype(object)
CODES = X["zip"].astype(int)


@pytest.fixture(scope="module", params=["frame", "array"])
def encoder(request):
    table = X if request.param == "frame" else X.to_numpy(dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FeatureEncoder("auto").fit(table), request.param


@pytest.fixture
def encode(encoder):
    fitted, form = encoder
    return lambda table: EncodedRows(fitted, table if form == "frame" else table.to_numpy(dtype=object))


@pytest.fixture
def shown(encoder):
    return (lambda name: f"'{name}'") if encoder[1] == "frame" else lambda name: str(list(X).index(name))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [("area", COMMAS, "as numbers, such as '0,5'"), ("sold", DAY_FIRST, "as dates, such as '01.01.2024'")],
)
@pytest.mark.parametrize("n_rows", [1, N])
def test_text_of_which_nothing_parses(encode, shown, name, values, said, n_rows):
    with pytest.warns(UserWarning, match=rf"None of the text .* missing: {shown(name)} {said}\."):
        encode(X.assign(**{name: values})[:n_rows])


def test_both_are_said_at_once(encode):
    with pytest.warns(UserWarning, match="as numbers, such as '0,5', .* as dates") as caught:
        encode(X.assign(area=COMMAS, sold=DAY_FIRST))
    assert len(caught) == 1


@pytest.mark.parametrize("values", [CODES, CODES.astype(str), CODES.astype("category"), CODES.astype(float)])
def test_levels_that_are_all_new(encode, shown, values):
    with pytest.warns(UserWarning, match=rf"None of the values of \[{shown('zip')}\] was met in `fit`"):
        encode(X.assign(zip=values))


@pytest.mark.parametrize(
    "table",
    [
        X,
        X.assign(area="?", sold="n/a", zip=None),
        X.assign(area=None, sold=None, zip="?"),
        X.assign(area=COMMAS.where(X.index > 0, "7")),
        X.assign(sold=DAY_FIRST.where(X.index > 0, "2024-05-05")),
        X.assign(area=X["area"].astype(float), sold=pd.to_datetime(X["sold"])),
        X.assign(zip="99999")[:9],
        X.assign(zip=X["zip"].where(X.index == 3, "99999")),
        X.assign(zip=CODES)[:1],
        X[:0],
    ],
)
def test_a_cell_that_is_as_in_fit_is_enough(encode, table):
    encode(table)


def test_a_late_row_is_enough(encode):
    many = pd.concat([X] * 10, ignore_index=True)
    late = many.index == len(many) - 1
    commas = pd.concat([COMMAS] * 10, ignore_index=True)
    encode(many.assign(area=commas.where(~late, "7"), zip=many["zip"].where(late, "99999")))
    with pytest.warns(UserWarning, match="such as '1,5'"):
        encode(many.assign(area=commas.mask(many.index < 280, "?").where(many.index != 280, "1,5")))


def test_levels_that_are_rare_in_fit_tell_nothing():
    rare = pd.DataFrame({"age": ROWS, "id": [f"id{i}" for i in ROWS]})
    with pytest.warns(UserWarning, match="reach the network as a constant"):
        fitted = FeatureEncoder("auto").fit(rare)
    EncodedRows(fitted, rare.assign(id=[f"new{i}" for i in ROWS]))


@pytest.mark.parametrize("gap", [None, "?", ""])
def test_identifiers_with_gaps_tell_nothing(gap):
    rare = pd.DataFrame({"age": ROWS, "id": [f"id{i}" if i % 2 else gap for i in ROWS]})
    fitted = FeatureEncoder("auto").fit(rare)
    EncodedRows(fitted, rare.assign(id=[f"new{i}" for i in ROWS]))


def test_it_is_said_once_a_call(monkeypatch):
    monkeypatch.setattr(encoder_module, "NUMBERS_AT_ONCE", 40)
    est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=2, random_state=0)
    y = {"price": np.sin(ROWS)}
    plain = X[["zip", "age"]]
    est.fit(plain, y)
    score, further = (lambda table: est.score(table, y)), (lambda table: est.partial_fit(table, y))
    for method in (est.predict, est.transform, score, further):
        with pytest.warns(UserWarning, match="was met in `fit`") as caught:
            method(plain.assign(zip=CODES))
        assert len(caught) == 1
    with pytest.warns(UserWarning, match="was met in `fit`") as caught:
        est.fit(plain, y, X_val=plain.assign(zip=CODES), y_val=y)
    assert len(caught) == 1


@pytest.mark.parametrize("preprocessing", ["auto", None, StandardScaler()])
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("rows", [None, np.array([7, 3, 5, 3])])
def test_rows_encoded_when_they_are_read_are_those_of_all(preprocessing, at_once, rows):
    X = np.random.default_rng(0).normal(size=(60, 4))
    encoder = FeatureEncoder(preprocessing).fit(X)
    encoded = EncodedRows(encoder, X, rows, at_once=at_once)
    every = encoder.transform(X, rows)["x"]
    assert len(encoded) == len(every)
    assert not encoded.is_streamed
    for some in (slice(None), slice(1, 3), np.array([2, 0])):
        np.testing.assert_array_equal(encoded.read(some)["x"], every[some])


def test_what_is_not_finite_is_looked_for_where_rows_are_read():
    values = np.zeros((10, 2), np.float32)
    encoder, checked = FeatureEncoder(None).fit(values), []
    values[7, 0] = np.inf
    rows = EncodedRows(encoder, values, check=lambda: checked.append("checked"))
    rows.read(slice(0, 5))
    assert not checked
    rows.read(np.array([1, 7]))
    assert len(checked) == 1
    rows.unchecked().read(slice(None))
    assert len(checked) == 1
    rows.kept("x")
    assert len(checked) == 2
    # What is encoded at once is looked at once.
    at_once = EncodedRows(encoder, values, at_once=True, check=lambda: checked.append("checked"))
    at_once.read(slice(None))
    assert len(checked) == 3
