"""A fit at all preferences among the tasks at once, and the ordinary fit at any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from sklearn_mtl.estimators.fitting import PlannedFit
from sklearn_mtl.inference import FoundOnce
from sklearn_mtl.training import ManifoldPlan


@dataclass(frozen=True, eq=False)
class ManifoldFit(PlannedFit):
    """A fit of which each net has its weights at all preferences."""

    plans: tuple[ManifoldPlan, ...]

    @classmethod
    def of(cls, fit: PlannedFit) -> ManifoldFit:
        """Return this for a fit that is planned and not yet trained."""
        found = {field.name: getattr(fit, field.name) for field in fields(fit)}
        found |= {
            "plans": tuple(map(ManifoldPlan.of, fit.plans)),
            "beside": tuple(map(FoundOnce, fit.beside)),
        }
        return cls(**found)

    def at(self, preference: Mapping[str, float]) -> PlannedFit:
        """Return the ordinary fit at a preference, trained as this one is.

        Parameters
        ----------
        preference : mapping of str to float
            How much each task counts, by name.

        Raises
        ------
        ValueError
            If it is 0 for all tasks that are fitted: a fold may lack those that count.
        """
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        plans = tuple(plan.at(preference) for plan in self.plans)
        outcomes = tuple(
            replace(outcome, net=outcome.net and plan.net_at(outcome.net, preference))
            for plan, outcome in zip(self.plans, self.outcomes, strict=True)
        )
        untrained = replace(self.untrained, blueprint=plans[0].blueprint)
        return PlannedFit(**{**found, "untrained": untrained, "plans": plans, "outcomes": outcomes})
