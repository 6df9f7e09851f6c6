"""scikit-learn's `model_selection/tests/test_classification_threshold.py`, with our estimators."""

from tests.peers.loading import run_with_ours

COEFFICIENTS = "looks at `coef_`"
FAIL = {
    "test_fit_and_score_over_thresholds_prefit": "asks that every label is learned, as by a tree",
    "test_fit_and_score_over_thresholds_sample_weight": "asks that a row of weight 2 is two rows, to 1e-7",
    "test_fixed_threshold_classifier": COEFFICIENTS,
    "test_fixed_threshold_classifier_metadata_routing": COEFFICIENTS,
    "test_tuned_threshold_classifier_cv_float": COEFFICIENTS,
    "test_tuned_threshold_classifier_cv_zeros_sample_weights_equivalence": COEFFICIENTS,
    "test_tuned_threshold_classifier_refit": COEFFICIENTS,
}

ALIKE = "of names and methods that are the same here as those of another case, with the same data"
SKIP = {
    **{
        f"test_threshold_classifier_estimator_response_methods[{around}-{method}-estimator{place}]": ALIKE
        for around in ("FixedThresholdClassifier", "TunedThresholdClassifierCV")
        for method in ("predict_proba", "predict_log_proba", "decision_function")
        for place in (1, 2)
    },
    "test_tuned_threshold_classifier_with_string_targets[metric0-auto]": ALIKE,
    "test_tuned_threshold_classifier_with_string_targets[metric1-auto]": ALIKE,
    "test_tuned_threshold_classifier_metric_with_parameter": (
        "computes 1,500 scores, and asks nothing of the estimator that others do not ask"
    ),
}

FILE = "model_selection/tests/test_classification_threshold.py"
globals().update(run_with_ours(FILE, fail=FAIL, skip=SKIP, n_run=35))
