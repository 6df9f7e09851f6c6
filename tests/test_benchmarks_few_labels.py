"""Three ways to use rows without a label are measured alike, and what was measured is not measured again."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pandas as pd
import pytest

from benchmarks import few_labels
from sklearn_mtl import MultiTaskTarget

MODULE = """
    import numpy as np
    import pandas as pd

    def names():
        return ["made"]

    def load(name):
        x = np.random.default_rng(0).normal(size=(120, 2))
        Y = {"side": (x[:, 0] > 0).astype(float), "number": x[:, 1]}
        return pd.DataFrame(x, columns=["a", "b"]), Y, {"side": "binary", "number": "regression"}, {}
"""


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    module = tmp_path / "my_sets.py"
    module.write_text(dedent(MODULE), encoding="utf-8")
    small = {"n_bags": 1, "max_epochs": 1, "linear_blend": False}
    monkeypatch.setattr(few_labels, "SMALL", small)
    out = tmp_path / "few.csv"
    arguments = ["--module", str(module), "--hide", "0.5", "--splits", "0", "--out", str(out)]
    few_labels.main(arguments)
    table = pd.read_csv(out)
    assert table["how"].tolist() == list(few_labels.HOW)
    assert set(table["task"]) == {"side"}
    assert table["n_labels"].tolist() == [42] * 3
    assert out.with_suffix(".png").stat().st_size > 0
    assert "| made, side | 50%, 42 |" in out.with_suffix(".md").read_text(encoding="utf-8")
    monkeypatch.setattr(few_labels, "measure", None)
    capsys.readouterr()
    few_labels.main(arguments)
    pd.testing.assert_frame_equal(pd.read_csv(out), table)


def test_rows_without_the_label_are_dropped_for_comparison():
    class Seen:
        def fit(self, X, Y):
            self.rows = X.index.tolist()
            return self

    X = pd.DataFrame({"x": range(4)})
    Y = MultiTaskTarget({"a": np.array([1.0, np.nan, 2.0, np.nan]), "b": np.arange(4.0)})
    assert few_labels.dropped(Seen(), X, Y, "a").rows == [0, 2]
    assert few_labels.masked(Seen(), X, Y, "a").rows == [0, 1, 2, 3]
