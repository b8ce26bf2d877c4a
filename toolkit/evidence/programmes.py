"""The evidence by programme: what must hold across its tables of programmes, costs, effects and baseline risks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

import pandas as pd

from toolkit.evidence.priors import Study
from toolkit.evidence.ranges import check_error
from toolkit.schema import EFFECT_OUTCOMES, InputError
from toolkit.tabular import excerpt

__all__ = ["ENGLAND", "PER_CHILD", "SCALES", "check_programmes", "cost_rows", "with_studies"]

ENGLAND = "england"  # in baseline_risks: children in general, beside those that programmes serve
PER_CHILD = ("GBP per child", "GBP per family", "GBP per parent", "GBP per conference")  # units with children in them
SCALES = ("log_risk", "log_rate", "log_odds", "log_hazard", "risk_difference", "smd")
# A risk ratio without a control risk can be read as a hazard ratio, which is its bound at low risk; these cannot.
NEED_RISK = ("log_odds", "risk_difference")
BASES = (
    *("published_ci", "published_se", "derived_counts", "bound_significant"),
    *("bound_not_significant", "direction_only"),  # without a number, as a rule
)
FINDINGS = ("not_significant", "benefit", "harm")
LONGEST = 192  # months of a risk: childhood ends at eighteen
AT_AN_AGE = ("gcse_attainment",)  # measured at an age: its risk needs no horizon

Row = Mapping[str, Any]
Faults = Iterator[tuple[str, str]]  # what is wrong, and the fix


def check_programmes(tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse rows about programmes that contradict another row, another table, or their own use.

    Parameters
    ----------
    tables
        By name: ``programmes``, ``programme_costs``, ``programme_effects``, ``baseline_risks`` and ``design_bias``.

    Raises
    ------
    InputError
        Names the file, the row, what is wrong and the fix: a programme that ``programmes`` lacks; a row in use that
        rests on memory (grade C), lacks what its use needs, or stands beside another of the same use; take-up, ages or
        an interval the wrong way round; a standard error that its interval contradicts by more than a tenth.
    """
    costs, effects, risks = (tables[name] for name in ("programme_costs", "programme_effects", "baseline_risks"))
    priced = _priced(costs)
    designs = set(tables["design_bias"]["design"])
    known = set(tables["programmes"]["programme"])
    _check(tables["programmes"], "programmes", "programme", _of_programme)
    for table, name, key, faults, among in (
        (costs, "programme_costs", "cost_id", partial(_of_cost, priced=priced), known),
        (effects, "programme_effects", "effect_id", partial(_of_effect, designs=designs), known),
        (risks, "baseline_risks", "population", _of_risk, known | {ENGLAND}),
    ):
        _check(table, name, key, partial(_of_known, known=among))
        _check(table, name, key, faults)
    _check_intervals(effects)
    _check_alike(effects)
    _check_single(costs, "programme_costs", "cost_id", ["programme"])
    _check_single(effects, "programme_effects", "effect_id", ["evaluation", "outcome"])
    _check_single(risks, "baseline_risks", "population", ["programme", "outcome"])


def cost_rows(wanted: Iterable[tuple[str, str]], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what a unit of programmes costs, as figures that a scenario uses.

    Parameters
    ----------
    wanted
        Programmes, each with the id of its cost; "" for the one in use.
    tables
        ``programmes`` and ``programme_costs``.

    Returns
    -------
    DataFrame
        Index "cost_<id, or the programme's name>", columns as those of ``scenarios.resolve``: log-normal with the
        median at the value, through its interval or, where none lies about the value, with the spread of its grade.

    Raises
    ------
    InputError
        An unknown programme, one that serves no children or has no such cost, or a cost of something else than a unit.
    """
    programmes, rows = tables["programmes"].set_index("programme"), {}
    for name, cost in wanted:
        if name not in programmes.index:
            close = get_close_matches(name, list(programmes.index), n=3)
            near = f"did you mean {', '.join(close)}?" if close else "see `outcomes programmes`."
            raise InputError(f"plan: no programme '{excerpt(name)}'.", fix=near)
        if programmes.loc[name, "children_per_unit"] == 0:
            raise InputError(f"plan: {name} serves nobody under eighteen.", fix="choose another programme.")
        rows[f"cost_{cost or name}"] = _cost(name, cost, str(programmes.loc[name, "label"]), tables["programme_costs"])
    numbers = {name: float for name in ("value", "low", "high", "interval_level")}
    return pd.DataFrame(rows).T.astype(numbers).assign(overridden=False)


def _cost(name: str, cost: str, label: str, costs: pd.DataFrame) -> Row:
    own = costs[costs["programme"] == name]
    chosen = own[own["cost_id"] == cost] if cost else own[own["used"] == 1]
    if chosen.empty:
        known = own.loc[own["unit"].isin(PER_CHILD) & (own["value"] > 0), "cost_id"].tolist()
        what = f"no cost '{excerpt(cost)}'" if cost else "no cost in use"
        fix = f"give cost, one of {', '.join(known)}." if known else "choose another programme."
        raise InputError(f"plan: {name} has {what}, so it cannot be bought.", fix=fix)
    row = _rows(chosen)[0]
    if row["unit"] not in PER_CHILD or not row["value"] > 0:
        raise InputError(
            f"plan: cost {row['cost_id']} is '{row['unit']}', which cannot be converted to a child served.",
            fix=f"choose one in {', '.join(PER_CHILD)}.",
        )
    inside = row["low"] < row["value"] < row["high"]  # an end that is the value says nothing of spread
    kept = ("value", "low", "high", "interval_level", "unit", "price_year", "confidence", "note")
    return {name: row[name] for name in kept} | {
        "id": row["cost_id"],
        "description": f"{label}: what one costs",
        "distribution": "lognormal",
        "reason": "Turns the sums of a plan into children served.",
        "interval_kind": row["interval_kind"] if inside else "",
        "source": f"{row['source_title']}, {row['source_publisher']}",
        "locator": "",
        "url": row["source_url"],
        "superseded_by": "",
    }


def with_studies(tables: Mapping[str, pd.DataFrame], studies: Mapping[str, Study]) -> dict[str, pd.DataFrame]:
    """Return the tables with a scenario's own studies among those of the programmes, checked like them.

    Parameters
    ----------
    tables
        As for :func:`check_programmes`.
    studies
        Of a scenario, by id.

    Raises
    ------
    InputError
        An id that the evidence has already, and all that :func:`check_programmes` refuses.
    """
    if not studies:
        return dict(tables)
    table = tables["programme_effects"]
    taken = sorted(set(studies) & set(table["effect_id"]))
    if taken:
        raise InputError(f"studies.{taken[0]}: the evidence already has a study with this id.", fix="give another id.")
    rows = [
        {
            **{name: getattr(study, name) for name in ("programme", "outcome", "design", "scale", "country")},
            "effect_id": key,
            "used": 1,
            "estimand": "per_served",
            "est": study.estimate,
            "se": study.standard_error,
            "se_basis": "published_se",
            "se_factor": 1.0,
            "control_risk": study.control_risk,
            "follow_up_months": study.follow_up_months,
            "developer_led": "yes" if study.developer_led else "no",
            "evaluation": study.evaluation or key,
            "confidence": "own",
            "source_title": "A study of your own",
            "note": study.reason,
        }
        for key, study in studies.items()
    ]
    blank = {name: float("nan") if kind.kind in "biuf" else "" for name, kind in table.dtypes.items()}
    own = pd.DataFrame([blank | row for row in rows]).astype(table.dtypes.to_dict())
    joined = pd.concat([table, own], ignore_index=True)
    extended = {**tables, "programme_effects": joined}
    try:
        check_programmes(extended)
    except InputError as problem:
        raise InputError(f"studies: {problem}") from None
    return extended


def _check(table: pd.DataFrame, name: str, key: str, faults: Callable[[Row], Faults]) -> None:
    for place, row in enumerate(_rows(table)):
        for fault, fix in faults(row):
            raise InputError(f"{_where(name, place, row[key])}: {fault}.", fix=f"{fix}.")


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): cell for column, cell in row.items()} for row in table.to_dict("records")]


def _where(name: str, place: int, key: str) -> str:
    return f"{name}.csv, row {place + 2} ({key})"


def _of_known(row: Row, known: set[str]) -> Faults:
    if row["programme"] not in known:
        yield f"no programme '{row['programme']}'", "name one of programmes.csv, or add it there"


def _of_programme(row: Row) -> Faults:
    if row["ages_from"] > row["ages_to"]:
        yield f"ages from {row['ages_from']} to {row['ages_to']}", "give the younger age first"
    if 0 < row["children_per_unit"] < 1:
        yield (
            f"{row['children_per_unit']:g} children in what it serves",
            "give 0 if it serves none, otherwise 1 or more",
        )


def _priced(costs: pd.DataFrame) -> set[str]:
    """Return the programmes with a cost above a grant that could be used."""
    usable = costs["unit"].isin(PER_CHILD) & (costs["confidence"] != "C") & costs["value"].notna()
    return set(costs.loc[usable & costs["full_or_grant"].isin(["full", "marginal"]), "programme"])


def _of_cost(row: Row, priced: set[str]) -> Faults:
    kind = row["full_or_grant"]
    if kind in ("full", "grant") and (row["value"] < 0 or row["low"] < 0):
        yield f"a {kind} cost below 0", "check the sign, or call it marginal or a saving"
    yield from _of_level(row)
    if row["used"] != 1:
        return
    yield from _not_from_memory(row)
    if row["unit"] not in PER_CHILD:
        yield (
            f"used, but '{row['unit']}' cannot be converted to a child",
            f"set used to 0, or use a cost in one of: {', '.join(PER_CHILD)}",
        )
    if pd.isna(row["value"]):
        yield "used, but without a value", "set used to 0, or give the value"
    if row["value"] <= 0:
        yield f"used, but its value is {row['value']:g}", "set used to 0, or give a value above 0"
    if not row["price_year"]:
        yield "used, but without a price year", "give price_year"
    if kind == "saving":
        yield "used, but a saving is a claim, not a cost", "set used to 0"
    if kind == "grant" and row["programme"] in priced:
        yield "a grant is used where a full or marginal cost is known", "use that one"


def _of_effect(row: Row, designs: set[str]) -> Faults:
    number, error, scale, finding = not pd.isna(row["est"]), not pd.isna(row["se"]), row["scale"], row["finding"]
    choices = {"scale": SCALES, "design": sorted(designs), "se_basis": ("", *BASES), "finding": ("", *FINDINGS)}
    for column, known in choices.items():
        if row[column] not in known:
            yield f"unknown {column} '{row[column]}'", f"use one of {', '.join(filter(None, known))}"
    if pd.isna(row["take_up_low"]) != pd.isna(row["take_up_high"]) or row["take_up_low"] > row["take_up_high"]:
        yield f"take-up from {row['take_up_low']:g} to {row['take_up_high']:g}", "give both, the lower first"
    if row["estimand"] == "per_served" and not pd.isna(row["take_up_low"]):
        yield "a take-up, but the estimate is of those served", "leave take-up blank, or correct estimand"
    yield from _of_level(row)
    if row["low"] > row["est"] or row["est"] > row["high"]:
        yield f"{row['est']:g} lies outside {row['low']:g} to {row['high']:g}", "see the source"
    if row["n_treated"] == 0 or row["n_control"] == 0:
        yield "an arm without anybody in it", "leave its size blank if it is not known"
    if error and not number:
        yield "a standard error without an estimate", "give the estimate, or leave both blank"
    if number and row["se_basis"] == "":
        yield "an estimate whose se_basis is blank", "say where its error comes from, or direction_only"
    if number and finding:
        yield "a finding beside a number", "leave finding blank: the number says it"
    if (row["used"] == 1) != (row["why_not"] == ""):
        yield "why_not goes with rows that are not used, and only with them", "give the reason, or leave it blank"
    if row["used"] != 1:
        return
    yield from _not_from_memory(row)
    yield from _of_outcome(row)
    if row["estimand"] == "per_spend":
        yield "used, but it is an effect of spending and not of a programme", "set used to 0"
    if pd.isna(row["follow_up_months"]):
        yield (
            "used, but how long it was followed is not given",
            "give follow_up_months: the effect is whole for so long",
        )
    if row["control_risk"] in (0, 1):
        yield (
            f"used, but a control risk of {row['control_risk']:g} allows no ratio",
            "see the source, or leave it blank",
        )
    if number and not error:
        yield "used, but its number has no standard error", "set used to 0, or give the error"
    if not number and not finding:
        yield "used, but has neither a number nor a finding", f"give a finding, one of {', '.join(FINDINGS)}"
    if scale in NEED_RISK and pd.isna(row["control_risk"]):
        yield f"used, but a {scale} means nothing without its control risk", "give control_risk, or set used to 0"


def _of_risk(row: Row) -> Faults:
    if row["low"] > row["risk"] or row["risk"] > row["high"]:
        yield f"risk {row['risk']:g} lies outside {row['low']:g} to {row['high']:g}", "see the source"
    if row["used"] != 1:
        return
    yield from _not_from_memory(row)
    yield from _of_outcome(row)
    if row["programme"] == ENGLAND:
        yield "used, but England is not a programme", "set used to 0"
    if pd.isna(row["risk"]):
        yield "used, but without a risk", "set used to 0, or give the risk"
    if row["risk"] in (0, 1):
        yield f"used, but its risk is {row['risk']:g}", "set used to 0, or give a risk between 0 and 1"
    if not pd.isna(row["from_months"]) and row["outcome"] != "care":
        yield "a start of the window, which only the risk of care can have", "leave from_months blank"
    if row["from_months"] >= row["horizon_months"]:
        yield f"a window from {row['from_months']:g} to {row['horizon_months']:g} months", "give the earlier one first"
    if row["horizon_months"] == 0 or row["horizon_months"] > LONGEST:
        yield f"used over {row['horizon_months']:g} months", f"give horizon_months, above 0 and up to {LONGEST}"
    if pd.isna(row["horizon_months"]) and row["outcome"] not in AT_AN_AGE:
        yield "used, but the risk of an event means nothing without its horizon", "give horizon_months"


def _of_level(row: Row) -> Faults:
    if row["interval_level"] >= 1:
        yield "an interval of level 1, which has no ends", "give the level that the source states, such as 0.95"


def _not_from_memory(row: Row) -> Faults:
    if row["confidence"] == "C":
        yield "used, but known from memory only (grade C)", "set used to 0, or find the source and grade it again"


def _of_outcome(row: Row) -> Faults:
    if row["outcome"] not in EFFECT_OUTCOMES:
        yield (
            f"used, but no effect on '{row['outcome']}' is modelled",
            f"set used to 0; modelled are {', '.join(EFFECT_OUTCOMES)}",
        )


def _check_intervals(effects: pd.DataFrame) -> None:
    for place, row in enumerate(_rows(effects)):
        name = _where("programme_effects", place, row["effect_id"])
        if pd.isna(row["low"]) != pd.isna(row["high"]):
            raise InputError(f"{name}: the interval has only one end.", fix="give low and high, or neither.")
        check_error(row["se"], row["low"], row["high"], level=row["interval_level"], ratio=False, name=name)


def _check_alike(effects: pd.DataFrame) -> None:
    """Refuse studies in use of one programme that count different children, or another share of them as served."""
    used = effects.reset_index(drop=True).query("used == 1")
    for programme, rows in used.groupby("programme"):
        counts = rows[["take_up_low", "take_up_high"]].assign(whole=rows["estimand"] != "per_served")
        counts.loc[rows["take_up_low"] == 1, "whole"] = False  # all are served
        if len(counts.fillna(-1.0).drop_duplicates()) > 1:
            first = _where("programme_effects", int(str(rows.index[0])), str(rows["effect_id"].iloc[0]))
            raise InputError(
                f"{first} and others of {programme}: they count different children, or other shares of them as served.",
                fix="use those of one kind, with one take-up.",
            )


def _check_single(table: pd.DataFrame, name: str, key: str, alike: list[str]) -> None:
    """Refuse two rows in use that share the columns ``alike``, naming both."""
    used = table.reset_index(drop=True).query("used == 1")
    for shared, rows in used.groupby(alike):
        if len(rows) > 1:
            first, second = (f"row {int(str(place)) + 2} ({rows.loc[place, key]})" for place in rows.index[:2])
            what = ", ".join(f"{column} '{value}'" for column, value in zip(alike, shared, strict=True))
            raise InputError(f"{name}.csv, {first} and {second}: both used for {what}.", fix="set used to 0 in one.")
