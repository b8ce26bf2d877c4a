"""The published statistics of local authorities as one Dataset of areas by years.

Settled here once, so that no model need do so: boundaries (an area is the smallest unit that every year
adds up to), suppression (a hidden count is an interval: never 0, never dropped) and prices
(spending is real, per child). ``data/statistics/indicators.csv`` gives the hidden counts and the years used of each
indicator; ``measures.csv`` lists what each source lacks.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.evidence.areas import reference_areas, set_apart, whole_of
from toolkit.evidence.tables import load_table
from toolkit.prices import deflators, rebase
from toolkit.schema import INDICATORS, PRICE_BASE, InputError

Frame = pd.DataFrame  # an observation a row, or authorities (later areas) by years
YEARS = list(range(2010, 2026))
OF_CHILDREN = ("care_starts", "protection_plan_starts")  # out of all children, whose latest estimates we have
YEARS_OF_CHILDHOOD = 18
COUNTS = {
    "children_in_need": "cin_at_31_march",
    "children_in_need_starts": "cin_starts",
    "children_looked_after": "cla_at_31_march",
    "referrals": "referrals",
}
DESCRIPTIONS = {  # variable: units, stock or flow, what is NaN and why
    "events_lower": ("events or points", "sum", "NaN: nothing known; exact if equal to events_upper"),
    "events_upper": ("events or points", "sum", "NaN: nothing known; exact if equal to events_lower"),
    "exposure": ("persons or referrals", "point", "what events are counted or points summed over; NaN: nothing known"),
    "observed": ("1", "point", "False where nothing is known"),
    "early_help_spend": ("GBP per child", "sum", "NaN: 13 areas 2010, Dorset to 2015, 3 returns 2024-25"),
    "child_low_income": ("1", "mean", "under 16; NaN: before 2015, Leicestershire 2015 (error)"),
    "caseload": ("cases per social worker", "point (30 September)", "NaN: before 2018, joint returns"),
    "agency_share": ("1", "point (30 September)", "of social workers; NaN: as caseload"),
    "ofsted_judgement": ("1", "point (31 March)", "1 inadequate to 4 outstanding, the last, or before it the first"),
    "care_week_price": ("GBP per week", "mean", "NaN: before 2016, Scilly, Cumbria 2024, 2 returns 2025"),
    "children_in_need": ("persons", "point (31 March)", "NaN: no return, or withheld"),
    "children_in_need_starts": ("persons", "sum", "NaN: no return, or withheld"),
    "children_looked_after": ("persons", "point (31 March)", "NaN: no return or withheld; 2010 to nearest 5"),
    "referrals": ("referrals", "sum", "NaN: no return, or withheld"),
    "population_0_17": ("persons", "point (mid-year before)", "mid-2012 up to 2012, for spend too"),
    "population_10_17": ("persons", "point (mid-year before)", "NaN: to 2012, Dorset to 2019"),
}
PANELS = (
    "context",
    "education",
    "looked_after",
    "protection_plans",
    "referrals_and_need",
    "spending",
    "workforce_and_inspection",
    "youth_justice",
)


def load_statistics(folder: Path | None = None, *, reference: Frame | None = None) -> xr.Dataset:
    """Load the statistics of all 150 areas, harmonised, with hidden counts as intervals.

    Parameters
    ----------
    folder
        A data folder; the shipped one if not given.
    reference
        The authorities with the area of each, if not those of ``reference_areas``.

    Returns
    -------
    Dataset
        ``events_lower``, ``events_upper``, ``exposure``, ``observed`` (indicator, area, data_year), exact
        where lower equals upper; the other variables (area, data_year). Each has units and a note on its
        NaN. ``data_year`` is the year in which a financial or school year ends, and the calendar year of
        first-time entrants. The attributes ``<indicator>_hidden_as_interval`` and
        ``<indicator>_hidden_unobserved`` count the hidden cells of local authorities by their fate.

    Raises
    ------
    InputError
        If a table is missing or altered, or a count exceeds what it is counted out of.
    """
    reference = reference_areas(folder) if reference is None else reference
    panel = _load_panel(folder)
    children = _children(panel, reference, folder)
    sources = load_table("statistics/indicators", folder).set_index("indicator")
    rows = sources.to_dict("index")
    cells = [_indicator_cells(panel, reference, name, rows[name], children["population_0_17"]) for name in INDICATORS]
    statistics = xr.concat(cells, "indicator", combine_attrs="no_conflicts")
    statistics["observed"] = statistics["exposure"].notnull()
    covariates = _covariates(panel, reference, children["population_0_17"], folder) | children
    statistics = statistics.assign({name: _array(frame) for name, frame in covariates.items()})
    for name, (units, method, note) in DESCRIPTIONS.items():
        statistics[name].attrs.update(units=units, cell_methods=f"data_year: {method}", note=note)
    statistics["early_help_spend"].attrs["price_base"] = PRICE_BASE
    statistics["care_week_price"].attrs["price_base"] = "nominal: year of data_year"
    return _checked(statistics.assign_coords(_coordinates(reference)), sources["most_each"].to_xarray())


def with_parts(statistics: xr.Dataset, areas: Iterable[str], folder: Path | None = None) -> xr.Dataset:
    """Return statistics with the rows of authorities that are parts of a merged area, beside those of the whole.

    Parameters
    ----------
    statistics
        From :func:`load_statistics`. Sums over all its areas are England's only as long as nothing is added.
    areas
        What is asked for; only parts that ``statistics`` lacks are added.
    folder
        A data folder; the shipped one if not given.

    Raises
    ------
    InputError
        If one of the authorities of the merged area has no value of its own in any year.
    """
    reference, known = reference_areas(folder), set(statistics["area"].values.tolist())
    whole = {part: name for part, name in whole_of(reference).items() if name in known and part not in known}
    asked = [area for area in dict.fromkeys(areas) if area in whole]
    if not asked:
        return statistics
    own = _own_statistics(folder).sel(area=[part for part in whole if whole[part] in {whole[area] for area in asked}])
    needed = own[[*COUNTS, "population_0_17", "population_10_17", "early_help_spend"]]
    for name, missing in needed.isnull().all("data_year").items():
        if bool(missing.any()):
            lacking = str(own["area_name"].values[missing.values][0])
            pair = " and ".join(own["area_name"].values.tolist())
            raise InputError(
                f"areas: {lacking} has no {name} of its own in any year, so the areas that {pair} were merged into "
                "cannot be taken apart.",
                fix=f"ask for them together: {whole[asked[0]]}.",
            )
    return xr.concat([statistics, own.sel(area=asked)], "area", combine_attrs="override")


@lru_cache(maxsize=1)
def _own_statistics(folder: Path | None) -> xr.Dataset:
    """Return the statistics of every current authority by itself, in the years that it has existed."""
    return load_statistics(folder, reference=set_apart(reference_areas(folder)))


def lagged_log_spend(statistics: xr.Dataset) -> xr.DataArray:
    """Return the mean log of real early-help spend per child over the three previous years.

    Parameters
    ----------
    statistics
        From :func:`load_statistics`; only ``early_help_spend`` is used.

    Returns
    -------
    DataArray
        (area, data_year), log GBP per child; NaN where fewer than two of the three years have spend.

    Raises
    ------
    InputError
        If the years are not consecutive, or a spend is not positive.
    """
    spend = statistics["early_help_spend"]
    if (np.diff(spend["data_year"]) != 1).any():
        raise InputError("early_help_spend: data_year is not consecutive.", fix="give every year, in order.")
    if len(where := spend["area"].values[(spend <= 0).any("data_year")]):
        raise InputError(f"early_help_spend: not positive in {', '.join(where)}.", fix="give GBP per child.")
    lags: xr.DataArray = xr.concat([xr.ufuncs.log(spend).shift(data_year=lag) for lag in (1, 2, 3)], "lag")
    mean = lags.mean("lag").where(lags.notnull().sum("lag") >= 2).rename("lagged_log_spend")
    return mean.assign_attrs(units="log GBP per child", price_base=spend.attrs["price_base"])


def _load_panel(folder: Path | None) -> Frame:
    """Stack the panel tables, without the part-year rows (an authority filed under two codes that year)."""
    panel = pd.concat([load_table(f"statistics/panel_{theme}", folder) for theme in PANELS])
    return panel[panel["marker"].ne("partial_year")]


def _wide(panel: Frame, measure: str, column: str = "value", years: Iterable[int] = YEARS) -> Frame:
    """Return one column of one measure, authorities by years."""
    rows = panel[panel["measure"] == measure]
    if rows.empty:
        raise InputError(f"data/statistics: no panel row of {measure!r}.", fix="restore the panel tables.")
    return rows.pivot(index="la_code", columns="year", values=column).reindex(columns=list(years))


def _merge(frame: Frame, reference: Frame) -> Frame:
    """Sum authorities to areas, only where one whole generation of authorities has values."""
    totals = {}
    for status in ("current", "abolished"):
        members = reference[reference["status"] == status].set_index("la_code")["area"]
        totals[status] = frame.reindex(members.index).groupby(members).sum(skipna=False)
    merged = totals["current"].fillna(totals["abolished"])
    return merged.reindex(index=sorted(reference["area"].unique()))


def _children(panel: Frame, reference: Frame, folder: Path | None) -> dict[str, Frame]:
    """Return populations by area, at the mid-year before the data year, where its financial year starts."""
    middles = [year - 1 for year in YEARS]
    under_18 = _merge(_wide(panel, "population_0_17", years=middles), reference)
    national = load_table("statistics/national", folder)
    national = national[(national["area"] == "England") & (national["measure"] == "population_0_17")]
    # A single area without a figure is England less the rest: Bournemouth, Poole and Dorset before 2019.
    rest = national.set_index("year")["value"] - under_18.sum()
    under_18 = under_18.fillna(rest.where(under_18.isna().sum() == 1))
    projected = _wide(panel, "population_10_17_projected", years=middles)
    teenage = _merge(_wide(panel, "population_10_17", years=middles).combine_first(projected), reference)
    return {
        # No authority has a figure before mid-2012: it stands in for the three years before.
        "population_0_17": under_18.set_axis(YEARS, axis=1).bfill(axis=1, limit=3),
        "population_10_17": teenage.set_axis(YEARS, axis=1),
    }


def _indicator_cells(
    panel: Frame, reference: Frame, indicator: str, source: dict[Any, Any], population: Frame
) -> xr.Dataset:
    measure, limit = source["measure"], source["hidden_up_to"]
    years = range(source["first_year"], source["last_year"] + 1)
    if indicator == "attainment_8":
        return _points(_wide(panel, measure, years=years), panel, reference, population)
    hidden = _wide(panel, measure, "marker", years) == source["marker"]
    exposure = _wide(panel, measure, "denominator", years)
    events, kept = _wide(panel, measure, "numerator", years), hidden
    if indicator == "first_time_entrants":
        rate = _refiled(_wide(panel, measure, years=years), reference)
        events = (rate * exposure / 100_000).round()
        hidden &= rate.isna()
        kept = hidden & (_expected(rate, exposure) < source["missing_from"])
    if indicator in OF_CHILDREN:  # the source's own population has older vintages and gaps: replaced below
        exposure = exposure.fillna(1.0)
    known = (events.notna() | kept) & exposure.notna()
    lower, upper, exposure = (
        _merge(part.where(known), reference).reindex(columns=YEARS)
        for part in (events.mask(kept, 0.0), events.mask(kept, limit), exposure)
    )
    if indicator in OF_CHILDREN:
        exposure = population.where(lower.notna())
    parts = {"events_lower": lower, "events_upper": upper.clip(upper=exposure), "exposure": exposure}
    intervals, blanks = int((kept & known).to_numpy().sum()), int((hidden & ~known).to_numpy().sum())
    counts = {f"{indicator}_hidden_as_interval": intervals, f"{indicator}_hidden_unobserved": blanks}
    return xr.Dataset({name: _array(frame) for name, frame in parts.items()}, attrs=counts)


def _points(mean: Frame, panel: Frame, reference: Frame, population: Frame) -> xr.Dataset:
    """Return total points and pupils of the year group, of a mean that is published without its number of pupils."""
    mean = _mean(mean.reindex(columns=YEARS), _wide(panel, "population_0_17"), reference)
    pupils = (population / YEARS_OF_CHILDHOOD).where(mean.notna())
    parts = {"events_lower": mean * pupils, "events_upper": mean * pupils, "exposure": pupils}
    hidden = {"attainment_8_hidden_as_interval": 0, "attainment_8_hidden_unobserved": 0}
    return xr.Dataset({name: _array(frame) for name, frame in parts.items()}, attrs=hidden)


def _refiled(rate: Frame, reference: Frame) -> Frame:
    """Move rates filed under an abolished code after its end to its only successor (Dorset from 2020)."""
    rate = rate.copy()
    codes = reference.assign(number=reference["dfe_la_number"].astype(str))
    # An authority split in two names both ("942;943") and so finds no match.
    pairs = codes.merge(codes, left_on="successor_dfe_codes", right_on="number", suffixes=("_old", ""))
    for old, heir, start in pairs[["la_code_old", "la_code", "first_year_april"]].itertuples(index=False):
        late = rate.columns > start
        rate.loc[heir, late] = rate.loc[heir, late].fillna(rate.loc[old, late])
    return rate


def _expected(rate: Frame, exposure: Frame) -> Frame:
    """Return the entrants neighbouring years imply; without any, those at the rate of all authorities."""
    published = (rate * exposure).sum() / exposure.where(rate.notna()).sum()
    return rate.interpolate(axis=1, limit_direction="both").fillna(published) * exposure / 100_000


def _covariates(panel: Frame, reference: Frame, population: Frame, folder: Path | None) -> dict[str, Frame]:
    spend = _merge(_wide(panel, "s251_early_help_gross"), reference)
    series = deflators(load_table("evidence/economic_parameters", folder))
    real = [rebase(1.0, f"{year - 1}/{year % 100:02d}", to=PRICE_BASE, deflators=series) for year in YEARS]
    # A share of 0 (Leicestershire 2015) is an error of the source: the next lowest is 4.5 per cent.
    low_income = _wide(panel, "child_relative_low_income_u16_pct").replace(0.0, np.nan) / 100
    weekly = _wide(panel, "unit_cost_cla_weekly")
    children = _wide(panel, "population_0_17")
    # The census of social workers is of the September within the financial year.
    censuses = [year - 1 for year in YEARS]
    caseload, agency = (
        _wide(panel, measure, years=censuses).set_axis(YEARS, axis=1) for measure in ("sw_caseload", "sw_agency_pct")
    )
    judged = _wide(panel, "ofsted_ilacs_overall").ffill(axis=1).bfill(axis=1)
    return {
        "early_help_spend": spend * np.array(real) / population,
        "child_low_income": _mean(low_income, children, reference),
        "caseload": _mean(caseload, children, reference),
        "agency_share": _mean(agency / 100, children, reference),
        "ofsted_judgement": _mean(judged, children, reference),
        "care_week_price": _mean(weekly, _wide(panel, "cla_at_31_march"), reference),
        **{name: _merge(_wide(panel, measure), reference) for name, measure in COUNTS.items()},
    }


def _mean(values: Frame, weights: Frame, reference: Frame) -> Frame:
    """Average over the members of an area; a weight missing in a year comes from the nearest year."""
    weights = weights.reindex(values.index).ffill(axis=1).bfill(axis=1).fillna(1.0)
    return _merge(values * weights, reference) / _merge(weights.where(values.notna()), reference)


def _array(frame: Frame) -> xr.DataArray:
    coords = {"area": frame.index.to_list(), "data_year": YEARS}
    return xr.DataArray(frame[YEARS].to_numpy(float), coords, ("area", "data_year"))


def _coordinates(reference: Frame) -> dict[str, Any]:
    rows = reference.drop_duplicates("area").sort_values("area")
    return {
        "indicator": list(INDICATORS),
        "area_name": ("area", rows["stable_area"].to_numpy(str)),
        "region": ("area", rows["region"].to_numpy(str)),
        "fitted": ("area", rows["in_fit"].to_numpy() == 1),
    }


def _checked(statistics: xr.Dataset, most_each: xr.DataArray) -> xr.Dataset:
    lower, upper, exposure = (statistics[name] for name in ("events_lower", "events_upper", "exposure"))
    most = exposure * most_each.sel(indicator=statistics["indicator"])
    wrong = ((lower < 0) | (lower > upper) | (upper > most) | (exposure <= 0)).to_series()
    if wrong.any():
        cells = wrong.index[wrong].tolist()[:3]
        raise InputError(f"data/statistics: events outside 0 to their most in {cells}.", fix="correct the rows.")
    return statistics
