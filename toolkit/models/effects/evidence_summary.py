"""What the trials, the panel and both show for each outcome, and how far each result depends on its prior."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit.models.effects.grid import quadrature
from toolkit.models.effects.model import prior_of
from toolkit.models.effects.scales import STANDARDISED
from toolkit.models.effects.sources import panel_signal
from toolkit.models.effects.studies import Register, study_table
from toolkit.schema import SAMPLE_DIMS

POWERS = (0.8, 1.25)
SENSITIVE = 0.05
LEVEL = 0.9
RISING = ("gcse_attainment", "gcse_grade_4", "attainment_8")  # more is better
TAIL = 1 / 8000  # probability outside either end of the range of 4,000 draws
MOSTLY = 0.5  # share of the prior's spread that is kept, from which a quantity is called mostly its prior
LEANS = 0.9  # chance of benefit from which the summary says so
NARROWER = 0.8  # of the width of the trials' interval: below it the summary mentions the narrowing

Array = NDArray[np.float64]


def power_scaling(grid: xr.Dataset, *, variable: str = "mean_effect") -> pd.DataFrame:
    """Return how far the posterior moves when the prior, or the likelihood, is raised to a power near one.

    This is the cumulative Jensen-Shannon distance between the posterior and the scaled one, per doubling of the
    power, on the exact grid, without importance sampling or Monte Carlo error.

    Parameters
    ----------
    grid
        From `quadrature`.
    variable
        ``mean_effect`` or ``between_sites``.

    Returns
    -------
    DataFrame
        Index outcome; columns ``prior``, ``likelihood`` (sensitive from 0.05) and ``diagnosis``.

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Statistics and Computing 34: 57.
    """
    point = "between_point" if variable == "mean_effect" else "mean_point"
    rows = {}
    for outcome in grid["outcome"].to_numpy():
        outcome_grid = grid.sel(outcome=outcome)
        values, base = outcome_grid[variable].to_numpy(), _marginal(outcome_grid["weight"], point)
        sense = {}
        for part in ("prior", "likelihood"):
            logs = outcome_grid[f"log_{part}"] - outcome_grid[f"log_{part}"].max()
            moved = [outcome_grid["weight"] * np.exp((power - 1) * logs) for power in POWERS]
            distances = [distance(values, base, _marginal(weight, point)) for weight in moved]
            sense[part] = float(np.mean([d / abs(np.log2(p)) for d, p in zip(distances, POWERS, strict=True)]))
        rows[str(outcome)] = sense | {"diagnosis": diagnosis(**sense)}
    return pd.DataFrame(rows).T.rename_axis("outcome").astype({"prior": float, "likelihood": float})


def _marginal(weight: xr.DataArray, over: str) -> Array:
    summed: Array = weight.sum(over).to_numpy()
    return summed / summed.sum()


def distance(values: Array, first: Array, second: Array) -> float:
    """Return the cumulative Jensen-Shannon distance of two distributions on one rising grid, the larger direction's.

    The distance is relative to its range, and its usual threshold assumes the range of some thousand draws.
    """
    below = np.cumsum(first)
    inside = (below > TAIL) & (below < 1 - TAIL)
    values, first, second = values[inside], first[inside], second[inside]
    distances = []
    for order in (slice(None), slice(None, None, -1)):
        p, q = (np.cumsum(weight[order])[:-1].clip(1e-15) for weight in (first, second))
        width, middle = np.abs(np.diff(values))[: len(p)], (p + q) / 2
        total = sum((width * (cdf * np.log2(cdf / middle))).sum() for cdf in (p, q))
        distances.append(np.sqrt(max(0.0, total) / (width * (p + q)).sum()))
    return float(max(distances))


def diagnosis(prior: float, likelihood: float) -> str:
    """Return in words whether a quantity depends on its prior, the data or both."""
    if prior >= SENSITIVE and likelihood >= SENSITIVE:
        return "depends on prior and data alike"
    if prior >= SENSITIVE:
        return "rests on the prior"
    return "rests on the data"


def evidence_summary(
    register: Register,
    *,
    outcome_posterior: xr.Dataset,
    reached_share: float | Mapping[str, float] | xr.DataArray,
    spend_rise: float,
    **pooling: Any,
) -> pd.DataFrame:
    """Return, for each outcome, what the trials, the panel and both together show.

    Parameters
    ----------
    register
        Tables by name, as for `effect_draws`.
    outcome_posterior, reached_share, spend_rise
        As for `panel_signal`.
    **pooling
        Arguments of `study_table`.

    Returns
    -------
    DataFrame
        Index outcome, then the other indicators of ``outcome_posterior``, which have no studies and so only an
        association. ``studies`` and ``nulls`` (findings without a number); ``panel``, ``panel_low``, ``panel_high``:
        relative change of the area's rate at the rise (odds, for attainment), an association;
        for ``trials``, ``adjusted`` (for selective reporting) and ``combined``: mean effect per child reached
        with its 90 per cent interval (risk ratio less one; standard deviations for attainment), and chance
        that it is a benefit; ``*_prior_ratio``: posterior over prior standard deviation of the mean effect (1 if
        the data added nothing), ``panel_prior_ratio`` that of the association within areas, ``between_prior_ratio``
        that of the spread between sites of the combined effect; ``*_prior``, ``*_likelihood``: power-scaling
        sensitivity; ``own_rates``: the trials' mean effect if odds ratios are converted at the rates of their own
        studies; ``reading``: a summary in words.
    """
    priors, scales = register["priors"], register["outcome_scales"]
    table, names = study_table(register, **pooling), list(register["outcome_scales"]["outcome"])
    panel = panel_signal(
        outcome_posterior, scales=scales, priors=priors, reached_share=reached_share, spend_rise=spend_rise
    )
    settings: dict[str, Any] = {"priors": priors, "outcomes": names}
    grids = {
        "trials": quadrature(table, **settings),
        "adjusted": quadrature(table, selection="prior", **settings),
        "combined": quadrature(table, panel=panel, **settings),
    }
    own = quadrature(study_table(register, own_rates=True, **pooling), **settings)
    prior_only = quadrature(table.iloc[:0], **settings)
    parts: list[pd.DataFrame | pd.Series] = [_counts(table, names), _effects(own, scales)["mean"].rename("own_rates")]
    for name, grid in grids.items():
        parts.append(_effects(grid, scales).add_prefix(f"{name}_").rename(columns={f"{name}_mean": name}))
        if name != "adjusted":
            ratio = (grid["mean_effect_sd"] / prior_only["mean_effect_sd"]).to_series().rename(f"{name}_prior_ratio")
            parts += [ratio, power_scaling(grid)[["prior", "likelihood"]].add_prefix(f"{name}_")]
    between = power_scaling(grids["combined"], variable="between_sites")[["prior", "likelihood"]]
    spread = (grids["combined"]["between_sites_sd"] / prior_only["between_sites_sd"]).to_series()
    parts += [spread.rename("between_prior_ratio"), between.add_prefix("between_")]
    elsewhere = _without_studies(outcome_posterior, scales)
    every = pd.concat([scales, elsewhere])
    whole = panel_signal(outcome_posterior, scales=every, priors=priors, reached_share=1.0, spend_rise=spend_rise)
    association = _association(whole)
    shares_kept = _spread_kept(outcome_posterior["spend_within"], priors, list(every["indicator"]))
    parts += [association, pd.Series(shares_kept, association.index, name="panel_prior_ratio")]
    summary = pd.concat(parts, axis=1).fillna({"studies": 0, "nulls": 0}).astype({"studies": int, "nulls": int})
    return summary.assign(reading=[_sentence(row) for _, row in summary.iterrows()]).rename_axis("outcome")


def _without_studies(posterior: xr.Dataset, scales: pd.DataFrame) -> pd.DataFrame:
    """Return rows like ``outcome_scales``, with a log link, for the indicators that it does not name."""
    others = [str(name) for name in posterior["indicator"].values if name not in set(scales["indicator"])]
    row: dict[str, Any] = {"scale": "", "base_rate": np.nan, "panel_link": "log"}
    return pd.DataFrame({"outcome": others, "indicator": others}).assign(**row)


def _spread_kept(slopes: xr.DataArray, priors: pd.DataFrame, indicators: list[str]) -> list[float]:
    """Return posterior over prior standard deviation of each association within areas."""
    sds = slopes.std(SAMPLE_DIMS).to_series()
    known = [prior_of(priors, "outcomes", f"spend_within[{name}]", "spend_within")[1] for name in indicators]
    return [float(sds[name] / sd) for name, sd in zip(indicators, known, strict=True)]


def _counts(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    known = table["effect"].notna()
    counts = {"studies": table[known].groupby("outcome").size(), "nulls": table[~known].groupby("outcome").size()}
    return pd.DataFrame(counts).reindex(names).fillna(0).astype(int)


def _association(panel: xr.Dataset) -> pd.DataFrame:
    ends = {"panel": 0.5, "panel_low": 0.5 - LEVEL / 2, "panel_high": 0.5 + LEVEL / 2}
    change = panel["change"].quantile(list(ends.values()), ("chain", "draw"))
    rates = np.expm1(change.transpose("outcome", "quantile").to_numpy())
    return pd.DataFrame(rates, index=change["outcome"].to_numpy(), columns=list(ends))


def _effects(grid: xr.Dataset, scales: pd.DataFrame) -> pd.DataFrame:
    """Return mean, interval and chance of benefit of the mean effect, on the scale of the report."""
    rows = {}
    for outcome, scale in zip(scales["outcome"], scales["scale"], strict=True):
        outcome_grid = grid.sel(outcome=outcome)
        values, weight = outcome_grid["mean_effect"].to_numpy(), _marginal(outcome_grid["weight"], "between_point")
        below = np.cumsum(weight) - weight / 2
        low, high = np.interp([0.5 - LEVEL / 2, 0.5 + LEVEL / 2], below, values)
        harm = float(np.interp(0.0, values, below))
        mean = float(outcome_grid["mean_effect_mean"])
        if scale == STANDARDISED:
            rows[outcome] = (mean, low, high, 1 - harm)
        else:
            rows[outcome] = (*np.expm1([mean, low, high]), harm)
    return pd.DataFrame(rows, index=["mean", "low", "high", "benefit_chance"]).T


def _sentence(row: pd.Series) -> str:
    """Return one sentence on the trials, whether the panel agrees, and what the combined effect depends on."""
    sure, nulls = row["trials_benefit_chance"], int(row["nulls"])
    trials = (
        "lean to benefit" if sure > LEANS else "lean to harm" if sure < 1 - LEANS else "cannot tell benefit from harm"
    )
    better = (row["panel"] > 0) == (row.name in RISING)
    chance = "more than chance would show" if row["panel_low"] * row["panel_high"] > 0 else "but within chance"
    goes = f"within areas more spend goes with {'better' if better else 'worse'} outcomes, {chance}"
    if pd.isna(row["combined"]):
        rests = f"this association keeps {row['panel_prior_ratio']:.0%} of the spread of its prior"
        return (
            f"no trial in the evidence; {goes}; {rests}; no effect of help on it is modelled, so nothing is combined."
        )
    moved = abs(row["combined"] - row["trials"]) > (row["trials_high"] - row["trials_low"]) / 8
    width, alone = (row[f"{name}_high"] - row[f"{name}_low"] for name in ("combined", "trials"))
    narrows = f" but narrows it to {width / alone:.0%} of its width" if width < NARROWER * alone else ""
    rests = diagnosis(row["combined_prior"], row["combined_likelihood"])
    share_kept, between_rests = row["between_prior_ratio"], diagnosis(row["between_prior"], row["between_likelihood"])
    between_words = (
        "is mostly its prior" if share_kept >= MOSTLY and between_rests != "rests on the data" else between_rests
    )
    return (
        f"{int(row['studies'])} studies and {nulls} finding{'' if nulls == 1 else 's'} without a number {trials}; "
        f"{goes}; the panel {'moves' if moved else 'hardly moves'} the trials' effect{narrows}; "
        f"the combined effect's mean {rests}, but a new site's effect also depends on the spread between sites, which "
        f"{between_words} and keeps {share_kept:.0%} of that prior's spread."
    )
