"""A finished run in miniature: every array of a real one, with invented money, small and seeded."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import appraisal, costing, evidence, pathways, scenarios
from toolkit.evidence import STRUCTURES
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.report import html
from toolkit.schema import BUSINESS_AS_USUAL, EFFECT_OUTCOMES, INVESTMENT

CHAINS, DRAWS = 2, 100
MULTIPLES = [0.5, 0.75, 1.0, 1.25, 1.5, 2.0]
PROGRAMMES = {  # label, and whose studies there are of each outcome
    "supporting_families": ("Supporting Families", {"youth_justice": "own", "gcse_attainment": "type", "care": "own"}),
    "family_group_conference": ("Family group conference", {"care": "own"}),
}
AREAS = {"E08000035": ("Leeds", "Yorkshire and The Humber"), "E06000047": ("County Durham", "North East")}
SPEND = 4_000_000.0  # a year, for three years
COMPONENTS = [
    "rereferral_handling",
    "repeat_need",
    "care_other",
    "justice_system",
    "victims_losses",
    "victims_harm",
    "earnings_kept",
    "earnings_tax",
]


@dataclass(frozen=True)
class FakeRun:
    tree: xr.DataTree
    scenario: scenarios.Scenario
    assumptions: pd.DataFrame
    report_card: pd.DataFrame
    excluded: pd.DataFrame
    timings: dict

    @property
    def passed(self):
        return bool(self.report_card["passed"].all())


@pytest.fixture(scope="session")
def register():
    return evidence.load_register()


@pytest.fixture(scope="session")
def make_run(register):
    """Return a function that builds a run; keyword arguments change the scenario or break the checks."""

    def build(
        *,
        areas=AREAS,
        passed=True,
        effect=0.02,
        spend_range=(0.7, 1.4),
        changes=None,
        overrides=None,
        cut=False,
        funders=("central_government",),
    ):
        sign = -1.0 if cut else 1.0
        whose = [funders[place % len(funders)] for place in range(len(PROGRAMMES))]
        plan = [
            {"programme": name, "pounds_per_child": [11.0 * sign] * 3, "funder": funder}
            for name, funder in zip(PROGRAMMES, whose, strict=True)
        ]
        scenario = scenarios.change(
            scenarios.load("family_help_2025"),
            plan=plan,
            **(changes or {}),
            **({"overrides": overrides} if overrides else {}),
        )
        random = np.random.default_rng(7)
        draws = {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)}
        tables = register.tables
        given = dict(zip(tables["layers"]["layer"], tables["layers"]["given"], strict=True))
        rows = costing.components(
            evidence.with_options(tables["cost_components"], tables["cost_options"], ()),
            tables["overlaps"],
            given=given,
        ).loc[COMPONENTS]
        labels = {name: ("component", rows[name].to_numpy(dtype=object)) for name in costing.COORDINATES}
        components, names = len(rows), {area: pair[0] for area, pair in areas.items()}
        money = {"units": "GBP", "price_base": scenario.price_base}
        helped = random.normal(effect, 0.02, (1, 1, CHAINS, DRAWS))
        profile = 1e6 * np.exp(-np.arange(scenario.horizon) / 15)[None, :, None, None]
        usual = profile * random.gamma(20, 1 / 20, (components, scenario.horizon, CHAINS, DRAWS))
        cost = xr.DataArray(
            np.stack([usual, usual * (1 - sign * helped)], axis=1),
            dims=("component", "option", "year", "chain", "draw"),
            coords={
                "component": list(rows.index),
                "option": [BUSINESS_AS_USUAL, INVESTMENT],
                "year": np.arange(scenario.horizon),
                **draws,
                **labels,
            },
            attrs=money,
        )
        spend = xr.where(cost["year"] < scenario.years, sign * SPEND / len(whose), 0.0)
        cost = costing.with_programme(cost, {funder: whose.count(funder) * spend for funder in funders})

        def by_area(*extra, level):
            shape = [*(len(values) for values in dict(extra).values()), len(areas), components, CHAINS, DRAWS]
            array = xr.DataArray(
                level * random.gamma(8, 1 / 8, shape),
                dims=(*dict(extra), "area", "component", "chain", "draw"),
                coords={**dict(extra), "area": list(areas), "component": list(rows.index), **draws},
                attrs=money,
            )
            return array.reindex(component=cost["component"], fill_value=0.0)

        lifetime = by_area(("reading", ["gross", "excess"]), level=4e6)
        lifetime.loc[{"reading": "excess"}] *= 0.6
        lifetime = with_never(lifetime)
        size = xr.DataArray(np.array(MULTIPLES) - 1, dims="multiple", coords={"multiple": MULTIPLES})
        strength = xr.DataArray(random.normal(0.1, 0.05, (CHAINS, DRAWS)), dims=("chain", "draw"), coords=draws)
        share = xr.where(cost["outcome"] == "programme", 0.0, 1.0).reset_coords(drop=True)
        costs = xr.Dataset(
            {
                "cost": cost,
                "lifetime": lifetime,
                "annual": with_never(by_area(("reading", ["gross", "excess"]), level=2e6)),
                "benefit_by_area": by_area(level=2e5),
                "curve_avoided": (strength * size * 2e7 * share).transpose("multiple", "component", ...),
                "curve_spend": (size + 1) * 2e7,
                "spent_on": (spend / len(PROGRAMMES) * whose.count(whose[0])).expand_dims(programme=list(PROGRAMMES)),
            },
            coords={
                "area_name": ("area", list(names.values())),
                "region": ("area", [region for _, region in areas.values()]),
            },
        )
        kids = xr.DataArray(
            random.gamma(400, 1, (len(areas), CHAINS, DRAWS)),
            dims=("area", "chain", "draw"),
            coords={"area": list(areas), **draws},
        )
        quantities = ["care_entries", "rereferrals"]
        lives = xr.DataArray(
            random.uniform(20, 40, (2, 2, 3, CHAINS, DRAWS)),
            dims=("quantity", "option", "year", "chain", "draw"),
            coords={"quantity": quantities, "option": cost["option"], "year": range(3), **draws},
        )
        saved = cost.sel(option=BUSINESS_AS_USUAL, drop=True) - cost.sel(option=INVESTMENT, drop=True)
        if scenario.effect.take_up < 1:  # priced before take-up, as ``desk.before_adjustments`` says
            worth = appraisal.discounted(saved.assign_attrs(money), schedule=scenario.discount_schedule).sum("year")
            costs["benefit_before"] = (worth / scenario.effect.take_up).expand_dims(before=["take_up"])
        rates = xr.DataArray(
            random.beta(20, 80, (2, len(areas), CHAINS, DRAWS)),
            dims=("indicator", "area", "chain", "draw"),
            coords={
                "indicator": ["rereferrals", "care_starts"],
                "area": list(areas),
                **draws,
                "base_year": ("indicator", [2025, 2025]),
            },
        )
        assumptions = scenarios.resolve(scenario, register)
        card = pd.DataFrame(
            {
                "check": ["R-hat", "effective sample size", "divergences"],
                "value": [1.003 if passed else 1.2, 812.0, 0.0],
                "threshold": [1.01, 400.0, 0.0],
                "passed": [passed, True, True],
                "quantity": ["area_rate", "spend_within", "all chains"],
                "cure": ["draw more", "draw more", "raise target_accept"],
            }
        )
        tree = xr.DataTree.from_dict(
            {
                "studies": programme_studies(register.tables).rename_axis("study_row").to_xarray(),
                "assumptions/figures": assumptions.astype(str).to_xarray(),
                "assumptions/draws": evidence.with_pathway(
                    evidence.sample(assumptions, like=costs, seed=scenario.seed, price_base=scenario.price_base),
                    register,
                    seed=scenario.seed,
                ),
                "posterior": xr.Dataset(
                    {"spend_within": kids.isel(area=0, drop=True), "baseline_rate": rates, "expected_rate": 0.8 * rates}
                ),
                "effects": _effects(random, draws),
                "lives": xr.Dataset(
                    {
                        "children_entering": kids * 4,
                        "children_reached": kids * sign,
                        "lives": lives,
                        "care_avoided": sign * _care_avoided(random, scenario, draws),
                    }
                ),
                "costs": costs,
                **_lives_by_age(random, costs["lifetime"].isel(component=slice(0, components)), kids.sum("area") * 4),
                "appraisal": appraisal.appraise(
                    cost,
                    schedule=scenario.discount_schedule,
                    cashable_shares={"partly_cashable": 0.5},
                    horizon=scenario.horizon,
                ),
            }
        )
        tree.attrs = {
            "title": scenario.title,
            "scenario": scenario.model_dump_json(),
            "scenario_hash": scenario.hash,
            "seed": scenario.seed,
            "areas": json.dumps(list(areas)),
            "checks_passed": int(passed),
            "data_checksums": json.dumps({"evidence/unit_costs.csv": "sha256:00ff"}),
            "versions": json.dumps({"cost-of-outcomes": "0.2.0", "xarray": xr.__version__}),
            "price_base": scenario.price_base,
            "first_year": scenario.first_year,
            "deflators": register.deflators.to_json(),
        }
        if spend_range:
            tree.attrs["spend_range"] = list(spend_range)
        timings = {"load": (0.4, 0.4), "fit outcome model": (61.2, 118.0)}
        return FakeRun(tree, scenario, assumptions, card, register.excluded, timings)

    return build


def _effects(random, draws):
    """Effects of the programmes as ``workflow.draw_effects`` gives them, 0 where they are not counted."""
    names = list(PROGRAMMES)
    whose = np.array([[of.get(outcome, "none") for outcome in EFFECT_OUTCOMES] for _, of in PROGRAMMES.values()])
    effect = random.normal(-0.1, 0.1, (CHAINS, DRAWS, *whose.shape)) * (whose != "none")
    effect[..., EFFECT_OUTCOMES.index("gcse_attainment")] *= -0.3
    dims = ("chain", "draw")
    structures = {
        name: xr.DataArray(
            random.integers(0, 1 if name == "origin" else len(choices), (CHAINS, DRAWS)),
            dims=dims,
            attrs={"choices": list(choices)},
        )
        for name, choices in STRUCTURES.items()
    }
    values = {
        "effect": ((*dims, "programme", "outcome"), effect),
        "onset": ((*dims, "programme"), random.uniform(0, 0.8, (CHAINS, DRAWS, len(names)))),
        "evidence": (("programme", "outcome"), whose),
        "not_counted": (("programme", "outcome"), np.where(whose == "none", "no study", "")),
        "label": ("programme", [label for label, _ in PROGRAMMES.values()]),
    }
    return xr.Dataset(values | structures, coords={**draws, "programme": names, "outcome": list(EFFECT_OUTCOMES)})


def with_never(cost):
    """Add the excess over children never in need, a quarter above that over all children."""
    never = cost.sel(reading=["excess"]).assign_coords(reading=["excess_never"])
    return xr.concat([cost, 1.25 * never], "reading").assign_attrs(cost.attrs)


def _lives_by_age(random, lifetime, entering):
    """Lives of the entering cohort, and an area with its neighbours, as ``collective.tell`` gives them."""
    lifetime = lifetime.sum("area")
    draws = {dim: lifetime[dim] for dim in ("chain", "draw")}

    def made(level, **dims):
        shape = [*map(len, dims.values()), CHAINS, DRAWS]
        return xr.DataArray(level * random.gamma(50, 1 / 50, shape), {**dims, **draws}, (*dims, "chain", "draw"))

    histories, readings = ["never looked after", "looked after by 18"], ["gross", "excess"]
    share = xr.DataArray([0.4, 0.6], dims="history", coords={"history": histories})
    told = {
        "occupancy": made(0.1, state=list(pathways.GROUPS), child_age=np.arange(18)) * entering,
        "by_age": made(900, reading=readings, payer=["schools", "hmrc", "local_authority"], age=np.arange(68))
        * entering,
        "by_history": lifetime * share,
        "children": xr.DataArray([0.85, 0.15], dims="history", coords={"history": histories}) * entering,
        "peers_gap": 0.01 * entering,
        "choices": made(2e3, choice=["undetected_share_low", "undetected_share_high"]) * entering,
    }
    told["by_age"].loc[{"reading": "excess"}] *= 0.6
    told["by_age"].loc[{"payer": "hmrc", "age": 16}] *= -0.1
    told["by_age"] = with_never(told["by_age"])
    near = {"E08000035": "Leeds", "E06000023": "Bristol", "E08000003": "Manchester"}
    beside = {
        "cost": with_never(made(4e7, period=["lifetime", "annual"], reading=readings, area=list(near))),
        "children": made(2e3, period=["lifetime", "annual"], area=list(near)),
    }
    names = {"area_name": ("area", list(near.values()))}
    return {"life_course": xr.Dataset(told), "neighbours": xr.Dataset(beside).assign_coords(names)}


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the pictures out of the page, for tests that are about its words."""
    monkeypatch.setattr(html, "_picture", lambda plot, run: "data:image/svg+xml;base64,")


@pytest.fixture(scope="session")
def run(make_run):
    return make_run()


def _care_avoided(random, scenario, draws):
    """Children kept out of care by each programme: more for three years, then fewer."""
    shape = len(PROGRAMMES), scenario.horizon, CHAINS, DRAWS
    path = 10.0 * np.minimum(np.arange(scenario.horizon) + 1, 4) * np.exp(-np.arange(scenario.horizon) / 20)
    values = path[:, None, None] * random.normal(1.0, 0.3, shape)
    coords = {"programme": list(PROGRAMMES), "year": np.arange(scenario.horizon), **draws}
    return xr.DataArray(values, coords, ("programme", "year", "chain", "draw"), attrs={"units": "children"})
