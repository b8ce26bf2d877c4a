"""Time a run of the default scenario by stage: wall and CPU seconds, first and again.

``python -m benchmarks.run --england`` fits in a fresh folder, so the model is fitted and then reused.
Compiled code that earlier runs left in the user's caches is used as it is; for a cold start give
``--cold``, which points those caches at an empty folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

STAGES = """
import json, resource, sys, time
from pathlib import Path
from joblib.externals.loky import get_reusable_executor
from toolkit import evidence, report, scenarios, workflow
build, england = Path(sys.argv[1]), sys.argv[2] == "england"
areas = evidence.resolve_areas(evidence.reference_areas(), () if england else ["Leeds"], england=england)
run = workflow.run(scenarios.load("families_first"), areas=areas, cache=build / "cache")
wall, cpu = time.perf_counter(), time.process_time()
report.write_all(run, build)
laps = dict(run.timings) | {"report": (time.perf_counter() - wall, time.process_time() - cpu)}
get_reusable_executor().shutdown()  # whose seconds are counted once it has ended
others, own = (resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
laps |= {"other processes, in price areas and lives": (0.0, others.ru_utime + others.ru_stime)}
peak = own.ru_maxrss / 2**20
print(json.dumps({"laps": laps, "peak_gib": peak, "passed": run.passed}))
"""


def timed(build: Path, place: str, environment: dict[str, str]) -> dict[str, object]:
    words = [sys.executable, "-c", STAGES, str(build), place]
    finished = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    return dict(json.loads(finished.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--england", action="store_true")
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    place = "england" if options.england else "leeds"
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        if options.cold:
            environment |= {
                "NUMBA_CACHE_DIR": f"{folder}/numba",
                "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor",
            }
        print(f"| {place}, stage | first: wall s | CPU s | again: wall s | CPU s |\n|---|---|---|---|---|")
        first, again = (timed(Path(folder), place, environment) for _ in range(2))
    for stage, (wall, cpu) in first["laps"].items():  # type: ignore[union-attr]
        second = again["laps"].get(stage, (0.0, 0.0))  # type: ignore[union-attr]
        print(f"| {stage} | {wall:.1f} | {cpu:.1f} | {second[0]:.1f} | {second[1]:.1f} |")
    totals = [sum(lap[part] for lap in run["laps"].values()) for run in (first, again) for part in (0, 1)]  # type: ignore[union-attr]
    print("| all stages | " + " | ".join(f"{total:.1f}" for total in totals) + " |")
    peaks = f"{first['peak_gib']:.1f} and {again['peak_gib']:.1f} GiB"
    print(f"\nPeak memory of the main process {peaks}; checks passed: {first['passed']}.")


if __name__ == "__main__":
    main()
