"""How often things happen in an area, beside what its region and deprivation predict."""

import xarray as xr

from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, spread
from toolkit.measures.words import area, inside, label, listed

PER = {  # indicator: the unit of its rate, and the factor that scales it
    "rereferrals": ("per 100 referrals", 100.0),
    "first_time_entrants": ("per 100,000 aged 10 to 17", 100_000.0),
    "gcse_grade_4": ("per 100 pupils in need", 100.0),
    "care_starts": ("per 10,000 children", 10_000.0),
    "protection_plan_starts": ("per 10,000 children", 10_000.0),
    "attainment_8": ("points each pupil", 1.0),
}
OTHER = ("per 100", 100.0)
NOTE = (
    "In the latest year with figures ({years}), noise taken off. Predicted: a typical area of the same region and "
    "child low income, at the mean area's spending on early help. The difference is of all causes together (practice, "
    "recording, need that low income does not show, spending): it does not measure how well an area does. "
    "{level:.0%} intervals."
)


def rates_table(run: Run) -> Table:
    """Return each area's rates beside what region and deprivation predict."""
    posterior = run.tree["posterior"].to_dataset()
    own, usual = posterior["baseline_rate"], posterior["expected_rate"]
    scales = [PER.get(str(name), OTHER) for name in own["indicator"].values]
    size = xr.DataArray([many for _, many in scales], dims="indicator")
    names = [f"{label(name)}, {of}" for name, (of, _) in zip(own["indicator"].values, scales, strict=True)]
    parts = {"Rate": own * size, "Predicted": usual * size, "Difference": own / usual - 1.0, "Above": own > usual}
    places = q.area_names(run)
    rows = [f"{area(place)}: {name}" if len(places) > 1 else name for place in places for name in names]
    flat = {
        heading: part.reset_coords(drop=True).astype(float).stack(row=("area", "indicator"), create_index=False)
        for heading, part in parts.items()
    }
    frame = spread(run, {heading: part.assign_coords(row=rows) for heading, part in flat.items()}, "row")
    frame = frame.set_axis(rows).drop(columns=[("Above", "lower"), ("Above", "upper")])
    frame = frame.rename(columns={"Above": "Chance that it is above"}, level=0)
    kinds = {"Rate": "tenths", "Predicted": "tenths", "Difference": "change", "Chance that it is above": "share"}
    dated = zip(own["indicator"].values, own["base_year"].values, strict=True)
    note = NOTE.format(years=listed([f"{inside(name)} {year}" for name, year in dated]), level=q.level(run))
    return Table("Rates beside what region and deprivation predict", "Indicator", frame, kinds, note=note)
