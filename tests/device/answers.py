"""What estimators answer, and how alike answers of two devices must be."""

import numpy as np

CHANCE = ("dropout", "attention_dropout", "residual_dropout")


def without_chance(est):
    """Return the estimator without dropout: a card draws other numbers than the CPU."""
    return est.set_params(**{name: 0.0 for name in est.get_params() if name.rpartition("__")[2] in CHANCE})


def answers(est, X):
    """Return predictions and probabilities by name."""
    found = dict(est.predict(X))
    if hasattr(est, "predict_proba"):
        found |= {f"probabilities of {name}": of for name, of in est.predict_proba(X).items()}
    return found


def assert_alike(found, expected, rtol=1e-5, atol=1e-7):
    """Answers of float64 networks are the same to rounding, which steps of a training make larger."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if values.dtype == object and isinstance(values[0], np.ndarray):
            assert_alike(dict(enumerate(found[name])), dict(enumerate(values)), rtol, atol)
        elif values.dtype.kind == "f":
            np.testing.assert_allclose(found[name], values, rtol=rtol, atol=atol, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], values, err_msg=name)
