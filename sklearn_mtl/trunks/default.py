"""Trunks of one input: their short names, and the trunk that is built where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import Recipes
from sklearn_mtl.trunks.cnn import CNN
from sklearn_mtl.trunks.ft_transformer import FTTransformer
from sklearn_mtl.trunks.mlp import MLP
from sklearn_mtl.trunks.module_trunk import ModuleTrunk
from sklearn_mtl.trunks.resnet import ResNet
from sklearn_mtl.trunks.rnn import RNN
from sklearn_mtl.trunks.tabm import TabM
from sklearn_mtl.trunks.tcn import TCN
from sklearn_mtl.trunks.text_encoder import TextEncoder
from sklearn_mtl.trunks.transformer_encoder import TransformerEncoder
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule

# The first of these that suits an input is built for it; the last suits any.
DEFAULTS: tuple[type[Trunk], ...] = (TabM, CNN, TCN, TextEncoder, MLP)


class DefaultOfOneInput(Trunk):
    """The trunk that suits one input.

    Parameters
    ----------
    **parameters
        Parameters of one of the default trunks; those that are not given have the defaults of the trunk that
        is built.

    Examples
    --------
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> DefaultOfOneInput(dropout=0.2).suited_to(FeatureSpec((Block("table", (4,)),)))
    TabM(dropout=0.2)
    """

    #: The first of these that suits an input is built for it; the last suits any.
    kinds: ClassVar[tuple[type[Trunk], ...]] = DEFAULTS

    def __init__(self, **parameters: Any) -> None:
        self.set_params(**parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters that were set."""
        return dict(sorted(vars(self).items()))

    def set_params(self, **params: Any) -> Self:
        """Set parameters; raise a ``ValueError`` for one that no default trunk has."""
        known = sorted({name for kind in self.kinds for name in _parameters_of(kind)})
        unknown = [name for name in params if name not in known]
        if unknown:
            raise ValueError(
                f"Invalid parameter {shown(unknown[0])} for estimator {self}. Valid parameters are: {known}."
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def suited_to(self, spec: FeatureSpec) -> Trunk:
        """Return the trunk to build for an input.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the input and their shapes.

        Raises
        ------
        ValueError
            If a parameter was set that this trunk does not have.
        """
        kind = next(kind for kind in self.kinds if kind.suits(spec))
        known, given = _parameters_of(kind), self.get_params()
        if _is_auto(given.get("dropout")) and "dropout" in known and not _is_auto(known["dropout"].default):
            # A word of TabM's, for what is the default of any.
            del given["dropout"]
        for name, value in given.items():
            if name not in known:
                shapes = ", ".join(str(block.shape) for block in spec.blocks)
                raise ValueError(
                    f"`trunk__{name}` must be a parameter of {kind.__name__}, the default trunk for rows of "
                    f"shape {shapes}: one of {shown(sorted(known))}. Found {name}={shown(value)}; "
                    "`trunk` names another."
                )
        return kind(**given).suited_to(spec)

    def n_nets(self, n_rows: int) -> int:
        """Return how many nets make a bag of `TabM`, since most inputs are tables."""
        return TabM().n_nets(n_rows)

    def n_nets_for(self, n_rows: int, *, is_flat: bool) -> int:
        """Return how many nets make a bag of `TabM` for a table or texts, and of `CNN` for other inputs."""
        return (TabM() if is_flat else CNN()).n_nets(n_rows)

    def fit_statistics(self, spec: FeatureSpec, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the fit statistics of the trunk for this input."""
        return self.suited_to(spec).fit_statistics(spec, sample)

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new network of the trunk for this input."""
        return self.suited_to(spec).build(spec, statistics)

    def build_with_positions(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new network of the trunk for this input, with a representation for each position."""
        return self.suited_to(spec).build_with_positions(spec, statistics)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _parameters_of(trunk: type[Trunk]) -> Mapping[str, Any]:
    return signature(trunk).parameters


OF_AN_INPUT: Recipes[Trunk] = Recipes(
    Trunk,
    {
        "cnn": CNN,
        "ft_transformer": FTTransformer,
        "mlp": MLP,
        "resnet": ResNet,
        "rnn": RNN,
        "tabm": TabM,
        "tcn": TCN,
        "text_encoder": TextEncoder,
        "transformer_encoder": TransformerEncoder,
    },
    "A trunk in `trunks` of Fusion must be None, one of {names}, a Trunk such as MLP() or an nn.Module",
    default=DefaultOfOneInput,
    wraps={nn.Module: ModuleTrunk},
)
