"""Any torch module as a trunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from math import inf
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer, is_number
from sklearn_mtl.trunks.fitted_trunk import FittedTrunk
from sklearn_mtl.trunks.layers import SameForAll, are_equal
from sklearn_mtl.trunks.layers.fine_tuning import FineTuned, FineTuning, forget_fine_tuning, layers_of
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule

N_ROWS_TO_TRY = 2


class ModuleTrunk(Trunk):
    """Any ``nn.Module`` as a trunk; pretrained or not, trained on, in part, or frozen.

    The layers of a module, from the input on, are the elements of its ``nn.Sequential`` and
    ``nn.ModuleList``, and its other parts, in the order in which they were made. What is frozen has neither
    gradients nor dropout, and its normalizations keep their running statistics.

    Parameters
    ----------
    module : nn.Module
        Goes from (rows, …) to (rows, …), where all axes after the first are flattened. It may also be the
        ``trunk_`` of a fitted estimator, which brings the preprocessing that it was trained with. It is
        copied in ``fit``, and only the copy is trained.
    frozen : bool or sequence of str, default=False
        Whether to keep the weights as they are, or the names of the parts of the module that are kept, as
        its ``named_modules()`` has them: ``"trunk.stages.0"`` of a ``trunk_``. A weight that is given with
        ``requires_grad=False`` is kept in any case, and is never unfrozen.
    unfreeze_after : None, int or pair of int, default=None
        After how many epochs what is frozen is trained too; None for never. A pair gives those of the lowest
        and of the highest of the frozen layers, and those between are spread evenly: ``(6, 2)`` is gradual
        unfreezing from the top (Howard & Ruder 2018, "Universal Language Model Fine-tuning for Text
        Classification", section 3.3).
    lr_scale : float or pair of float, default=1.0
        What the learning rate is multiplied by. A pair gives the factors of the lowest and of the highest
        layer, and each one between is the same multiple of the one below it: ``(0.01, 1.0)`` are the
        discriminative rates of section 3.1 there.

    Warns
    -----
    UserWarning
        In ``fit``, if X is a list of sequences: the module is given them filled up with zeros, and not how
        long each is.

    Notes
    -----
    A new network's heads make large and random gradients in their first steps, which would undo what the
    module has learned: ``frozen=True, unfreeze_after=2`` waits until they have learned something.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_mtl.trunks import ModuleTrunk
    >>> ModuleTrunk(nn.Linear(4, 8), frozen=True).frozen
    True
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        frozen: bool | Sequence[str] = False,
        unfreeze_after: int | tuple[int, int] | None = None,
        lr_scale: float | tuple[float, float] = 1.0,
    ) -> None:
        self.module = module
        self.frozen = frozen
        self.unfreeze_after = unfreeze_after
        self.lr_scale = lr_scale

    @property
    def fitted(self) -> FittedTrunk | None:
        """The trunk of a fitted estimator, if that is the module."""
        return self.module if isinstance(self.module, FittedTrunk) else None

    @property
    def frozen_epochs(self) -> int:
        """For how many epochs parts of it are frozen, at most, that are trained later."""
        ends = None if self.unfreeze_after is None else _ends(self.unfreeze_after)
        # What is no number of epochs is refused where the trunk is built.
        return max(ends) if ends is not None and all(map(is_integer, ends)) else 0

    def suited_to(self, spec: FeatureSpec) -> Trunk:
        """Return this trunk; warn of sequences that it can't tell from what they are filled up with."""
        knows_lengths = isinstance(self.module, FittedTrunk | TrunkModule) or len(spec.inputs) > 1
        # Codes are filled up with one that stands for nothing else.
        if not knows_lengths and spec.single.varies and spec.single.kind == "float":
            warn_caller(
                f"`trunk`, the module {type(self.module).__name__}, is given sequences of unequal lengths "
                "that are filled up with zeros to the longest of a batch, and not their lengths: what it "
                "makes of a row may depend on the rows beside it. A trunk of your own with a `PositionEntry` "
                "is given the lengths as well."
            )
        return self

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a copy of the module, its width found by running two rows through it."""
        if not isinstance(self.module, nn.Module):
            raise TypeError(f"`module` of ModuleTrunk must be an nn.Module. Found {shown(self.module)}.")
        # The default device is the CPU, or that on which only shapes are looked at.
        known = self.fitted
        if known is not None:
            known.check_blocks(spec)
        copy = deepcopy(self.module if known is None else known.trunk).to(
            torch.get_default_device(), torch.float32
        )
        forget_fine_tuning(copy)
        fine_tuning = self._fine_tuning(copy)
        # Without parameters, a module may still drop numbers out.
        frozen = (
            self.unfreeze_after is None and isinstance(self.frozen, bool | np.bool_) and bool(self.frozen)
        )
        if isinstance(copy, TrunkModule):
            self._try(copy, spec.blocks)
            return _fine_tuned_trunk(copy, fine_tuning, frozen=frozen) if fine_tuning or frozen else copy
        block = spec.single
        entry = CopiedEntry(block.name, copy, fine_tuning, frozen=frozen)
        return TrunkModule(entry, [], [self._try(entry, [block])])

    def _fine_tuning(self, module: nn.Module) -> dict[str, FineTuning]:
        """Return by name how parameters are trained, where it is otherwise than the rest of the network."""
        # What the user has frozen, by ``requires_grad_(False)``, stays as it is.
        names = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
        layers = [[name for name in layer if name in names] for layer in layers_of(module)]
        kept = self._kept(module)
        frozen = [number for number, layer in enumerate(layers) if any(map(kept, layer))]
        epochs = dict(zip(frozen, self._epochs(len(frozen)), strict=True))
        found = {
            name: FineTuning(scale, epochs[number] if kept(name) else 0)
            for number, (layer, scale) in enumerate(zip(layers, self._scales(len(layers)), strict=True))
            for name in layer
        }
        return {name: how for name, how in found.items() if how != FineTuning()}

    def _kept(self, module: nn.Module) -> Any:
        """Return what tells by a parameter's name whether it is frozen."""
        if isinstance(self.frozen, bool | np.bool_):
            return lambda _: bool(self.frozen)
        rule = "`frozen` of ModuleTrunk must be True, False or a sequence of names of parts of the module."
        if isinstance(self.frozen, str) or not isinstance(self.frozen, Sequence | np.ndarray):
            raise ValueError(f"{rule} Found {shown(self.frozen)}.")
        # Names are those of the module that was given; of a fitted trunk, that is one around the copy.
        prefix = "" if self.fitted is None else "trunk."
        # A weight of several parts has a name in each, and is kept if one of these is.
        parameters = list(module.named_parameters(remove_duplicate=False))
        named = (*module.named_modules(), *parameters)
        every = [prefix.rstrip("."), *(f"{prefix}{name}" for name, _ in named if name)]
        every = [name for name in every if name]
        for name in self.frozen:
            if name not in every:
                raise ValueError(f"{rule} Found {shown(name)}; the parts are {shown(every)}.")
        kept = {
            id(value)
            for of, value in parameters
            if any(f"{prefix}{of}.".startswith(f"{name}.") for name in self.frozen)
        }
        return lambda of: id(module.get_parameter(of)) in kept

    def _epochs(self, n_layers: int) -> list[float]:
        """Return for how many epochs each of the frozen layers is so, from the lowest on."""
        if self.unfreeze_after is None:
            return [inf] * n_layers
        ends = _ends(self.unfreeze_after)
        if ends is None or not all(is_integer(end) and 0 <= end < 2**31 for end in ends):
            raise ValueError(
                "`unfreeze_after` of ModuleTrunk must be None, a non-negative integer, or a pair of them. "
                f"Found {shown(self.unfreeze_after)}."
            )
        if isinstance(self.frozen, bool | np.bool_) and not self.frozen:
            raise ValueError(
                "`unfreeze_after` of ModuleTrunk must be None unless something is `frozen`. Found "
                f"{shown(self.unfreeze_after)}."
            )
        lowest, highest = map(float, ends)
        return [highest] if n_layers == 1 else np.linspace(lowest, highest, n_layers).round().tolist()

    def _scales(self, n_layers: int) -> list[float]:
        """Return what the learning rate of each layer is multiplied by, from the lowest on."""
        ends = _ends(self.lr_scale)
        if ends is None or not all(is_number(end) and end > 0 for end in ends):
            raise ValueError(
                "`lr_scale` of ModuleTrunk must be a positive number, or a pair of them. Found "
                f"{shown(self.lr_scale)}."
            )
        lowest, highest = map(float, ends)
        return [highest] if n_layers == 1 else np.geomspace(lowest, highest, n_layers).tolist()

    def _try(self, copy: nn.Module, blocks: Any) -> int:
        """Return the width of the output for rows of zeros; raise a ``ValueError`` if the module fails."""
        shapes = ", ".join(str(block.shape) for block in blocks)
        found = f"Found a {type(self.module).__name__}"
        training = copy.training
        outputs: list[Any] = []
        part = getattr(copy, "module", copy)
        hook = part.register_forward_hook(lambda _part, _given, output: outputs.append(output))
        with torch.no_grad():
            try:
                output = copy.eval()({block.name: _zeros(block) for block in blocks})
            # A module of the user's own may raise anything.
            except Exception as error:
                fails = f"fails on them: {error}"
                if outputs and not isinstance(outputs[-1], Tensor):
                    fails = (
                        f"returns a {type(outputs[-1]).__name__}: let a module around it return one of it."
                    )
                raise ValueError(
                    f"`trunk` must take rows of shape {shapes} and return one tensor. {found}, which {fails}"
                ) from error
            finally:
                hook.remove()
        copy.train(training)
        if len(output) != N_ROWS_TO_TRY:
            raise ValueError(
                "`trunk` must return as many rows as it takes. "
                f"{found}, which makes {len(output)} of {N_ROWS_TO_TRY}."
            )
        width: int = output.shape[-1]
        return width


class CopiedEntry(FineTuned):
    """A module as an entry, giving (rows, one member, width)."""

    def __init__(
        self, name: str, module: nn.Module, fine_tuning: Mapping[str, FineTuning], *, frozen: bool = False
    ) -> None:
        super().__init__(module, fine_tuning, frozen=frozen)
        self.name = name

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return the module's output, shape (rows, 1, width)."""
        rows = given[self.name]
        # One that is not trained stands for several, and may work in place on what gates read.
        return super().forward(rows.clone() if self.frozen else rows).flatten(1).unsqueeze(1)

    @classmethod
    def stacked(cls, entries: Sequence[CopiedEntry]) -> nn.Module | None:
        """Return the entry of trunks side by side: one, if it is frozen and the same for all."""
        same = entries[0].frozen and are_equal(entries)
        return SameForAll(entries[0], len(entries)) if same else None


def _ends(given: Any) -> tuple[Any, Any] | None:
    """Return a pair, given itself or what both are; None where it is neither."""
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str):
        return given, given
    return (given[0], given[1]) if np.ndim(given) == 1 and len(given) == 2 else None


def _fine_tuned_trunk(
    trunk: TrunkModule, fine_tuning: Mapping[str, FineTuning], *, frozen: bool
) -> TrunkModule:
    """Return a trunk whose entry and stages know how each of their parameters is trained."""
    own = {id(parameter): fine_tuning.get(name) for name, parameter in trunk.named_parameters()}

    def known(part: nn.Module) -> FineTuned:
        of_part = {name: own[id(parameter)] for name, parameter in part.named_parameters()}
        return FineTuned(part, {n: how for n, how in of_part.items() if how is not None}, frozen=frozen)

    trunk = trunk.in_stages()
    entry, *stages = (known(part) for part in (trunk.entry, *trunk.stages))
    return TrunkModule(entry, stages, trunk.widths, members=trunk.members)


def _zeros(block: Block) -> Tensor:
    dtype = torch.float32 if block.kind in ("float", "present") else torch.int64
    return torch.zeros(N_ROWS_TO_TRY, *block.shape, dtype=dtype)
