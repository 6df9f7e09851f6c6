"""Predictions of all tasks that obey rules between them.

`Consistent` is an estimator around another one. Its rules are small objects: `Implies` (a class of one task
implies one of another), `AtMost` (an order of numbers or of ordered classes), `Sum`, `ProbabilityAtMost`, and
any `Rule` of one's own. This stage is above the estimators, since rules are about the tasks of a fitted one;
the networks know nothing of them.

===============  ==================================================================
`consistent`     `Consistent`
`rules`          `Rule` and the rules
`constraints`    what rules come to: `AllowedClasses`, `Linear`
`decision`       from the responses of an estimator to what obeys the rules
`bound_rules`    rules for the tasks of one estimator; those that contradict
`assignment`     the most probable classes that go together
`projection`     the nearest numbers that keep linear constraints
`decided`        tasks that predict what was decided for all of them together
===============  ==================================================================

Examples
--------
>>> from sklearn.datasets import load_diabetes
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> from sklearn_mtl.consistency import AtMost, Consistent
>>> X, disease = load_diabetes(return_X_y=True)
>>> network = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=2, random_state=0)
>>> est = Consistent(network, [AtMost("disease", "bound")]).fit(X, {"disease": disease, "bound": disease})
>>> found = est.predict(X)
>>> bool((found["disease"] <= found["bound"]).all())
True
"""

from sklearn_mtl.consistency.consistent import Consistent
from sklearn_mtl.consistency.constraints import AllowedClasses, Linear
from sklearn_mtl.consistency.rules import AtMost, Implies, ProbabilityAtMost, Rule, Sum

__all__ = [
    "AllowedClasses",
    "AtMost",
    "Consistent",
    "Implies",
    "Linear",
    "ProbabilityAtMost",
    "Rule",
    "Sum",
]
