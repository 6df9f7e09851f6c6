"""The base of the package's methods on gradients, which compare them in one of two places."""

from __future__ import annotations

from sklearn_mtl.balancing.gradient_balancer import GradientBalancer
from sklearn_mtl.balancing.parameters import check_parameter

#: What `at` may be.
PLACES = ("parameters", "representation")


class GradientMethod(GradientBalancer):
    """A method that goes by gradients, in the shared parameters or in the representation.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared. ``"parameters"`` takes a pass through the trunk for each task.
        ``"representation"`` takes the gradients in the representation that all tasks read, and one pass
        through the trunk (Sener & Koltun 2018, section 3.3): cheaper, but what conflicts in the
        representation need not conflict in the parameters, nor the other way round.
    """

    def __init__(self, *, at: str = "parameters") -> None:
        super().__init__()
        self.at = at

    @property
    def at_representation(self) -> bool:
        """Whether gradients are compared in the representation."""
        return self.at == "representation"

    def start(self, n_tasks: int) -> None:
        """Raise a ``ValueError`` unless ``at`` is a place where gradients can be compared."""
        check_parameter(
            self, "at", f"one of {PLACES}", lambda value: isinstance(value, str) and value in PLACES
        )
