"""What became of a planned net."""

from __future__ import annotations

from dataclasses import dataclass

from sklearn_mtl.training.net import MultiTaskNet


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a planned net.

    Parameters
    ----------
    net : MultiTaskNet or None
        Trained and finished; None where training failed. If Ctrl-C has interrupted it, as of the epochs
        that are over, and None where none is.
    error : Exception, KeyboardInterrupt or None
        Why it failed, or was interrupted.
    alone : str or None
        Why it was trained by itself; None where it was one of a stack.
    seconds : float
        Its share of the time that training took.
    """

    net: MultiTaskNet | None
    error: Exception | KeyboardInterrupt | None
    alone: str | None
    seconds: float

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has ended its training."""
        return isinstance(self.error, KeyboardInterrupt)

    def trained(self) -> MultiTaskNet:
        """Return the net; the error is raised where there is one."""
        if self.net is None:
            raise self.error or RuntimeError("The net was not trained.")
        return self.net
