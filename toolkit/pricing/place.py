"""One area's hazards, lives and costs, and what the pricing of every area shares."""

from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from toolkit import appraisal, costing, evidence, pathways
from toolkit.resolved import ResolvedScenario
from toolkit.scenarios import Adjustments, Scenario, change
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, aligned

__all__ = [
    "SOURCES",
    "Desk",
    "Place",
    "before_adjustments",
    "yearly_sum",
]

SOURCES = ("trials", "panel", "combined", "judgement")
SPEND_MULTIPLES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)


def before_adjustments(scenario: Scenario) -> dict[str, Scenario]:
    """Return, for each adjustment that changes the result by more than a factor, the scenario before it is applied.

    Replication, take-up and drop-off come in this order, each with those after it left neutral; the plain factors
    (attribution, deadweight, displacement) stay neutral throughout, because they can be taken out by division, unless
    together they leave nothing, in which case the scenario before them is included as "attribution".
    """
    effect, own = scenario.effect, scenario.adjustments
    at = {"replication": effect.replication, "take_up": effect.take_up, "drop_off": own.drop_off}
    rest = {"replication": 1.0, "take_up": 1.0, "drop_off": 0.0}
    stages = {name: list(at)[:place] for place, name in enumerate(at) if at[name] != rest[name]}
    if own.attribution * (1.0 - own.deadweight) * (1.0 - own.displacement) == 0.0:
        stages["attribution"] = list(at)
    before = {}
    for name, acting in stages.items():
        now = {key: at[key] if key in acting else rest[key] for key in at}
        plain = {"attribution": 1.0, "deadweight": 0.0, "displacement": 0.0, "drop_off": now.pop("drop_off")}
        before[name] = change(scenario, effect=now, adjustments=plain)
    return before


def yearly_sum(scenario: Scenario, statistics: xr.Dataset) -> xr.DataArray:
    """Return what the option spends in a year in each area, GBP in the price base; negative for a cut.

    Parameters
    ----------
    scenario
        States how much for each child.
    statistics
        Base-year statistics of areas, or of one: ``population_0_17``.
    """
    return scenario.option.pounds * statistics["population_0_17"]


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
        self.in_need = change(scenario, option={"group": "in_need"})
        # Labels that nothing here uses would be carried through every operation of every area.
        posterior = fitted["posterior"].to_dataset().reset_coords(drop=True)
        self.baseline, self.national = posterior["baseline_rate"], posterior["baseline_national"]
        aligned(self.baseline, draws, effects)
        self.effects = effects["new_site_effect"].reset_coords(drop=True)
        self.base = evidence.base_year(statistics).reset_coords(drop=True)
        self.here = evidence.with_own(self.base, own)  # what is known of England uses published figures only
        local = evidence.local_price_ratio(statistics, like=draws, seed=scenario.seed)
        self.local, self.placements = evidence.with_own_prices(local, evidence.placement_shares(), own)
        self.levels = evidence.with_fitted(evidence.local_levels(), self.baseline, self.national)
        tables = resolved.register.tables
        self.schedules = tables["discount_schedules"]
        self.layer_rates = tables["layer_rates"]
        self.layers = pathways.chosen(
            tables["layers"], self.layer_rates, outcomes=scenario.outcomes, extra=scenario.extra_layers
        )
        given = dict(tables["layers"].set_index("layer")["given"])
        rows = costing.components(
            tables["cost_components"], tables["overlaps"], given=given, outcomes=scenario.outcomes
        )
        off = set(tables["layers"]["layer"]) - set(self.layers.index)
        self.rows = rows[~rows["quantity"].isin(off)]
        self.quantities = list(dict.fromkeys(self.rows["quantity"]))
        self.shares = pathways.adjustment_shares(self.quantities, self.layers, draws).astype(np.float32)
        # In each year since entry, and at each age.
        known = self.quantities, self.layers, pathways.entry_ages(draws)
        self.lived = {
            by_age: pathways.lived_years(*known, by_age=by_age).astype(np.float32) for by_age in (False, True)
        }
        self.before = before_adjustments(scenario)
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
        self.growth = costing.growth_factors(self.rows, self.draws, scenario.horizon)
        self.weights = costing.lifetime_weights(self.growth, self.spread, factors).astype(np.float32)

    def labelled(self, values: xr.DataArray) -> xr.DataArray:
        """Put back the component labels that summing over areas drops."""
        return values.assign_coords(costing.labels(self.rows)).assign_attrs(price_base=self.draws.attrs["price_base"])


class Place:
    """One area's hazards, rates and prices, and the lives without help from which all its results start."""

    def __init__(self, desk: Desk, area: str) -> None:
        self.desk, self.scenario, self.draws = desk, desk.scenario, desk.draws
        self.stats = desk.here.sel(area=area)
        self.baseline = desk.baseline.sel(area=area, drop=True)
        self.levels = desk.levels.sel(area=area)
        prices = costing.unit_prices(
            desk.rows, desk.draws, local_price=desk.local.sel(area=area), shares=desk.placements.sel(area=area)
        )
        self.prices = prices.reset_coords(drop=True).astype(np.float32)  # labels are put back on the sums
        self.child_rates = pathways.child_rates(desk.layers, desk.layer_rates, desk.draws, self.levels)
        self.hazards, self.usual = self.unhelped(desk.scenario)
        # The entering cohort is not at the edge of care, even if the children reached are.
        edge = desk.scenario.option.group != "in_need"
        self.all_hazards, self.everyone = self.unhelped(desk.in_need) if edge else (self.hazards, self.usual)
        self.adult_rates = pathways.adult_rates(
            desk.layers, desk.layer_rates, desk.draws, self.everyone["cells"], self.levels
        )
        self.all_lives = pathways.whole_lives(self.everyone, self.adult_rates, desk.layers)
        self.spend = float(yearly_sum(desk.scenario, self.stats))
        self.reached = pathways.children_reached(self.spend, desk.draws, self.stats, desk.scenario.option)
        self._helped: dict[tuple[Any, ...], xr.Dataset] = {}
        self._lived: dict[tuple[Any, ...], xr.DataArray] = {}

    def unhelped(self, scenario: Scenario) -> tuple[pathways.Hazards, xr.Dataset]:
        """Return hazards without help, and the lives that follow from them."""
        hazards = pathways.localise(self.baseline, self.desk.national, self.stats, self.draws, scenario)
        return hazards, self.walk(hazards)

    def walk(self, hazards: pathways.Hazards, strength: float = 0.0, delivered: float | None = None) -> xr.Dataset:
        """Return the expected events of a child's life to eighteen, from :func:`pathways.per_child`."""
        return pathways.per_child(
            hazards, strength=strength, delivered=delivered, rates=self.child_rates, like=self.draws
        )

    def lived(self, walked: xr.Dataset) -> xr.DataArray:
        """Return the priced quantities of childhood and after."""
        return pathways.whole_lives(walked, self.adult_rates, self.desk.layers, quantities=self.desk.quantities)

    def worth(self, profile: xr.DataArray) -> xr.DataArray:
        """Return the present value of quantities by component."""
        return costing.lifetime_cost(profile, self.desk.rows, self.prices, self.desk.weights)

    def _change(self, source: str, strength: float, delivered: float, adjustments: Adjustments) -> xr.DataArray:
        """Return the additional change that help makes in the life of a child reached (quantity, year, ...)."""
        key = source, strength, delivered if self.scenario.effect.detection else strength
        if key not in self._helped:
            moved = pathways.with_effects(self.hazards, self.desk.effects.sel(source=source, drop=True))
            self._helped[key] = self.walk(moved, strength, delivered) - self.usual
        lasting = tuple(pathways.additional(adjustments).values)
        if (*key, lasting) not in self._lived:
            self._lived[*key, lasting] = self.lived(pathways.additional_part(self._helped[key], adjustments))
        return self._lived[*key, lasting]

    @cached_property
    def summed(self) -> xr.Dataset:
        """What is added up over areas: the reached cohort's lives and their cost, the programme's spend, the curve."""
        avoided, curve_spend = self._curve()
        worth = costing.event_values(self.lives, self.desk.rows, self.prices, dtype=np.float32)
        summed = xr.Dataset(
            {
                "cost": worth,
                "lives": self.lives.rename(year="event_year"),
                "spend": xr.DataArray(self.spend),
                "curve_avoided": avoided,
                "curve_spend": curve_spend,
            }
        )
        if self.desk.before:
            parts = [self._avoided(scenario) for scenario in self.desk.before.values()]
            summed["benefit_before"] = xr.concat(parts, xr.Variable("before", list(self.desk.before)), coords="minimal")
        return summed

    def by_area(self) -> xr.Dataset:
        """Return the results that are kept area by area: present values, and the children of the cohorts."""
        saved = self.lives.sel(option=BUSINESS_AS_USUAL, drop=True) - self.lives.sel(option=INVESTMENT, drop=True)
        return xr.Dataset(
            {
                **self.collective(),
                "children_reached": self.reached,
                "benefit_by_area": self.worth(saved.astype(np.float32)),
            }
        ).reset_coords(drop=True)

    def collective(self) -> dict[str, xr.DataArray]:
        """Return the cost of the entering cohort over life and of one year, each gross and excess."""
        known = self.desk.quantities, self.baseline, self.stats, self.draws, self.all_lives
        others = self.others().sum("year", skipna=False) * self.entering
        year = self.readings(pathways.cross_section(*known, self.entering), others)
        return {
            "lifetime": self.lifetime * self.entering,
            # What this year's events cost now, and the present value of what they lead to.
            "annual": self.worth(year.expand_dims(year=[0])),
            "children_entering": self.entering,
        }

    @cached_property
    def lifetime(self) -> xr.DataArray:
        """Present value of a life once in need, gross and excess (reading, component, chain, draw)."""
        return self.worth(self.readings(self.all_lives.sel(quantity=self.desk.quantities), self.others()))

    @cached_property
    def _rates_of_all(self) -> xr.DataArray:
        desk = self.desk
        return pathways.comparator(
            desk.quantities,
            self.baseline,
            self.stats,
            self.draws,
            self.all_lives,
            layers=desk.layers,
            rates=desk.layer_rates,
            levels=self.levels,
        ).astype(np.float32)

    def others(self, *, by_age: bool = False) -> xr.DataArray:
        """Return the quantities of the entering cohort if it were like all children of its age and area."""
        return (self._rates_of_all * self.desk.lived[by_age]).transpose("quantity", "year", *SAMPLE_DIMS)

    def readings(self, quantity: xr.DataArray, others: xr.DataArray) -> xr.DataArray:
        """Return a quantity gross, and its excess over all children's."""
        excess = pathways.excess(quantity, others, self.desk.shares)
        return xr.concat([quantity, excess], xr.Variable("reading", ["gross", "excess"]), join="exact")

    @cached_property
    def lives(self) -> xr.DataArray:
        """Return the reached cohort's quantities (option, quantity, year, chain, draw) under both options."""
        effect, option = self.scenario.effect, self.scenario.option
        changes = [
            self._change(effect.source, *part, self.scenario.adjustments)
            for part in pathways.strengths(effect, option.years)
        ]
        return pathways.project(self.lived(self.usual), changes, self.reached, horizon=self.scenario.horizon)

    def _avoided(self, scenario: Scenario) -> xr.DataArray:
        """Return the present value that the children reached avoid under another scenario, without yearly costs."""
        total = 0.0 * self.reached
        for year, part in enumerate(pathways.strengths(scenario.effect, scenario.option.years)):
            change = self._change(scenario.effect.source, *part, scenario.adjustments)
            total = total - self.worth(change.assign_coords(year=change["year"].values + year))
        return (total * self.reached).reset_coords(drop=True)

    @cached_property
    def entering(self) -> xr.DataArray:
        """Children in need for the first time in the base year.

        A year's share of the children who are ever in need by eighteen, moved to the area by its episodes of
        need per child relative to England's: starts count a child each time a case is opened.
        """
        base = self.desk.base
        starts, children = (float(base[name].sum()) for name in ("children_in_need_starts", "population_0_17"))
        local = float(self.stats["children_in_need_starts"]) * children / starts
        return self.draws["share_ever_in_need"] * local / pathways.CHILDHOOD_YEARS

    def _curve(self) -> tuple[xr.DataArray, xr.DataArray]:
        """Return the lifetime cost avoided (source, multiple, component) as a year's early-help spend changes."""
        scenario, effect = self.scenario, self.scenario.effect
        today = float(self.stats["early_help_spend"] * self.stats["population_0_17"])
        multiples = xr.DataArray(np.array(SPEND_MULTIPLES), dims="multiple", coords={"multiple": list(SPEND_MULTIPLES)})
        reached = pathways.children_reached((multiples - 1.0) * today, self.draws, self.stats, scenario.option)
        full = effect.replication * effect.take_up, effect.take_up
        parts = [self.worth(self._change(source, *full, scenario.adjustments)) for source in SOURCES]
        worth = xr.concat(parts, xr.Variable("source", list(SOURCES)), coords="minimal", compat="override")
        # Eight million numbers an area, which are added up in single precision: so they are computed in it too.
        avoided = reached.astype(np.float32) * -worth.astype(np.float32)
        return avoided.transpose("source", "multiple", "component", *SAMPLE_DIMS), multiples * today


def __dir__() -> list[str]:
    return __all__
