"""scikit-learn's `inspection/_plot/tests/test_boundary_decision_display.py`, with our estimators."""

from tests.peers.loading import run_with_ours

FAIL = {
    "test_class_of_interest_binary[predict_proba]": "asks for 1 - p to 1e-7 of a p that is 1e-10",
}

globals().update(
    run_with_ours("inspection/_plot/tests/test_boundary_decision_display.py", fail=FAIL, n_run=151)
)
