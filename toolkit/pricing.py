"""Pricing: hazards, lives and costs of each area in turn, summed as they come.

England in full is too large to hold, so yearly values are kept only as sums over the chosen areas and
present values area by area.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr

from toolkit import appraisal, costing, evidence, pathways
from toolkit.scenarios import Scenario, change
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, InputError, aligned

SOURCES = ("trials", "panel", "combined", "judgement")
SPEND_MULTIPLES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
Progress = Callable[[str, float], None]
type Walks = dict[tuple[float, float], xr.DataArray]  # of one area, by strength and by help delivered


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
        ``annual`` (area, component, chain, draw), the year's cross-section;
        ``children_entering`` and ``children_reached`` (area, chain, draw);
        ``benefit_before`` (before, component, chain, draw), the reached cohort's present value before each
        adjustment that is no plain factor is switched on, if any is (:func:`before_adjustments`);
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
    cost = costing.with_programme(desk.labelled(total["cost"]), total["programme"])
    local = xr.concat(by_area, xr.Variable("area", areas), coords="minimal", compat="override")
    # The programme is no part of anyone's collective cost: nought there, so that components match.
    rest = total.drop_vars(["programme", "cost"]).merge(local, join="exact")
    return rest.reindex(component=cost["component"], fill_value=0.0).assign(cost=cost)


def before_adjustments(scenario: Scenario) -> dict[str, Scenario]:
    """Return, for each adjustment that changes the result by more than a factor, the scenario before it acts.

    Replication, take-up and drop-off come in this order, each with those after it at rest; the plain factors
    (attribution, deadweight, displacement) rest throughout, for they can be taken out by division, unless together
    they leave nothing, in which case the scenario before them is there as "attribution".
    """
    effect, own = scenario.effect, scenario.adjustments
    at = {"replication": effect.replication, "take_up": effect.take_up, "drop_off": own.drop_off}
    rest = {"replication": 1.0, "take_up": 1.0, "drop_off": 0.0}
    stages = {name: list(at)[:place] for place, name in enumerate(at) if at[name] != rest[name]}
    if own.attribution * (1.0 - own.deadweight) * (1.0 - own.displacement) == 0.0:
        stages["attribution"] = list(at)
    found = {}
    for name, acting in stages.items():
        now = {key: at[key] if key in acting else rest[key] for key in at}
        plain = {"attribution": 1.0, "deadweight": 0.0, "displacement": 0.0, "drop_off": now.pop("drop_off")}
        found[name] = change(scenario, effect=now, adjustments=plain)
    return found


class _Desk:
    """What every area's pricing shares, prepared once."""

    def __init__(
        self, fitted: xr.DataTree, statistics: xr.Dataset, scenario: Scenario, draws: xr.Dataset, effects: xr.Dataset,
        register: evidence.Register,
    ) -> None:  # fmt: skip
        self.scenario, self.draws = scenario, draws
        self.in_need = change(scenario, option={"group": "in_need"})
        # Labels that nothing here uses would be carried through every operation of every area.
        posterior = fitted["posterior"].to_dataset().reset_coords(drop=True)
        self.baseline, self.national = posterior["baseline_rate"], posterior["baseline_national"]
        aligned(self.baseline, draws, effects)
        self.effects = effects["new_site_effect"].reset_coords(drop=True)
        self.base = evidence.base_year(statistics).reset_coords(drop=True)
        self.local = evidence.local_price_ratio(statistics, like=draws, seed=scenario.seed)
        self.rows = costing.components(register.tables["cost_components"], outcomes=scenario.outcomes)
        years = np.arange(scenario.horizon)
        kinds = xr.DataArray(self.rows["discounting"].to_numpy(object), coords={"component": list(self.rows.index)})
        factors = appraisal.factors_by_kind(kinds, scenario.discount_schedule, years)
        published = {
            name: appraisal.discount_factors(name, np.arange(scenario.horizon + 60))
            for name in set(self.rows["spread_schedule"]) - {""}
        }
        self.spread = costing.spread_matrix(self.rows, scenario.horizon, published)
        self.growth = costing.growth_factors(self.rows, draws, scenario.horizon)
        self.weights = costing.lifetime_weights(self.growth, self.spread, factors)
        self.shares = pathways.adjustment_shares(draws)
        self.england_prices = costing.unit_prices(self.rows, draws)
        self.before = before_adjustments(scenario)

    def labelled(self, cost: xr.DataArray) -> xr.DataArray:
        """Put back the component labels that summing over areas drops."""
        names = {name: ("component", self.england_prices[name].values) for name in costing.COORDINATES}
        return cost.assign_coords(names).assign_attrs(self.england_prices.attrs)

    def area(self, area: str) -> tuple[xr.Dataset, xr.Dataset]:
        """Price one area: what is summed over areas, and what is kept by area."""
        scenario, draws = self.scenario, self.draws
        stats = self.base.sel(area=area)
        baseline = self.baseline.sel(area=area, drop=True)
        effect = self.effects.sel(source=scenario.effect.source, drop=True)
        local = pathways.localise(baseline, self.national, stats, draws, scenario)
        hazards = pathways.with_effects(local, effect)
        sign = -1.0 if scenario.option.cut else 1.0
        spend = sign * scenario.option.spend_per_child * float(stats["population_0_17"])
        reached = pathways.children_reached(spend, draws, stats, scenario.option)
        lives, usual = pathways.project(hazards, reached, scenario)
        prices = costing.unit_prices(self.rows, draws, local_price=self.local.sel(area=area, drop=True))
        cost = costing.cost(lives, self.rows, prices, self.growth, self.spread)
        saved = lives.sel(option=BUSINESS_AS_USUAL, drop=True) - lives.sel(option=INVESTMENT, drop=True)
        walked: Walks = {}
        avoided, curve_spend = self._curve(stats, prices, hazards, usual, walked)
        before = [self._avoided(one, hazards, usual, reached, prices, walked) for one in self.before.values()]
        entering = self._entering(stats)
        if scenario.option.group != "in_need":  # the entering cohort is not at the edge of care
            plain = pathways.localise(baseline, self.national, stats, draws, self.in_need)
            usual = pathways.per_child(plain, strength=0.0, like=draws)
        lifetime = self._lifetime(usual, baseline, stats, prices) * entering
        annual_quantity = pathways.cross_section(baseline, stats, draws)
        kept = xr.Dataset(
            {
                "lifetime": lifetime,
                "annual": self._annual(annual_quantity, prices),
                "children_entering": entering,
                "children_reached": reached,
                "benefit_by_area": costing.lifetime_cost(saved, self.rows, prices, self.weights),
            }
        ).reset_coords(drop=True)
        summed = xr.Dataset(
            {
                "cost": cost.reset_coords(drop=True),
                "lives": lives,
                "programme": self._programme(spend),
                "curve_avoided": avoided,
                "curve_spend": curve_spend,
            }
        )
        if before:
            summed["benefit_before"] = xr.concat(before, xr.Variable("before", list(self.before)), coords="minimal")
        return summed.astype(np.float32), kept.astype(np.float32)

    def _helped(self, hazards: pathways.Hazards, strength: float, delivered: float, walked: Walks) -> xr.DataArray:
        """Quantities per child with help, walked once an area; without detection only the strength matters."""
        key = (strength, delivered * self.scenario.effect.detection)
        if key not in walked:
            walked[key] = pathways.per_child(hazards, strength=strength, delivered=delivered, like=self.draws)
        return walked[key]

    def _avoided(
        self, scenario: Scenario, hazards: pathways.Hazards, usual: xr.DataArray, reached: xr.DataArray,
        prices: xr.DataArray, walked: Walks,
    ) -> xr.DataArray:  # fmt: skip
        """Present value of what the children reached avoid under other settings, without yearly costs."""
        years, span = scenario.option.years, usual.sizes["year"]
        lasting = pathways.additional(scenario.adjustments).values[None, :, None, None]
        saved = np.zeros((usual.sizes["quantity"], span + years - 1, *usual.shape[2:]))
        for year, (strength, delivered) in enumerate(pathways.strengths(scenario.effect, years)):
            helped = self._helped(hazards, strength, delivered, walked).values
            saved[:, year : year + span] += (usual.values - helped) * lasting
        coords = {**usual.drop_vars("year").coords, "year": np.arange(span + years - 1)}
        profile = xr.DataArray(saved, dims=usual.dims, coords=coords)
        return (costing.lifetime_cost(profile, self.rows, prices, self.weights) * reached).reset_coords(drop=True)

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

    def _lifetime(
        self, usual: xr.DataArray, baseline: xr.DataArray, stats: xr.Dataset, prices: xr.DataArray
    ) -> xr.DataArray:
        others = pathways.comparator(baseline, stats, self.draws)
        excess = (usual - others) * self.shares
        readings = xr.concat([usual, excess], xr.Variable("reading", ["gross", "excess"]), join="exact")
        return costing.lifetime_cost(readings, self.rows, prices, self.weights)

    def _annual(self, quantity: xr.DataArray, prices: xr.DataArray) -> xr.DataArray:
        """Cost of one year's events: what is paid this year, and the present value of what they lead to."""
        return costing.lifetime_cost(quantity.expand_dims(year=[0]), self.rows, prices, self.weights)

    def _curve(
        self, stats: xr.Dataset, prices: xr.DataArray, hazards: pathways.Hazards, usual: xr.DataArray, walked: Walks
    ) -> tuple[xr.DataArray, xr.DataArray]:
        """Lifetime cost avoided (source, multiple, component) as a year's early-help spend changes."""
        scenario = self.scenario
        today = float(stats["early_help_spend"] * stats["population_0_17"])
        multiples = xr.DataArray(np.array(SPEND_MULTIPLES), dims="multiple", coords={"multiple": list(SPEND_MULTIPLES)})
        reached = pathways.children_reached((multiples - 1.0) * today, self.draws, stats, scenario.option)
        full = scenario.effect.replication * scenario.effect.take_up
        lasting = pathways.additional(scenario.adjustments)
        parts = []
        for source in SOURCES:
            moved = pathways.with_effects(hazards, self.effects.sel(source=source, drop=True))
            own = source == scenario.effect.source
            helped = self._helped(moved, full, scenario.effect.take_up, walked if own else {})
            saved = (usual - helped) * lasting
            parts.append(costing.lifetime_cost(saved, self.rows, prices, self.weights) * reached)
        avoided = xr.concat(parts, xr.Variable("source", list(SOURCES)), coords="minimal", compat="override")
        return avoided.reset_coords(drop=True), multiples * today
