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

globals().update(run_with_ours("model_selection/tests/test_classification_threshold.py", fail=FAIL, n_run=50))
