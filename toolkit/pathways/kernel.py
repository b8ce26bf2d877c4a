"""The walk of a cohort through its states, compiled: a block of draws at a time, nothing stored but sums.

`toolkit.pathways.cohort` says what the states are. Rows of the scratch arrays lie a fixed distance apart, so that the
compiler vectorises over draws.

Within a year everything happens in continuous time at constant hazards, exactly: who is open or on a plan at its start
leaves at any moment of it, new cases come evenly over it, and plans and care begin when they do. Three facts give all
years lived. In a state of hazard h, inflow less what stays to the end of the year is h times the years lived there. Of
those who come evenly over a year, as many stay to its end as those at its start live years in the state. And what is
there at the end, of those at the start, is a divided difference of exp(-h) over the hazards passed. Only the fast
classes of need and care are simpler: their stays lie within the year, and what follows them comes evenly over it.
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
ALIKE = 1e-4  # hazards nearer to each other than this are taken as one, and three of them than ten times this
LEAST = 1e-3  # a hazard too small to divide by more than once: years lived in the year of arrival are those at this


@numba.njit(cache=True, nogil=True, error_model="numpy")
def walk_cohort(  # type: ignore[no-untyped-def]
    to_care,
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
    opened = np.zeros((years, to_care.shape[1], 22 * BLOCK), weight.dtype)
    cared = np.zeros((leave.shape[0], 7 * BLOCK), weight.dtype)
    leaving = np.zeros((leave.shape[0], 4 * BLOCK))
    always = np.zeros(10 * BLOCK, weight.dtype)
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
            _fill_cared(cared[b], always, leaving[b])
        for t in range(years):
            for b in range(_band(CARE_BANDS, t), to_care.shape[1]):  # nobody is younger than t years after entry
                _copy(to_care[t, b : b + 1, first : first + n], opened[t, b], 0)
                _fill_opened(opened[t, b], always, leaving[_band(LEAVE_BANDS, CARE_BANDS[b])], t == 0)
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
    """Years lived in a state in the year by those there at its start, by those who come evenly over it, and by those
    who come evenly after others who come evenly."""  # noqa: D205, D209
    if hazard > 0.01:
        mean = 1 / hazard
        lives = (1 - stays) * mean
        late = (1 - lives) * mean
        return lives, late, (0.5 - late) * mean
    # Near 0 the quotients lose their digits: use their series.
    last = (1 - hazard / 4 * (1 - hazard / 5 * (1 - hazard / 6))) / 6
    late = 0.5 - hazard * last
    return 1 - hazard * late, late, last


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pair(a, stays_a, b, stays_b):  # type: ignore[no-untyped-def]
    """In state b at the end of the year, of those in a at its start, for a hazard of one of going from a to b."""
    return (stays_a - stays_b) / (b - a) if abs(b - a) > ALIKE else np.sqrt(stays_a * stays_b)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _triple(a, stays_a, b, stays_b, c, stays_c):  # type: ignore[no-untyped-def]
    """In state c at the end, of those in a at the start, for hazards of one of going from a to b and from b to c."""
    if abs(c - a) > 10 * ALIKE:
        return (_pair(a, stays_a, b, stays_b) - _pair(b, stays_b, c, stays_c)) / (c - a)
    middle, stays = 0.5 * (a + c), np.sqrt(stays_a * stays_c)
    if abs(b - middle) > 10 * ALIKE:
        return (stays - _pair(middle, stays, b, stays_b)) / (b - middle)
    return stays / 2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill_cared(c, f, q):  # type: ignore[no-untyped-def]
    """In: rows 0 and 1, hazards of leaving care, first and later. Out: what those in care and those who return do."""
    for s in range(BLOCK):
        hazard, later = np.float64(c[s]), np.float64(c[BLOCK + s])
        short = np.float64(f[8 * BLOCK + s])
        stays, stays_later = np.exp(-hazard), np.exp(-later)
        lives, late, _ = _lives(hazard, stays)
        least = max(hazard, LEAST)
        q[s], q[BLOCK + s], q[2 * BLOCK + s], q[3 * BLOCK + s] = hazard, least, np.exp(-least), late
        back = short / f[9 * BLOCK + s] + (1 - short) * late
        c[s], c[2 * BLOCK + s], c[3 * BLOCK + s] = lives, stays, stays_later
        c[4 * BLOCK + s], _, _ = _lives(later, stays_later)
        c[BLOCK + s], c[5 * BLOCK + s], c[6 * BLOCK + s] = (1 - short) * lives, back, 0.5 - back


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill_opened(c, f, q, entry):  # type: ignore[no-untyped-def]
    """In: row 0, care-entry hazard of an open case. Out: what open cases, plans and new cases do in the year."""
    for s in range(BLOCK):
        to_care, plan_start, plan_exit = np.float64(c[s]), np.float64(f[s]), np.float64(f[BLOCK + s])
        slow, fast = np.float64(f[3 * BLOCK + s]), np.float64(f[4 * BLOCK + s])
        plan_to_care, short = f[5 * BLOCK + s] * to_care, np.float64(f[7 * BLOCK + s] if entry else f[6 * BLOCK + s])
        long_care = 1 - np.float64(f[8 * BLOCK + s])
        short_care = (1 - long_care) / f[9 * BLOCK + s]  # years of the fast class an entry, all within the year
        leave, leave_least, leave_stays, care_late = q[s], q[BLOCK + s], q[2 * BLOCK + s], q[3 * BLOCK + s]
        out, plan_out = slow + plan_start + to_care, plan_exit + plan_to_care
        plan_least = max(plan_out, LEAST)
        stays, plan_stays = np.exp(-out), np.exp(-plan_least)
        lives, late, last = _lives(out, stays)
        plan_lives, plan_late, plan_last = _lives(plan_least, plan_stays)
        quick, rest = short / (fast + plan_start + to_care), 1 - short
        # Years on a plan of those open at the start, of those who come evenly, and of those who come after these.
        often, rare = 1 / plan_least, 1 / leave_least
        plans = plan_start * (lives - _pair(out, stays, plan_least, plan_stays)) * often
        plans_late = (plan_start * late - plans) * often
        plans_last = (plan_start * last - plans_late) * often
        new_plans = rest * plans_late + plan_start * quick * plan_late
        # Entries to care of the same three, which are also the years since entry of the one before.
        entries = to_care * lives + plan_to_care * plans
        entries_late = to_care * late + plan_to_care * plans_late
        entries_last = to_care * last + plan_to_care * plans_last
        new_entries = rest * entries_late + quick * (to_care + plan_start * plan_to_care * plan_late)
        new_since = rest * entries_last + quick * (0.5 * to_care + plan_start * plan_to_care * plan_last)
        # Years in care.
        still = to_care * _pair(out, stays, leave_least, leave_stays)
        still += plan_start * plan_to_care * _triple(out, stays, plan_least, plan_stays, leave_least, leave_stays)
        cared = (entries - still) * rare
        plan_still = plan_to_care * _pair(plan_least, plan_stays, leave_least, leave_stays)
        plan_cared = (plan_to_care * plan_lives - plan_still) * rare
        quick_cared = to_care * care_late + plan_start * (plan_to_care * plan_late - plan_cared) * rare
        new_cared = rest * (entries_late - cared) * rare + quick * quick_cared
        c[BLOCK + s] = plan_to_care
        c[2 * BLOCK + s], c[3 * BLOCK + s] = stays, lives
        c[4 * BLOCK + s], c[5 * BLOCK + s] = quick + rest * late, rest * lives
        c[6 * BLOCK + s] = fast * quick + slow * rest * late
        c[7 * BLOCK + s], c[8 * BLOCK + s] = 1 - plan_out * plan_lives, plan_lives
        # What is still there is what came less what left, whatever the hazard that was divided by.
        c[9 * BLOCK + s], c[10 * BLOCK + s] = plan_start * lives - plan_out * plans, plans
        c[11 * BLOCK + s] = plan_start * (quick + rest * late) - plan_out * new_plans
        c[12 * BLOCK + s] = new_plans
        c[13 * BLOCK + s] = long_care * (entries - leave * cared)
        c[14 * BLOCK + s] = short_care * entries + long_care * cared
        c[15 * BLOCK + s] = entries_late - c[14 * BLOCK + s]
        c[16 * BLOCK + s] = long_care * (plan_to_care * plan_lives - leave * plan_cared)
        c[17 * BLOCK + s] = short_care * plan_to_care * plan_lives + long_care * plan_cared
        c[18 * BLOCK + s] = plan_to_care * plan_late - c[17 * BLOCK + s]
        c[19 * BLOCK + s] = long_care * (new_entries - leave * new_cared)
        c[20 * BLOCK + s] = short_care * new_entries + long_care * new_cared
        c[21 * BLOCK + s] = new_since - c[20 * BLOCK + s]


@numba.njit(cache=True, nogil=True)
def _advance(x, c, m, l, y):  # type: ignore[no-untyped-def] # noqa: E741
    """Take one grid of people through a year: chances of open cases, of all in the year and of those in care."""
    # Plain numbers would promote everything to double precision, at half the speed.
    half = x.dtype.type(0.5)
    for s in range(BLOCK):
        o1, o2, p = x[s], x[BLOCK + s], x[2 * BLOCK + s]
        c1, c2, l1, l2 = x[3 * BLOCK + s], x[4 * BLOCK + s], x[5 * BLOCK + s], x[6 * BLOCK + s]
        x1, x2, new = x[7 * BLOCK + s], x[8 * BLOCK + s], x[9 * BLOCK + s]
        to_care, plan_to_care, open_stays, open_lives = c[s], c[BLOCK + s], c[2 * BLOCK + s], c[3 * BLOCK + s]
        new_lives, new_stays, new_closes = c[4 * BLOCK + s], c[5 * BLOCK + s], c[6 * BLOCK + s]
        plan_start, plan_exit, need, slow = m[9 * BLOCK + s], m[10 * BLOCK + s], m[11 * BLOCK + s], m[12 * BLOCK + s]
        soon, later = c1 * m[s], c2 * m[BLOCK + s]
        referred = soon + later
        again = referred * need
        old, come = o1 + o2, new + again
        first_years = o1 * open_lives + new * new_lives
        again_years = o2 * open_lives + again * new_lives
        open_years = first_years + again_years
        plan_years = p * c[8 * BLOCK + s] + old * c[10 * BLOCK + s] + come * c[12 * BLOCK + s]
        return1, return2 = x1 * m[2 * BLOCK + s], x2 * m[3 * BLOCK + s]
        back = return1 + return2
        entries = to_care * open_years + plan_to_care * plan_years + back
        lived, stay = l1 * l[s] + l2 * l[4 * BLOCK + s], l1 * l[2 * BLOCK + s] + l2 * l[3 * BLOCK + s]
        care_years = lived + (old * c[14 * BLOCK + s] + p * c[17 * BLOCK + s] + come * c[20 * BLOCK + s])
        care_years += back * l[5 * BLOCK + s]
        enter = old * c[13 * BLOCK + s] + p * c[16 * BLOCK + s] + come * c[19 * BLOCK + s] + back * l[BLOCK + s]
        left = (x1 - return1) + (x2 - return2)
        left_years = left + half * back + (l1 + l2 - lived) + back * l[6 * BLOCK + s]
        left_years += old * c[15 * BLOCK + s] + p * c[18 * BLOCK + s] + come * c[21 * BLOCK + s]
        alive = old + p + c1 + c2 + l1 + l2 + x1 + x2 + half * new
        # A re-referral that finds no need starts the year of high risk afresh.
        closing = old * open_lives * slow + come * new_closes + plan_exit * plan_years
        x[s] = o1 * open_stays + new * new_stays
        x[BLOCK + s] = o2 * open_stays + again * new_stays
        x[2 * BLOCK + s] = p * c[7 * BLOCK + s] + old * c[9 * BLOCK + s] + come * c[11 * BLOCK + s]
        x[3 * BLOCK + s] = closing + (referred - again)
        x[4 * BLOCK + s] = (c1 - soon) + (c2 - later)
        x[5 * BLOCK + s] = enter
        x[6 * BLOCK + s] = stay
        x[7 * BLOCK + s] = (l1 + l2 - stay) + (entries - enter)
        x[8 * BLOCK + s] = left
        x[9 * BLOCK + s] = 0
        x[11 * BLOCK + s] = open_years + plan_years
        x[12 * BLOCK + s] = alive - open_years - plan_years - care_years - left_years
        x[13 * BLOCK + s] = care_years
        x[14 * BLOCK + s] = left_years
        y[s] += referred
        y[BLOCK + s] += again_years
        y[2 * BLOCK + s] += first_years
        y[3 * BLOCK + s] += plan_start * open_years
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
