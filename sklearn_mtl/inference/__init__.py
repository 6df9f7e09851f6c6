"""Prediction: rows through trained networks, in chunks of bounded memory.

`bag_responses` averages what the networks of a bag respond, `bag_predictions` decides by it in the units
and dtypes of the labels. Rows are padded, so that a row's prediction does not depend on the rows beside it.
`calibrate` fits a temperature for each task of probabilities.

Examples
--------
>>> import torch
>>> from sklearn_mtl.inference.prediction import pad_to_multiple
>>> pad_to_multiple(torch.ones(3, 2)).shape
torch.Size([64, 2])
"""

from sklearn_mtl.inference.bag import bag_predictions, bag_representation, bag_responses
from sklearn_mtl.inference.calibration import calibrate

__all__ = ["bag_predictions", "bag_representation", "bag_responses", "calibrate"]
