"""scikit-learn's `tests/test_multioutput.py`, with our estimators."""

from tests.peers.loading import run_with_ours

COEFFICIENTS = "looks at `coef_`"
WEIGHTS = "asks that a row of weight 2 is two rows, to 1e-7"
CENTRED = "asks for the numbers of a dense X, whose columns are centred as well as scaled"
FAIL = {
    "test_classifier_chain_fit_and_predict": COEFFICIENTS,
    "test_hasattr_multi_output_predict_proba": "asks that a hinge loss has no probabilities",
    "test_multi_output_classification_partial_fit_no_first_classes_exception": (
        "asks that `classes` are required; ours takes those of the first call"
    ),
    "test_multi_output_predict_proba": "sets `loss`, which ours has by task",
    "test_multi_target_regression_partial_fit": "asks that a lasso has no `partial_fit`",
    "test_multi_target_sample_weights": WEIGHTS,
    "test_multi_target_sparse_regression": CENTRED,
    "test_multiclass_multioutput_estimator_predict_proba": "asks for those of a logistic regression",
    "test_multioutput_regressor_has_partial_fit": "asks that a linear regression has no `partial_fit`",
}

UNSURE = "asks that a row of weight 2 is two rows, and ends one way or the other by the last digits"
ALIKE = "takes seconds, and is like another case but for a name"
SKIP = {
    # These are known to fail, after seconds.
    "test_base_chain_random_order": COEFFICIENTS,
    "test_classifier_chain_fit_and_predict_with_sparse_data": CENTRED,
    "test_regressor_chain_fit_and_predict": COEFFICIENTS,
    "test_base_chain_crossval_fit_and_predict[classifier-predict]": ALIKE,
    "test_base_chain_crossval_fit_and_predict[classifier-predict_log_proba]": ALIKE,
    "test_base_chain_crossval_fit_and_predict[classifier-predict_proba]": ALIKE,
    "test_base_chain_fit_and_predict_with_sparse_data_and_cv": (
        "takes seconds; chains of a sparse X, and with `cv`, are other tests"
    ),
    "test_multi_output_classification_sample_weights": UNSURE,
    "test_multi_output_classification_partial_fit_parallelism": "starts a process for each core",
}

globals().update(run_with_ours("tests/test_multioutput.py", fail=FAIL, skip=SKIP, n_run=34))
