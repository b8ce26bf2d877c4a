"""What the pricing of every area shares, prepared once."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property, partial

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, costing, evidence, pathways
from toolkit.pathways.served import Risk
from toolkit.plans import counted, purchases
from toolkit.resolved import ResolvedScenario
from toolkit.scenarios import Scenario, change
from toolkit.schema import FIRST_YEAR, aligned

MATCHED = ("care", "youth_justice", "gcse_attainment")  # outcomes whose risk can be that of those served


def before_adjustments(scenario: Scenario) -> dict[str, Scenario]:
    """Return, for each adjustment that changes the result by more than a factor, the scenario before it is applied.

    Take-up and drop-off come in this order, each with those after it left neutral; the plain factors (attribution,
    deadweight, displacement) stay neutral throughout, because they can be taken out by division, unless together they
    leave nothing, in which case the scenario before them is included as "attribution".
    """
    own = scenario.adjustments
    at = {"take_up": scenario.effect.take_up, "drop_off": own.drop_off}
    rest = {"take_up": 1.0, "drop_off": 0.0}
    stages = {name: list(at)[:place] for place, name in enumerate(at) if at[name] != rest[name]}
    if own.attribution * (1.0 - own.deadweight) * (1.0 - own.displacement) == 0.0:
        stages["attribution"] = list(at)
    before = {}
    for name, acting in stages.items():
        now = {key: at[key] if key in acting else rest[key] for key in at}
        plain = {"attribution": 1.0, "deadweight": 0.0, "displacement": 0.0, "drop_off": now.pop("drop_off")}
        before[name] = change(scenario, effect=now, adjustments=plain)
    return before


def published_risks(table: pd.DataFrame, programme: str) -> dict[str, Risk]:
    """Return the published risk of those whom a programme serves, and over how many years, by outcome.

    Parameters
    ----------
    table
        The table ``baseline_risks``.
    programme
        Its name.
    """
    rows = table[(table["programme"] == programme) & (table["used"] == 1) & table["outcome"].isin(MATCHED)]
    starts = rows["from_months"].fillna(0.0)
    return {
        row["outcome"]: Risk(row["risk"], row["horizon_months"] / 12, start / 12)
        for row, start in zip(rows.to_dict("records"), starts, strict=True)
    }


class Desk:
    """What the pricing of every area shares, prepared once."""

    def __init__(
        self,
        fitted: xr.DataTree,
        statistics: xr.Dataset,
        resolved: ResolvedScenario,
        draws: xr.Dataset,
        effects: xr.Dataset,
    ) -> None:
        scenario, own = resolved.scenario, resolved.own_figures
        self.scenario, self.draws = scenario, draws
        # Labels that nothing here uses would be carried through every operation of every area.
        posterior = fitted["posterior"].to_dataset().reset_coords(drop=True)
        self.statistics = evidence.with_parts(statistics, resolved.areas)
        rates, self.national = posterior["baseline_rate"], posterior["baseline_national"]
        self.baseline = evidence.of_areas(rates, list(dict.fromkeys([*rates["area"].values, *resolved.areas])))
        aligned(self.baseline, draws, effects)
        self.effects = effects.reset_coords(drop=True)
        base = evidence.base_year(self.statistics).reset_coords(drop=True)
        published, self.here = (
            counted(scenario, base, figures, draws, resolved.register.deflators) for figures in (pd.DataFrame(), own)
        )
        # What is known of England uses published figures only, each authority's once.
        self.base = published.drop_vars("unaccompanied_share").sel(area=statistics["area"].values)
        alone = self.here["unaccompanied_share"].sel(area=self.baseline["area"].values)
        self.baseline = self.baseline.where(self.baseline["indicator"] != "care_starts", self.baseline * (1.0 - alone))
        self.here = self.here.drop_vars("unaccompanied_share")
        self.looked_after = evidence.steady_stock(self.here["children_looked_after"], like=draws, seed=scenario.seed)
        local = evidence.local_price_ratio(self.statistics, like=draws, seed=scenario.seed)
        load_shares = partial(evidence.placement_shares, unaccompanied=scenario.unaccompanied)
        shares, levels = (evidence.and_parts(load, resolved.areas) for load in (load_shares, evidence.local_levels))
        local["care"] = local["care"] * shares["care_ratio"].sel(area=local["area"].values)
        self.local, self.placements = evidence.with_own_prices(local, shares, own)
        self.levels = evidence.with_fitted(levels, self.baseline, self.national)
        tables = resolved.register.tables
        self.areas = list(resolved.areas)
        self.programmes = tables["programmes"].set_index("programme")
        names = effects["programme"].values.astype(str)
        self.risks = {str(name): published_risks(tables["baseline_risks"], str(name)) for name in names}
        self.purchases = purchases(scenario, self.here, draws, tables["programmes"], self.areas)
        self.schedules = tables["discount_schedules"]
        self.layer_rates = tables["layer_rates"]
        self.layers = pathways.chosen(
            tables["layers"], self.layer_rates, outcomes=scenario.outcomes, extra=scenario.extra_layers
        )
        self.before, self.tables = before_adjustments(scenario), tables
        self._price(evidence.with_options(tables["cost_components"], tables["cost_options"], scenario.cost_options))

    @cached_property
    def beside(self) -> "Desk":
        """The same desk with the components that the options of cost would add, to price them beside those in use."""
        other, table, options = copy(self), self.tables["cost_components"], self.tables["cost_options"]
        other._price(table[table["component"].isin(options.loc[options["use"] == "on", "component"])])
        return other

    def _price(self, table: pd.DataFrame) -> None:
        """Prepare the components, those of layers in use, and the quantities that they price."""
        layers, draws = self.tables["layers"].set_index("layer"), self.draws
        rows = costing.components(
            table, self.tables["overlaps"], given=dict(layers["given"]), outcomes=self.scenario.outcomes
        )
        self.rows = rows[~rows["quantity"].isin(set(layers.index) - set(self.layers.index))]
        if self.rows.empty:  # no option adds anything to the outcomes chosen
            return
        self.quantities = list(dict.fromkeys(self.rows["quantity"]))
        spared = ~np.isin(self.quantities, layers.index[layers["given"] == "lifetime"])
        self.spared = xr.DataArray(spared.astype(np.float32), {"quantity": self.quantities}, "quantity")
        self.shares = pathways.adjustment_shares(self.quantities, self.layers, draws).astype(np.float32)
        # In each year since entry, and at each age.
        known = self.quantities, self.layers, pathways.entry_ages(draws)
        self.lived = {
            by_age: pathways.lived_years(*known, by_age=by_age).astype(np.float32) for by_age in (False, True)
        }
        self._timing()

    def _timing(self) -> None:
        """Prepare when each component is paid, and what that is worth today."""
        scenario, years = self.scenario, np.arange(self.scenario.horizon)
        kinds = xr.DataArray(self.rows["discounting"].to_numpy(object), coords={"component": list(self.rows.index)})
        factors = appraisal.factors_by_kind(kinds, scenario.discount_schedule, years, schedules=self.schedules)
        self.published = {
            name: appraisal.discount_factors(name, np.arange(scenario.horizon + 60), schedules=self.schedules)
            for name in set(self.rows["spread_schedule"]) - {""}
        }
        self.ages = pathways.age_spread(self.layers)
        self.spread = costing.spread_matrix(self.rows, scenario.horizon, self.published, self.ages)
        later = scenario.first_year - FIRST_YEAR  # prices grow from the year of the statistics on
        grown = costing.growth_factors(self.rows, self.draws, later + scenario.horizon)
        self.growth = grown.isel(year=slice(later, None)).assign_coords(year=years)
        self.weights = costing.lifetime_weights(self.growth, self.spread, factors).astype(np.float32)

    def pounds(self, areas: Sequence[str], *, by: str = "funder") -> dict[str, xr.DataArray]:
        """Return what the plan spends in some areas (year), with draws where sums are units, by funder or programme."""
        spent = {getattr(part, by): xr.zeros_like(self.growth["year"], float) for part in self.scenario.plan}
        for bought in self.purchases:
            here = bought.pounds.sel(area=list(areas)).sum("area").drop_vars("year", errors="ignore")
            when = here.assign_coords(year=bought.start + np.arange(here.sizes["year"]))
            every = when.reindex(year=self.growth["year"].values, fill_value=0.0)
            name = getattr(bought.part, by)
            spent[name] = spent[name] + every * (1.0 + self.scenario.optimism)
        return spent

    def spent_on(self, areas: Sequence[str]) -> xr.DataArray:
        """Return what :meth:`pounds` does, by programme (programme, year)."""
        spent = self.pounds(areas, by="programme")
        return xr.concat(list(spent.values()), xr.Variable("programme", list(spent)))

    def labelled(self, values: xr.DataArray) -> xr.DataArray:
        """Put back the component labels that summing over areas drops."""
        return values.assign_coords(costing.labels(self.rows)).assign_attrs(price_base=self.draws.attrs["price_base"])
