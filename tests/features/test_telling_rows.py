"""Rows that tell which columns of a streamed table hold only 0 and 1."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from sklearn_mtl.features import ArrowRows, FeatureEncoder, read_features

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

N_ROWS, GROUP = 90, 15


def table():
    rng = np.random.default_rng(0)
    bits = (rng.random((N_ROWS, 4)) > 0.5).astype(float)
    frame = pd.DataFrame(bits, columns=["late", "bit", "rare", "flag"])
    frame.insert(1, "number", rng.normal(size=N_ROWS))
    frame.loc[60:, "late"] += 2
    frame.loc[31, "rare"] = 7  # in a row that is not among those that are looked at
    frame["flag"] = frame["flag"] > 0
    return frame


def read(path, **options):
    return read_features(
        BaseEstimator(), ArrowRows(path, **options), reset=True, allow_nan=False, stream=True
    )


@pytest.fixture
def path(tmp_path):
    pq.write_table(pa.Table.from_pandas(table()), tmp_path / "X.parquet", row_group_size=GROUP)
    return tmp_path / "X.parquet"


@pytest.mark.parametrize(
    "columns", [["late", "number", "bit", "rare"], ["number", "bit", "late"], ["flag", "bit"]]
)
def test_what_is_continuous_is_what_is_so_in_all_rows(path, columns):
    rows = np.arange(0, N_ROWS, 2)
    streamed = read(path, columns=columns, buffer_size=20)
    found = FeatureEncoder(None).fit(streamed, rows=rows)
    expected = FeatureEncoder(None).fit(table()[columns], rows=rows)
    assert found.spec == expected.spec
    assert found.get_feature_names_out().tolist() == columns


def test_one_row_group_is_read_where_no_column_holds_only_bits(path, monkeypatch):
    seen = []
    original = ArrowRows.read
    monkeypatch.setattr(ArrowRows, "read", lambda self, rows: (seen.append(rows), original(self, rows))[1])
    streamed = read(path, columns=["number"], buffer_size=20)
    FeatureEncoder(None).fit(streamed)
    assert sum(len(rows) for rows in seen if not isinstance(rows, slice)) == GROUP


def test_columns_that_hold_no_numbers_are_refused_by_name(tmp_path):
    frame = table().assign(colour="red")
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "X.parquet", row_group_size=GROUP)
    with pytest.raises(ValueError, match=r"columns of numbers only. Found others: \['colour'\]"):
        FeatureEncoder(None).fit(read(tmp_path, buffer_size=20))
