"""A scenario: what is spent, on whom, for how long, with which effect, and how it is appraised.

Its hash names the run.
"""

import difflib
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from toolkit.evidence.overrides import Override
from toolkit.evidence.own import OWN, OwnFigure
from toolkit.evidence.own_programmes import OwnProgramme
from toolkit.evidence.priors import Prior, Study
from toolkit.prices import PriceYear
from toolkit.schema import COVARIATES, FIRST_YEAR, OUTCOMES, PRICE_BASE
from toolkit.settings import Adjustments, Effect, Part, PlanPart, Truth, unit
from toolkit.tabular import excerpt

__all__ = ["LONGEST_HORIZON", "Scenario"]

HIGHEST_RATE = 0.2  # constant discount rate: a higher one is more likely a per cent
LONGEST_HORIZON = 70  # a child born in the third spending year turns 67 in year 69: no evidence goes further


def _schedule(value: Any) -> Any:
    """Return a schedule's name, or a constant rate within the bounds that are allowed."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not 0 <= value <= HIGHEST_RATE:
            raise ValueError(
                f"a constant rate is a proportion from 0 to {HIGHEST_RATE:g}. Fix: write 3.5 per cent as 0.035."
            )
        return float(value)
    if not isinstance(value, str):
        raise ValueError("is the name of a schedule or a constant rate, such as 0.035")
    return value


class Scenario(Part):
    """Everything a run depends on besides the evidence and the statistics."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=60)]
    """What the run is called, in file names too: small letters, digits and underscores."""
    title: Annotated[str, Field(max_length=120)]
    """What readers call it."""
    description: str = ""
    """What it is about, in a sentence or two."""
    first_year: Annotated[int, Field(strict=True, ge=FIRST_YEAR, le=FIRST_YEAR + 10, **unit("year"))] = FIRST_YEAR
    """Year in which year 0 begins; children and rates stay those of the statistics, and prices grow to it."""
    horizon: Annotated[int, Field(strict=True, ge=5, **unit("years", maximum=LONGEST_HORIZON))] = LONGEST_HORIZON
    """How many years of costs count."""
    price_base: PriceYear = PRICE_BASE
    """Financial year whose prices all money is in, the sums of the plan too."""
    discount_schedule: Annotated[str | float, BeforeValidator(_schedule)] = "green_book_2026_standard"
    """Rates of discount by year: a schedule of discount_schedules.csv, or one constant rate such as 0.035."""
    outcomes: Annotated[tuple[str, ...], Field(**unit("", items={"enum": OUTCOMES}))] = OUTCOMES
    """Outcomes whose costs count."""
    extra_layers: tuple[str, ...] = ()
    """Layers of life that are off by default: next_generation_care_years, parents_prison_years."""
    cost_options: tuple[str, ...] = ()
    """Prices in place of the usual ones: bottom_up_justice, earnings_by_grade, without_quality_of_life, wellby."""
    own_care: Truth = True
    """Whether lives imply an area's own care starts and children looked after; if not, stays are those of England."""
    unaccompanied: Truth = False
    """Whether unaccompanied children from abroad count among those looked after, in rates, lives and comparisons."""
    covariates: Annotated[tuple[str, ...], Field(**unit("", items={"enum": COVARIATES}))] = ()
    """Of the outcome model, besides spending and low income."""
    plan: Annotated[tuple[PlanPart, ...], Field(min_length=1, max_length=20)]
    """What is bought: one or several programmes, each with its sums."""
    overlap: Literal["", "apart", "nested"] = ""
    """Parts for the same children: apart (they serve different ones) or nested (the first alone counts)."""
    effect: Effect = Effect()
    adjustments: Adjustments = Adjustments()
    cash_step: Annotated[float, Field(strict=True, ge=0, le=1e9, **unit("GBP a year"))] = 0.0
    """Whole posts, teams or homes in which partly cashable costs move; 0 for the cited share."""
    overrides: Mapping[str, Override] = {}
    """Figures of your own in place of cited ones, by id or role."""
    own_figures: Mapping[str, OwnFigure] = {}
    """A council's own statistics in place of published ones, by name."""
    priors: Mapping[str, Prior] = {}
    """Other numbers for priors, by "model.parameter"."""
    studies: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{3,40}$")], Study] = {}
    """Studies of effects besides those of the evidence, by an id of your own."""
    own_programmes: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9_]{3,40}$")], OwnProgramme] = {}
    """Programmes of your own besides those of the evidence, by a name that the plan and studies use."""
    left_out: tuple[str, ...] = ()
    """Studies of the evidence that do not count, by id."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 20261122
    """Seed of every random stream."""
    draws: Annotated[int, Field(strict=True, ge=25, le=5000)] = 1000
    """Draws of each chain."""
    chains: Annotated[int, Field(strict=True, ge=2, le=8)] = 4
    """Chains of the sampler."""

    @model_validator(mode="after")
    def _stands_on_evidence(self) -> "Scenario":
        if self.horizon > LONGEST_HORIZON:
            raise ValueError(f"horizon is past the evidence, which ends at age 67: use {LONGEST_HORIZON} or less")
        if not self.outcomes or not set(self.outcomes) <= set(OUTCOMES) or len(set(self.outcomes)) < len(self.outcomes):
            listed = excerpt(", ".join(self.outcomes), 60)
            raise ValueError(f"outcomes: choose each once from {', '.join(OUTCOMES)} (given: {listed})")
        if not set(self.covariates) <= set(COVARIATES) or len(set(self.covariates)) < len(self.covariates):
            unknown = [name for name in self.covariates if name not in COVARIATES]
            close = [match for name in unknown for match in difflib.get_close_matches(name[:60], COVARIATES, n=1)]
            hint = "".join(f"; did you mean {name}?" for name in close)
            raise ValueError(
                f"covariates {excerpt(list(self.covariates), 60)}: choose each once from {list(COVARIATES)}{hint}"
            )
        return self

    @model_validator(mode="after")
    def _plan_fits(self) -> "Scenario":
        for part in self.plan:
            start = self.start_of(part)
            if start < 0:
                raise ValueError(
                    f"plan: {part.programme} starts in {part.first_year}, before first_year ({self.first_year}). "
                    "Fix: make first_year the earlier one."
                )
            if start + len(part.sums) > self.horizon:
                raise ValueError(f"plan: {part.programme} is paid for longer than horizon. Fix: lengthen horizon.")
        signs = {min(part.sums) < 0 for part in self.plan}
        if len(signs) > 1:
            raise ValueError(
                "plan: one part is a cut and another an increase. Fix: make them two scenarios, and compare these."
            )
        return self

    @model_validator(mode="after")
    def _own_figures_are_one_areas(self) -> "Scenario":
        for key, row in self.own_figures.items():
            if key not in OWN:
                close = difflib.get_close_matches(key[:60], OWN, n=1) or list(OWN)
                raise ValueError(f"own_figures.{excerpt(key)}: no such statistic. Fix: use {' or '.join(close)}.")
            if OWN[key][1].startswith("GBP") != (row.price_year is not None):
                raise ValueError(f"own_figures.{key}: price_year goes with money and only with it, as '2025/26'")
        if len({row.area for row in self.own_figures.values()}) > 1:
            raise ValueError("own_figures: of more than one area: keep those of one")
        return self

    @property
    def own_area(self) -> str:
        """The area of the scenario's own figures; "" if it has none."""
        return next((row.area for row in self.own_figures.values()), "")

    @property
    def cut(self) -> bool:
        """Whether its sums are taken away."""
        return min(self.plan[0].sums) < 0

    @property
    def funders(self) -> tuple[str, ...]:
        """Whose money is spent, each once."""
        return tuple(dict.fromkeys(part.funder for part in self.plan))

    @property
    def programmes(self) -> tuple[str, ...]:
        """What is bought, each programme once."""
        return tuple(dict.fromkeys(part.programme for part in self.plan))

    @property
    def years(self) -> int:
        """Years from the first to the last in which anything is spent."""
        return max(self.start_of(part) + len(part.sums) for part in self.plan)

    def start_of(self, part: PlanPart) -> int:
        """Return the year, from 0, in which a part's first sum is spent."""
        return (part.first_year or self.first_year) - self.first_year

    def times(self, factor: float) -> "Scenario":
        """Return the same scenario with every sum multiplied by a factor."""
        return self.model_copy(update={"plan": tuple(part.times(factor) for part in self.plan)})

    @property
    def optimism(self) -> float:
        """Optimism bias of the cost of spending; a cut saves what is in the budget and no more."""
        return 0.0 if self.cut else self.adjustments.optimism_bias

    @property
    def hash(self) -> str:
        """Short SHA-256 of everything that can move a result (titles and descriptions cannot)."""
        content = self.model_dump(mode="json", exclude={"name", "title", "description"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def __dir__() -> list[str]:
    return __all__
