"""scikit-learn's `inspection/tests/test_permutation_importance.py`, with our estimators."""

from tests.peers.loading import run_with_ours

COEFFICIENTS = "looks at `coef_`"
FAIL = {
    "test_permutation_importance_linear_regression": COEFFICIENTS,
    "test_robustness_to_high_cardinality_noisy_feature": "looks at `feature_importances_`",
}

PROCESSES = "starts processes, which import torch"
SKIP = {
    "test_permutation_importance_correlated_feature_regression[None-0.5-2]": PROCESSES,
    "test_permutation_importance_sample_weight": "takes seconds, and asks for those of a linear regression",
}

globals().update(
    run_with_ours("inspection/tests/test_permutation_importance.py", fail=FAIL, skip=SKIP, n_run=29)
)
