"""What the tests of splitters measure."""

import numpy as np
import pandas as pd


def shares(labels, rows):
    return pd.Series(labels, dtype=object)[rows].value_counts(dropna=False).sort_index()


def assert_partition(splits, n_rows):
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(n_rows))
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n_rows))


def counts_by_fold(strata, splits):
    return pd.DataFrame([pd.Series(strata)[test].value_counts() for _, test in splits]).fillna(0)
