"""Where the budget is heading: children looked after, placements, prices and spending to 2035, with their uncertainty.

The fit is made once for the same statistics, priors and code, and reused from the cache.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.code_hash import code_hash
from toolkit.models.fitting.diagnose import diagnose
from toolkit.models.fitting.fit import evenly, fit
from toolkit.models.outlook.dataset import LAST, LATEST, PLACEMENTS, assemble
from toolkit.models.outlook.forecast import simulate, surprise_correlation
from toolkit.models.outlook.model import MODEL, outlook
from toolkit.models.outlook.series import CARRIED, DIFFERENCES, mix, stocks, to_series
from toolkit.prices import deflators, rebase
from toolkit.pricing.areas import Progress, silent
from toolkit.records import check_writable, fingerprint, open_cached, open_netcdf, prune, versions, write_netcdf
from toolkit.schema import PRICE_BASE, InputError

__all__ = ["PATHS", "Own", "counted", "fit_outlook", "forecast", "with_outlook"]

SEED = 20261130
DRAWS, KEPT, TUNE, CHAINS = 1000, 250, 600, 4
FITS_KEPT, FIT_BYTES = 3, 20_000_000
FITTING = "fitting/diagnose fitting/fit outlook/forecast outlook/model outlook/series outlook/smoothing prior_rows"
# Published paths of the children looked after: each goes on from the latest count at the yearly growth it implied.
PATHS = {"review": "review_cla_trajectory", "counties": "ccn_cla_2025"}
SUPPORTED = "supported_accommodation_week_thurrock_2023"  # the only published price of a type that has no return
MOST_GROWTH = 0.25  # a year, of a price that a person sets: beyond it is a slip of the keyboard
Own = Mapping[int, float]
Growth = str | float  # "fade", "persist" or a share a year


def fit_outlook(
    *, cache: Path, seed: int = SEED, refit: bool = False, folder: Path | None = None, progress: Progress = silent
) -> xr.DataTree:
    """Fit the model of the outlook to all areas, or reuse a fit of the same statistics, priors and code.

    Parameters
    ----------
    cache
        Folder of fitted models.
    seed
        Of the sampler.
    refit
        Fit again even if nothing changed.
    folder
        Data folder; the shipped one by default.
    progress
        Called with the name of a stage and the share that is done.

    Returns
    -------
    DataTree
        ``posterior`` (250 draws of each of four chains) with ``correlation``, and attribute ``report_card``.
    """
    panel = evidence.care_panel(folder)
    series, priors = to_series(panel), evidence.load_table("evidence/priors", folder)
    mine = priors.loc[priors["model"] == MODEL, ["parameter", "distribution", "arg1", "arg2"]].sort_values("parameter")
    code = code_hash(f"models/{name}" for name in FITTING.split())
    key = fingerprint(versions("pymc", "pytensor", "nutpie", "arviz"), code, series, mine, seed, DRAWS, KEPT, TUNE)
    path = cache / "outlook" / f"outlook-{key}.nc"
    if not refit and (cached := open_cached(path)) is not None:
        return cached
    check_writable(path.parent, option="--cache", room=FIT_BYTES)
    progress("compile outlook model", 0.0)

    def sampling(share: float) -> None:
        progress("compile outlook model", 1.0)
        progress("sample outlook model", share)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Loop fusion failed", UserWarning)
        model = outlook(series, priors=priors)
        settings = {"draws": DRAWS, "tune": TUNE, "chains": CHAINS}
        fitted = fit(model, seed=seed, **settings, progress=False, on_progress=sampling)
    card = diagnose(fitted)
    fitted = evenly(fitted, KEPT)
    posterior = fitted["posterior"].to_dataset().drop_vars(["change", "memory_half", "region_raw", "tail_extra"])
    fitted["posterior"] = posterior.assign(correlation=surprise_correlation(posterior, series))
    fitted.attrs["report_card"] = card.to_json(orient="records")
    write_netcdf(fitted, path)
    prune(path.parent, FITS_KEPT)
    return open_netcdf(path)


def forecast(
    areas: Sequence[str],
    *,
    cache: Path,
    baseline: str | Own = "model",
    price_growth: Growth = "fade",
    until: int = LAST,
    seed: int = SEED,
    folder: Path | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Forecast children looked after, their placements, prices and spending by area and year.

    Parameters
    ----------
    areas
        ONS codes or ``stable:<name>``, as ``evidence.resolve_areas`` returns.
    cache
        Folder of fitted models.
    baseline
        Of the number of children: "model"; "flat", as many as at the latest count, placed as then; "review" or
        "counties", which grow from there as the published path did; or children by year (the March of the year
        to come), for one area, for every year until ``until``.
    price_growth
        Real growth of residential and foster prices: "fade", England's fades to none over ten years (as do all other
        trends); "persist", it goes on; or a share a year, such as 0.03.
    until
        Last year, by the March in which it ends: 2026 to 2035.
    seed
        Of fit and forecast.
    folder
        Data folder; the shipped one by default.
    progress
        As for :func:`fit_outlook`.

    Returns
    -------
    Dataset
        As :func:`toolkit.models.outlook.dataset.assemble`.

    Raises
    ------
    InputError
        An area without an outlook, an unknown baseline, own figures with missing years, for several areas, not whole or
        outside 1 to all children of the area, a growth or a year out of range.
    """
    _check_settings(areas, baseline, price_growth, until)
    panel = evidence.care_panel(folder)
    if gone := [area for area in areas if area not in panel["area"].values]:
        reference = evidence.reference_areas(folder)
        name = evidence.place_name(reference, gone[0])
        if whole := evidence.whole_of(reference).get(gone[0]):
            merged, _, parts = evidence.place_name(reference, whole).partition(": ")
            raise InputError(
                f"outlook: {name} has too short a history of its own.",
                fix=f'name the merged area, --area "{merged}" ({parts}).',
            )
        raise InputError(
            f"outlook: {name} has too few children looked after to forecast.",
            fix="leave it out, or ask for its region.",
        )
    if not isinstance(baseline, str):
        _check_own(baseline, areas[0], folder)
    posterior = fit_outlook(cache=cache, seed=seed, folder=folder, progress=progress)["posterior"].to_dataset()
    return _built(posterior, panel, areas, baseline, price_growth, until, seed, folder)


def with_outlook(areas: Sequence[str], *, folder: Path | None = None) -> list[str]:
    """Return those of some areas that have an outlook: all but the City of London and the Isles of Scilly.

    An authority that boundary changes made has too short a history: the merged area that it is a part of stands for it.
    """
    known, whole = set(evidence.care_panel(folder)["area"].values), evidence.whole_of()
    return [area for area in dict.fromkeys(whole.get(area, area) for area in areas) if area in known]


def counted(areas: Sequence[str], *, folder: Path | None = None) -> pd.DataFrame:
    """Return what was counted in areas together, by the year in which the financial year starts.

    Returns
    -------
    DataFrame
        ``children``; ``spend`` on them, GBP a year; a placement's price, GBP a week, ``residential`` and ``fostering``;
        money in cash of the year; NaN where it is not known of all areas.
    """
    panel = evidence.care_panel(folder).sel(area=list(areas)).rename(data_year="year")
    cash = _to_cash(panel["year"], deflators(evidence.load_table("evidence/economic_parameters", folder)))
    paid = (panel["price"] * panel["placed"]).sum("area", skipna=False) / panel["placed"].sum("area", skipna=False)
    whole = {name: panel[name].sum("area", skipna=False) for name in ("stock", "spend")}
    parts = {kind: paid.sel(placement=kind) * cash for kind in ("residential", "fostering")}
    parts |= {"children": whole["stock"], "spend": whole["spend"] * cash}
    columns = {name: part.to_series() for name, part in parts.items()}
    return pd.DataFrame(columns).set_axis(panel["year"].values - 1).rename_axis("year")


def _check_settings(areas: Sequence[str], baseline: str | Own, price_growth: Growth, until: int) -> None:
    if not areas:
        raise InputError("outlook: no area.", fix="name one, a region or England.")
    if not LATEST < until <= LAST:
        raise InputError(f"outlook until {until}: out of range.", fix=f"give a year from {LATEST + 1} to {LAST}.")
    if isinstance(price_growth, str):
        if price_growth not in ("fade", "persist"):
            raise InputError(
                f"price growth '{price_growth}' is not known.", fix="use fade, persist or a share such as 0.03."
            )
    elif not -MOST_GROWTH <= price_growth <= MOST_GROWTH:
        raise InputError(
            f"price growth {price_growth}: more than {MOST_GROWTH:.0%} a year.", fix="write 3 per cent as 0.03."
        )
    if isinstance(baseline, str):
        if baseline not in ("model", "flat", *PATHS):
            raise InputError(
                f"baseline '{baseline}' is not known.", fix=f"use model, flat, {', '.join(PATHS)} or figures by year."
            )
        return
    if len(areas) > 1:
        raise InputError(
            f"own baseline: one row of figures for {len(areas)} areas.", fix="forecast one area at a time."
        )
    years = set(range(LATEST + 1, until + 1))
    if missing := sorted(years - set(baseline)):
        raise InputError(
            f"own baseline: no figure for {', '.join(map(str, missing))}.",
            fix="give one for each year, or an earlier last year.",
        )
    if odd := sorted(set(baseline) - years):
        raise InputError(f"own baseline: {odd[0]} is not a year to come.", fix=f"give {LATEST + 1} to {until}.")


def _check_own(baseline: Own, area: str, folder: Path | None) -> None:
    """Refuse what cannot be children looked after of an area: no whole number, or more than live there."""
    base = evidence.base_year(evidence.with_parts(evidence.load_statistics(folder), [area]))
    most = float(base["population_0_17"].sel(area=area))
    for year, number in baseline.items():
        if not (1 <= number <= most and float(number).is_integer()):
            raise InputError(
                f"own baseline, {year}: {number:,.10g} children looked after.",
                fix=f"give a whole number from 1 to {most:,.0f}, which are all children of the area.",
            )


def _built(
    posterior: xr.Dataset,
    panel: xr.Dataset,
    areas: Sequence[str],
    baseline: str | Own,
    price_growth: Growth,
    until: int,
    seed: int,
    folder: Path | None,
) -> xr.Dataset:
    judged = evidence.load_table("evidence/judgements", folder).set_index("id")["value"]
    fade, series = float(judged["growth_fade_years"]), to_series(panel)
    tested = evidence.load_table("reference/outlook_backtest", folder)
    carried = {
        CARRIED[name] for name in tested.loc[(tested["forecast"] == "carried") & (tested["used"] == 1), "quantity"]
    }
    ahead: dict[str, Any] = {
        "years": until - LATEST,
        "fade_years": fade,
        "seed": seed,
        "areas": areas,
        "carried": carried,
    }
    drawn = simulate(posterior, series, **ahead)
    value = {str(name): drawn["value"].sel(series=name, drop=True) for name in drawn["series"].values}
    stock, alone = stocks(value)
    shares = mix(value)
    deflator = deflators(evidence.load_table("evidence/economic_parameters", folder))
    price = _prices(value, evidence.load_table("evidence/unit_costs", folder), deflator)
    factor = xr.ufuncs.exp(value["care_week"]) / (shares * price).sum("placement")
    price = price * _regrown(drawn["growth"], price_growth)
    before = stock.shift(year=1)
    difference = value["difference"] / DIFFERENCES * before
    starts = xr.ufuncs.exp(value["starts"])
    here = panel.sel(area=list(areas))
    if baseline != "model":
        leaving = (starts + before + difference - stock).clip(min=0.0) / before
        path = _path(stock, baseline, folder)
        if baseline == "flat":
            shares = shares.isel(year=[0] * shares.sizes["year"]).assign_coords(year=shares["year"])
        difference, alone = difference / stock * path, alone / stock * path
        moved = path + path.shift(year=1) * (leaving - 1) - difference
        starts, stock = moved.clip(min=0.0).fillna(starts), path
    outlooks = assemble(
        children=stock * shares,
        unaccompanied=alone,
        starts=starts,
        difference=difference,
        ends_latest=here["ends"].sel(data_year=LATEST, drop=True).drop_vars(["area_name", "region"]),
        price=price,
        factor=factor,
        safeguarding=xr.ufuncs.exp(value["safeguarding"]),
        to_cash=_to_cash(stock["year"], deflator),
        baseline=baseline if isinstance(baseline, str) else "own",
        price_growth=str(price_growth),
        seed=seed,
    )
    return outlooks.assign_coords({name: here[name] for name in ("area_name", "region")})


def _prices(value: Mapping[str, xr.DataArray], costs: pd.DataFrame, series: pd.Series) -> xr.DataArray:
    """Return GBP a week by placement; parents and adopters are not paid for a place."""
    row = costs.set_index("id").loc[SUPPORTED]
    published = rebase(float(str(row["value"])), str(row["price_year"]), deflators=series)
    fostering, residential = (xr.ufuncs.exp(value[f"price_{kind}"]) for kind in ("fostering", "residential"))
    supported = published * fostering / fostering.isel(year=0)
    kinds = {"fostering": fostering, "residential": residential, "supported": supported, "other": 0.0 * fostering}
    prices: xr.DataArray = xr.concat([kinds[kind] for kind in PLACEMENTS], xr.Variable("placement", list(PLACEMENTS)))
    return prices


def _regrown(growth: xr.DataArray, how: Growth) -> xr.DataArray:
    """Return what turns prices whose growth fades into prices that grow as asked (chain, draw, year, placement)."""
    of = {"fostering": "price_fostering", "residential": "price_residential", "supported": "price_fostering"}
    mine = growth.sel(series=[of.get(kind, "price_fostering") for kind in PLACEMENTS]).rename(series="placement")
    mine = mine.assign_coords(placement=list(PLACEMENTS))
    if how == "fade":
        return xr.ones_like(mine)
    wanted = mine.isel(year=1, drop=True) if how == "persist" else xr.DataArray(np.log1p(float(how)))
    more: xr.DataArray = xr.ufuncs.exp((wanted - mine).where(mine["year"] > LATEST, 0.0).cumsum("year"))
    return more.assign_coords(year=mine["year"])


def _path(stock: xr.DataArray, baseline: str | Own, folder: Path | None) -> xr.DataArray:
    """Return the children of a baseline that is not the model's (..., year)."""
    latest, years = stock.isel(year=0, drop=True), stock["year"]
    if not isinstance(baseline, str):
        typed = xr.DataArray(
            [np.nan, *(float(baseline[int(year)]) for year in years.values[1:])], {"year": years}, ("year",)
        )
        return (typed * xr.ones_like(stock)).fillna(latest)
    growth = 0.0
    if baseline in PATHS:
        row = evidence.load_table("evidence/published_totals", folder).set_index("id").loc[PATHS[baseline]]
        start = int(str(row["source_year"]))
        national = evidence.load_table("statistics/national", folder)
        counted = national.query("area == 'England' and geography == 'national' and measure == 'cla_at_31_march'")
        then = float(counted.set_index("year")["value"][start])
        growth = np.log(float(str(row["value"])) / then) / (int(str(row["year"])) - start)
    path: xr.DataArray = latest * xr.ufuncs.exp(growth * (years - LATEST))
    return path


def _to_cash(years: xr.DataArray, series: pd.Series) -> xr.DataArray:
    """Return what times 2025/26 prices gives each year's cash; past the Treasury's forecast its last growth goes on."""
    known: list[float] = []
    for year in years.values:
        label = f"{year - 1}/{year % 100:02d}"
        known.append(
            rebase(1.0, PRICE_BASE, to=label, deflators=series) if label in series.index else known[-1] ** 2 / known[-2]
        )
    return xr.DataArray(known, {"year": years.values}, ("year",))


def __dir__() -> list[str]:
    return __all__
