"""Rows of Parquet and Arrow files: read as a frame is, and streamed where they are more than the buffer."""

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import ArrowRows
from sklearn_mtl.trunks import MLP

pa = pytest.importorskip("pyarrow")
import pyarrow.dataset as ds  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

N_ROWS = 600
LABELS = ["price", "type"]


def quick(**params):
    settings = {"trunk": MLP((16,)), "n_bags": 1, "max_epochs": 4, "batch_size": 32, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, "tree_blend": False, "linear_blend": False, **params})


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=N_ROWS) for i in range(3)})
    frame["rooms"] = pd.array(rng.integers(1, 9, N_ROWS), dtype="Int64")
    frame.loc[frame.index[:200:3], "rooms"] = None
    frame["colour"] = rng.choice(["red", "blue", None], N_ROWS)
    frame["user"] = rng.choice([f"u{i}" for i in range(60)], N_ROWS)
    frame["kind"] = pd.Categorical(rng.choice(["p", "q"], N_ROWS))
    frame["garden"] = rng.random(N_ROWS) > 0.5
    frame["sold"] = pd.Timestamp("2024-02-29") + pd.to_timedelta(rng.integers(0, 900, N_ROWS), unit="D")
    frame["price"] = 2 * frame["x0"] + (frame["colour"] == "red") + 0.1 * rng.normal(size=N_ROWS)
    frame["type"] = np.where(frame["x1"] > 0, "flat", "house").astype(object)
    frame.loc[::5, "price"] = np.nan
    frame.loc[1::7, "type"] = None
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("houses")
    for part in range(3):
        pq.write_table(table()[200 * part : 200 * part + 200], found / f"{part}.parquet", row_group_size=75)
    return found


@pytest.fixture(scope="module")
def frame(folder):
    return ArrowRows(folder).to_pandas()


def split(folder, **params):
    rows = ArrowRows(folder, **params)
    return rows.drop(LABELS), rows[LABELS]


@pytest.fixture(scope="module")
def streamed(folder):
    X, Y = split(folder, buffer_size=150)
    return quick().fit(X, Y)


def test_columns_and_rows_are_chosen_as_of_a_frame(folder, frame):
    rows = ArrowRows(folder)
    assert rows.shape == frame.shape == (N_ROWS, 11)
    pd.testing.assert_frame_equal(frame, table().to_pandas(ignore_metadata=True), check_dtype=False)
    some = rows[["user", "x0"]]
    assert some.columns == ["user", "x0"]
    mask = np.arange(N_ROWS) % 3 == 0
    for chosen in (slice(70, 160), [599, 3, 3, 80], mask, np.array([5])):
        expected = frame[["user", "x0"]].iloc[chosen].reset_index(drop=True)
        pd.testing.assert_frame_equal(some[chosen].to_pandas(), expected)
    pd.testing.assert_frame_equal(
        some[100:][mask[100:]][-2:].to_pandas(), frame[["user", "x0"]][mask][-2:].reset_index(drop=True)
    )
    assert len(some[[]]) == 0
    assert [len(part) for part in rows.parts(250)] == [250, 250, 100]
    assert set(rows.drop(LABELS).columns) == set(rows.columns) - set(LABELS)


@pytest.mark.parametrize("source", ["file", "list", "dataset", "arrow", "folders"])
def test_the_files_may_be_of_several_kinds(folder, frame, tmp_path, source):
    if source == "file":
        rows, frame = ArrowRows(folder / "1.parquet"), frame[200:400].reset_index(drop=True)
    elif source == "list":
        rows, frame = ArrowRows([folder / "2.parquet"]), frame[400:].reset_index(drop=True)
    elif source == "dataset":
        rows = ArrowRows(ds.dataset(folder), buffer_size=10)
    elif source == "arrow":
        with pa.ipc.new_file(tmp_path / "all.arrow", table().schema) as file:
            file.write_table(table(), max_chunksize=100)
        rows = ArrowRows(tmp_path / "all.arrow")
        assert np.bincount(rows.groups).tolist() == [100] * 6
    else:
        ds.write_dataset(table(), tmp_path, format="parquet", partitioning=["garden"])
        named = ds.partitioning(pa.schema([("garden", pa.bool_())]))
        rows = ArrowRows(ds.dataset(tmp_path, partitioning=named), frame.columns)
        frame = pd.concat([frame[~frame["garden"]], frame[frame["garden"]]]).reset_index(drop=True)
    # Of some rows no number of rooms may be missing: then they are integers.
    pd.testing.assert_frame_equal(rows.to_pandas().astype({"rooms": float}), frame)


def test_with_a_buffer_as_large_as_the_data_a_fit_is_that_of_a_frame_to_the_bit(folder, frame):
    X, Y = split(folder)
    one, other = quick().fit(frame.drop(columns=LABELS), frame[LABELS]), quick().fit(X, Y)
    pd.testing.assert_frame_equal(one.history_, other.history_)
    for method in ("predict", "predict_proba"):
        ours, theirs = getattr(one, method)(frame.drop(columns=LABELS)), getattr(other, method)(X)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert one.score(X, Y) == other.score(frame.drop(columns=LABELS), frame[LABELS])


def test_what_is_streamed_is_encoded_as_a_frame_is(folder, frame, streamed):
    X = split(folder, buffer_size=150)[0]
    in_memory = quick().fit(frame.drop(columns=LABELS), frame[LABELS])
    assert streamed.feature_names_in_.tolist() == X.columns
    assert streamed._fitted.encoder.coded == in_memory._fitted.encoder.coded == (5,)
    ours, theirs = (
        est._fitted.encoder.transform(frame.drop(columns=LABELS)) for est in (streamed, in_memory)
    )
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_what_is_streamed_is_learned_from_as_well(folder, frame, streamed):
    X, Y = split(folder, buffer_size=150)
    in_memory = quick().fit(frame.drop(columns=LABELS), frame[LABELS])
    scores, others = streamed.score_tasks(X, Y), in_memory.score_tasks(X, Y)
    assert (scores > 0.8).all()
    assert (abs(scores - others) < 0.05).all()
    # Early stopping watches the same rows, and each epoch trains on every other.
    assert {"valid_loss_price", "valid_loss_type"} <= set(streamed.history_.columns)
    np.testing.assert_array_equal(streamed._fitted.held_out[0], in_memory._fitted.held_out[0])


def test_predictions_for_a_part_are_those_for_all(folder, frame, streamed):
    X = split(folder, buffer_size=150)[0]
    whole = streamed.predict(X)
    pd.testing.assert_frame_equal(whole, streamed.predict(frame.drop(columns=LABELS)))
    parts = [streamed.predict(part) for part in X.parts(130)]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))
    assert streamed.transform(X).shape == (N_ROWS, 16)


def test_nets_weights_rows_of_ones_own_and_parts_in_turn(folder):
    X, Y = split(folder, buffer_size=150)
    weight = np.arange(N_ROWS) % 3
    est = quick(n_bags=2).fit(X, Y, sample_weight=weight)
    assert len(est.nets_) == 2
    assert (est.score_tasks(X, Y) > 0.3).all()
    given = quick().fit(X[:400], Y[:400], X_val=X[400:], y_val=Y[400:])
    assert (given.score_tasks(X, Y) > 0.3).all()
    online = quick().partial_fit(X[:300], Y[:300]).partial_fit(X[300:], Y[300:])
    assert online.n_iter_ == 2


def test_splitters_and_searches_split_it(folder, frame):
    X, Y = split(folder)
    train, test = train_test_split(X, random_state=0)
    expected = train_test_split(frame.drop(columns=LABELS), random_state=0)
    for ours, theirs in zip((train, test), expected, strict=True):
        pd.testing.assert_frame_equal(ours.to_pandas(), theirs.reset_index(drop=True))
    search = GridSearchCV(quick(max_epochs=1), {"lr": [1e-3, 1e-2]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"lr": 1e-2}


def test_it_pickles_and_tells_what_it_is(folder):
    rows = ArrowRows(folder, buffer_size=20)[["x0"]][::-1]
    again = pickle.loads(pickle.dumps(rows))
    assert again.buffer_size == 20
    pd.testing.assert_frame_equal(again.to_pandas(), rows.to_pandas())
    assert repr(rows) == "ArrowRows(600 rows, columns=['x0'])"


def test_a_table_of_arrow_may_be_y(folder, frame):
    labels = table().select(LABELS)
    one, other = (quick(max_epochs=1).fit(split(folder)[0], y) for y in (labels, frame[LABELS]))
    pd.testing.assert_frame_equal(one.history_, other.history_)


@pytest.mark.parametrize("key", ["x0", 1.5, [["x0"]], ["x0", 1]])
def test_what_is_neither_names_nor_rows_is_refused(folder, key):
    with pytest.raises(TypeError, match="indexed by a list of names"):
        ArrowRows(folder)[key]


def test_what_is_not_there_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"names of its columns.*Found \['cost'\]"):
        ArrowRows(folder, ["x0", "cost"])
    with pytest.raises(ValueError, match=r"`buffer_size`.*Found 0"):
        ArrowRows(folder, buffer_size=0)
    with pytest.raises(TypeError, match="`source`"):
        ArrowRows(3)
    with pytest.raises(ValueError, match=r"`n_rows`.*Found 0"):
        ArrowRows(folder).parts(0)
    with pytest.raises(TypeError, match="Found a use as an array"):
        make_pipeline(StandardScaler(), quick()).fit(ArrowRows(folder, ["x0"]), np.zeros(N_ROWS))
    pq.write_table(table()[:0], tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="at least one row"):
        ArrowRows(tmp_path)


def test_infinity_is_found_when_its_row_group_is_read(tmp_path):
    values = np.zeros(200)
    values[150] = np.inf
    pq.write_table(pa.table({"a": np.arange(200.0), "b": values}), tmp_path / "X.parquet", row_group_size=50)
    X = ArrowRows(tmp_path, buffer_size=60)
    with pytest.raises(ValueError, match=r"infinity.*column 'b'"):
        quick().fit(X, {"y": np.arange(200.0)})


def test_what_can_not_be_streamed_is_refused(folder):
    X, Y = split(folder, buffer_size=150)
    numbers = X[["x0", "x1"]]
    with pytest.raises(TypeError, match=r"transformer of your own.*ArrowRows"):
        quick(preprocessing=StandardScaler()).fit(numbers, Y)
    quick(preprocessing=StandardScaler(), max_epochs=1).fit(split(folder)[0][["x0", "x1"]], Y)
    with pytest.raises(TypeError, match="must not be ArrowRows"):
        quick().fit({"table": numbers, "more": np.zeros((N_ROWS, 1))}, Y)
    with pytest.raises(ValueError, match="feature names"):
        quick(max_epochs=1).fit(numbers, Y).predict(X[["x1", "x2"]])


def test_without_pyarrow_the_error_names_what_to_install(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"sklearn-mtl\[arrow\]"):
        ArrowRows(folder)


def test_the_page_says_what_runs(folder, capsys):
    page = Path(__file__).parents[2] / "docs" / "larger_than_memory.md"
    (block,) = re.findall(r"^```py\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    exec(block, {"folder": folder, "MultiTaskClassifierRegressor": MultiTaskClassifierRegressor})
    assert "price" in capsys.readouterr().out


def test_the_benchmark_runs(capsys):
    larger_than_memory = pytest.importorskip("benchmarks.larger_than_memory")
    arguments = ["--rows", "4000", "--features", "3", "--row-group", "500", "--contestants", "plain"]
    larger_than_memory.main(arguments)
    assert "| sklearn_mtl, preprocessing=None |" in capsys.readouterr().out
