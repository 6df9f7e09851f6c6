"""scikit-learn's `inspection/tests/test_partial_dependence.py`, with our estimators."""

from tests.peers.loading import run_with_ours

RECURSION = "of the method that only trees have"
FITTED = "asks for an R² of 0.99, which takes more epochs"
FAIL = {
    **{
        f"test_partial_dependence_helpers[est{place}-recursion-{feature}]": RECURSION
        for place in (2, 4)
        for feature in range(5)
    },
    **{
        f"test_partial_dependence_error[estimator{place}-params{place}-'recursion' method, the "
        "response_method must be 'decision_function']": RECURSION
        for place in (2, 3)
    },
    **{f"test_partial_dependence_easy_target[2-est{place}]": FITTED for place in range(4)},
    "test_hist_gbdt_sw_not_supported": RECURSION,
    "test_recursion_decision_function": RECURSION,
    "test_recursion_decision_tree_vs_forest_and_gbdt": RECURSION,
    "test_warning_recursion_non_constant_init": RECURSION,
}

PREDICTIONS = "calls `predict` 10,000 times"
SLOW = {
    "test_partial_dependence_equivalence_equal_sample_weight": PREDICTIONS,
    "test_kind_average_and_average_of_individual": PREDICTIONS,
    "test_partial_dependence_kind_individual_ignores_sample_weight": PREDICTIONS,
}

FILE = "inspection/tests/test_partial_dependence.py"
globals().update(run_with_ours(FILE, fail=FAIL, slow=SLOW, n_run=394))
