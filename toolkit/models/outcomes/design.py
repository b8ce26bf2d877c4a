"""The cells and covariates that enter the outcome model, checked and centred."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.statistics import lagged_log_spend
from toolkit.models.fitting.priors import TABLE, row_of, setting
from toolkit.models.outcomes.likelihoods import FAMILIES, UNOBSERVED, normal_approximation
from toolkit.schema import InputError

LOW_INCOME_STEP = 0.1  # coefficients on low income are per ten percentage points


def design_of(
    statistics: xr.Dataset, indicators: Sequence[str], table: pd.DataFrame, covariates: Sequence[str] = ()
) -> xr.Dataset:
    """Assemble the data that the model conditions on, for all areas, fitted or only predicted.

    Parameters
    ----------
    statistics
        From :func:`toolkit.evidence.load_statistics`.
    indicators
        The rates to model.
    table
        Priors of the outcome model; its ``likelihood`` rows name each indicator's family.
    covariates
        Further variables (area, data_year) of the statistics to condition on.

    Returns
    -------
    Dataset
        ``events_lower``, ``events_upper``, ``exposure``, ``family`` (indicator, area, data_year), the family
        0 if a cell does not enter; ``in_window`` (indicator, data_year); ``spend_within`` and
        ``low_income_within`` (indicator, area, data_year), net of the means of the area and the year;
        ``spend_between`` and ``low_income_between`` (indicator, area), relative to the mean of the fitted areas;
        their yearly means (indicator, data_year); ``free_variance`` (indicator, data_year), of a year around
        the walk; ``log_size`` (indicator, area), relative to the fitted areas; ``response``, ``chance``, ``extra``
        (indicator, area, data_year), the normal approximation to the counts on which the coordinates of levels
        and deviations are based; ``area_response``, ``area_chance``, ``area_extra`` (indicator, area), their means
        over the ``area_years`` known years; ``region_index`` (area).

    Raises
    ------
    InputError
        If an indicator is unknown or has no cells, areas are too few, or a covariate is missing throughout.
    """
    cells = _cells(statistics, indicators)
    spend = lagged_log_spend(statistics)
    low_income = statistics["child_low_income"] / LOW_INCOME_STEP
    usable = cells["observed"] & spend.notnull() & low_income.notnull() & cells["fitted"]
    _refuse_empty(usable, statistics, spend, low_income)
    window = usable.any("area")
    years = window.any("indicator")
    likelihood = _families(indicators, table)
    # Points of pupils are not events; anything else happens to a child at most once a year.
    over = cells["observed"] & (likelihood != FAMILIES["mean"]) & (cells["events_upper"] > cells["exposure"])
    if (wrong := over.transpose("indicator", "area", "data_year").to_series()).any():
        where = wrong.index[wrong][0]
        raise InputError(f"statistics {where}: more events than exposure, a rate above one.", fix="correct it.")
    design = cells.assign(
        likelihood=likelihood,
        family=likelihood.where(usable, UNOBSERVED).transpose(*usable.dims).astype("int64"),
        weight=_carried(cells["exposure"]).fillna(0.0),
        in_window=_filled(window),
        log_size=_log_size(cells),
    ).isel(data_year=slice(int(np.argmax(years.values)), len(years) - int(np.argmax(years.values[::-1]))))
    for name, values in (("spend", spend), ("low_income", low_income)):
        design = design.assign(_centred(name, values.sel(data_year=design["data_year"]), design))
    design = _with_covariates(design, statistics, covariates)
    enters = design["family"] != UNOBSERVED
    blank = {"events_lower": 0.0, "events_upper": 0.0, "exposure": 1.0}
    design = design.assign({name: design[name].where(enters, fill) for name, fill in blank.items()})
    return _with_regions(_with_approximation(design.assign(free_variance=_free_variance(design, table))))


def _log_size(cells: xr.Dataset) -> xr.DataArray:
    """Return the log of each area's mean exposure relative to the fitted areas' mean, clipped to their range."""
    size = xr.ufuncs.log(cells["exposure"].mean("data_year").transpose("indicator", "area"))
    inside = size.where(cells["fitted"])
    within: xr.DataArray = size.fillna(-np.inf).clip(inside.min("area"), inside.max("area")) - inside.mean("area")
    return within.reset_coords(drop=True)


def _free_variance(design: xr.Dataset, table: pd.DataFrame) -> xr.DataArray:
    """Return each year's variance around the national walk, in squared steps: for years of teacher-assessed grades."""
    variance = xr.zeros_like(design["in_window"], dtype=float)
    for name in design["indicator"].values:
        if (free := setting("year_free", table, "years", indicator=name)) is not None:
            inside = (design["data_year"] >= free[0]) & (design["data_year"] <= free[1])
            variance.loc[{"indicator": name}] = inside * setting("year_free_ratio", table, "fixed") ** 2
    return variance


def _with_approximation(design: xr.Dataset) -> xr.Dataset:
    counts = (design[name].values for name in ("events_lower", "events_upper", "exposure", "family"))
    parts = zip(("response", "chance", "extra"), normal_approximation(*counts), strict=True)
    design = design.assign({name: (design["family"].dims, values) for name, values in parts})
    known = xr.ufuncs.isfinite(design["chance"])
    means = {name: design[name].where(known).mean("data_year") for name in ("response", "chance", "extra")}
    # An area without counts gets infinite variance over one year.
    filled = {f"area_{name}": mean.fillna(np.inf if name == "chance" else 0.0) for name, mean in means.items()}
    return design.assign(filled | {"area_years": known.sum("data_year").clip(1)})


def _cells(statistics: xr.Dataset, indicators: Sequence[str]) -> xr.Dataset:
    known = [str(name) for name in statistics["indicator"].values]
    unknown = [name for name in indicators if name not in known]
    if unknown or not indicators or len(set(indicators)) < len(indicators):
        raise InputError(
            f"indicators {list(indicators)}: unknown, repeated or empty.", fix=f"choose each once from {known}."
        )
    cells = statistics[["events_lower", "events_upper", "exposure", "observed"]]
    coords = {*cells.dims, "area_name", "region", "fitted"}
    cells = cells.drop_vars([name for name in cells.coords if name not in coords])
    cells = cells.sel(indicator=list(indicators)).transpose("indicator", "area", "data_year")
    inside = (cells["events_lower"] >= 0) & (cells["events_lower"] <= cells["events_upper"]) & (cells["exposure"] > 0)
    wrong = (cells["observed"] & ~inside).values
    if wrong.any():
        k, i, t = (int(index[0]) for index in np.nonzero(wrong))
        where = (str(cells["indicator"].values[k]), str(cells["area"].values[i]), int(cells["data_year"].values[t]))
        raise InputError(f"statistics {where}: events or exposure NaN, negative or out of order.", fix="correct it.")
    return cells


def _families(indicators: Sequence[str], table: pd.DataFrame) -> xr.DataArray:
    codes = []
    for name in indicators:
        row = row_of("likelihood", table, name)
        if row is None or row["distribution"] not in FAMILIES:
            raise InputError(
                f"{TABLE}: no row 'likelihood[{name}]' of model 'outcomes' with one of {sorted(FAMILIES)}.",
                fix="add it.",
            )
        codes.append(FAMILIES[row["distribution"]])
    return xr.DataArray(codes, {"indicator": list(indicators)}, ("indicator",))


def _refuse_empty(usable: xr.DataArray, statistics: xr.Dataset, spend: xr.DataArray, low_income: xr.DataArray) -> None:
    fitted = statistics["fitted"].values
    for name, values in (("early_help_spend", spend), ("child_low_income", low_income)):
        if bool(np.isinf(values).any()):
            raise InputError(f"statistics {name}: has infinite values.", fix="correct them or leave the cells empty.")
        lacking = values.isnull().all("data_year").values & fitted
        if lacking.any():
            areas = statistics["area"].values[lacking][:5].tolist()
            raise InputError(
                f"statistics {name}: NaN in all years for {areas}.", fix="fill it, or set fitted to False."
            )
    if len(set(statistics["region"].values[fitted])) < 2 or fitted.sum() < 3:
        raise InputError("statistics: fewer than three fitted areas or two regions.", fix="fit more areas at once.")
    some = usable.any(("area", "data_year"))
    empty = some["indicator"].values[~some.values].tolist()
    if empty:
        raise InputError(f"statistics: no cell of {empty} has events and covariates.", fix="leave the indicator out.")


def _filled(window: xr.DataArray) -> xr.DataArray:
    """Mark all years from an indicator's first to its last; a gap in between has the prior of the walk."""
    begun = np.logical_or.accumulate(window.values, axis=1)
    unfinished = np.logical_or.accumulate(window.values[:, ::-1], axis=1)[:, ::-1]
    return window.copy(data=begun & unfinished)


def _centred(name: str, values: xr.DataArray, design: xr.Dataset) -> dict[str, xr.DataArray]:
    """Split a covariate into area means and movements around them, over each indicator's own cells.

    A gap is filled from the nearest earlier, else later, year of its area, or from the mean of the fitted areas. This
    only matters for prediction, as cells with gaps do not enter the likelihood. Areas that are not fitted get no
    movements, and their means are clipped to the range of the fitted areas: the City of London spends ten
    times the usual sum per child.
    """
    used, fitted = design["family"] != UNOBSERVED, design["fitted"]
    whole = _carried(values)
    whole = whole.fillna(whole.where(fitted).mean("area"))
    mean = whole.where(used).mean("data_year").fillna(whole.where(design["in_window"]).mean("data_year"))
    inside = mean.where(fitted)
    mean = mean.clip(inside.min("area"), inside.max("area"))
    moves = (whole - mean).where(fitted & design["in_window"], 0.0)
    yearly = moves.where(used).mean("area").fillna(0.0).where(design["in_window"], 0.0)
    within = (moves - yearly).where(fitted & design["in_window"], 0.0)
    parts = {
        f"{name}_within": within.transpose("indicator", "area", "data_year"),
        f"{name}_between": (mean - inside.mean("area")).transpose("indicator", "area"),
        f"{name}_year_mean": yearly.transpose("indicator", "data_year"),
    }
    return {key: part.reset_coords(drop=True) for key, part in parts.items()}


def _with_covariates(design: xr.Dataset, statistics: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Add ``covariate_within`` and ``covariate_between``, over a dim ``covariate``, in standard deviations.

    A cell with a gap still enters, with the nearest year's value or the mean: these covariates have more gaps than
    the outcomes.
    """
    known = sorted(str(name) for name, values in statistics.items() if values.dims == ("area", "data_year"))
    wrong = [name for name in names if name not in known]
    if wrong or len(set(names)) < len(names):
        raise InputError(
            f"covariates {list(names)}: {wrong or 'one is'} unknown or repeated.", fix=f"choose from {known}."
        )
    parts = []
    for name in names:
        values = statistics[name].sel(data_year=design["data_year"]).reset_coords(drop=True)
        inside = values.where(design["fitted"].reset_coords(drop=True))
        if not float(inside.std()) > 0:
            raise InputError(f"statistics {name}: does not vary or is NaN in all fitted areas.", fix="leave it out.")
        split = _centred("covariate", (values - inside.mean()) / inside.std(), design)
        parts.append(xr.Dataset({key: split[key] for key in ("covariate_within", "covariate_between")}))
    index = pd.Index(list(names), name="covariate", dtype=object)
    return design.assign(xr.concat(parts, index)) if parts else design.assign_coords(covariate=index)


def _carried(values: xr.DataArray) -> xr.DataArray:
    """Fill each area's gaps from its nearest earlier year, else from its nearest later one."""
    values = values.transpose(..., "data_year")
    flat = pd.DataFrame(values.values.reshape(-1, values.sizes["data_year"]))
    return values.copy(data=flat.ffill(axis=1).bfill(axis=1).to_numpy().reshape(values.shape))


def _with_regions(design: xr.Dataset) -> xr.Dataset:
    names = sorted(set(design["region"].values[design["fitted"].values]))
    missing = sorted(set(design["region"].values) - set(names))
    if missing:
        raise InputError(
            f"statistics: no fitted area in {missing} to predict from.", fix="keep a fitted area of the region."
        )
    index = [names.index(region) for region in design["region"].values]
    return design.assign(region_index=("area", index)).assign_coords(region_name=names)
