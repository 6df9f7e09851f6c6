"""Sequences as X: of one length or of many, checked, scaled, and filled up at the end."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from torch.utils.data import Dataset

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.features import (
    AcceptedInput,
    EncodedRows,
    ImagePreprocessing,
    SequencePreprocessing,
    new_encoder,
)

RNG = np.random.default_rng(0)
ROWS = [RNG.normal(5, 3, size=(n, 2)) for n in (4, 1, 9, 2, 2)]


def read(X, preprocessing="auto", reader=None):
    reset = reader is None
    reader = BaseEstimator() if reset else reader
    return AcceptedInput.by(preprocessing).read(reader, X, reset=reset), reader


def encoded(X, preprocessing="auto", dtype=np.float32):
    rows, _ = read(X, preprocessing)
    encoder = new_encoder(preprocessing, dtype, rows).fit(rows)
    return encoder, EncodedRows(encoder, rows)


def as_object_array(rows):
    found = np.empty(len(rows), dtype=object)
    found[:] = rows
    return found


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object array": as_object_array,
    "series": lambda rows: pd.Series(list(rows), index=range(10, 10 + len(rows))),
    "lists": lambda rows: [row.tolist() for row in rows],
    "tensors": lambda rows: [torch.from_numpy(row) for row in rows],
    "polars": lambda rows: pl.Series([row.tolist() for row in rows]),
    "frames": lambda rows: [pd.DataFrame(row) for row in rows],
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_of_sequences_is_read_alike(container):
    encoder, rows = encoded(CONTAINERS[container](ROWS))
    assert encoder.spec.is_sequence
    assert encoder.spec.single.shape == (9, 2)
    assert encoder.spec.lengths.kind == "lengths"
    steps = np.concatenate(ROWS)
    found = rows.read(slice(None))
    assert found["x_lengths"].tolist() == [4, 1, 9, 2, 2]
    assert (found["x"].dtype, found["x_lengths"].dtype) == (np.float32, np.int64)
    for row, own in zip(ROWS, found["x"], strict=True):
        scaled = (row - steps.mean(0)) / steps.std(0)
        np.testing.assert_allclose(own[: len(row)], scaled, rtol=1e-5, atol=1e-6)
        assert (own[len(row) :] == 0).all()


def test_rows_are_filled_up_to_the_longest_of_those_that_are_read():
    _, rows = encoded(ROWS)
    assert rows.is_streamed
    few = rows.read(np.array([3, 0]))
    assert few["x"].shape == (2, 4, 2)
    np.testing.assert_array_equal(few["x"][0, :2], rows.read(slice(None))["x"][3, :2])
    assert rows.read(slice(1, 2))["x"].shape == (1, 1, 2)


def test_an_array_has_rows_of_one_length():
    X = np.stack([np.pad(row, ((0, 9 - len(row)), (0, 0))) for row in ROWS])
    for given in (X, torch.from_numpy(X)):
        encoder, rows = encoded(given)
        assert [(block.name, block.varies) for block in encoder.spec.blocks] == [("x", False)]
        found = rows.read(slice(None))
        np.testing.assert_allclose(found["x"].mean((0, 1)), 0, atol=1e-6)
        np.testing.assert_allclose(found["x"].std((0, 1)), 1, rtol=1e-5)
    _, rows = encoded(list(X))
    assert not rows.is_streamed
    np.testing.assert_allclose(rows.read(slice(None))["x"], found["x"], rtol=1e-5, atol=1e-6)
    assert rows.read(slice(None))["x_lengths"].tolist() == [9] * 5


def test_a_list_of_numbers_is_a_sequence_of_one_channel():
    encoder, rows = encoded([[1.0, 2.0], [3], [True, False, True]], SequencePreprocessing(scale=False))
    assert encoder.spec.single.shape == (3, 1)
    assert rows.read(slice(None))["x"][..., 0].tolist() == [[1, 2, 0], [3, 0, 0], [1, 0, 1]]
    # Of one length it is a table, unless it is said that it is none.
    assert read([[1.0, 2.0], [3.0, 4.0]])[0].shape == (2, 2)
    assert encoded([[1.0, 2.0], [3.0, 4.0]], SequencePreprocessing())[0].spec.single.shape == (2, 1)
    assert encoded(np.ones((3, 4)), SequencePreprocessing())[0].spec.single.shape == (4, 1)


def test_scales_are_those_of_the_rows_that_are_fitted():
    rows, _ = read(ROWS)
    encoder = new_encoder("auto", np.float64, rows).fit(rows, np.array([1, 0, 0, 2, 0]))
    fitted = np.concatenate([ROWS[0], ROWS[3]])
    np.testing.assert_allclose(
        encoder.transform(rows)["x"].values, (np.concatenate(ROWS) - fitted.mean(0)) / fitted.std(0)
    )


def test_a_channel_of_bits_stays_as_it_is():
    X = np.stack([np.tile([0.0, 1.0], (3, 4)), RNG.normal(size=(3, 8))], axis=2)
    _, rows = encoded(X)
    np.testing.assert_array_equal(rows.read(slice(None))["x"][..., 0], X[..., 0])


def test_steps_may_be_more_or_fewer_later_and_channels_not():
    X = np.ones((3, 9, 2))
    rows, reader = read(ROWS)
    encoder = new_encoder("auto", np.float32, rows).fit(rows)
    for given in ([np.ones((20, 2)), np.ones((1, 2))], np.ones((3, 4, 2))):
        other = encoder.accepted.read(reader, given, reset=False)
        assert EncodedRows(encoder, other).read(slice(None))["x"].shape[1:] == (max(map(len, given)), 2)
    with pytest.raises(
        ValueError, match=r"Rows of `X` must have shape \(9, 2\), as in `fit`. Found \(4, 2\)"
    ):
        EncodedRows(new_encoder("auto", np.float32, X).fit(X), np.ones((3, 4, 2))).read(slice(None))
    for given in ([np.ones((2, 3))], [[1.0, 2.0], [1.0]], np.ones((2, 5, 1))):
        with pytest.raises(ValueError, match="must have 2 channels, as in `fit`"):
            encoder.accepted.read(reader, given, reset=False)


def test_an_array_is_followed_by_rows_of_its_length_only():
    X = RNG.normal(size=(3, 6, 2))
    rows, reader = read(X)
    encoder = new_encoder("auto", np.float32, rows).fit(rows)
    whole = encoder.transform(rows)["x"]
    same = EncodedRows(encoder, encoder.accepted.read(reader, list(X), reset=False)).read(slice(None))
    np.testing.assert_array_equal(same["x"], whole)
    message = r"Rows of `X` must have shape \(6, 2\), as in `fit`.*\([28], 2\)"
    for given in ([X[0], X[1][:2]], [X[1][:2]], [X[0], np.ones((8, 2))]):
        uneven = encoder.accepted.read(reader, given, reset=False)
        with pytest.raises(ValueError, match=message):
            EncodedRows(encoder, uneven).read(slice(None))


def test_what_varies_a_little_about_a_large_mean_keeps_its_precision(tmp_path):
    seconds = 1_700_000_000 + np.arange(144).reshape(24, 6, 1)
    np.save(tmp_path / "X.npy", seconds.astype(np.float64))
    expected = ((seconds - seconds.mean()) / seconds.std()).astype(np.float32)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for X in (seconds, seconds.astype(np.float64), mapped, list(seconds), torch.from_numpy(seconds)):
        _, rows = encoded(X)
        found = rows.read(slice(None))["x"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        # What is fitted to it is the same to the last bit, read from a file or in memory.
        np.testing.assert_array_equal(found, encoded(seconds)[1].read(slice(None))["x"])


def test_short_numbers_take_no_double_precision():
    for X in (np.ones((2, 3, 1), np.int16), list(np.ones((2, 3, 1), bool)), np.ones((2, 3, 1), np.float16)):
        rows, _ = read(X)
        assert (rows if isinstance(rows, np.ndarray) else rows.values).dtype == np.float32


@pytest.mark.parametrize("as_given", [np.asarray, list], ids=["array", "list"])
def test_numbers_that_the_network_can_not_hold(as_given):
    _, rows = encoded(as_given(np.full((3, 4, 1), 1e100)), SequencePreprocessing(scale=False))
    with pytest.raises(ValueError, match=r"too large for dtype\('float32'\)"):
        rows.read(slice(None))


def test_tensors_of_any_dtype():
    X = torch.ones((3, 4, 2), dtype=torch.bfloat16)
    learned = torch.ones((3, 4, 2), requires_grad=True)
    for given in (X, learned, list(X), list(learned)):
        assert read(given)[0].shape == (3, 4, 2)


class Uneven(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return torch.ones((i + 1, 2), requires_grad=True)


def test_a_dataset_has_rows_of_one_shape():
    rows, _ = read(Uneven(), SequencePreprocessing())
    with pytest.raises(ValueError, match=r"rows of a Dataset `X` must have one shape. Found .*in a list"):
        rows[slice(None)]


RULE = (
    r"`X` must hold sequences of numbers, each of shape \(steps,\) or \(steps, channels\) with at least one"
)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([ROWS[0], np.empty((0, 2))], rf"{RULE} step. Found one of shape \(0, 2\) in row 1"),
        ([ROWS[0], np.empty((3, 0))], rf"{RULE} step. Found one of shape \(3, 0\) in row 1"),
        ([ROWS[0], []], rf"{RULE} step. Found one of shape \(0,\) in row 1"),
        ([ROWS[0], np.ones((1, 2, 3))], rf"{RULE} step. Found one of shape \(1, 2, 3\) in row 1"),
        ([ROWS[0], "text"], rf"{RULE} step. Found 'text' in row 1"),
        ([ROWS[0], None], rf"{RULE} step. Found one of shape \(\) in row 1"),
        ([ROWS[0], [[1.0, 2.0], [1.0]]], rf"{RULE} step. Found \[\[1.0, 2.0\], \[1.0\]\] in row 1"),
        ([ROWS[0], ROWS[1], ROWS[2][:, :1]], "must have the same channels. Found 2 in row 0 and 1 in row 2"),
        ([ROWS[0], np.full((2, 2), np.nan)], "The sequences of `X` must be finite. Found it in row 1"),
        ([np.full((1, 2), -np.inf), ROWS[0]], "The sequences of `X` must be finite. Found it in row 0"),
        (np.full((2, 3, 1), np.nan), r"Input X contains NaN.* Found it in row 0"),
        (np.ma.masked_equal(np.eye(3)[None], 1), "Input X contains NaN"),
        ([ROWS[0], np.ma.masked_equal(np.eye(2), 1)], "must be finite. Found it in row 1"),
        ([ROWS[0], np.ones((2, 2), complex)], f"{RULE} step. Found .* in row 1"),
        (np.ones((2, 2, 2), complex), "Complex data not supported"),
        (np.ones((2, 2, 2), "datetime64[D]"), "`X` must hold real numbers. Found datetime64"),
        ([ROWS[0], np.ones((2, 2), "timedelta64[D]")], f"{RULE} step. Found .* in row 1"),
        (np.ones((2, 3, 4, 1)), r"Found rows of shape \(3, 4, 1\)"),
        (pd.DataFrame({"u": [1.0], "v": ["text"]}), f"{RULE} step. Found what is no number: .*'text'"),
        ([], f"{RULE} step. Found no row"),
    ],
)
def test_errors(X, message):
    with pytest.raises(ValueError, match=message):
        read(X, SequencePreprocessing())


@pytest.mark.parametrize("X", [{"s": ROWS}, set("ab")], ids=["dict", "set"])
def test_what_has_no_rows_in_an_order_is_refused(X):
    with pytest.raises(TypeError, match="`X` must"):
        read(X, SequencePreprocessing())


@pytest.mark.parametrize("gap", [None, float("nan")])
def test_auto_names_the_row_that_holds_no_sequence(gap):
    for X, row in (([gap, *ROWS], 0), ([*ROWS, gap], 5), (as_object_array([gap, *ROWS]), 0)):
        with pytest.raises(ValueError, match=rf"{RULE} step. Found one of shape \(\) in row {row}"):
            read(X)


def test_scale_is_a_flag():
    with pytest.raises(ValueError, match="`scale` of SequencePreprocessing must be True or"):
        encoded(ROWS, SequencePreprocessing(scale="no"))


def test_what_was_given_is_not_changed():
    X = np.ones((3, 4, 2), dtype=np.float32)
    _, rows = encoded(X, SequencePreprocessing(scale=False))
    assert (X == 1).all()
    copy = [row.copy() for row in ROWS]
    _, rows = encoded(copy)
    rows.read(slice(None))["x"][:] = 7
    for one, other in zip(copy, ROWS, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_columns_of_frames_are_compared(frame):
    def frames(names, rows=ROWS):
        return [frame(dict(zip(names, row.T, strict=True))) for row in rows]

    X, y = frames("uv"), np.arange(len(ROWS))
    est = MultiTaskRegressor(n_bags=1, max_epochs=1, early_stopping=False).fit(X, y)
    assert est.feature_names_in_.tolist() == ["u", "v"]
    np.testing.assert_array_equal(est.predict(ROWS), est.predict(X))
    with pytest.raises(
        ValueError, match=r"columns of `fit`, in their order: \['u', 'v'\]. Found \['v', 'u'\]"
    ):
        est.predict(frames("vu"))
    with pytest.raises(ValueError, match=r"Found \['u', 'v'\] in row 0 and \['v', 'u'\] in row 2"):
        clone(est).fit([*X[:2], *frames("vu", ROWS[2:])], y)
    with pytest.raises(ValueError, match=r"`X\['seq'\]` must have the columns of `fit`"):
        clone(est).fit({"seq": X, "t": y[:, None]}, y).predict({"seq": frames("vu"), "t": y[:, None]})
    assert not hasattr(est.fit(ROWS, y), "feature_names_in_")


def test_bytes_of_three_axes_may_be_grey_images_and_are_warned_of():
    X = np.random.default_rng(0).integers(0, 256, size=(12, 5, 4), dtype=np.uint8)
    est = MultiTaskRegressor(n_bags=1, max_epochs=1)
    for given in (X, torch.from_numpy(X), list(X), pd.Series(list(X))):
        with pytest.warns(UserWarning, match=r"taken for sequences, here of 5 steps with 4 channels; grey"):
            est.fit(given, X.mean((1, 2)))
    # What says which it is takes no guess, and neither does what follows a fit.
    est.predict(X)
    for preprocessing in (SequencePreprocessing(), ImagePreprocessing()):
        clone(est).set_params(preprocessing=preprocessing).fit(X, X.mean((1, 2)))
