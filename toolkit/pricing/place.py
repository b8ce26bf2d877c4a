"""One area's hazards, lives and costs, and what the pricing of every area shares."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, costing, evidence, pathways
from toolkit.models.effects.programme_use import of_area
from toolkit.pathways.served import Risk, served_hazards
from toolkit.plans import counted, purchases
from toolkit.resolved import ResolvedScenario
from toolkit.scenarios import Adjustments, Scenario, change
from toolkit.schema import BUSINESS_AS_USUAL, FIRST_YEAR, INVESTMENT, SAMPLE_DIMS, aligned

SPEND_MULTIPLES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
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

    def pounds(self, areas: Sequence[str]) -> dict[str, xr.DataArray]:
        """Return what the plan spends in some areas (year), with draws where sums are units, by whose money it is."""
        spent = {funder: xr.zeros_like(self.growth["year"], float) for funder in self.scenario.funders}
        for bought in self.purchases:
            here = bought.pounds.sel(area=list(areas)).sum("area").drop_vars("year", errors="ignore")
            when = here.assign_coords(year=bought.start + np.arange(here.sizes["year"]))
            every = when.reindex(year=self.growth["year"].values, fill_value=0.0)
            spent[bought.part.funder] = spent[bought.part.funder] + every * (1.0 + self.scenario.optimism)
        return spent

    def labelled(self, values: xr.DataArray) -> xr.DataArray:
        """Put back the component labels that summing over areas drops."""
        return values.assign_coords(costing.labels(self.rows)).assign_attrs(price_base=self.draws.attrs["price_base"])


class Served(NamedTuple):
    """A child whom a programme serves: ``hazards`` with its full effect, and the ``usual`` life without it."""

    hazards: pathways.Hazards
    usual: xr.Dataset


class Place:
    """One area's hazards, rates and prices, and the lives without help from which all its results start."""

    def __init__(self, desk: Desk, area: str) -> None:
        self.desk, self.scenario, self.draws = desk, desk.scenario, desk.draws
        self.stats = desk.here.sel(area=area)
        self.baseline = desk.baseline.sel(area=area, drop=True)
        self.levels = desk.levels.sel(area=area)
        self.prices = self.component_prices()
        self.child_rates = pathways.child_rates(desk.layers, desk.layer_rates, desk.draws, self.levels)
        moved = pathways.localise(self.baseline, desk.national, self.stats, self.draws, desk.scenario)
        starts = self.baseline.sel(indicator="care_starts", drop=True) * float(self.stats["population_0_17"])
        stock = desk.looked_after.sel(area=area, drop=True)
        self.hazards = pathways.settled(moved, starts=starts / self.entering, years=stock / self.entering)
        self.usual = self.walk(self.hazards)
        self.adult_rates = pathways.adult_rates(
            desk.layers, desk.layer_rates, desk.draws, self.usual["cells"], self.levels
        )
        self.all_lives = pathways.whole_lives(self.usual, self.adult_rates, desk.layers)
        self._served: dict[str, Served] = {}
        self._helped: dict[tuple[str, float], xr.Dataset] = {}
        self._lived: dict[tuple[Any, ...], xr.DataArray] = {}

    def component_prices(self) -> xr.DataArray:
        """Return the price of one unit of each component here (component, chain, draw)."""
        desk, area = self.desk, self.stats["area"].item()
        local = {"local_price": desk.local.sel(area=area), "shares": desk.placements.sel(area=area)}
        prices = costing.unit_prices(desk.rows, desk.draws, **local)
        return prices.reset_coords(drop=True).astype(np.float32)  # labels are put back on the sums

    def walk(self, hazards: pathways.Hazards, strength: float = 0.0) -> xr.Dataset:
        """Return the expected events of a child's life to eighteen, from :func:`pathways.per_child`."""
        return pathways.per_child(hazards, strength=strength, rates=self.child_rates, like=self.draws)

    def served(self, programme: str) -> "Served":
        """Return the hazards of a child whom a programme serves, without and with its help, and the life without."""
        if programme not in self._served:
            self._served[programme] = self.served_with(self.desk.effects, programme, self.desk.risks[programme])
        return self._served[programme]

    def served_with(self, used: xr.Dataset, programme: str, risks: Mapping[str, Risk]) -> "Served":
        """Return what :func:`served` does with other effects, as `used_effects` gives them, and other risks."""
        row = self.desk.programmes.loc[programme].to_dict()
        hazards = served_hazards(self.hazards, used, programme, row, risks)
        effect = of_area(used, programme, str(self.stats["area"].item()), seed=self.scenario.seed)
        return Served(pathways.with_effects(hazards, effect), self.walk(hazards))

    def lived(self, walked: xr.Dataset) -> xr.DataArray:
        """Return the priced quantities of childhood and after."""
        return pathways.whole_lives(walked, self.adult_rates, self.desk.layers, quantities=self.desk.quantities)

    def changed(self, walked: xr.Dataset) -> xr.DataArray:
        """Return :meth:`lived` of a change that help makes: 0 where no programme is taken to make one."""
        return self.lived(walked) * self.desk.spared

    def worth(self, profile: xr.DataArray) -> xr.DataArray:
        """Return the present value of quantities by component."""
        return costing.lifetime_cost(profile, self.desk.rows, self.prices, self.desk.weights)

    def change(self, programme: str, strength: float, adjustments: Adjustments) -> xr.DataArray:
        """Return the additional change that help makes in the life of a child served (quantity, year, ...)."""
        key, served = (programme, strength), self.served(programme)
        if key not in self._helped:
            self._helped[key] = self.walk(served.hazards, strength) - served.usual
        lasting = tuple(pathways.additional(adjustments).values)
        if (*key, lasting) not in self._lived:
            self._lived[*key, lasting] = self.changed(pathways.additional_part(self._helped[key], adjustments))
        return self._lived[*key, lasting]

    def bought(self) -> Iterator[tuple[str, int, int, xr.DataArray, xr.DataArray]]:
        """Yield programme, year of the programme, year of the appraisal, children served, and those who gain."""
        area = str(self.stats["area"].item())
        for purchase in self.desk.purchases:
            children, gaining = (part.sel(area=area, drop=True) for part in (purchase.children, purchase.gaining))
            for year in range(children.sizes["year"]):
                if purchase.part.sums[year]:
                    now = children.isel(year=year, drop=True), gaining.isel(year=year, drop=True)
                    yield purchase.part.programme, year, purchase.start + year, *now

    @cached_property
    def summed(self) -> xr.Dataset:
        """What is added up over areas: the reached cohort's lives and their cost, the programme's spend, the curve."""
        in_full, sums = self._in_full()
        avoided, curve_spend = self._curve(in_full, sums)
        worth = costing.event_values(self.lives, self.desk.rows, self.prices, dtype=np.float32)
        summed = xr.Dataset(
            {
                "cost": worth,
                "lives": self.lives.rename(year="event_year"),
                "curve_avoided": avoided,
                "curve_spend": curve_spend,
                "avoided_in_full": in_full.astype(np.float32),
                "spent_in_full": sums,
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
        """Return the cost of the entering cohort over life and of one year, each gross and in excess."""
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
        """Present value of a life once in need (reading, component, chain, draw), from :meth:`readings`."""
        return self.worth(self.readings(self.all_lives.sel(quantity=self.desk.quantities), self.others()))

    @cached_property
    def comparators(self) -> xr.DataArray:
        """Rates of all children and of those never in need (reading, quantity, chain, draw), a year or per person."""
        desk = self.desk
        everyone = pathways.comparator(
            desk.quantities,
            self.baseline,
            self.stats,
            self.draws,
            self.all_lives,
            layers=desk.layers,
            rates=desk.layer_rates,
            levels=self.levels,
        )
        ever = self.entering * pathways.CHILDHOOD_YEARS / float(self.stats["population_0_17"])
        never = pathways.never_in_need(everyone, self.all_lives, ever, desk.lived[False], desk.layers)
        readings = xr.Variable("reading", list(pathways.COMPARATORS.values()))
        return xr.concat([everyone, never], readings, join="exact").astype(np.float32)

    def others(self, *, by_age: bool = False) -> xr.DataArray:
        """Return the quantities of the entering cohort if it were like each comparator of its age and area."""
        return (self.comparators * self.desk.lived[by_age]).transpose("reading", "quantity", "year", *SAMPLE_DIMS)

    def readings(self, quantity: xr.DataArray, others: xr.DataArray) -> xr.DataArray:
        """Return a quantity gross, and its excess over each comparator's, from :meth:`others`."""
        excess = pathways.excess(quantity, others, self.desk.shares)
        return xr.concat([quantity.expand_dims(reading=["gross"]), excess], "reading", join="exact")

    @cached_property
    def reached(self) -> xr.DataArray:
        """Children served in all years together (chain, draw), negative for a cut; 0 where nothing is bought."""
        total = xr.zeros_like(self.draws["children_per_family"])
        for *_, children, _ in self.bought():
            total = total + children
        return total.assign_attrs(units="children")

    @cached_property
    def lives(self) -> xr.DataArray:
        """Return the quantities of the children served (option, quantity, year, chain, draw) under both options."""
        cohorts = [
            pathways.Cohort(
                self.lived(self.served(name).usual),
                self.change(name, strength_in(self.scenario, year), self.scenario.adjustments),
                children,
                start,
                gaining,
            )
            for name, year, start, children, gaining in self.bought()
        ]
        return pathways.project(cohorts, horizon=self.scenario.horizon)

    def _avoided(self, scenario: Scenario) -> xr.DataArray:
        """Return the present value that the children served avoid under another scenario, without yearly costs."""
        total = xr.zeros_like(self.reached)
        for name, year, start, _, gaining in self.bought():
            change = self.change(name, strength_in(scenario, year), scenario.adjustments)
            total = total - self.worth(change.assign_coords(year=change["year"].values + start)) * gaining
        return total.reset_coords(drop=True)

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

    def _in_full(self) -> tuple[xr.DataArray, xr.DataArray]:
        """Return what each programme avoids by all its sums with its full effect (programme, component), and the sums.

        As if they were all spent in year 0, so that programmes can be compared pound by pound.
        """
        full, names = self.scenario.effect.take_up * self.scenario.effect.ramp[-1], list(self.scenario.programmes)
        area, nothing = str(self.stats["area"].item()), xr.zeros_like(self.reached)
        sums, children = ({name: nothing for name in names} for _ in range(2))
        for bought in self.desk.purchases:
            name = bought.part.programme
            sums[name] = sums[name] + abs(bought.pounds.sel(area=area, drop=True).sum("year"))
            children[name] = children[name] + abs(bought.gaining.sel(area=area, drop=True).sum("year"))
        changes = {name: self.change(name, full, self.scenario.adjustments) for name in names}
        avoided = [-self.worth(changes[name]) * children[name] for name in names]
        along = xr.Variable("programme", names)
        return xr.concat(avoided, along).reset_coords(drop=True), xr.concat(list(sums.values()), along)

    def _curve(self, in_full: xr.DataArray, sums: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
        """Return the lifetime cost avoided (multiple, component) as a year's early-help spend changes.

        What is spent above or below today's buys the programmes of the plan in the proportions of its sums.
        """
        today = float(self.stats["early_help_spend"] * self.stats["population_0_17"])
        multiples = xr.DataArray(np.array(SPEND_MULTIPLES), dims="multiple", coords={"multiple": list(SPEND_MULTIPLES)})
        spent = sums.sum("programme")
        # Eight million numbers an area, which are added up in single precision: so they are computed in it too.
        each = (in_full.sum("programme") / spent.where(spent > 0, 1.0)).astype(np.float32)
        avoided = ((multiples - 1.0) * today).astype(np.float32) * each
        return avoided.reset_coords(drop=True).transpose("multiple", "component", *SAMPLE_DIMS), multiples * today


def strength_in(scenario: Scenario, year: int) -> float:
    """Return the share of the full effect on those served in a year of a programme, from 0."""
    ramp = scenario.effect.ramp
    return scenario.effect.take_up * ramp[min(year, len(ramp) - 1)]
