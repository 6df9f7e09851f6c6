"""scikit-learn's `frozen/tests/test_frozen.py`, with our estimators."""

from tests.peers.loading import run_with_ours

FAIL: dict[str, str] = {}

globals().update(run_with_ours("frozen/tests/test_frozen.py", fail=FAIL, n_run=46))
