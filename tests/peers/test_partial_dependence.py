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
    "test_hist_gbdt_sw_not_supported": RECURSION,
    "test_recursion_decision_function": RECURSION,
    "test_recursion_decision_tree_vs_forest_and_gbdt": RECURSION,
    "test_warning_recursion_non_constant_init": RECURSION,
}

PREDICTIONS = "calls `predict` 10,000 times"
ALIKE = "of two names that are the same class here, with the same data; another case is run"
UNSURE = "asks for more than ours promises, and ends one way or the other by the last digits"
# Of `test_output_shape`.
OF_SAME_CLASSES = (
    "DecisionTreeRegressor-brute-data6",
    "LinearRegression-brute-data7",
    "LogisticRegression-brute-data9",
    "LogisticRegression-brute-data10",
    "MultiTaskLasso-brute-data11",
)
OTHERS = (
    "GradientBoostingClassifier-auto-data0",
    "GradientBoostingClassifier-auto-data1",
    "GradientBoostingClassifier-brute-data2",
    "GradientBoostingClassifier-brute-data3",
    "GradientBoostingRegressor-auto-data4",
    "GradientBoostingRegressor-brute-data5",
    "LinearRegression-brute-data8",
)
FINER = "of more points, which are no more than more rows to predict"
SKIP = {
    **{
        f"test_output_shape[{custom}-{kind}-{features}-{resolution}-{case}]": reason
        for custom in (True, False)
        for kind in ("average", "individual", "both")
        for features in ("features0", "features1")
        for resolution, cases, reason in (
            (5, OF_SAME_CLASSES, ALIKE),
            (10, OF_SAME_CLASSES + OTHERS, FINER),
        )
        for case in cases
    },
    **{f"test_partial_dependence_easy_target[2-est{place}]": FITTED for place in range(4)},
    **{
        f"test_partial_dependence_helpers[est{place}-brute-{feature}]": ALIKE
        for place in (1, 3)
        for feature in range(5)
    },
    **{
        f"test_partial_dependence_non_null_weight_idx[{row}-estimator{place}]": ALIKE
        for row in (0, 1, -1)
        for place in (2, 3)
    },
    **{
        f"test_partial_dependence_dataframe[{features}-{preprocessor}-estimator-recursion]": ALIKE
        for features in ("features-integer", "features-string")
        for preprocessor in ("None", "column-transformer", "column-transformer-passthrough")
    },
    "test_partial_dependence_sample_weight_of_fitted_estimator": UNSURE,
    "test_partial_dependence_equivalence_equal_sample_weight": PREDICTIONS,
    "test_kind_average_and_average_of_individual": PREDICTIONS,
    "test_partial_dependence_kind_individual_ignores_sample_weight": PREDICTIONS,
}

FILE = "inspection/tests/test_partial_dependence.py"
globals().update(run_with_ours(FILE, fail=FAIL, skip=SKIP, n_run=167))
