"""The tables of an outlook: each quantity by year, as a median and an interval."""

import pandas as pd
import xarray as xr

from toolkit.schema import SAMPLE_DIMS

LEVEL = 0.9
WHOLE = ("children", "unaccompanied", "starts", "ends", "spend", "spend_cash", "safeguarding", "safeguarding_cash")
BY_PLACEMENT = ("children", "price", "spend", "spend_cash")
ALL = "all"  # placements together


def outlook_table(outlook: xr.Dataset) -> pd.DataFrame:
    """Return an outlook of one or more areas, taken together, as rows.

    Parameters
    ----------
    outlook
        From ``toolkit.outlook.forecast``.

    Returns
    -------
    DataFrame
        A row by ``quantity``, ``placement`` ("all" or one) and ``year``: ``financial_year``, ``median`` of
        the draws, ``lower`` and ``upper`` (90 per cent interval) and ``unit``. Prices are weighted by children.
    """
    children, money = outlook["children"], ("spend", "spend_cash")
    together = {name: outlook[name].sum("area") for name in WHOLE if name not in BY_PLACEMENT}
    together |= {name: outlook[name].sum(["area", "placement"]) for name in ("children", *money)}
    together["residential_share"] = children.sel(placement="residential", drop=True).sum("area") / together["children"]
    rows = [_rows(draws, name, ALL, outlook[name].attrs["units"]) for name, draws in together.items()]
    by_type = {
        "children": children.sum("area"),
        "price": weekly(outlook),
        **{name: outlook[name].sum("area") for name in money},
    }
    for name, draws in by_type.items():
        for kind in outlook["placement"].values:
            rows.append(_rows(draws.sel(placement=kind, drop=True), name, str(kind), outlook[name].attrs["units"]))
    table = pd.concat(rows, ignore_index=True)
    years = dict(zip(outlook["year"].values, outlook["financial_year"].values, strict=True))
    table.insert(3, "financial_year", table["year"].map(years))
    return table


def weekly(outlook: xr.Dataset) -> xr.DataArray:
    """Return what a child's placement costs a week in areas together, real, by placement."""
    children = outlook["children"]
    price: xr.DataArray = (outlook["price"] * children).sum("area") / children.sum("area")
    return price


def _rows(draws: xr.DataArray, quantity: str, placement: str, unit: str) -> pd.DataFrame:
    ends = draws.quantile([(1 - LEVEL) / 2, (1 + LEVEL) / 2], SAMPLE_DIMS).to_numpy()
    numbers = {"median": draws.median(SAMPLE_DIMS).to_numpy(), "lower": ends[0], "upper": ends[1], "unit": unit}
    return pd.DataFrame({"quantity": quantity, "placement": placement, "year": draws["year"].values, **numbers})


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the main lines of :func:`outlook_table` as text by year: children, share, prices and spending in cash."""
    lines = {
        "Children": ("children", ALL, "{:,.0f}", 1.0),
        "Residential share": ("residential_share", ALL, "{:.1%}", 1.0),
        "Residential, GBP a week": ("price", "residential", "{:,.0f}", 1.0),
        "Fostering, GBP a week": ("price", "fostering", "{:,.0f}", 1.0),
        "Spend, GBP m": ("spend", ALL, "{:,.1f}", 1e6),
        "Spend in cash, GBP m": ("spend_cash", ALL, "{:,.1f}", 1e6),
    }
    columns = {}
    for heading, (quantity, placement, form, unit) in lines.items():
        chosen = (table["quantity"] == quantity) & (table["placement"] == placement)
        rows = table[chosen].set_index("financial_year")
        parts = [rows[name].div(unit).map(form.format) for name in ("median", "lower", "upper")]
        columns[heading] = parts[0] + " (" + parts[1] + " to " + parts[2] + ")"
    return pd.DataFrame(columns).rename_axis("Year").reset_index()
