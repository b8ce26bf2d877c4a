"""What the panel of areas says beside the studies: spending's association with outcomes, and how far it is bias.

Spending follows need, so its association with outcomes is not its effect. How far off it may be shows in the spending
of the *next* three years, which can have changed nothing yet: if spending did no more than act, its association with
today's outcomes would be nil, given past spending. The spread of these lead associations beyond their errors estimates
the standard deviation of the bias.

Lead associations come from a light regression within areas, net of years, by least squares, and not from the outcome
model, which would take minutes and has no place for them. Past spending has nearly the same coefficients in both.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm

from toolkit.evidence.statistics import lagged_log_spend
from toolkit.models.prior_rows import prior_of, shape_of
from toolkit.schema import SAMPLE_DIMS, random_stream

__all__ = ["OUTCOME_OF", "SINCE_CONTACT", "bias_sd", "combined_weights", "lead_associations", "panel_evidence"]

Array = NDArray[Any]
OUTCOME_OF = {"rereferrals": "repeat_referrals", "first_time_entrants": "youth_justice", "care_starts": "care"}
LEADS = (*OUTCOME_OF, "gcse_grade_4", "protection_plan_starts")  # shares and rates, all on the scale of logits
LAGS = 3  # years of spending that the outcome model averages, those before the year of the outcome
SINCE_CONTACT = slice(1, LAGS)  # years since contact in which those whom that spending served are
LOW_INCOME = "child_low_income"
GRID = 2_000  # points of the standard deviation of the bias
WIDEST = 5.0  # scales of its prior up to which they lie


def lead_associations(statistics: xr.Dataset) -> xr.Dataset:
    """Return the association of the next three years' spending with today's outcomes, given that of the last three.

    Parameters
    ----------
    statistics
        From `toolkit.evidence.load_statistics`.

    Returns
    -------
    Dataset
        ``lead`` and ``lead_se`` (indicator): logit of the share, or log rate, per log GBP of spending a child, within
        areas and net of years and of child low income; standard errors allow for correlation within areas. Indicators
        with too few areas and years are left out.

    References
    ----------
    Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, Journal of Human Resources 50.
    """
    years = statistics["data_year"].values
    longer = statistics[["early_help_spend"]].reindex(data_year=range(int(years[0]), int(years[-1]) + LAGS + 2))
    past = lagged_log_spend(longer)
    # What stands before a year four years on is the spending of the three years after this one.
    spend = xr.Dataset({"past": past, "lead": past.shift(data_year=-(LAGS + 1)), "low": statistics[LOW_INCOME]})
    spend = spend.sel(data_year=years).where(statistics["fitted"])
    rows: dict[str, tuple[float, float]] = {}
    for name in [name for name in LEADS if name in statistics["indicator"].values]:
        one = statistics.sel(indicator=name)
        events = (one["events_lower"] + one["events_upper"]) / 2
        response = xr.ufuncs.log((events + 0.5) / (one["exposure"] - events + 0.5)).where(one["observed"])
        cells = spend.assign(response=response).to_dataframe().dropna(subset=["past", "lead", "low", "response"])
        if (lead := _within(cells.reset_index())) is not None:
            rows[name] = lead
    names = ["lead", "lead_se"]
    values = {name: ("indicator", [row[at] for row in rows.values()]) for at, name in enumerate(names)}
    return xr.Dataset(values, {"indicator": list(rows)})


def _within(cells: pd.DataFrame) -> tuple[float, float] | None:
    """Return the coefficient of ``lead`` within areas and net of years, and its error; None with too few cells."""
    fixed = pd.get_dummies(cells[["area", "data_year"]].astype(str), drop_first=True).to_numpy(float)
    fixed = np.column_stack([np.ones(len(cells)), fixed])
    areas = cells["area"].nunique()
    if areas < 3 or len(cells) <= fixed.shape[1] + 3:
        return None
    values = cells[["response", "lead", "past", "low"]].to_numpy(float)
    values = values - fixed @ (np.linalg.pinv(fixed.T @ fixed, hermitian=True) @ (fixed.T @ values))
    response, terms = values[:, 0], values[:, 1:]
    bread = np.linalg.pinv(terms.T @ terms)
    slope = bread @ terms.T @ response
    scores = pd.DataFrame(terms * (response - terms @ slope)[:, None]).groupby(cells["area"].to_numpy()).sum()
    spread = bread @ (scores.T @ scores).to_numpy() @ bread * areas / (areas - 1)
    return float(slope[0]), float(np.sqrt(spread[0, 0]))


def bias_sd(leads: xr.Dataset, priors: pd.DataFrame, *, like: xr.Dataset | xr.DataArray, seed: int) -> xr.DataArray:
    """Draw the standard deviation of the bias of associations with spending (chain, draw), given lead associations.

    Each lead association is a draw of the bias, about nil, plus its own error. The posterior is exact, on a grid; with
    no lead association it is the prior.

    Parameters
    ----------
    leads
        From `lead_associations`.
    priors
        The table of priors: ``bias_sd`` of the model ``panel``.
    like
        Has the chain and draw labels to use.
    seed
        Seed of the run.

    Raises
    ------
    InputError
        A missing prior.
    """
    _, scale = prior_of(priors, "panel", "bias_sd")
    grid = (np.arange(GRID) + 0.5) * WIDEST * scale / GRID
    spread = np.sqrt(leads["lead_se"].to_numpy() ** 2 + grid[:, None] ** 2)
    log_density = norm.logpdf(grid / scale) + norm.logpdf(leads["lead"].to_numpy(), scale=spread).sum(1)
    below = np.cumsum(np.exp(log_density - log_density.max()))
    sizes = [like.sizes[dim] for dim in SAMPLE_DIMS]
    uniform = random_stream(seed, "panel: bias").random(sizes)
    coords = {dim: like[dim].to_numpy() for dim in SAMPLE_DIMS}
    return xr.DataArray(np.interp(uniform, below / below[-1], grid), coords, SAMPLE_DIMS)


def panel_evidence(
    statistics: xr.Dataset, association: xr.DataArray, priors: pd.DataFrame, *, like: xr.Dataset, seed: int
) -> xr.Dataset:
    """Return what the panel says of spending, its bias and what a pound of it buys.

    Parameters
    ----------
    statistics
        From `toolkit.evidence.load_statistics`, of all areas.
    association
        ``spend_within`` of the outcome model (chain, draw, indicator).
    priors, like, seed
        As for `bias_sd`; also ``bought_share`` of the model ``panel``.

    Returns
    -------
    Dataset
        ``association`` and ``association_se`` (indicator of ``OUTCOME_OF``), mean and standard deviation; ``lead`` and
        ``lead_se`` (lead_indicator); ``bias_sd`` and ``bought_share`` (chain, draw), the share of a pound of early help
        that buys help such as the programme's, on children such as it serves.
    """
    leads, about = lead_associations(statistics), association.sel(indicator=list(OUTCOME_OF))
    random = random_stream(seed, "panel: bought share")
    bias = bias_sd(leads, priors, like=like, seed=seed)
    share = random.beta(*shape_of(priors, "panel", "bought_share"), size=bias.shape)
    moments = {"association": about.mean(SAMPLE_DIMS), "association_se": about.std(SAMPLE_DIMS)}
    parts = {name: part.astype(float).reset_coords(drop=True) for name, part in moments.items()}
    drawn = {"bias_sd": bias, "bought_share": bias.copy(data=share)}
    return leads.rename(indicator="lead_indicator").assign(parts).assign(drawn)


def combined_weights(panel: xr.Dataset, implied: xr.DataArray, counted: xr.DataArray) -> xr.DataArray:
    """Return by how much each draw of programmes' effects counts once the panel is believed as far as its bias allows.

    The association that a draw implies, times the share of a pound that buys such help, is compared with the panel's:
    a normal density of the panel's error and bias. Weighting draws by it is precision weighting where all is normal.

    Parameters
    ----------
    panel
        From `panel_evidence`.
    implied
        Association that each programme's effects imply if all spending bought it (..., indicator, chain, draw).
    counted
        Whether its effect on the outcome is counted (..., indicator).

    Returns
    -------
    DataArray (..., chain, draw), weights that add up to one; alike where nothing is counted.
    """
    spread = (panel["association_se"] ** 2 + panel["bias_sd"] ** 2) ** 0.5
    gap = (panel["association"] - panel["bought_share"] * implied) / spread
    log_density = (-0.5 * gap**2 - xr.ufuncs.log(spread)).where(counted & implied.notnull(), 0.0).sum("indicator")
    weight = xr.ufuncs.exp(log_density - log_density.max(SAMPLE_DIMS))
    shares: xr.DataArray = weight / weight.sum(SAMPLE_DIMS)
    return shares.transpose(..., *SAMPLE_DIMS)
