"""Sealing the data: its tables are checked, and each shipped scenario priced in small, before the manifest is kept."""

from pathlib import Path

import xarray as xr

from toolkit import evidence, scenarios, workflow
from toolkit.evidence.tables import MANIFEST
from toolkit.pricing.areas import price_areas
from toolkit.pricing.desk import Desk
from toolkit.pricing.programmes import counted_effects, price_programmes, programme_costs
from toolkit.resolved import resolve
from toolkit.schema import InputError, data_folder

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
    likely, area = _without_a_fit(statistics, few), str(statistics["area"].values[0])
    effects = _effects(register, few)
    for name in scenarios.available(folder):
        scenario = scenarios.load(name, folder=folder)
        if name not in scenarios.of_files(folder):  # of one programme, which are all priced below
            scenarios.resolve(scenario, register)
            continue
        resolved = resolve(scenario, register, statistics, areas=[area])
        draws = workflow.draw_figures(scenario, resolved.figures, register, like=few)
        try:
            priced, _ = price_areas(Desk(likely, statistics, resolved, draws, effects), areas=[area])
            workflow.appraise(priced, scenario, draws, register)
        except KeyError as error:
            needed = str(error).split("'")[1]
            raise InputError(
                f"roles.csv: scenario '{name}' needs a figure as '{needed}', which no row gives.",
                fix=f"add a row with the role '{needed}' and the id of a figure.",
            ) from None
    price_programmes(Desk(likely, statistics, resolved, draws, effects), areas=[area])
    programme_costs(register, draws, scenario)


def _effects(register: evidence.Register, few: xr.Dataset) -> xr.Dataset:
    """Return the effects of programmes from few particles."""
    from toolkit.models.effects.programme_studies import programme_studies
    from toolkit.models.effects.programme_use import used_effects

    tables, studies = register.tables, programme_studies(register.tables)
    used = used_effects(studies, tables, like=few, seed=1, particles=1_000, refuse=False)
    return counted_effects(used, tables)


def _without_a_fit(statistics: xr.Dataset, few: xr.Dataset) -> xr.DataTree:
    """Return a stand-in for a posterior: England's observed rates in every area."""
    seen = statistics[["events_upper", "exposure"]].where(statistics["observed"]).sum(["area", "data_year"])
    rate = (seen["events_upper"] / seen["exposure"]) * xr.ones_like(few["chain"] + few["draw"], float)
    parts = {"baseline_rate": rate * xr.ones_like(statistics["area"], float), "baseline_national": rate}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(parts).reset_coords(drop=True)})


def __dir__() -> list[str]:
    return __all__
