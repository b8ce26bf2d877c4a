"""The council's budget in the years of a budget paper."""

import json

import pandas as pd
import xarray as xr

from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.prices import rebase
from toolkit.schema import SAMPLE_DIMS

__all__ = ["BUDGET_YEARS", "medium_term"]

BUDGET_YEARS = 5


def medium_term(run: Run) -> xr.DataArray:
    """Return what the option does to the council's budget in the cash of each of the first years.

    Returns
    -------
    DataArray, dims (line, year, chain, draw), GBP: as ``appraisal.medium_term_view``, which names the components, with
    the savings of all of them as one line.
    """
    real = q.council_cash(run).isel(year=slice(0, BUDGET_YEARS)).transpose("year", *SAMPLE_DIMS)
    years = [w.financial_year(run.scenario.first_year, int(year)) for year in real["year"].values]
    deflators = pd.Series(json.loads(run.tree.attrs["deflators"]))
    index = [rebase(1.0, run.scenario.price_base, to=year, deflators=deflators) for year in years]
    cash = xr.DataArray(index, coords={"year": real["year"]})
    net, spent = real * cash, q.result(run)["programme_by_year"].sel(year=real["year"]) * cash * q.council_pays(run)
    lines = {
        "programme": xr.zeros_like(net) - spent,
        "cash_released": net + spent,
        "net": net,
        "cumulative": net.cumsum("year").assign_coords(year=net["year"]),
    }
    joined = xr.concat(list(lines.values()), xr.Variable("line", list(lines)), coords="minimal", compat="override")
    return joined.assign_coords(financial_year=("year", years))


def __dir__() -> list[str]:
    return __all__
