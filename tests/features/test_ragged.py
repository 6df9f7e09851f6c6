"""Rows of unequal lengths are those that were given, filled up with zeros."""

import numpy as np
import pytest

from sklearn_mtl.features.ragged import RaggedRows

ROWS = [np.arange(1.0, 1 + n * k).reshape(n, k) for n, k in ((3, 2), (1, 2), (5, 2), (2, 2))]


@pytest.mark.parametrize(
    "places",
    [
        slice(None),
        slice(1, 3),
        slice(None, None, 2),
        slice(2, 2),
        np.array([3, 0, 3]),
        np.array([], dtype=int),
    ],
    ids=str,
)
def test_rows_are_those_that_were_given(places):
    ragged = RaggedRows.of(ROWS)
    expected = [ROWS[i] for i in np.arange(4)[places]]
    filled, taken = ragged[places], ragged.take(places)
    longest = max(map(len, expected), default=1)
    assert filled.shape == taken.shape == (len(expected), longest, 2)
    for row, found in zip(expected, filled, strict=True):
        np.testing.assert_array_equal(found[: len(row)], row)
        assert (found[len(row) :] == 0).all()
    np.testing.assert_array_equal(taken[:], filled)
    assert taken.lengths.tolist() == [len(row) for row in expected]


def test_other_steps_and_what_is_streamed():
    ragged = RaggedRows.of(ROWS)
    np.testing.assert_array_equal(ragged.with_values(-ragged.values)[:], -ragged[:])
    assert ragged.astype(np.float32)[:].dtype == np.float32
    assert ragged.is_streamed
    assert not RaggedRows.of(ROWS[:1] * 3).is_streamed
    assert (ragged.ndim, len(ragged), ragged.longest) == (3, 4, 5)


def test_a_row_that_is_not_taken_is_not_read():
    ragged = RaggedRows.of([np.array([3, 4]), np.array([5])])
    filled = ragged[1:]
    filled[:] = 7
    assert ragged.values.tolist() == [3, 4, 5]
    assert filled.dtype == np.int64
