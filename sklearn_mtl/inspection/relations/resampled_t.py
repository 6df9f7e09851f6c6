"""A paired test for scores on folds that share training rows."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student


def corrected_resampled_t(
    differences: np.ndarray, test_share: float, level: float = 0.05
) -> dict[str, float]:
    """Return the corrected resampled t-test of Nadeau & Bengio (2003), section 3.

    The variance of the mean of n differences is taken for ``(1 / n + test_share)`` times that of one, instead
    of ``1 / n`` times: folds share training rows, so that their scores are no independent draws.

    Parameters
    ----------
    differences : ndarray of shape (n_folds,)
        The difference of two scores on each fold.
    test_share : float
        Number of test rows over that of training rows.
    level : float, default=0.05
        One minus the coverage of the confidence interval.

    Returns
    -------
    dict of str to float
        ``difference`` is the mean, ``std`` the standard deviation over folds, ``n_folds`` their number,
        ``p_value`` that of the two-sided test, ``low`` and ``high`` the ends of the interval. What fewer than
        two folds can't tell is nan.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.inspection.relations.resampled_t import corrected_resampled_t
    >>> found = corrected_resampled_t(np.array([0.02, 0.03, 0.01, 0.02, 0.02]), 0.25)
    >>> round(found["difference"], 3), round(found["p_value"], 3)
    (0.02, 0.014)
    """
    n = len(differences)
    if n < 2:
        mean = float(differences[0]) if n else np.nan
        return {
            "difference": mean,
            "std": np.nan,
            "n_folds": n,
            "p_value": np.nan,
            "low": np.nan,
            "high": np.nan,
        }
    mean, std = float(np.mean(differences)), float(np.std(differences, ddof=1))
    error = std * np.sqrt(1 / n + test_share)
    # The same on all folds: either nothing differs, or all of it is no chance.
    p_value = 2 * float(student.sf(abs(mean) / error, n - 1)) if error > 0 else float(mean == 0)
    reach = float(student.isf(level / 2, n - 1)) * error
    return {
        "difference": mean,
        "std": std,
        "n_folds": n,
        "p_value": p_value,
        "low": mean - reach,
        "high": mean + reach,
    }
