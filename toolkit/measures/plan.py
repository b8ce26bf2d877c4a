"""What is bought: the parts of a run's plan in words, as a table and for JSON, and which of their effects count."""

from typing import Any

from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, single, year_names
from toolkit.schema import SAMPLE_DIMS
from toolkit.settings import PlanPart

__all__ = ["as_json", "bought", "counted_on", "evidence", "for_a_pound", "lines", "not_counted", "plan_table"]

FOR_A_POUND = "Avoided for a pound, public purse"
EACH = {
    "pounds_per_child": "for each child aged 0 to 17",
    "pounds": "for all areas of the run together",
    "england": "for all of England, of which areas get their share",
    "units": "families or children to serve",
}
WHOSE = {"local_authority": "the council's own money", "central_government": "a grant from central government"}


def bought(run: Run) -> str:
    """Return the programmes of the plan in words."""
    return w.listed(list(q.programme_names(run).values()))


def lines(run: Run) -> list[str]:
    """Return a line for each part of the plan: its sums, when, where, whose money, and what a pound spares."""
    names = q.programme_names(run)
    each = for_a_pound(run) if "avoided_in_full" in q.costs(run) else {}
    return [
        f"{names[part.programme]}: {_sums(part)} {_where(part)}, {_span(run, part)}; {_whose(part)}."
        f"{_pound(run, *each[part.programme]) if each else ''}"
        for part in run.scenario.plan
    ]


def _pound(run: Run, mean: float, low: float, high: float) -> str:
    what = (
        "a pound taken away from it is expected to cost" if run.scenario.cut else "a pound of it is expected to spare"
    )
    return (
        f" Once it has its full effect, {what} the public purse {w.pence(mean)} "
        f"({q.level(run):.0%} interval {w.pence(low)} to {w.pence(high)})."
    )


def plan_table(run: Run) -> Table:
    """Return what is spent on each part of the plan by year, as the plan states it, and in the areas of the run."""
    scenario, names = run.scenario, q.programme_names(run)
    years = year_names(run, range(scenario.years))
    rows: list[str] = []
    cells: list[dict[str, str]] = []
    for part in scenario.plan:
        start = scenario.start_of(part)
        sums = dict(zip(years[start:], [_sum(part, value) for value in part.sums], strict=False))
        rows.append(names[part.programme])
        cells.append(sums | {"What the sums are": _where(part), "Whose money": _whose(part)})
    spent = q.spending(run)
    for payer in spent["payer"].values[(spent != 0).any([dim for dim in spent.dims if dim != "payer"]).values]:
        of_payer = spent.sel(payer=payer).mean([dim for dim in SAMPLE_DIMS if dim in spent.dims])
        sums = {year: w.money(float(of_payer.isel(year=place))) for place, year in enumerate(years)}
        rows.append("Spent in the areas of the run")
        cells.append(sums | {"What the sums are": "in all, expected", "Whose money": WHOSE[str(payer)]})
    heads = [*years, "What the sums are", "Whose money"]
    if "avoided_in_full" in q.costs(run):
        heads.append(FOR_A_POUND)
        each = for_a_pound(run)
        for part, row in zip(scenario.plan, cells, strict=False):
            mean, low, high = each[part.programme]
            row[FOR_A_POUND] = f"{w.pence(mean)} ({w.pence(low)} to {w.pence(high)})"
    frame = single({head: [row.get(head, "") for row in cells] for head in heads}, rows)
    note = f"{scenario.price_base} prices, real{', and what is below 0 is taken away' if scenario.cut else ''}. "
    note += (
        f"Avoided for a pound: once a programme has its full effect, discounted, {q.level(run):.0%} intervals. A "
        "sum buys more where a unit turns out cheap, so this is above the comparison of programmes, "
        "which divides what is expected by what is expected."
    )
    return Table("What is bought", "Programme", frame, "text", note=note)


def for_a_pound(run: Run) -> dict[str, tuple[float, float, float]]:
    """Return what a pound of each programme avoids for the public purse at its full effect: expected, and interval."""
    avoided = q.by_account(q.priced(run, "avoided_in_full")).sel(account="fiscal", drop=True).astype(float)
    spent = q.costs(run)["spent_in_full"].mean(SAMPLE_DIMS)
    tail = (1.0 - q.level(run)) / 2.0
    ends = (avoided / spent).quantile([tail, 1.0 - tail], SAMPLE_DIMS)
    means = (avoided / spent).mean(SAMPLE_DIMS)
    return {
        str(name): (float(means.sel(programme=name)), *map(float, ends.sel(programme=name).values))  # type: ignore[misc]
        for name in avoided["programme"].values
    }


def as_json(run: Run) -> list[dict[str, Any]]:
    """Return the parts of the plan for JSON, their first years resolved."""
    scenario, names = run.scenario, q.programme_names(run)
    return [
        {
            "programme": part.programme,
            "label": names[part.programme],
            "basis": part.basis,
            "sums": list(part.sums),
            "first_year": scenario.first_year + scenario.start_of(part),
            "areas": list(part.areas),
            "funder": part.funder,
            "cost": part.cost,
        }
        for part in scenario.plan
    ]


def evidence(run: Run) -> dict[str, dict[str, dict[str, str]]]:
    """Return for JSON whose studies each effect rests on and, if it is not counted, why, by programme and outcome."""
    used = run.tree["effects"].to_dataset()[["evidence", "not_counted"]]
    return {
        programme: {
            str(outcome): {
                str(name): str(values.sel(programme=programme, outcome=outcome).item()) for name, values in used.items()
            }
            for outcome in used["outcome"].values
        }
        for programme in q.programme_names(run)
    }


def counted_on(run: Run) -> list[str]:
    """Return a line for each programme: on which outcomes its effect counts, and whose studies that rests on."""
    sentences: list[str] = []
    for programme, effects in evidence(run).items():
        own, of_type = (
            [
                w.inside(outcome)
                for outcome, about in effects.items()
                if not about["not_counted"] and about["evidence"] == whose
            ]
            for whose in ("own", "type")
        )
        parts = [f"on {w.listed(own)} from its own studies"] if own else []
        parts += [f"on {w.listed(of_type)} from studies of its type alone"] if of_type else []
        sentences.append(f"{q.programme_names(run)[programme]}: {w.listed(parts) or 'no effect counts'}.")
    return sentences


def not_counted(run: Run) -> list[str]:
    """Return a line for each programme with effects that are not counted: on which outcomes, and why."""
    sentences: list[str] = []
    for programme, effects in evidence(run).items():
        reasons: dict[str, list[str]] = {}
        for outcome, about in effects.items():
            if about["not_counted"]:
                reasons.setdefault(about["not_counted"], []).append(w.inside(outcome))
        if reasons:
            parts = [f"{w.listed(outcomes)} ({why})" for why, outcomes in reasons.items()]
            sentences.append(f"{q.programme_names(run)[programme]}: no effect is counted on {'; on '.join(parts)}.")
    return sentences


def _sum(part: PlanPart, value: float) -> str:
    if part.basis == "units":
        return w.number(value, 0)
    return w.pence(value) if part.basis == "pounds_per_child" else w.money(value)


def _sums(part: PlanPart) -> str:
    """Return a part's yearly sums in words, a sum that is the same every year once."""
    sums = [_sum(part, abs(value)) for value in part.sums]
    words = f"{sums[0]} a year" if len(set(sums)) == 1 and len(sums) > 1 else w.listed(sums)
    return f"{words} {'less ' if min(part.sums) < 0 else ''}".rstrip()


def _where(part: PlanPart) -> str:
    return f"{EACH[part.basis]}{f', in {w.listed(list(part.areas))} only' if part.areas else ''}"


def _whose(part: PlanPart) -> str:
    return WHOSE[part.funder]


def _span(run: Run, part: PlanPart) -> str:
    """Return the financial years in which a part is paid for."""
    start, first = run.scenario.start_of(part), run.scenario.first_year
    ends = [w.financial_year(first, year) for year in (start, start + len(part.sums) - 1)]
    return " to ".join(dict.fromkeys(ends))


def __dir__() -> list[str]:
    return __all__
