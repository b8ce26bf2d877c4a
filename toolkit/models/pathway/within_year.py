"""What becomes of a child in a year of the pathway, in continuous time at constant hazards.

Three facts give all years lived. In a state of hazard h, inflow less what stays to the end of the year is h times the
years lived there. Of those who come evenly over a year, as many stay to its end as those who are there at its start
live years in the state. And what is in the last state of a chain at the end, of those in the first at the start, is a
divided difference of exp(-h) over the chain's hazards. ``toolkit.pathways.kernel`` has the same in compiled code.
"""

from typing import Any

Values = Any  # NumPy or PyTensor: the same code works with both
ALIKE = 1e-4  # hazards nearer to each other than this are taken as one, and of three the ends ten times as near
TWO_WEEKS = 14 / 365.25


def hazards(rates: dict[str, Values], by_age: dict[str, Values], xp: Any) -> dict[str, Values]:
    """Return yearly hazards by age, and what becomes of children in a year.

    Parameters
    ----------
    rates
        Rates on their natural scale, scalars or (..., 1).
    by_age
        ``referral``, ``direct_care``, ``care_entry`` and ``care_exit`` (..., age).
    xp
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    dict
        By name (..., age): ``open_*`` of children in need at the start of the year, ``on_plan_*`` of those on a plan,
        ``new_*`` of a case that opens in the year, ``back_*`` of a child who comes into care other than from need;
        ``*_stays`` chances to be still there at the end (or in the state named), ``*_lives`` years lived, and
        ``*_entries`` to care.
    """
    h = {name: value for name, value in rates.items() if "[" not in name} | by_age
    h |= {"to_care": h["care_entry"], "leave_later": h["care_exit"], "contact": h["referral"] + h["direct_care"]}
    h["leave_first"] = h["leave_later"] * h["care_exit_first_ratio"]
    h["plan_to_care"] = h["to_care"] * h["plan_care_ratio"]
    h["open"] = h["need_exit_slow"] + h["plan_start"] + h["to_care"]
    h["on_plan"] = h["plan_exit"] + h["plan_to_care"]
    for name in ("contact", "rereferral_first", "rereferral_later", "reentry_first", "reentry_later"):
        h[f"{name}_stays"] = xp.exp(-h[name])
    for name in ("open", "on_plan", "leave_first", "leave_later"):
        h[f"{name}_stays"] = xp.exp(-h[name])
        h[f"{name}_lives"] = (1.0 - h[f"{name}_stays"]) / h[name]  # years of those there at the start; and
        h[f"{name}_late"] = (1.0 - h[f"{name}_lives"]) / h[name]  # of those who arrive evenly over the year
    for name, rate in (("care_fast", h["care_exit_fast"]), ("leave_first", h["leave_first"])):
        h[f"{name}_weeks"] = 1.0 - xp.exp(-rate * TWO_WEEKS)
    return h | _need(h, xp)


def _need(h: dict[str, Values], xp: Any) -> dict[str, Values]:
    """Return plans and care in the year, of cases open at its start and of new ones."""
    start, to_care, to_care_planned, leave = h["plan_start"], h["to_care"], h["plan_to_care"], h["leave_first"]
    case, plan, care = ((h[name], h[f"{name}_stays"]) for name in ("open", "on_plan", "leave_first"))
    quick, rest = h["short_share"] / (h["need_exit_fast"] + start + to_care), 1.0 - h["short_share"]
    fleeting, staying = h["care_short_share"] / h["care_exit_fast"], 1.0 - h["care_short_share"]
    plans = (start * h["open_lives"] - (stays_plan := start * _pair(case, plan, xp))) / h["on_plan"]
    plans_late = (start * h["open_late"] - plans) / h["on_plan"]
    entries = to_care * h["open_lives"] + to_care_planned * plans
    still = to_care * _pair(case, care, xp) + start * to_care_planned * _triple(case, plan, care, xp)
    cared = (entries - still) / leave
    plan_entries, plan_still = to_care_planned * h["on_plan_lives"], to_care_planned * _pair(plan, care, xp)
    plan_cared = (plan_entries - plan_still) / leave
    new_lives, new_plans = quick + rest * h["open_late"], rest * plans_late + start * quick * h["on_plan_late"]
    new_entries = to_care * new_lives + to_care_planned * new_plans
    new_still = rest * cared + quick * (start * plan_cared + to_care * h["leave_first_lives"])
    return {
        "open_stays_plan": stays_plan,
        "open_plan_lives": plans,
        "open_entries": entries,
        "open_stays_care": staying * still,
        "open_care_lives": fleeting * entries + staying * cared,
        "on_plan_entries": plan_entries,
        "on_plan_stays_care": staying * plan_still,
        "on_plan_care_lives": fleeting * plan_entries + staying * plan_cared,
        "new_lives": new_lives,
        "new_stays_open": rest * h["open_lives"],
        "new_plan_lives": new_plans,
        "new_stays_plan": rest * plans + start * quick * h["on_plan_lives"],
        "new_closes": h["need_exit_fast"] * quick
        + h["need_exit_slow"] * rest * h["open_late"]
        + h["plan_exit"] * new_plans,
        "new_entries": new_entries,
        "new_stays_care": staying * new_still,
        "new_care_lives": fleeting * new_entries + staying * (new_entries - new_still) / leave,
        "back_stays_care": staying * h["leave_first_lives"],
        "back_care_lives": fleeting + staying * h["leave_first_late"],
    }


State = tuple[Values, Values]  # hazard, and the chance to stay a year


def _pair(first: State, second: State, xp: Any) -> Values:
    """Return the share in the second state at the end of the year, of those in the first at its start, for a hazard of
    one of passing from it."""  # noqa: D205, D209
    gap = second[0] - first[0]
    return xp.where(abs(gap) > ALIKE, (first[1] - second[1]) / gap, (first[1] * second[1]) ** 0.5)


def _triple(first: State, second: State, third: State, xp: Any) -> Values:
    """Return the same for a third state that is reached from the second."""
    gap = third[0] - first[0]
    apart = (_pair(first, second, xp) - _pair(second, third, xp)) / gap
    middle = 0.5 * (first[0] + third[0]), (first[1] * third[1]) ** 0.5
    alike = (middle[1] - _pair(middle, second, xp)) / (second[0] - middle[0])
    return xp.where(abs(gap) > 10 * ALIKE, apart, alike)
