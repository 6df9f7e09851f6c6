"""What is done to the rows of a batch before each step of training.

By default nothing. An augmentation changes the rows as they are encoded, and may give a row several labels,
as `Mixup` does. Held-out rows, and those to predict, are left as they are.

An augmentation of your own is a subclass of `Augmentation` with one method, ``augment``, from a batch to a
batch. It draws random numbers from the generator that it is given. The hook ``check`` refuses bad parameters,
``check_data`` inputs and tasks that it is not for.

Examples
--------
>>> import torch
>>> from sklearn_mtl.augmentation import Augmentation
>>> class Noise(Augmentation):
...     def __init__(self, scale=0.1):
...         self.scale = scale
...
...     def augment(self, batch, generator):
...         x = batch.inputs["x"]
...         noise = torch.randn(x.shape, generator=generator).to(x)
...         return batch._replace(inputs={"x": x + self.scale * noise})
>>> Noise(scale=0.2)
Noise(scale=0.2)
"""

from sklearn_mtl.augmentation.augmentation import Augmentation
from sklearn_mtl.augmentation.feature_dropout import FeatureDropout
from sklearn_mtl.augmentation.image_augmentation import ImageAugmentation
from sklearn_mtl.augmentation.mixup import Mixup
from sklearn_mtl.recipes import Recipes

AUGMENTATIONS: Recipes[Augmentation] = Recipes(
    Augmentation,
    {"feature_dropout": FeatureDropout, "images": ImageAugmentation, "mixup": Mixup},
    "`augmentation` must be None, one of {names} or an Augmentation such as Mixup()",
)

__all__ = ["AUGMENTATIONS", "Augmentation", "FeatureDropout", "ImageAugmentation", "Mixup"]
