"""One area's hazards, lives and costs."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from toolkit import costing, pathways
from toolkit.models.effects.programme_use import of_area
from toolkit.pathways.served import Risk, served_hazards
from toolkit.pricing.desk import Desk
from toolkit.scenarios import Adjustments, Scenario
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS

SPEND_MULTIPLES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
CARE = "care_years"


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
        self.hazards = pathways.localise(self.baseline, desk.national, self.stats, self.draws, desk.scenario)
        if self.scenario.own_care:
            starts = self.baseline.sel(indicator="care_starts", drop=True) * float(self.stats["population_0_17"])
            given = {"starts": starts, "years": desk.looked_after.sel(area=area, drop=True)}
            self.hazards = pathways.settled(self.hazards, **{name: n / self.entering for name, n in given.items()})
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
                "care_avoided": self.care_avoided.rename(year="event_year"),
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

    @property
    def care_avoided(self) -> xr.DataArray:
        """Children whom each programme keeps out of care, on average over a year (programme, year, chain, draw)."""
        nobody = xr.zeros_like(self.lives.isel(option=0, quantity=0, drop=True))
        avoided = dict.fromkeys(self.scenario.programmes, nobody)
        for name, year, start, _, gaining in self.bought():
            change = self.change(name, strength_in(self.scenario, year), self.scenario.adjustments)
            if CARE in change["quantity"].values:
                when = change.sel(quantity=CARE, drop=True).assign_coords(year=change["year"].values + start)
                avoided[name] = avoided[name] - when.reindex(year=nobody["year"].values, fill_value=0.0) * gaining
        along = xr.Variable("programme", list(avoided))
        return xr.concat(list(avoided.values()), along).assign_attrs(units="children")

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
