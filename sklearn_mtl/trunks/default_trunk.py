"""The trunk that is built where none is named."""

from __future__ import annotations

from sklearn_mtl.trunks.default import DEFAULTS, DefaultOfOneInput
from sklearn_mtl.trunks.fusion import Fusion


class DefaultTrunk(DefaultOfOneInput):
    """The trunk that suits the input, which is an `MLP` where no other does.

    It is `TabM` for a table, `CNN` for images, `TCN` for sequences, `TextEncoder` for texts and `Fusion` for
    several inputs.
    A wide sparse table is for the `MLP` too.

    ``trunk=None`` is this trunk, and ``set_params(trunk__dropout=0.1)`` gives it a parameter before the input
    is known. Which trunk is built is decided in ``fit``.

    Parameters
    ----------
    **parameters
        Parameters of one of these trunks; those that are not given have the defaults of the trunk that is
        built.

    Examples
    --------
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> from sklearn_mtl.trunks import DefaultTrunk
    >>> DefaultTrunk(dropout=0.2).suited_to(FeatureSpec((Block("table", (4,)),)))
    TabM(dropout=0.2)
    """

    # Tables first, for which the others need not be asked.
    kinds = (*DEFAULTS[:-1], Fusion, DEFAULTS[-1])
