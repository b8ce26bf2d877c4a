"""A simulation of the lives of the walk, person by person in continuous time within the year: a test oracle."""

from dataclasses import fields

import numpy as np
from numpy.random import default_rng

from toolkit.pathways.cohort import CELLS, GROUPS, QUANTITIES, Hazards
from toolkit.pathways.kernel import AGES


def simulate(hazards: Hazards, weight: np.ndarray, *, people: int) -> np.ndarray:
    """Return quantities, cells and years in each group of states (person, one after another) of simulated lives."""
    rng = default_rng(7)
    h = {f.name: np.ravel(getattr(hazards, f.name)) for f in fields(Hazards)}
    banded = ("care_entry", "care_exit_first", "care_exit_later")
    h = {name: value if name in banded else float(value[0]) for name, value in h.items()}
    entry = rng.choice(AGES, people, p=weight)
    counts = np.zeros((people, len(QUANTITIES) + len(CELLS) + len(GROUPS)))
    for child in range(people):
        _live(h, int(entry[child]), counts[child], rng)
    return counts


def _live(h: dict, entry: int, count: np.ndarray, rng: np.random.Generator) -> None:
    state, since, first = "open", 0, True  # ``since`` counts birthdays passed in the state
    justice, graded, leaver, lived = False, None, False, count[-len(GROUPS) :]
    for age in range(entry, AGES):
        band, leave = (int(np.searchsorted(ages, age, "right")) - 1 for ages in ([0, 1, 5, 10, 16], [0, 5, 10, 16]))
        fresh, start, since = age == entry, state, since + (age > entry)
        if age >= 10 and not justice:
            rate = h["first_entry"] * (h["ratio_care"] if start == "care" else h["ratio_need"])
            if rng.random() < 1 - np.exp(-rate * (0.5 if fresh else 1.0)):
                justice, count[7] = True, count[7] + 1
        if age >= 16 and graded is None:
            now = start in ("open", "plan", "care") and age == 16
            graded = rng.random() >= 1 / (1 + np.exp(h["logit_grade_now"] if now else h["logit_grade_ever"]))
            count[8] += age == 16 and not graded
        leaver |= age >= 16 and state == "care"
        time, quick = (rng.random() if fresh else 0.0), fresh and rng.random() < h["short_share_first"]
        begun = time
        if state in ("closed", "left"):
            back = "rereferral" if state == "closed" else "reentry"
            time = 1.0
            if rng.random() < 1 - np.exp(-h[f"{back}_{'first' if since == 1 else 'later'}"]):
                since, need, time = 0, rng.random() < h["need_again"], rng.random()
                count[0 if state == "closed" else 5] += 1
                if state == "left":
                    lived[3] += time
                    state, quick = "care", rng.random() < h["care_short_share"]
                elif need:
                    state, first, quick = "open", False, rng.random() < h["short_share"]
                else:
                    time = 1.0
            elif state == "left":
                lived[3] += 1.0
        while time < 1.0:
            leaver |= age >= 16 and state == "care"
            if state == "open":
                closing = h["need_exit_fast"] if quick else h["need_exit_slow"]
                exits = {"closed": closing, "plan": h["plan_start"], "care": h["care_entry"][band]}
            elif state == "plan":
                exits = {"closed": h["plan_exit"], "care": h["plan_care_ratio"] * h["care_entry"][band]}
            else:
                slow = h["care_exit_first" if since <= 1 else "care_exit_later"][leave]
                exits = {"left": h["care_exit_fast"] if quick else slow}
            stay = rng.exponential(1 / max(sum(exits.values()), 1e-12))
            years = stay if quick else min(stay, 1 - time)
            count[{"open": 2 if first else 1, "plan": 4, "care": 6}[state]] += years
            lived[2 if state == "care" else 0] += years
            if time + stay >= 1.0 and not quick:
                break
            state, since = str(rng.choice(list(exits), p=np.array(list(exits.values())) / sum(exits.values()))), 0
            if state == "left":
                lived[3] += 1 - time - years
                break
            time = rng.random() if quick else time + stay
            count[3] += state == "plan"
            count[5] += state == "care"
            leaver |= age >= 16 and state == "care"
            quick = state == "care" and rng.random() < h["care_short_share"]
            time = 1.0 if state == "closed" else time
        lived[1] += 1 - begun
    lived[1] -= lived[0] + lived[2] + lived[3]
    history = 2 if leaver else (1 if state == "left" else 0)
    count[9 + 4 * history + 2 * justice + (not graded)] += 1
