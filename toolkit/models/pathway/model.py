"""Contact with social care from birth to eighteen, fitted to all the published flows together.

One child's expected path in yearly steps: never referred, referred without need, in need (a fast and a slow class of
episode), on a plan, closed, looked after (again two classes), left care. New referrals are spread evenly over the year,
and what follows in it is in continuous time (``within_year``), so that stays of months do not become whole years. Every
published flow, duration, cumulative incidence and return is a function of some thirty rates, which are estimated from
all of them at once.
"""

from typing import Any

import numpy as np

from toolkit.models.pathway.within_year import TWO_WEEKS, hazards

AGES = 18
_STARTS = """never_referred unassessed_recent unassessed assessed_recent assessed in_need plan closed_recent closed
    care_recent care care_again_recent care_again left_care_recent left_care"""
START = _STARTS.split()
_ARRIVALS = "referral referral_assessed referral_again need need_again plan care care_again direct_care"
ARRIVAL = _ARRIVALS.split()
CARE_BANDS = {"under_1": 1, "1_4": 4, "5_9": 5, "10_15": 6, "16_17": 2}  # years in each band of age
EXIT_BANDS = {"under_5": 5, "5_9": 5, "10_15": 6, "16_17": 2}
DIRECT_BANDS = {"under_16": 16, "16_17": 2}
Values = Any  # NumPy or PyTensor: the same code works with both


def population(rates: dict[str, Values], xp: Any = np) -> dict[str, Values]:
    """Walk a birth cohort to eighteen.

    Parameters
    ----------
    rates
        Rates on their natural scale, by name of the priors' ``pathway`` rows: scalars, or arrays (..., 1) of draws.
    xp
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    dict
        ``state`` (..., age 0-18, START), share of the cohort at each birthday; ``arrivals`` (..., age, ARRIVAL) in
        the year after it; ``need_years``, ``plan_years``, ``care_years`` (..., age); ``step`` (..., age, START, START).
    """
    h = hazards(rates, _by_age(rates, xp), xp)
    zero = 0.0 * h["open"]
    through = _matrix(_first_arrivals(h), START, ARRIVAL, zero, xp)
    onward = _matrix(_onward(h), ARRIVAL, ARRIVAL, zero, xp)
    settle = _matrix(_settled(h), ARRIVAL, START, zero, xp)
    stay = _matrix(_stayed(h), START, START, zero, xp)
    # From a referral to need, and from need to plans and care, directly or by a plan.
    chain = np.eye(len(ARRIVAL)) + onward @ (np.eye(len(ARRIVAL)) + onward)
    arriving = through @ chain
    step = stay + arriving @ settle
    state = [xp.zeros_like(step[..., 0, 0, :]) + np.eye(len(START))[0]]
    for age in range(AGES):
        state.append((state[-1][..., None, :] @ step[..., age, :, :])[..., 0, :])
    states = xp.stack(state, axis=-2)
    arrivals = (states[..., :-1, None, :] @ arriving)[..., 0, :]
    walked = {
        "state": states,
        "arrivals": arrivals,
        "step": step,
        "hazard": h,
        "onward": chain,
        "settle": chain @ settle,
    }
    return walked | {"arriving": arriving} | _years(_columns(states, START, xp), _columns(arrivals, ARRIVAL, xp), h)


def _by_age(rates: dict[str, Values], xp: Any) -> dict[str, Values]:
    """Return the rates that differ by band of age, by year of age."""
    bands = {"referral": CARE_BANDS, "direct_care": DIRECT_BANDS, "care_entry": CARE_BANDS, "care_exit": EXIT_BANDS}
    return {
        name: xp.concatenate([rates[f"{name}[{band}]"] + np.zeros(years) for band, years in ages.items()], axis=-1)
        for name, ages in bands.items()
    }


def _first_arrivals(h: dict[str, Values]) -> dict[tuple[str, str], Values]:
    """Return arrivals in the year per child in a state at its start."""
    new = (1.0 - h["contact_stays"]) / h["contact"]
    recent, later = 1.0 - h["rereferral_first_stays"], 1.0 - h["rereferral_later_stays"]
    back, back_later = 1.0 - h["reentry_first_stays"], 1.0 - h["reentry_later_stays"]
    return {
        ("never_referred", "referral"): new * h["referral"],
        ("never_referred", "direct_care"): new * h["direct_care"],
        ("unassessed_recent", "referral"): recent,
        ("unassessed", "referral"): later,
        ("assessed_recent", "referral_assessed"): recent,
        ("assessed", "referral_assessed"): later,
        ("closed_recent", "referral_again"): recent,
        ("closed", "referral_again"): later,
        ("in_need", "plan"): h["plan_start"] * h["open_lives"],
        ("in_need", "care"): h["open_entries"],
        ("plan", "care"): h["on_plan_entries"],
        ("left_care_recent", "care_again"): back,
        ("left_care", "care_again"): back_later,
    }


def _onward(h: dict[str, Values]) -> dict[tuple[str, str], Values]:
    """Return further arrivals in the same year per arrival."""
    chances: dict[tuple[str, str], Values] = {}
    for source, target, need in (
        ("referral", "need", h["assessed"] * h["need_first"]),
        ("referral_assessed", "need", h["assessed"] * h["need_first"]),
        ("referral_again", "need_again", h["need_again"]),
    ):
        chances |= {(source, target): need, (target, "plan"): h["plan_start"] * h["new_lives"]}
        chances |= {(target, "care"): h["new_entries"]}
    return chances


def _settled(h: dict[str, Values]) -> dict[tuple[str, str], Values]:
    """Return where arrivals are at the end of the year. Plans and care are counted where they come from."""
    chances = {
        ("referral", "unassessed_recent"): 1.0 - h["assessed"],
        ("referral", "assessed_recent"): h["assessed"] * (1.0 - h["need_first"]),
        ("referral_assessed", "assessed_recent"): 1.0 - h["assessed"] * h["need_first"],
        ("referral_again", "closed_recent"): 1.0 - h["need_again"],
    }
    for need in ("need", "need_again"):
        chances |= {(need, "in_need"): h["new_stays_open"], (need, "plan"): h["new_stays_plan"]}
        chances |= {(need, "closed_recent"): h["new_closes"], (need, "care_recent"): h["new_stays_care"]}
        chances |= {(need, "left_care_recent"): h["new_entries"] - h["new_stays_care"]}
    for arrival, care in (("care_again", "care_again"), ("direct_care", "care")):
        chances |= {(arrival, f"{care}_recent"): h["back_stays_care"]}
        chances |= {(arrival, "left_care_recent"): 1.0 - h["back_stays_care"]}
    return chances


def _stayed(h: dict[str, Values]) -> dict[tuple[str, str], Values]:
    """Return where children without a new referral or return are at the end of the year."""
    chances = {
        ("never_referred", "never_referred"): h["contact_stays"],
        ("in_need", "in_need"): h["open_stays"],
        ("in_need", "plan"): h["open_stays_plan"],
        ("in_need", "closed_recent"): h["need_exit_slow"] * h["open_lives"] + h["plan_exit"] * h["open_plan_lives"],
        ("in_need", "care_recent"): h["open_stays_care"],
        ("in_need", "left_care_recent"): h["open_entries"] - h["open_stays_care"],
        ("plan", "plan"): h["on_plan_stays"],
        ("plan", "closed_recent"): h["plan_exit"] * h["on_plan_lives"],
        ("plan", "care_recent"): h["on_plan_stays_care"],
        ("plan", "left_care_recent"): h["on_plan_entries"] - h["on_plan_stays_care"],
    }
    for state in ("unassessed", "assessed", "closed"):
        chances |= {(f"{state}_recent", state): h["rereferral_first_stays"]}
        chances |= {(state, state): h["rereferral_later_stays"]}
    for care in ("care", "care_again"):
        chances |= {(f"{care}_recent", care): h["leave_first_stays"], (care, care): h["leave_later_stays"]}
        chances |= {(f"{care}_recent", "left_care_recent"): 1.0 - h["leave_first_stays"]}
        chances |= {(care, "left_care_recent"): 1.0 - h["leave_later_stays"]}
    chances |= {("left_care_recent", "left_care"): h["reentry_first_stays"]}
    return chances | {("left_care", "left_care"): h["reentry_later_stays"]}


def _matrix(chances: dict[tuple[str, str], Values], rows: list[str], columns: list[str], zero: Values, xp: Any) -> Any:
    """Stack chances (..., age) into matrices (..., age, row, column), 0 for missing ones."""
    places = np.zeros((len(chances), len(rows) * len(columns)))
    for at, (row, column) in enumerate(chances):
        places[at, rows.index(row) * len(columns) + columns.index(column)] = 1.0
    flat = xp.stack([chance + zero for chance in chances.values()], axis=-1) @ places
    return flat.reshape((*[flat.shape[axis] for axis in range(flat.ndim - 1)], len(rows), len(columns)))


def _years(state: dict[str, Values], flow: dict[str, Values], h: dict[str, Values]) -> dict[str, Values]:
    """Return years lived in the states, by age."""
    state = {name: values[..., :-1] for name, values in state.items()}
    needs = flow["need"] + flow["need_again"]
    recent, later = state["care_recent"] + state["care_again_recent"], state["care"] + state["care_again"]
    return {
        "need_years": state["in_need"] * h["open_lives"] + needs * h["new_lives"],
        "plan_years": state["plan"] * h["on_plan_lives"]
        + state["in_need"] * h["open_plan_lives"]
        + needs * h["new_plan_lives"],
        "care_years": recent * h["leave_first_lives"]
        + later * h["leave_later_lives"]
        + state["in_need"] * h["open_care_lives"]
        + state["plan"] * h["on_plan_care_lives"]
        + needs * h["new_care_lives"]
        + (flow["care_again"] + flow["direct_care"]) * h["back_care_lives"],
    }


def outputs(rates: dict[str, Values], xp: Any = np) -> dict[str, Values]:
    """Return the model's values of what the published figures measure, by the names of ``pathway_figures.csv``.

    Flows and stocks are per child and year of a stationary population with equal numbers at every age.
    """
    walked = population(rates, xp)
    state, flow = _columns(walked["state"], START, xp), _columns(walked["arrivals"], ARRIVAL, xp)
    total = {name: values.sum(-1) for name, values in flow.items()}
    referrals = total["referral"] + total["referral_assessed"] + total["referral_again"]
    episodes = total["need"] + total["need_again"]
    unknown, referred = state["unassessed_recent"] + state["unassessed"], 1.0 - state["never_referred"]
    in_need = referred - unknown - state["assessed_recent"] - state["assessed"]
    entries = flow["care"] + flow["care_again"] + flow["direct_care"]
    years = {name: walked[f"{name}_years"].sum(-1) for name in ("need", "plan", "care")}
    measured = {
        "ever_referred": referred[..., -1],
        "ever_assessed": (referred - unknown)[..., -1],
        "ever_in_need": in_need[..., -1],
        "ever_on_plan": total["plan"] * (1.0 - rates["plan_repeat"])[..., 0],
        "ever_in_care": total["care"] + total["direct_care"],
        "care_by_1": (flow["care"] + flow["direct_care"])[..., 0],
        "referred_by_5": referred[..., 5],
        "need_of_referred_by_5": in_need[..., 5] / referred[..., 5],
        "referrals": referrals / AGES,
        "referral_to_need": episodes / referrals,
        "need_starts": (episodes + total["direct_care"]) / AGES,
        "need_stock": sum(years.values()) / AGES,
        "need_exit": (episodes + total["direct_care"]) / sum(years.values()),
        "plan_starts": total["plan"] / AGES,
        "plan_stock": years["plan"] / AGES,
        "plan_exit": total["plan"] / years["plan"],
        "plan_repeat": rates["plan_repeat"][..., 0],
        "plans_per_need": total["plan"] / (episodes + total["direct_care"]),
        "plans_per_referral": total["plan"] / referrals,
        "care_starts": entries.sum(-1) / AGES,
        "care_stock": years["care"] / AGES,
        "care_exit": entries.sum(-1) / years["care"],
        "care_per_plan": entries.sum(-1) / total["plan"],
        "care_per_referral": entries.sum(-1) / referrals,
        "care_of_need": (total["care"] + total["direct_care"]) / in_need[..., -1],
        "care_from_need": 1.0 - total["direct_care"] / entries.sum(-1),
    }
    for name, (start, stop) in _spans(CARE_BANDS).items():
        measured[f"care_age_in[{name}]"] = entries[..., start:stop].sum(-1) / entries.sum(-1)
    return measured | _returns(rates, measured, xp) | _leaving(state, flow, walked["hazard"]) | _durations(rates, xp)


def _columns(values: Values, names: list[str], xp: Any) -> dict[str, Values]:
    # PyTensor's split needs the size of every part.
    sizes = {"n_splits": len(names)} if xp.__name__.startswith("pytensor") else {}
    parts = xp.split(values, [1] * len(names) if sizes else len(names), axis=-1, **sizes)
    return {name: part.squeeze(-1) for name, part in zip(names, parts, strict=True)}


def _spans(bands: dict[str, int]) -> dict[str, tuple[int, int]]:
    stops = np.cumsum(list(bands.values()))
    return {name: (int(stop) - years, int(stop)) for (name, years), stop in zip(bands.items(), stops, strict=True)}


def _returns(rates: dict[str, Values], measured: dict[str, Values], xp: Any) -> dict[str, Values]:
    """Return shares that come back to referral or care; a year from a referral includes the length of the episode."""
    r = {name: value[..., 0] for name, value in rates.items()}
    first, later, short = r["rereferral_first"], r["rereferral_later"], r["short_share"]

    def within_year(closing: Values) -> Values:
        return 1.0 - (closing * xp.exp(-first) - first * xp.exp(-closing)) / (closing - first)

    need = short * within_year(r["need_exit_fast"]) + (1.0 - short) * within_year(r["need_exit_slow"])
    open_years = measured["referral_to_need"] * (short / r["need_exit_fast"] + (1.0 - short) / r["need_exit_slow"])
    return {
        "rereferred_1": 1.0 - xp.exp(-first),
        "rereferred_6": 1.0 - xp.exp(-first - 5.0 * later),
        "rereferred_of_referred_5": 1.0 - xp.exp(-first - (4.5 - open_years) * later),
        "rereferrals_within_12m": measured["referral_to_need"] * need
        + (1.0 - measured["referral_to_need"]) * (1.0 - xp.exp(-first)),
        "reentry_1": 1.0 - xp.exp(-r["reentry_first"]),
        "reentry_5": 1.0 - xp.exp(-r["reentry_first"] - 4.0 * r["reentry_later"]),
        "no_further_action": 1.0 - r["assessed"],
    }


def _leaving(state: dict[str, Values], flow: dict[str, Values], h: dict[str, Values]) -> dict[str, Values]:
    """Return shares leaving care by age, by length of stay and by whether it was the first period."""
    gone, ends, entries = {}, {}, {"care": flow["care"] + flow["direct_care"], "care_again": flow["care_again"]}
    for care in ("care", "care_again"):
        cared = state[f"{care}_recent"] + state[care]
        gone[care], ends[care] = cared[..., :-1] + entries[care] - cared[..., 1:], cared[..., -1]
    new, recent = entries["care"] + entries["care_again"], state["care_recent"] + state["care_again_recent"]
    # Share of last year's entrants who leave this year before they have stayed a full year.
    soon = 1.0 - h["leave_first"] * h["leave_first_stays"] / (1.0 - h["leave_first_stays"])
    everyone, at_18 = gone["care"] + gone["care_again"], ends["care"] + ends["care_again"]
    total = everyone.sum(-1) + at_18
    within = (new - recent[..., 1:]).sum(-1) + (recent[..., :-1] * soon).sum(-1)
    weeks = h["care_short_share"] * h["care_fast_weeks"] + (1.0 - h["care_short_share"]) * h["leave_first_weeks"]
    last = new[..., -1] * TWO_WEEKS  # come of age
    shares = {
        # Who came in at seventeen and comes of age has stayed less than a year, too.
        "care_under_1_year": (within + recent[..., -1]) / total,
        "care_under_2_weeks": ((new * weeks).sum(-1) + last * (1.0 - weeks[..., -1])) / total,
        "care_age_out[0_5_9]": (everyone[..., 0] + everyone[..., 5:10].sum(-1)) / total,
        "care_age_out[18]": at_18 / total,
        "one_period[18]": ends["care"] / at_18,
    }
    for name, (start, stop) in {"1_4": (1, 5), "10_15": (10, 16), "16": (16, 17), "17": (17, 18)}.items():
        shares[f"care_age_out[{name}]"] = everyone[..., start:stop].sum(-1) / total
    for name, (start, stop) in {"1_4": (1, 5), "10_15": (10, 16), "16_17": (16, 18)}.items():
        shares[f"one_period[{name}]"] = gone["care"][..., start:stop].sum(-1) / everyone[..., start:stop].sum(-1)
    return shares


def _durations(rates: dict[str, Values], xp: Any) -> dict[str, Values]:
    """Return shares of episodes of need (plans included) and of plans by length, in the published bands."""
    r = {name: value[..., 0] for name, value in rates.items()}
    leaving = r["need_exit_slow"] + r["plan_start"]

    def need(t: float) -> Values:
        fast, slow, plan = xp.exp(-r["need_exit_fast"] * t), xp.exp(-leaving * t), xp.exp(-r["plan_exit"] * t)
        within = slow + r["plan_start"] * (plan - slow) / (leaving - r["plan_exit"])
        return r["short_share"] * fast + (1.0 - r["short_share"]) * within

    def plan(t: float) -> Values:
        return xp.exp(-r["plan_exit"] * t)

    shares, ends = {}, (0.0, 0.25, 0.5, 1.0, 2.0)
    for name, lasts in (("need_lasts", need), ("plan_lasts", plan)):
        left = [lasts(t) for t in ends] + [0.0 * leaving]
        for band, before, after in zip("abcde", left, left[1:], strict=False):
            shares[f"{name}[{band}]"] = before - after
    return shares


def care_within_years(rates: dict[str, np.ndarray], years: int) -> np.ndarray:
    """Return the share of children (draw) who are looked after within some years of their first referral."""
    walked = population(rates)
    first = walked["state"][..., :-1, START.index("never_referred")] * _share_referred(walked["hazard"])
    care, reached = [ARRIVAL.index(name) for name in ("care", "direct_care")], 0.0
    for age in range(AGES):
        entered = walked["onward"][:, age, ARRIVAL.index("referral"), care].sum(-1)
        state = walked["settle"][:, age, ARRIVAL.index("referral")]
        for later in range(age + 1, min(age + 1 + years, AGES)):
            entered = entered + (state[:, None, :] @ walked["arriving"][:, later][:, :, care])[:, 0].sum(-1)
            state = (state[:, None, :] @ walked["step"][:, later])[:, 0]
        reached = reached + first[:, age] * entered
    return np.asarray(reached / first.sum(-1))


def _share_referred(h: dict[str, Values]) -> Values:
    return h["referral"] * (1.0 - h["contact_stays"]) / h["contact"]


def long_stays(rates: dict[str, np.ndarray], low: int, high: int) -> np.ndarray:
    """Return the share (draw) of care leavers, including at eighteen, who stayed ``low`` to ``high`` years."""
    walked = population(rates)
    h, state = walked["hazard"], walked["state"]
    flow = walked["arrivals"][..., [ARRIVAL.index(n) for n in ("care", "care_again", "direct_care")]].sum(-1)
    new = state[..., 1:, [START.index(n) for n in ("care_recent", "care_again_recent")]].sum(-1)
    left = (flow - new).sum(-1) * (low == 0)
    for age in range(AGES):
        stay = new[:, age]
        for length in range(1, AGES + 1):  # calendar years between coming and leaving: the mean stay of who leaves
            at = age + length
            if at >= AGES:  # comes of age on a birthday, half a year sooner on average
                left += stay * (low < length <= high)
                break
            lasts = (h["leave_first_stays"] if length == 1 else h["leave_later_stays"])[:, at]
            left += stay * (1.0 - lasts) * (low <= length < high)
            stay = stay * lasts
    return np.asarray(left / flow.sum(-1))
