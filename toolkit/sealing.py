"""Sealing the data: its tables are checked, and each shipped scenario priced in small, before the manifest is kept."""

from pathlib import Path

import xarray as xr

from toolkit import evidence, scenarios, workflow
from toolkit.evidence.tables import MANIFEST
from toolkit.pricing.areas import price_areas
from toolkit.pricing.place import SOURCES, Desk
from toolkit.pricing.programmes import price_programmes, programme_costs
from toolkit.resolved import resolve
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError, data_folder

__all__ = [
    "rehearse",
    "seal",
]


def seal(folder: Path | None = None, *, reason: str = "") -> Path:
    """Write a new manifest of the data folder, unless a shipped scenario could then not be run.

    Parameters
    ----------
    folder, reason
        As for ``evidence.seal``.

    Returns
    -------
    Path
        Of the manifest.

    Raises
    ------
    InputError
        A table that breaks its rules, or one that a shipped scenario cannot be priced with, or a change without a
        reason; the manifest then stays as it was.
    """
    manifest = (folder or data_folder()) / MANIFEST
    before = manifest.read_bytes() if manifest.is_file() else None
    sealed = evidence.seal(folder, reason=reason)
    try:
        rehearse(folder)
    except InputError:
        if before is not None:
            manifest.write_bytes(before)
        raise
    return sealed


def rehearse(folder: Path | None = None) -> None:
    """Price every shipped scenario for one area with a few draws and no fit, to refuse whatever a run would refuse.

    Raises
    ------
    InputError
        As :func:`toolkit.workflow.run`, and a role that pathways or costing need but ``roles.csv`` does not give.
    """
    register, statistics = evidence.load_register(folder=folder), evidence.load_statistics(folder)
    few = xr.Dataset(coords={"chain": [0, 1], "draw": [0, 1]})
    likely, effects = _without_a_fit(statistics, few)
    area, rise = str(statistics["area"].values[0]), float(register.figures["value"]["combined_reference_rise"])
    for name in scenarios.available(folder):
        scenario = scenarios.load(name, folder=folder)
        resolved = resolve(scenario, register, statistics)
        draws = workflow.draw_figures(scenario, resolved.figures, register, like=few)
        try:
            workflow.reached_share(statistics, scenario, draws, rise=rise)
            priced, _ = price_areas(Desk(likely, statistics, resolved, draws, effects), areas=[area])
            workflow.appraise(priced, scenario, draws, register)
        except KeyError as error:
            needed = str(error).split("'")[1]
            raise InputError(
                f"roles.csv: scenario '{name}' needs a figure as '{needed}', which no row gives.",
                fix=f"add a row with the role '{needed}' and the id of a figure.",
            ) from None
    _rehearse_programmes(register, Desk(likely, statistics, resolved, draws, effects), area, few)


def _rehearse_programmes(register: evidence.Register, desk: Desk, area: str, few: xr.Dataset) -> None:
    """Compare the programmes of the evidence with a few draws."""
    from toolkit.models.effects.programme_studies import programme_studies
    from toolkit.models.effects.programme_use import used_effects

    studies = programme_studies(register.tables)
    used = used_effects(studies, register.tables, like=few, seed=1, particles=1_000, refuse=False)
    price_programmes(desk, register, used, areas=[area])
    programme_costs(register, desk.draws, desk.scenario)


def _without_a_fit(statistics: xr.Dataset, few: xr.Dataset) -> tuple[xr.DataTree, xr.Dataset]:
    """Return stand-ins for posterior and effects: England's observed rates in every area, and no effect."""
    seen = statistics[["events_upper", "exposure"]].where(statistics["observed"]).sum(["area", "data_year"])
    rate = (seen["events_upper"] / seen["exposure"]) * xr.ones_like(few["chain"] + few["draw"], float)
    parts = {"baseline_rate": rate * xr.ones_like(statistics["area"], float), "baseline_national": rate}
    dims = {"source": list(SOURCES), "outcome": list(EFFECT_OUTCOMES)}
    none = xr.DataArray(0.0, dims | {name: few[name] for name in SAMPLE_DIMS}, (*dims, *SAMPLE_DIMS))
    posterior = xr.Dataset(parts).reset_coords(drop=True)
    return xr.DataTree.from_dict({"posterior": posterior}), xr.Dataset({"new_site_effect": none})


def __dir__() -> list[str]:
    return __all__
