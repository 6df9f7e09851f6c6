"""Columns of which nothing reaches the network are named: constant ones, and such as are unlike in `fit`."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.features import EncodedRows, FeatureEncoder
from sklearn_mtl.features import encoder as encoder_module

N_ROWS = 40
WORDS = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(N_ROWS)]

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


@pytest.mark.parametrize(
    "lost",
    [
        pd.Series(WORDS),
        pd.Series(WORDS, dtype="category"),
        pd.Series([f"{i},5" for i in range(N_ROWS)]),
        pd.Series([f"{i}.1.2024" for i in range(N_ROWS)]),
        pd.Series([f"{i} %" for i in range(N_ROWS)]),
        pd.Series([f"0{i}" for i in range(N_ROWS)]),
        pd.Series([f"{i} days" for i in range(N_ROWS)]),
        pd.Series([b"id" + word.encode() for word in WORDS]),
        pd.Series(pd.IntervalIndex.from_breaks(range(N_ROWS + 1))),
        pd.Series([*WORDS[:-2], None, None]),
        # Their variance is 0 in double precision.
        pd.Series(np.arange(N_ROWS) * 1e-300),
    ],
    ids=lambda lost: str(lost.iloc[1]),
)
def test_columns_of_rare_levels_are_named(lost):
    level = ["u", "v"] * (N_ROWS // 2)
    X = pd.DataFrame({"number": np.arange(N_ROWS), "first": lost, "second": lost, "level": level})
    with pytest.warns(UserWarning, match=r"as a constant: \['first', 'second'\]") as caught:
        FeatureEncoder("auto").fit(X)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "kept",
    [
        ["u"] * N_ROWS,
        [None] * N_ROWS,
        ["u"] * (N_ROWS - 1) + [None],
        ["u"] * (N_ROWS - 1) + ["v"],
        [3.5] * N_ROWS,
        [3.5] * (N_ROWS - 1) + [None],
        pd.date_range("2024", periods=N_ROWS),
        pd.to_timedelta(np.arange(N_ROWS), unit="s"),
        pd.Categorical(["u"] * N_ROWS, ["u", "v"]),
        1e9 + np.arange(N_ROWS) * 1e-3,
    ],
    ids=lambda kept: f"{kept[0]}, {kept[-1]}",
)
def test_what_is_constant_or_reaches_the_network_is_not(kept):
    FeatureEncoder("auto").fit(pd.DataFrame({"a": kept, "b": np.arange(N_ROWS)}))


def test_only_the_fitted_rows_count():
    X = pd.DataFrame({"a": ["u"] * 20 + WORDS[:20], "b": np.arange(N_ROWS)})
    FeatureEncoder("auto").fit(X, rows=np.arange(20))
    with pytest.warns(UserWarning, match=r"\['a'\]"):
        FeatureEncoder("auto").fit(X, rows=np.arange(20, N_ROWS))


def test_free_text_is_named_once():
    X = pd.DataFrame({"note": [f"{word} by the sea" for word in WORDS], "b": np.arange(N_ROWS)})
    with pytest.warns(UserWarning, match="free text") as caught:
        FeatureEncoder("auto").fit(X)
    assert len(caught) == 1


def test_free_text_in_the_only_column():
    with pytest.warns(UserWarning, match=r"free text.*\['note'\]"):
        encoder = FeatureEncoder("auto").fit(pd.DataFrame({"note": [f"{word} by the sea" for word in WORDS]}))
    assert encoder.spec.single.shape == (1,)


def test_columns_of_arrays_are_named_by_position():
    with pytest.warns(UserWarning, match=r"as a constant: \[1\]"):
        FeatureEncoder("auto").fit(np.array([list(range(N_ROWS)), WORDS], dtype=object).T)


def test_numbers_that_single_precision_cannot_tell_apart():
    X = np.column_stack([1.7e9 + np.arange(30), np.arange(30.0)])
    with pytest.warns(UserWarning, match=r"as a constant: \[0\]"):
        FeatureEncoder(None).fit(X)
    FeatureEncoder(None, np.float64).fit(X)
    FeatureEncoder("auto").fit(X)


def test_a_transformer_of_the_users_is_trusted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FeatureEncoder(OneHotEncoder(min_frequency=5)).fit(pd.DataFrame({"a": WORDS}))


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
