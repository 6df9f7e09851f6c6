"""How the learning rate moves over the steps of a training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skorch.callbacks import Callback

# Over the first so many steps, the rate of `InverseSqrt` falls by less than a third.
STEPS_AT_FULL_RATE = 1_000


@dataclass(frozen=True)
class Cosine:
    """From 1 to 0 along a half cosine (Loshchilov & Hutter 2017, eq. 5, without restarts).

    Parameters
    ----------
    n_steps : int
        Steps of the whole training.
    """

    n_steps: int

    def __call__(self, step: int) -> float:
        """Return the factor of the learning rate at a step."""
        return 0.5 * (1 + math.cos(math.pi * min(step / self.n_steps, 1.0)))


@dataclass(frozen=True)
class OneCycle:
    """From 1/25 to 1 over the first 30 % of the steps and to nearly 0 over the rest, by half cosines.

    Smith & Topin (2018), "Super-Convergence", in the shape of torch's ``OneCycleLR``; momentum stays.

    Parameters
    ----------
    n_steps : int
        Steps of the whole training.
    """

    n_steps: int

    def __call__(self, step: int) -> float:
        """Return the factor of the learning rate at a step."""
        first, last, rise = 1 / 25, 1 / 25e4, 0.3
        place = min(step / self.n_steps, 1.0)
        if place < rise:
            return 1 - (1 - first) * 0.5 * (1 + math.cos(math.pi * place / rise))
        return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * (place - rise) / (1 - rise)))


@dataclass(frozen=True)
class InverseSqrt:
    """From 1 down with the root of the steps, wherever training ends: 1/√2 at step 1,000, 1/2 at 3,000.

    The decay of Robbins & Monro (1951), with the exponent that Vaswani et al. (2017), "Attention Is All You
    Need", eq. 3, use. Noisy tables stop after some hundred steps, and hardly see it; smooth targets go on
    for thousands, where a constant rate would keep the loss from falling.
    """

    def __call__(self, step: int) -> float:
        """Return the factor of the learning rate at a step."""
        return math.sqrt(STEPS_AT_FULL_RATE / (STEPS_AT_FULL_RATE + step))


# From the steps of the whole training to the factor at each.
SCHEDULES: dict[str, Callable[[int], Callable[[int], float]]] = {
    "cosine": Cosine,
    "inverse_sqrt": lambda _: InverseSqrt(),
    "one_cycle": OneCycle,
}


class StepSchedule(Callback):
    """Sets the learning rate before each step, so that a training can go on where one stopped.

    Parameters
    ----------
    factor : callable
        From the number of a step to what multiplies the net's learning rate.
    done : int
        Steps taken before.
    """

    def __init__(self, factor: Callable[[int], float], done: int) -> None:
        self.factor = factor
        self.done = done

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin to count; the rates that the groups have now are those that the factor multiplies."""
        self.step_ = self.done
        self.rates_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.set_: list[float] = []
        self.factor_ = 1.0
        if self.done and self.factor(self.done) < 1e-6:
            warnings.warn(
                "`lr_schedule` has come to its end, and nothing more is learned: it spans `max_epochs` "
                f"epochs. Found {self.done} steps done; raise `max_epochs`.",
                stacklevel=2,
            )

    def before_step(self, net: Any) -> None:
        """Set the learning rate.

        The net calls this itself: a callback that is told of each step would cost it its short way. What
        someone else has made of a rate since the last step, such as a skorch ``LRScheduler``, is kept.
        """
        factor = self.factor(self.step_)
        for i, group in enumerate(net.optimizer_.param_groups):
            if self.set_ and group["lr"] != self.set_[i]:
                self.rates_[i] = group["lr"] / (self.factor_ or 1.0)
            group["lr"] = self.rates_[i] * factor
        self.set_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.factor_ = factor
        self.step_ += 1
