"""The walk of a cohort through its states, compiled: a block of draws at a time, nothing stored but sums.

`toolkit.pathways.cohort` says what the states are. Rows of the scratch arrays lie a fixed distance apart, so that the
compiler vectorises over draws.
"""

import numba
import numpy as np

AGES = 18  # ages at entry 0 to 17
JUSTICE_AGE = 10  # of criminal responsibility in England
EXAM_AGE = 16
CARE_BANDS = (0, 1, 5, 10, 16)  # first ages of the bands of entry to care
LEAVE_BANDS = (0, 5, 10, 16)  # and of leaving it
BLOCK = 160  # draws walked at a time: their rows stay in the nearest caches, and not at a power of two from each other
# Rows of a grid of people: the nine states, those who enter, who left care before sixteen; years by group.
ENTERING, EARLY, YEARS, ROWS = 9, 10, 11, 15


@numba.njit(cache=True, nogil=True, error_model="numpy")
def walk_cohort(  # type: ignore[no-untyped-def]
    to_care,
    open_stays,
    plan_stays,
    leave,
    timed,
    fixed,
    weight,
    rates,
    start,
    stop,
    split,
    ends,
    by_age,
    quantities,
    layers,
    cells,
):
    """Walk every age at entry to eighteen, a block of draws at a time; sums are by year since entry, or by age."""
    size, years = weight.shape[1], to_care.shape[0]
    grids = np.zeros((4, ROWS * BLOCK), weight.dtype)  # all, never in justice; and those of each with grade 4
    opened = np.zeros((years, to_care.shape[1], 10 * BLOCK), weight.dtype)
    cared = np.zeros((leave.shape[0], 6 * BLOCK), weight.dtype)
    always = np.zeros(8 * BLOCK, weight.dtype)
    yearly = np.zeros((AGES, 13 * BLOCK), weight.dtype)
    total = np.zeros((AGES, 9 * BLOCK), weight.dtype)
    unseen = np.zeros(9 * BLOCK, weight.dtype)
    for first in range(0, size, BLOCK):
        n = min(BLOCK, size - first)
        total[:] = 0
        _copy(fixed[:, first : first + n], always, 0)
        for t in range(AGES):
            _copy(timed[t, :, first : first + n], yearly[t], 0)
            _copy(fixed[:4, first : first + n], yearly[t], 9)
        for b in range(leave.shape[0]):
            _copy(leave[b, :, first : first + n], cared[b], 0)
            _fill_cared(cared[b])
        for t in range(years):
            for b in range(to_care.shape[1]):
                c = opened[t, b]
                _copy(to_care[t, b : b + 1, first : first + n], c, 0)
                _copy(open_stays[t, b : b + 1, first : first + n], c, 2)
                _copy(plan_stays[t, b : b + 1, first : first + n], c, 7)
                _fill_opened(c, always, t == 0)
        for age_in in range(AGES):
            grids[:] = 0
            for g in range(2 if split else 1):
                _copy(weight[age_in : age_in + 1, first : first + n], grids[g], ENTERING)
            for t in range(AGES - age_in):
                age = age_in + t
                at = age if by_age else t
                c, m, lasts = (
                    opened[min(t, years - 1), _band(CARE_BANDS, age)],
                    yearly[t],
                    cared[_band(LEAVE_BANDS, age)],
                )
                if split and age >= JUSTICE_AGE:
                    _enter_justice(grids[1], m, total[at])
                    _enter_justice(grids[3], m, unseen)
                if split and (age == EXAM_AGE or (age > EXAM_AGE and t == 0)):
                    _sit(grids[0], grids[2], m, total[at] if age == EXAM_AGE else unseen, age > EXAM_AGE)
                    _sit(grids[1], grids[3], m, unseen, age > EXAM_AGE)
                if ends and age >= EXAM_AGE:
                    for g in range(4):
                        _left_early(grids[g], m, age == EXAM_AGE)
                _advance(grids[0], c, m, lasts, total[at])
                for k in range(layers.shape[0]):
                    if start[k] <= age < stop[k]:
                        _occur(layers[k, at, first : first + n], grids[0], rates[k, :, first : first + n])
                if split:
                    _advance(grids[1], c, m, lasts, unseen)
                    if ends and age >= EXAM_AGE:
                        _advance(grids[2], c, m, lasts, unseen)
                        _advance(grids[3], c, m, lasts, unseen)
            if ends:
                _end(cells[:, AGES if by_age else AGES - age_in, first : first + n], grids)
        for q in range(quantities.shape[0]):
            for t in range(AGES):
                for s in range(n):  # from one part of an array to another it would compile for seconds
                    quantities[q, t, first + s] = total[t, q * BLOCK + s]


@numba.njit(cache=True, nogil=True)
def _band(firsts, age):  # type: ignore[no-untyped-def]
    band = 0
    for k in range(len(firsts)):
        if age >= firsts[k]:
            band = k
    return band


@numba.njit(cache=True, nogil=True)
def _copy(rows, scratch, at):  # type: ignore[no-untyped-def]
    for k in range(rows.shape[0]):
        row = rows[k]
        for s in range(row.size):
            scratch[(at + k) * BLOCK + s] = row[s]


@numba.njit(cache=True, nogil=True)
def _lives(hazard, stays):  # type: ignore[no-untyped-def]
    """Years lived in a state in the year by those there at its start, and by those who enter evenly over it."""
    if hazard > 0.01:
        lives = (1 - stays) / hazard
        return lives, (1 - lives) / hazard
    # Near 0 the quotients lose their digits: use their series.
    return 1 - hazard / 2 * (1 - hazard / 3), (1 - hazard / 3 * (1 - hazard / 4)) / 2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill_cared(c):  # type: ignore[no-untyped-def]
    """In: hazards of leaving care, first and later, and the chances to stay. Out: years lived in rows 0, 1 and 4."""
    for s in range(BLOCK):
        lives, late = _lives(c[s], c[2 * BLOCK + s])
        later, _ = _lives(c[BLOCK + s], c[3 * BLOCK + s])
        c[s], c[BLOCK + s], c[4 * BLOCK + s] = lives, late, later


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill_opened(c, f, entry):  # type: ignore[no-untyped-def]
    """In: rows 0, 2 and 7, care-entry hazard of an open case, chances that it and a plan last. Out: the rest."""
    for s in range(BLOCK):
        to_care, slow, fast = c[s], f[3 * BLOCK + s], f[4 * BLOCK + s]
        plan_to_care = f[5 * BLOCK + s] * to_care
        short = f[7 * BLOCK + s] if entry else f[6 * BLOCK + s]
        lives, late = _lives(slow + f[s] + to_care, c[2 * BLOCK + s])
        quick = short / (fast + f[s] + to_care)  # years of the fast class, all within the year
        c[BLOCK + s], c[3 * BLOCK + s] = plan_to_care, lives
        c[4 * BLOCK + s] = quick + (1 - short) * late
        c[5 * BLOCK + s] = (1 - short) * lives
        c[6 * BLOCK + s] = fast * quick + slow * (1 - short) * late
        c[8 * BLOCK + s], c[9 * BLOCK + s] = _lives(f[BLOCK + s] + plan_to_care, c[7 * BLOCK + s])


@numba.njit(cache=True, nogil=True)
def _advance(x, c, m, l, y):  # type: ignore[no-untyped-def] # noqa: E741
    """Take one grid of people through a year: chances of open cases, of all in the year and of those in care."""
    # Plain numbers would promote everything to double precision, at half the speed.
    one, half = x.dtype.type(1), x.dtype.type(0.5)
    for s in range(BLOCK):
        o1, o2, p = x[s], x[BLOCK + s], x[2 * BLOCK + s]
        c1, c2, l1, l2 = x[3 * BLOCK + s], x[4 * BLOCK + s], x[5 * BLOCK + s], x[6 * BLOCK + s]
        x1, x2, new = x[7 * BLOCK + s], x[8 * BLOCK + s], x[9 * BLOCK + s]
        to_care, plan_to_care, open_stays, open_lives = c[s], c[BLOCK + s], c[2 * BLOCK + s], c[3 * BLOCK + s]
        new_lives, new_stays, new_closes = c[4 * BLOCK + s], c[5 * BLOCK + s], c[6 * BLOCK + s]
        plan_stays, plan_lives, plan_late = c[7 * BLOCK + s], c[8 * BLOCK + s], c[9 * BLOCK + s]
        lives1, late1, stays1 = l[s], l[BLOCK + s], l[2 * BLOCK + s]
        stays2, lives2 = l[3 * BLOCK + s], l[4 * BLOCK + s]
        plan_start, plan_exit, need, slow = m[9 * BLOCK + s], m[10 * BLOCK + s], m[11 * BLOCK + s], m[12 * BLOCK + s]
        soon, later = c1 * m[s], c2 * m[BLOCK + s]
        referred = soon + later
        again = referred * need
        first_years = o1 * open_lives + new * new_lives
        again_years = o2 * open_lives + again * new_lives
        open_years = first_years + again_years
        plans = plan_start * open_years
        plan_years = p * plan_lives + plans * plan_late
        return1, return2 = x1 * m[2 * BLOCK + s], x2 * m[3 * BLOCK + s]
        entries = to_care * open_years + plan_to_care * plan_years + (return1 + return2)
        gone1, gone2 = l1 * (one - stays1), l2 * (one - stays2)
        care_years = l1 * lives1 + entries * late1 + l2 * lives2
        left = (x1 - return1) + (x2 - return2)
        leaving = gone1 + gone2 + entries * (one - lives1)
        left_years = half * (x1 + x2 + left + leaving)
        alive = o1 + o2 + p + c1 + c2 + l1 + l2 + x1 + x2 + half * new
        # A re-referral that finds no need starts the year of high risk afresh.
        closing = (o1 + o2) * open_lives * slow + (new + again) * new_closes + plan_exit * plan_years
        x[s] = o1 * open_stays + new * new_stays
        x[BLOCK + s] = o2 * open_stays + again * new_stays
        x[2 * BLOCK + s] = p * plan_stays + plans * plan_lives
        x[3 * BLOCK + s] = closing + (referred - again)
        x[4 * BLOCK + s] = (c1 - soon) + (c2 - later)
        x[5 * BLOCK + s] = entries * lives1
        x[6 * BLOCK + s] = (l1 - gone1) + (l2 - gone2)
        x[7 * BLOCK + s] = leaving
        x[8 * BLOCK + s] = left
        x[9 * BLOCK + s] = 0
        x[11 * BLOCK + s] = open_years + plan_years
        x[12 * BLOCK + s] = alive - open_years - plan_years - care_years - left_years
        x[13 * BLOCK + s] = care_years
        x[14 * BLOCK + s] = left_years
        y[s] += referred
        y[BLOCK + s] += again_years
        y[2 * BLOCK + s] += first_years
        y[3 * BLOCK + s] += plans
        y[4 * BLOCK + s] += plan_years
        y[5 * BLOCK + s] += entries
        y[6 * BLOCK + s] += care_years


@numba.njit(cache=True, nogil=True)
def _occur(total, x, rate):  # type: ignore[no-untyped-def]
    """Events of a layer: the year's years in each group at their rates."""
    for s in range(total.size):
        total[s] += (
            x[YEARS * BLOCK + s] * rate[0, s]
            + x[12 * BLOCK + s] * rate[1, s]
            + x[13 * BLOCK + s] * rate[2, s]
            + x[14 * BLOCK + s] * rate[3, s]
        )


@numba.njit(cache=True, nogil=True)
def _enter_justice(x, m, y):  # type: ignore[no-untyped-def]
    """Take those who enter the justice system in the year out of a grid of those who never have."""
    for k in range(YEARS):
        at = 5 if k == 5 or k == 6 else 4
        for s in range(BLOCK):
            entering = x[k * BLOCK + s] * m[at * BLOCK + s]
            x[k * BLOCK + s] -= entering
            if k < EARLY:  # those who left care early stand among the states too
                y[7 * BLOCK + s] += entering


@numba.njit(cache=True, nogil=True)
def _sit(x, graded, m, y, before):  # type: ignore[no-untyped-def]
    """Sit the exam: ``graded`` becomes those of the grid with grade 4 or better. Who enters later sat it before."""
    for k in range(EARLY):
        at = 8 if before else (7 if k in (3, 4, 7, 8) else 6)
        for s in range(BLOCK):
            below = x[k * BLOCK + s] * m[at * BLOCK + s]
            graded[k * BLOCK + s] = x[k * BLOCK + s] - below
            y[8 * BLOCK + s] += below


@numba.njit(cache=True, nogil=True)
def _left_early(x, m, exam):  # type: ignore[no-untyped-def]
    """Keep count of those who left care before sixteen and do not come back."""
    for s in range(BLOCK):
        soon, later = 1 - m[2 * BLOCK + s], 1 - m[3 * BLOCK + s]
        at_exam = x[7 * BLOCK + s] * soon + x[8 * BLOCK + s] * later
        x[EARLY * BLOCK + s] = at_exam if exam else x[EARLY * BLOCK + s] * later


@numba.njit(cache=True, nogil=True)
def _end(cells, grids):  # type: ignore[no-untyped-def]
    """Count children at eighteen by history, justice and grade."""
    for h in range(3):
        for s in range(cells.shape[1]):
            every, clean = _history(grids[0], h, s), _history(grids[1], h, s)
            graded, both = _history(grids[2], h, s), _history(grids[3], h, s)
            cells[4 * h, s] += both
            cells[4 * h + 1, s] += clean - both
            cells[4 * h + 2, s] += graded - both
            cells[4 * h + 3, s] += (every - clean) - (graded - both)


@numba.njit(cache=True, nogil=True)
def _history(x, h, s):  # type: ignore[no-untyped-def]
    if h == 0:
        return x[s] + x[BLOCK + s] + x[2 * BLOCK + s] + x[3 * BLOCK + s] + x[4 * BLOCK + s]
    early = x[EARLY * BLOCK + s]
    if h == 1:
        return early
    return x[5 * BLOCK + s] + x[6 * BLOCK + s] + x[7 * BLOCK + s] + x[8 * BLOCK + s] - early
