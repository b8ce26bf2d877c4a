"""Pricing: hazards, lives and costs of each area in turn, summed as they come.

England in full is too large to hold, so yearly values are kept only as sums over the chosen areas and
present values area by area.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, costing, evidence, pathways
from toolkit.scenarios import Scenario, change
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError, aligned

SOURCES = ("trials", "panel", "combined", "judgement")
SPEND_MULTIPLES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
Progress = Callable[[str, float], None]


def silent(stage: str, share: float) -> None:
    """Progress that nobody watches."""


def price(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    scenario: Scenario,
    draws: xr.Dataset,
    effects: xr.Dataset,
    register: evidence.Register,
    *,
    areas: list[str],
    progress: Progress = silent,
) -> xr.Dataset:
    """Price a scenario over areas: yearly costs summed over them, present values area by area.

    Returns
    -------
    Dataset
        ``cost`` (component, option, year, chain, draw) of the reached cohort and programme;
        ``lives`` (quantity, option, year, chain, draw); ``benefit_by_area`` (area, component, chain, draw);
        ``lifetime`` (reading, area, component, chain, draw), the entering cohort's present value;
        ``annual`` (reading, area, component, chain, draw), the year's cross-section;
        ``children_entering`` and ``children_reached`` (area, chain, draw);
        ``curve_avoided`` (source, multiple, component, chain, draw) and ``curve_spend`` (multiple).
    """
    desk = _Desk(fitted, statistics, scenario, draws, effects, register)
    total: xr.Dataset | None = None
    by_area: list[xr.Dataset] = []
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for done, (summed, local) in enumerate(pool.map(desk.area, areas), start=1):
            total = summed if total is None else total + summed
            by_area.append(local)
            progress("price areas", done / len(areas))
    if total is None:
        raise InputError("no areas to price. Mend: choose at least one.")
    cost = costing.with_programme(desk.yearly(total["cost"]), total["programme"])
    local = xr.concat(by_area, xr.Variable("area", areas), coords="minimal", compat="override")
    # The programme is no part of anyone's collective cost: nought there, so that components match.
    lives = total["lives"].rename(event_year="year").reindex(year=cost["year"], fill_value=0.0)
    rest = total.drop_vars(["programme", "cost", "lives", "event_year"]).assign(lives=lives).merge(local, join="exact")
    return rest.reindex(component=cost["component"], fill_value=0.0).assign(cost=cost)


def _rows(tables: dict[str, pd.DataFrame], layers: pd.DataFrame, scenario: Scenario) -> pd.DataFrame:
    """Components of the outcomes and layers in use."""
    given = dict(zip(tables["layers"]["layer"], tables["layers"]["given"], strict=True))
    off = set(given) - set(layers.index)
    rows = costing.components(tables["cost_components"], tables["overlaps"], given=given, outcomes=scenario.outcomes)
    return rows[~rows["quantity"].isin(off)]


class _Place(NamedTuple):
    """What is known of one area: counts, base-year rates, own levels, rates of childhood layers, prices."""

    stats: xr.Dataset
    baseline: xr.DataArray
    levels: xr.Dataset
    child: xr.DataArray
    prices: xr.DataArray


class _Desk:
    """What every area's pricing shares, prepared once."""

    def __init__(
        self, fitted: xr.DataTree, statistics: xr.Dataset, scenario: Scenario, draws: xr.Dataset, effects: xr.Dataset,
        register: evidence.Register,
    ) -> None:  # fmt: skip
        self.scenario, self.draws = scenario, draws
        self.in_need = change(scenario, option={"group": "in_need"})
        # After the last child reached turns eighteen nothing happens: what follows is in the spread of costs.
        brief = min(scenario.horizon, pathways.CHILDHOOD_YEARS + scenario.option.years)
        self.brief = scenario.model_copy(update={"horizon": brief})
        # Labels that nothing here uses would be carried through every operation of every area.
        posterior = fitted["posterior"].to_dataset().reset_coords(drop=True)
        self.baseline, self.national = posterior["baseline_rate"], posterior["baseline_national"]
        aligned(self.baseline, draws, effects)
        self.effects = effects["new_site_effect"].reset_coords(drop=True)
        self.base = evidence.base_year(statistics).reset_coords(drop=True)
        self.local = evidence.local_price_ratio(statistics, like=draws, seed=scenario.seed)
        self.levels, self.placed = evidence.local_levels(), evidence.placement_shares()
        tables = register.tables
        self.rates = tables["layer_rates"]
        self.layers = pathways.chosen(
            tables["layers"], self.rates, outcomes=scenario.outcomes, extra=scenario.extra_layers
        )
        self.rows = _rows(tables, self.layers, scenario)
        self.quantities = list(dict.fromkeys(self.rows["quantity"]))
        years = np.arange(scenario.horizon)
        kinds = xr.DataArray(self.rows["discounting"].to_numpy(object), coords={"component": list(self.rows.index)})
        factors = appraisal.factors_by_kind(kinds, scenario.discount_schedule, years)
        published = {
            name: appraisal.discount_factors(name, np.arange(scenario.horizon + 60))
            for name in set(self.rows["spread_schedule"]) - {""}
        }
        ages = pathways.age_spread(self.layers)
        self.spread = costing.spread_matrix(self.rows, scenario.horizon, published, ages)
        self.growth = costing.growth_factors(self.rows, draws, scenario.horizon)
        self.weights = costing.lifetime_weights(self.growth, self.spread, factors)
        self.shares = pathways.adjustment_shares(self.quantities, self.layers, draws)

    def yearly(self, events: xr.DataArray) -> xr.DataArray:
        """Spread what the events of all areas are worth over the years that bear it."""
        attrs = {"units": "GBP", "price_base": self.scenario.price_base}
        labelled = events.astype(np.float64).assign_coords(costing.labels(self.rows)).assign_attrs(attrs)
        return costing.over_years(labelled, self.growth, self.spread)

    def area(self, area: str) -> tuple[xr.Dataset, xr.Dataset]:
        """Price one area: what is summed over areas, and what is kept by area."""
        scenario, draws = self.scenario, self.draws
        place = self.place(area)
        local = pathways.localise(place.baseline, self.national, place.stats, draws, scenario)
        hazards = pathways.with_effects(local, self.effects.sel(source=scenario.effect.source, drop=True))
        sign = -1.0 if scenario.option.cut else 1.0
        spend = sign * scenario.option.spend_per_child * float(place.stats["population_0_17"])
        reached = pathways.children_reached(spend, draws, place.stats, scenario.option)
        projected, usual = pathways.project(hazards, reached, self.brief, rates=place.child)
        plain = usual
        if scenario.option.group != "in_need":  # the entering cohort is not at the edge of care
            unhelped = pathways.localise(place.baseline, self.national, place.stats, draws, self.in_need)
            plain = pathways.per_child(unhelped, strength=0.0, rates=place.child, like=draws)
        adult = pathways.adult_rates(self.layers, self.rates, draws, plain["cells"], place.levels)
        lives = self._whole(projected, adult)
        saved = lives.sel(option=BUSINESS_AS_USUAL, drop=True) - lives.sel(option=INVESTMENT, drop=True)
        avoided, curve_spend = self._curve(place, hazards, usual, adult)
        whole = pathways.whole_lives(plain, adult, self.layers)
        kept = self._collective(place, whole, local.entry_weight).assign(
            children_reached=reached, benefit_by_area=self._lifetime(saved, place.prices)
        )
        summed = xr.Dataset(
            {
                "cost": costing.event_values(lives, self.rows, place.prices).reset_coords(drop=True),
                "lives": lives.rename(year="event_year"),
                "programme": self._programme(spend),
                "curve_avoided": avoided,
                "curve_spend": curve_spend,
            }
        )
        return summed.astype(np.float32), kept.reset_coords(drop=True).astype(np.float32)

    def place(self, area: str) -> _Place:
        """Return what is known of an area before anyone is reached."""
        levels, local = (array.sel(area=area, drop=True) for array in (self.levels, self.local))
        prices = costing.unit_prices(self.rows, self.draws, local_price=local, shares=self.placed.sel(area=area))
        child = pathways.child_rates(self.layers, self.rates, self.draws, levels)
        return _Place(self.base.sel(area=area), self.baseline.sel(area=area, drop=True), levels, child, prices)

    def _collective(self, place: _Place, usual: xr.DataArray, entry_weight: np.ndarray) -> xr.Dataset:
        """Cost of the entering cohort over life and of one year, each gross and excess."""
        draws, entering = self.draws, self._entering(place.stats)
        ages = {"age": np.arange(pathways.CHILDHOOD_YEARS), **{dim: draws[dim].values for dim in SAMPLE_DIMS}}
        weight = xr.DataArray(entry_weight.reshape([len(values) for values in ages.values()]), ages)
        known = (self.quantities, place.baseline, place.stats, draws, usual)
        others = pathways.comparator(*known, weight, layers=self.layers, rates=self.rates, levels=place.levels)
        year = self._readings(pathways.cross_section(*known, entering), others.sum("year") * entering)
        life = self._readings(usual.sel(quantity=self.quantities), others)
        return xr.Dataset(
            {
                "lifetime": self._lifetime(life, place.prices) * entering,
                # What is paid this year, and the present value of what its events lead to.
                "annual": self._lifetime(year.expand_dims(year=[0]), place.prices),
                "children_entering": entering,
            }
        )

    def _programme(self, spend: float) -> xr.DataArray:
        scenario = self.scenario
        yearly = np.zeros((2, scenario.horizon))
        # Optimism is about what spending will cost; a cut saves what is in the budget, no more.
        optimism = 0.0 if scenario.option.cut else scenario.adjustments.optimism_bias
        yearly[1, : scenario.option.years] = spend * (1.0 + optimism)
        coords = {"option": [BUSINESS_AS_USUAL, INVESTMENT], "year": np.arange(scenario.horizon)}
        return xr.DataArray(yearly, dims=("option", "year"), coords=coords)

    def _entering(self, stats: xr.Dataset) -> xr.DataArray:
        """Children in need for the first time in the base year.

        A year's share of the children who are ever in need by eighteen, moved to the area by its episodes of
        need per child against England's: starts themselves count a child each time a case is opened.
        """
        starts, children = (float(self.base[name].sum()) for name in ("children_in_need_starts", "population_0_17"))
        local = float(stats["children_in_need_starts"]) * children / starts
        return self.draws["share_ever_in_need"] * local / pathways.CHILDHOOD_YEARS

    def _whole(self, lives: xr.Dataset, adult: xr.DataArray) -> xr.DataArray:
        """Quantities that are priced, those of adult life with them."""
        return pathways.whole_lives(lives, adult, self.layers, quantities=self.quantities)

    def _readings(self, quantity: xr.DataArray, others: xr.DataArray) -> xr.DataArray:
        excess = pathways.excess(quantity, others, self.shares)
        return xr.concat([quantity, excess], xr.Variable("reading", ["gross", "excess"]), join="exact")

    def _lifetime(self, quantity: xr.DataArray, prices: xr.DataArray) -> xr.DataArray:
        return costing.lifetime_cost(quantity, self.rows, prices, self.weights)

    def _curve(
        self, place: _Place, hazards: pathways.Hazards, usual: xr.Dataset, adult: xr.DataArray
    ) -> tuple[xr.DataArray, xr.DataArray]:
        """Lifetime cost avoided (source, multiple, component) as a year's early-help spend changes."""
        scenario = self.scenario
        today = float(place.stats["early_help_spend"] * place.stats["population_0_17"])
        multiples = xr.DataArray(np.array(SPEND_MULTIPLES), dims="multiple", coords={"multiple": list(SPEND_MULTIPLES)})
        reached = pathways.children_reached((multiples - 1.0) * today, self.draws, place.stats, scenario.option)
        full = scenario.effect.replication * scenario.effect.take_up
        unhelped = self._whole(usual, adult)
        lasting = pathways.additional(scenario.adjustments).reindex(year=unhelped["year"], method="ffill")
        parts = []
        for source in SOURCES:
            moved = pathways.with_effects(hazards, self.effects.sel(source=source, drop=True))
            helped = pathways.per_child(
                moved, strength=full, delivered=scenario.effect.take_up, rates=place.child, like=self.draws
            )
            saved = (unhelped - self._whole(helped, adult)) * lasting
            parts.append(self._lifetime(saved, place.prices) * reached)
        avoided = xr.concat(parts, xr.Variable("source", list(SOURCES)), coords="minimal", compat="override")
        return avoided.reset_coords(drop=True), multiples * today
