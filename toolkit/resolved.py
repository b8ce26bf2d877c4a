"""A scenario with all the evidence that it uses, looked up and checked once and passed on to whatever computes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
import xarray as xr

from toolkit import changes, evidence, scenarios
from toolkit.evidence.programmes import with_studies
from toolkit.plans import at_values, check_plan, counted
from toolkit.scenarios import Scenario

__all__ = ["ResolvedScenario", "resolve"]


@dataclass(frozen=True, eq=False)
class ResolvedScenario:
    """What a scenario uses of the evidence, so that no later stage looks it up again."""

    scenario: Scenario
    register: evidence.Register
    """With the scenario's own programmes among those of the evidence."""
    areas: tuple[str, ...]
    """Areas to be run, if they are known by now."""
    figures: pd.DataFrame
    """Cited figures by role, with the scenario's overrides, from ``scenarios.resolve``."""
    priors: pd.DataFrame
    """Priors of every model, with the scenario's changes."""
    outcome_priors: pd.DataFrame
    """The same table with its changes to the outcome model alone, which name a fit."""
    effects: pd.DataFrame
    """Studies of programmes, the table ``programme_effects`` with the scenario's own."""
    own_figures: pd.DataFrame
    """A council's own statistics beside the published ones, from ``evidence.own_figures``."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The register's tables, with the priors that the scenario changes and the studies that it adds."""
        return {**self.register.tables, "priors": self.priors, "programme_effects": self.effects}

    @property
    def changes_outcome_priors(self) -> bool:
        """Whether the outcome model is fitted with other priors than the shipped ones."""
        return not self.outcome_priors.equals(self.register.tables["priors"])

    def with_shipped_priors(self) -> "ResolvedScenario":
        """Return the same scenario with every prior as shipped."""
        shipped, scenario = self.register.tables["priors"], self.scenario.model_copy(update={"priors": {}})
        return replace(self, scenario=scenario, priors=shipped, outcome_priors=shipped)


def resolve(
    scenario: Scenario,
    register: evidence.Register,
    statistics: xr.Dataset | None = None,
    *,
    areas: Sequence[str] = (),
    base: xr.Dataset | None = None,
) -> ResolvedScenario:
    """Look up everything that a scenario uses of the evidence, and check it before minutes are spent on a fit.

    Parameters
    ----------
    scenario, register
        What to look up, and where.
    statistics
        From ``evidence.load_statistics``; those shipped if not given. Used for own figures, and to check a plan.
    areas
        To be run. Own figures of another area, or a cut of more than one of these spends, are then refused.
    base
        From ``evidence.base_year``, if it is at hand.

    Raises
    ------
    InputError
        A figure, prior, study, figure or programme of one's own or plan that cannot be used.
    """
    register = evidence.with_own_programmes(register, scenario.own_programmes)
    figures, shipped = scenarios.resolve(scenario, register), register.tables["priors"]
    if base is None and (scenario.own_figures or areas):
        published = evidence.load_statistics() if statistics is None else statistics
        base = evidence.base_year(evidence.with_parts(published, [*areas, scenario.own_area or ""]))
    own = pd.DataFrame()
    if base is not None:
        own = (
            changes.own_figures(scenario, base, register, areas=areas)
            if areas
            else evidence.own_figures(base, scenario.own_figures, register.deflators)
        )
    if base is not None and areas:
        spent = counted(scenario, base, own, at_values(figures), register.deflators)
        check_plan(scenario, spent, figures, register.tables["programmes"], areas)
    effects = with_studies(register.tables, scenario.studies)["programme_effects"]
    changes.check_left_out(scenario, effects)
    return ResolvedScenario(
        scenario,
        register,
        tuple(areas),
        figures,
        evidence.with_priors(shipped, scenario.priors),
        evidence.with_priors(shipped, scenario.priors, ["outcomes"]),
        effects,
        own,
    )


def __dir__() -> list[str]:
    return __all__
