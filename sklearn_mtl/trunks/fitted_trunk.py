"""The trunk of a fitted estimator, for another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from sklearn_mtl.features import Encoder, FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.trunk import TrunkModule


class FittedTrunk(nn.Module):
    """A trained trunk, with the preprocessing that makes its inputs.

    Parameters
    ----------
    trunk : TrunkModule
        The trained trunk.
    encoder : Encoder
        The fitted encoder of X.
    n_features : int or None
        Number of features of X; None where they are not counted.
    names : sequence of str or None
        Their names; None where they have none.
    """

    def __init__(
        self, trunk: TrunkModule, encoder: Encoder, n_features: int | None, names: Sequence[str] | None
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.encoder = encoder
        self.n_features = n_features
        self.names = None if names is None else list(names)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation, shape (rows, members, width)."""
        found: Tensor = self.trunk(inputs)
        return found

    def check_features(self, n_features: int | None, names: Sequence[str] | None) -> None:
        """Raise a ``ValueError`` unless X has the features that the trunk was trained on, in their order.

        Parameters
        ----------
        n_features, names
            As in the constructor.
        """
        rule = "`X` must have the features that `trunk`, that of a fitted estimator, was trained on"
        if self.n_features is not None and n_features is not None and self.n_features != n_features:
            raise ValueError(f"{rule}: {self.n_features}. Found {n_features}.")
        if self.names is not None and names is not None and self.names != list(names):
            raise ValueError(f"{rule}: {shown(self.names)}. Found {shown(list(names))}.")

    def check_blocks(self, spec: FeatureSpec) -> None:
        """Raise a ``ValueError`` unless the network has the inputs that the trunk was trained on.

        Parameters
        ----------
        spec : FeatureSpec
            The inputs that a trunk is to be built for.
        """
        trained_on, found = ([block.name for block in one.blocks] for one in (self.encoder.spec, spec))
        if trained_on != found:
            raise ValueError(
                "`trunk_` of a fitted estimator must be the trunk of a whole network, whose preprocessing is "
                f"its own: one with the blocks {shown(trained_on)}. Found the blocks {shown(found)}, as a "
                "trunk in Fusion has them."
            )
