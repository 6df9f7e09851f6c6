"""scikit-learn's `utils/tests/test_response.py`, with our estimators."""

from tests.peers.loading import run_with_ours

FAIL: dict[str, str] = {}

globals().update(run_with_ours("utils/tests/test_response.py", fail=FAIL, n_run=63))
