"""Our estimators under the names of scikit-learn's, with settings that make each fit quick."""

from __future__ import annotations

import functools
import sys
from inspect import Parameter, Signature, signature
from typing import Any

import joblib
import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_mtl import MultiTaskClassifier, MultiTaskRegressor
from sklearn_mtl.trunks import MLP

try:
    from joblib.externals import cloudpickle  # as releases of joblib before 1.6 bring it along
except ImportError:
    import cloudpickle

CLASSIFIERS = (
    "DecisionTreeClassifier",
    "GradientBoostingClassifier",
    "HistGradientBoostingClassifier",
    "LogisticRegression",
    "RandomForestClassifier",
    "SGDClassifier",
    "SVC",
)
REGRESSORS = (
    "DecisionTreeRegressor",
    "GradientBoostingRegressor",
    "HistGradientBoostingRegressor",
    "Lasso",
    "LinearRegression",
    "MultiTaskLasso",
    "RandomForestRegressor",
    "Ridge",
    "SGDRegressor",
)
QUICK = {
    "trunk": MLP((8,)),
    "n_bags": 1,
    "max_epochs": 10,
    "lr": 0.1,
    "early_stopping": False,
    "random_state": 0,
}
# Parameters of theirs that the tests search over, and which mean nothing here. All others are dropped.
SEARCHED = {"C": 1.0, "alpha": 1.0}


class _Fits(dict[str, dict[str, Any]]):
    """What was learned from which data with which parameters: most tests ask for the same few fits.

    Estimators share it, as nothing that was learned is changed in place: another fit puts it aside.
    """

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Stay behind, where a class that fits is sent to another process."""
        return dict, ()


FITS = _Fits()
HASHED = (np.ndarray, pd.DataFrame, pd.Series, sparse.spmatrix, sparse.sparray)


def _named(name: str, base: type) -> type:
    """Return a class of a name of scikit-learn's that is one of our estimators in all else."""
    own = signature(base.__init__).parameters
    searched = [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in SEARCHED.items()]

    def __init__(self: Any, **parameters: Any) -> None:
        base.__init__(self, **QUICK | {key: value for key, value in parameters.items() if key in own})
        for key, value in SEARCHED.items():
            setattr(self, key, parameters.get(key, value))

    @functools.wraps(base.fit)  # type: ignore[attr-defined]
    def fit(self: Any, X: Any, y: Any, sample_weight: Any = None, **more: Any) -> Any:
        before = dict(vars(self))
        is_first = "nets_" not in before and isinstance(self.random_state, int)
        if not (is_first and isinstance(X, HASHED) and isinstance(y, (*HASHED, list))):
            return base.fit(self, X, y, sample_weight, **more)  # type: ignore[attr-defined]
        parameters = {key: value for key, value in self.get_params().items() if key in own}
        asked = joblib.hash((base, parameters, X, y, sample_weight, more))
        if asked not in FITS:
            base.fit(self, X, y, sample_weight, **more)  # type: ignore[attr-defined]
            FITS[asked] = {key: value for key, value in vars(self).items() if key not in before}
        vars(self).update(FITS[asked])
        return self

    # What scikit-learn reads the parameters off.
    __init__.__signature__ = Signature([*own.values(), *searched])  # type: ignore[attr-defined]
    # Where pickles find the class.
    return type(name, (base,), {"__init__": __init__, "fit": fit, "__module__": __name__})


STAND_INS = {name: _named(name, MultiTaskClassifier) for name in CLASSIFIERS} | {
    name: _named(name, MultiTaskRegressor) for name in REGRESSORS
}
globals().update(STAND_INS)
# The processes that some tests start find no tests to import from.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
