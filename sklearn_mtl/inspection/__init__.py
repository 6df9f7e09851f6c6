"""What a fitted estimator has learned.

==============================  ===============================================================
`task_attention`                how much each task looks at each feature
`TrainingHistoryDisplay`        the losses, the score and the weight of each task by epoch
==============================  ===============================================================

Examples
--------
>>> from sklearn.datasets import load_diabetes
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> from sklearn_mtl.inspection import task_attention
>>> from sklearn_mtl.trunks import FTTransformer
>>> X, disease = load_diabetes(return_X_y=True, as_frame=True)
>>> est = MultiTaskClassifierRegressor(trunk=FTTransformer(16, task_tokens=True), n_bags=1, max_epochs=2)
>>> est = est.fit(X, {"disease": disease, "severe": disease > 150})
>>> task_attention(est, X).shape
(2, 10)
"""

from sklearn_mtl.inspection.attention import task_attention
from sklearn_mtl.inspection.training_history import TrainingHistoryDisplay

__all__ = [
    "TrainingHistoryDisplay",
    "task_attention",
]
