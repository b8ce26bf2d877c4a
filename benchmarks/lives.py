"""Lives of 150 areas by 4,000 draws by ages 0 to 67: the compiled walk, plain NumPy einsum and JAX on the same rates.

Run from the repository: ``nice python -m benchmarks.lives``; with JAX ``uv run --with jax python -m benchmarks.lives``.
Every version walks the entering cohort of each area from first need to eighteen, with four child layers and the twelve
cells of those who come of age, and gives four adult layers from 18 to 67, discounted. The einsum version carries the
same states through matrices of each draw (toolkit.models.pathway.model), which are checked against the compiled walk.
The slow versions are timed on a few areas; the rest is proportion, as the growth with areas and draws shows.
"""

import argparse
import resource
from time import perf_counter, process_time

import numba
import numpy as np

from toolkit.models.pathway.model import ARRIVAL, START, population
from toolkit.pathways import CELLS, GROUPS, QUANTITIES, Layers, walk
from toolkit.pathways.cohort import Hazards
from toolkit.pathways.kernel import AGES, BLOCK, EXAM_AGE, JUSTICE_AGE

ADULT_AGES, ADULT_LAYERS, CHILD_LAYERS, DISCOUNT = 50, 4, 4, 0.035
FIRST_ENTRY, RATIO_NEED, RATIO_CARE, BELOW_NOW, BELOW_EVER = 0.002, 3.0, 6.0, 0.8, 0.65
RATES = {
    "referral[under_1]": 0.1,
    "referral[1_4]": 0.037,
    "referral[5_9]": 0.015,
    "referral[10_15]": 0.011,
    "referral[16_17]": 0.011,
    "assessed": 0.93,
    "need_first": 0.56,
    "need_again": 0.8,
    "rereferral_first": 0.39,
    "rereferral_later": 0.11,
    "short_share": 0.5,
    "need_exit_fast": 5.3,
    "need_exit_slow": 0.58,
    "plan_start": 0.26,
    "plan_exit": 1.0,
    "plan_repeat": 0.245,
    "plan_care_ratio": 4.5,
    "care_entry[under_1]": 0.48,
    "care_entry[1_4]": 0.03,
    "care_entry[5_9]": 0.023,
    "care_entry[10_15]": 0.042,
    "care_entry[16_17]": 0.11,
    "direct_care[under_16]": 0.0,
    "direct_care[16_17]": 0.0,
    "care_exit[under_5]": 0.42,
    "care_exit[5_9]": 0.25,
    "care_exit[10_15]": 0.13,
    "care_exit[16_17]": 0.19,
    "care_exit_first_ratio": 1.09,
    "care_short_share": 0.3,
    "care_exit_fast": 9.0,
    "reentry_first": 0.125,
    "reentry_later": 0.011,
}


def drawn(area, draws):
    """One area's rates (draw, 1), five per cent apart."""
    rng = np.random.default_rng(area)
    return {name: value * np.exp(0.05 * rng.standard_normal((draws, 1))) for name, value in RATES.items()}


def as_hazards(rates, weight):
    flat = {name: value[:, 0] for name, value in rates.items() if "[" not in name}
    bands = lambda name: np.stack([v[:, 0] for k, v in rates.items() if k.startswith(f"{name}[")])  # noqa: E731
    same = ("need_exit_slow", "need_exit_fast", "short_share", "plan_start", "plan_exit", "plan_care_ratio")
    same += ("rereferral_first", "rereferral_later", "need_again", "reentry_first", "reentry_later")
    same += ("care_short_share", "care_exit_fast")
    care, leave, full = bands("care_entry"), bands("care_exit"), np.full_like(flat["plan_start"], 1.0)
    effects = ("log_ratio_rereferral", "log_ratio_care", "log_ratio_justice", "logit_shift_grade")
    return Hazards(
        **{name: flat[name] for name in same},
        short_share_first=flat["short_share"],
        care_entry=care,
        care_entry_first=care,
        care_exit_first=leave * flat["care_exit_first_ratio"],
        care_exit_later=leave,
        first_entry=FIRST_ENTRY * full,
        ratio_need=RATIO_NEED * full,
        ratio_care=RATIO_CARE * full,
        logit_grade_now=np.log(1 / BELOW_NOW - 1) * full,
        logit_grade_ever=np.log(1 / BELOW_EVER - 1) * full,
        detect_rereferral=full,
        detect_care=full,
        half_life=3 * full,
        onset=0 * full,
        flat=np.zeros((4, full.size)),
        entry_weight=weight,
        **{name: -0.1 * full for name in effects},
    )


def adult_weights():
    """Present value, by year since entry of coming of age, of one a year from 18 to 67."""
    return np.array([(1 + DISCOUNT) ** -(y + np.arange(ADULT_AGES)) for y in range(AGES + 1)]).sum(1)


def compiled(hazards, child, adult):
    lived = walk(hazards, strength=0.0, layers=Layers(child, np.full(CHILD_LAYERS, 5), np.full(CHILD_LAYERS, AGES)))
    value = np.einsum("cyd,y,lc->ld", lived.cells, adult_weights().astype(np.float32), adult, optimize=True)
    return lived, value


def plain(rates, weight, child, adult, xp=np):
    """The same from matrices of each draw, as one would write it with einsum."""
    whole = population(rates, xp)
    step, arriving, settle, onward = (whole[name] for name in ("step", "arriving", "settle", "onward"))
    groups = np.zeros((len(START), len(GROUPS)))
    for state in START[START.index("in_need") :]:
        group = 3 if "left" in state else 2 if "care" in state else 1 if "closed" in state else 0
        groups[START.index(state), group] = 1.0
    in_care, known = groups[:, 2], groups[:, [0, 2]].sum(1)
    chance = 1 - np.exp(-FIRST_ENTRY * np.where(in_care > 0, RATIO_CARE, RATIO_NEED))
    below = np.where(known > 0, BELOW_NOW, BELOW_EVER)
    events, layered, cells, grown = [], [], [], []
    for age_in in range(AGES):
        # Grids: everyone and those never in justice, with either grade from the exam on.
        entered = weight[age_in][:, None] * settle[:, age_in, ARRIVAL.index("need")]
        came = weight[age_in][:, None] * onward[:, age_in, ARRIVAL.index("need")]
        half = 1 - np.exp(-FIRST_ENTRY * RATIO_NEED / 2) if age_in >= JUSTICE_AGE else 0.0
        grids = xp.stack([entered, entered * (1 - half)], 1)
        path, counts = [xp.stack([0 * entered, entered], 1)], [came]
        for age in range(age_in + 1, AGES):
            if age >= JUSTICE_AGE:
                grids = xp.stack([grids[:, 0], grids[:, 1] * (1 - chance)], 1)
            if age == EXAM_AGE:
                grids = xp.concatenate([grids, grids * (1 - below)], 1)
            counts.append(xp.einsum("ds,dsk->dk", grids[:, 0], arriving[:, age]))
            before = grids[:, 0]
            grids = xp.einsum("dgs,dst->dgt", grids, step[:, age])
            path.append(xp.stack([before, grids[:, 0]], 1))
        lived = xp.stack(path, 1)
        layered.append(xp.einsum("dyes,sg,lg->ydl", lived, groups, child / 2))
        events.append(xp.stack(counts, 0))
        grown.append(xp.einsum("dgs,sh->dgh", grids, groups))
        at_18 = grown[-1].sum(2)
        years = (1 + DISCOUNT) ** -(AGES - age_in + np.arange(ADULT_AGES))
        cells.append(xp.einsum("dg,lg,a->lad", at_18, adult[:, : at_18.shape[1]], years))  # every adult year kept
    return events, layered, sum(cell.sum(1) for cell in cells)


def timed(action):
    wall, cpu = perf_counter(), process_time()
    made = action()
    return made, perf_counter() - wall, process_time() - cpu


def peak_gib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@numba.njit
def _multiply_add(x, rounds):
    for _ in range(64 * rounds):
        for s in range(x.size):
            x[s] = x[s] * np.float32(0.999) + np.float32(0.001)


def fastest_flops():
    """Single-precision multiply-adds a second that this core reaches on data in its first cache."""
    x = np.ones(4 * BLOCK, np.float32)
    _multiply_add(x, 1)
    best = min(timed(lambda: _multiply_add(x, 20_000))[2] for _ in range(3))
    return 2 * 64 * x.size * 20_000 / best


def flops_of_a_walk():
    """Arithmetic a draw: about 95 operations a grid and year, two grids in all years and four in the last two."""
    years = AGES * (AGES + 1) // 2
    last = 2 * AGES - 1
    return 95 * (2 * years + 2 * last) + 33 * 2 * 60 + CHILD_LAYERS * 8 * years


def prepared(area, draws):
    rates = drawn(area, draws)
    whole = population({name: value.mean(keepdims=True) for name, value in rates.items()})
    need = whole["arrivals"][0, :, ARRIVAL.index("need")]
    weight = np.repeat((need / need.sum())[:, None], draws, 1)
    return rates, weight, as_hazards(rates, weight)


def check(draws, child, adult):
    """The versions agree where they count the same: events of every year since entry."""
    rates, weight, hazards = prepared(0, draws)
    lived, value = compiled(hazards, child[:, :, None], adult)
    events, _, other = plain(rates, weight, child, adult)
    for name, source in (
        ("rereferrals", ["referral_again"]),
        ("plan_starts", ["plan"]),
        ("care_entries", ["care", "care_again"]),
    ):
        at = [ARRIVAL.index(one) for one in source]
        summed = sum(part[..., at].sum(-1).sum(0) for part in events)
        np.testing.assert_allclose(lived.quantities[QUANTITIES.index(name)].sum(0), summed, rtol=2e-5)
    return float(abs(value.mean()) + abs(other.mean()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--areas", type=int, default=150)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--slow-areas", type=int, default=2, help="areas on which einsum and JAX are timed")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    child = rng.uniform(0, 0.02, (CHILD_LAYERS, len(GROUPS)))
    adult = rng.uniform(0, 0.1, (ADULT_LAYERS, len(CELLS)))
    check(100, child, adult)
    limit = fastest_flops()
    ready = [prepared(area, options.draws) for area in range(options.slow_areas)]
    fast = lambda areas, held=ready: [  # noqa: E731
        compiled(held[a % len(held)][2], child[:, :, None], adult)[1] for a in range(areas)
    ]
    print("| version | areas x draws | wall s | CPU s | CPU s for all areas | peak GiB |\n|---|---|---|---|---|---|")

    def line(name, areas, draws, wall, cpu):
        whole = cpu * options.areas / areas * options.draws / draws
        print(f"| {name} | {areas} x {draws} | {wall:.2f} | {cpu:.2f} | {whole:.1f} | {peak_gib():.2f} |", flush=True)
        return whole

    small = [prepared(0, options.draws // 4)]
    quarter = options.areas // 4
    for areas, held, share in ((quarter, small, 4), (quarter, ready, 1), (options.areas, ready, 1)):
        draws = options.draws // share
        _, wall, cpu = timed(lambda areas=areas, held=held: fast(areas, held))
        ours = line("compiled, business as usual", areas, draws, wall, cpu)
    _, wall, cpu = timed(lambda: [walk(h, strength=0.5) for _, _, h in ready])
    line("compiled, with four effects in their own worlds", len(ready), options.draws, wall, cpu)
    _, wall, cpu = timed(lambda: [plain(r, w, child, adult)[2] for r, w, _ in ready])
    einsum = line("NumPy einsum", len(ready), options.draws, wall, cpu)
    try:
        import jax
    except ImportError:
        print("| JAX | not installed: uv run --with jax python -m benchmarks.lives | | | | |")
    else:
        run = jax.jit(lambda r, w: plain(r, w, child, adult, jax.numpy))
        _, wall, _ = timed(lambda: jax.block_until_ready(run(*ready[0][:2])))
        print(f"| JAX, first call with compilation | 1 x {options.draws} | {wall:.2f} | | | |")
        _, wall, cpu = timed(lambda: [jax.block_until_ready(run(r, w)) for r, w, _ in ready])
        line("JAX", len(ready), options.draws, wall, cpu)
    rate = flops_of_a_walk() * options.areas * options.draws / ours
    print(
        f"\n{einsum / ours:.0f} times the speed of einsum (target 10); about {rate / 1e9:.1f} of the "
        f"{limit / 1e9:.0f} thousand million operations a second that one core reaches in cache: {rate / limit:.0%}."
    )


if __name__ == "__main__":
    main()
