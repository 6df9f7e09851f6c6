"""scikit-learn's `tests/test_metaestimators.py`, with our estimators."""

from tests.peers.loading import run_with_ours

FAIL: dict[str, str] = {}

globals().update(run_with_ours("tests/test_metaestimators.py", fail=FAIL, n_run=31))
