"""Fit of the pathway from birth to eighteen to the published figures, its committed result and its checks.

Each figure is a normal observation of an output of the model, on the log or logit scale; its error and the reason for
it are in ``data/evidence/pathway_figures.csv``. The rates' posterior is committed as means, standard deviations and
correlations on the unbounded scale, so that a run draws from it without a sampler.
"""

import warnings
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from toolkit import evidence
from toolkit.evidence import Register
from toolkit.models.fitting.diagnose import diagnose
from toolkit.models.fitting.fit import fit
from toolkit.models.fitting.monte_carlo import batch_errors, batches, refuse_failed, rounded, summary, verdicts
from toolkit.models.pathway.model import AGES, ARRIVAL, START, care_within_years, long_stays, outputs, population
from toolkit.schema import MCSE, SAMPLE_DIMS, InputError, random_stream

DRAWS, TUNE, CHAINS, TARGET_ACCEPT = 1500, 1500, 4, 0.95
MEASURED = ["mean", "expected_low", "expected_high", "p_value", "margin"]
LEVEL = 0.9
FIGURES = "data/evidence/pathway_figures.csv"
ROW_SUM = 1e-9


def pathway_figures(register: Register, *, folder: Path | None = None) -> pd.DataFrame:
    """Return the published figures that the pathway is fitted to or checked against.

    Parameters
    ----------
    register
        From ``evidence.load_register``. ``pathway_figures`` names its rows, or ``national:<measure>:<year>`` for a
        count of the statistics, which is divided by its denominator.
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    DataFrame
        ``figure``, ``output``, ``scale``, ``error``, ``fitted``, ``reason`` and ``published``.

    Raises
    ------
    InputError
        A figure that is unknown, superseded or from memory; a share outside 0-1; a rate that is not above 0.
    """
    rows = register.tables["pathway_figures"]
    national = evidence.load_table("statistics/national", folder).query("area == 'England'")
    values = [_published(str(figure), register, national) for figure in rows["figure"]]
    rows = rows.assign(published=values)
    for row in rows.to_dict("records"):
        if row["scale"] not in ("log", "logit"):
            raise InputError(f"{FIGURES}, {row['figure']}: unknown scale '{row['scale']}'.", fix="use log or logit.")
        if not (0 < row["published"] < (1 if row["scale"] == "logit" else np.inf)) or not row["error"] > 0:
            raise InputError(
                f"{FIGURES}, {row['figure']}: {row['published']} (error {row['error']}) leaves a probability "
                "outside 0-1 or a rate not above 0.",
                fix="check the row that it names; divide a percentage by 100.",
            )
    return rows


def _published(figure: str, register: Register, national: pd.DataFrame) -> float:
    if figure.startswith("national:"):
        _, measure, year = figure.split(":")
        rows = national[(national["measure"] == measure) & (national["year"] == int(year))]
        if len(rows) != 1 or not rows["denominator"].iloc[0] > 0:
            raise InputError(f"{FIGURES}, {figure}: no such count of England.", fix="see statistics/national.csv.")
        return float(rows["value"].iloc[0] / rows["denominator"].iloc[0])
    if figure not in register.figures.index:
        why = register.excluded["reason"].get(figure, "no such figure")
        raise InputError(f"{FIGURES}, {figure}: cannot be used: {why}.", fix="name a row that may be used.")
    return float(register.figures["value"][figure])


def _priors(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["model"] == "pathway"].set_index("parameter")
    known = {"log_normal": "log", "logit_normal": "logit"}
    wrong = rows.index[~rows["distribution"].isin(list(known))]
    if rows.empty or len(wrong):
        raise InputError(f"priors.csv, pathway, {[*wrong]}: not log_normal or logit_normal.", fix="restore the rows.")
    return rows.assign(scale=rows["distribution"].map(known))


def _natural(values: Any, scale: str, xp: Any) -> Any:
    return xp.exp(values) if scale == "log" else 1.0 / (1.0 + xp.exp(-values))


def _unbounded(values: Any, scale: str, xp: Any) -> Any:
    return xp.log(values) if scale == "log" else xp.log(values) - xp.log(1.0 - values)


def pathway(figures: pd.DataFrame, *, priors: pd.DataFrame) -> pm.Model:
    """Return the pathway as a PyMC model.

    Parameters
    ----------
    figures
        From :func:`pathway_figures`; only its fitted rows are used.
    priors
        The table of priors: its ``pathway`` rows name the rates.

    Returns
    -------
    pymc.Model
        ``rates`` (parameter), unbounded.
    """
    rows, fitted = _priors(priors), figures[figures["fitted"] == 1]
    with pm.Model(coords={"parameter": rows.index.to_numpy(str)}) as model:
        mean, sd = rows["arg1"].to_numpy(float), rows["arg2"].to_numpy(float)
        standard = pm.Normal("standard", 0, 1, dims="parameter")
        free = pm.Deterministic("rates", mean + sd * standard, dims="parameter")
        # All rates are transformed together and split once: a graph of fewer nodes compiles in half the time.
        natural = pt.switch((rows["scale"] == "log").to_numpy(), pt.exp(free), pt.sigmoid(free))
        rates = dict(zip(rows.index, _parts(natural, len(rows)), strict=True))
        measures = outputs(rates, pt)
        predicted = pt.stack([measures[output] for output in fitted["output"]])
        log = (fitted["scale"] == "log").to_numpy()
        predicted_link = pt.log(predicted) - pt.log(pt.switch(log, 1.0, 1.0 - predicted))
        published = np.log(fitted["published"]) - np.log(np.where(log, 1.0, 1.0 - fitted["published"]))
        observed = pm.Data("published", published.to_numpy())  # calibration replaces it
        pm.Normal("figures", predicted_link, fitted["error"].to_numpy(float), observed=observed)
    return model


def _parts(values: Any, count: int) -> Any:
    return pt.split(values, [1] * count, n_splits=count)  # type: ignore[no-untyped-call]


def natural_rates(free: np.ndarray, priors: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return rates (draw, 1) by name on their natural scale from draws (draw, parameter) on the unbounded one."""
    rows = _priors(priors)
    return {name: _natural(free[:, i : i + 1], rows["scale"].iloc[i], np) for i, name in enumerate(rows.index)}


def check_rows(rates: dict[str, np.ndarray]) -> None:
    """Refuse rates for which a chance of a yearly step is outside 0-1, or a row does not sum to one."""
    walked = population(rates)
    step = walked["step"]
    for chances, what in ((step, "a chance outside 0-1"), (step.sum(-1, keepdims=True), "not summing to one")):
        bad = ~((chances >= -ROW_SUM) & (chances <= 1 + ROW_SUM))
        if what.startswith("not"):
            bad |= abs(chances - 1) > ROW_SUM
        if bad.any():
            *_, age, row, _ = np.argwhere(bad)[0]
            raise InputError(f"pathway, from '{START[row]}' at age {age}: {what}.", fix="check that state's rates.")


def derived(rates: dict[str, np.ndarray]) -> dict[str, tuple[str, np.ndarray]]:
    """Return the quantities (draw) that localise areas by name, each with its unbounded scale.

    Care entries and plan starts per year of an open case (plans included), shares of care starts that come from need
    or are a first entry, children ever in need, years in need per episode (without plans), and ages at first need.
    """
    walked = population(rates)
    flow = {name: walked["arrivals"][..., i] for i, name in enumerate(ARRIVAL)}
    years = (walked["need_years"] + walked["plan_years"]).sum(-1)
    total = {name: values.sum(-1) for name, values in flow.items()}
    entries = total["care"] + total["care_again"] + total["direct_care"]
    quantities = {
        "open_care_rate": ("log", total["care"] / years),
        "open_plan_rate": ("log", total["plan"] / years),
        "need_years_per_episode": ("log", walked["need_years"].sum(-1) / (total["need"] + total["need_again"])),
        "plan_share_of_open": ("logit", walked["plan_years"].sum(-1) / years),
        "care_first_share": ("logit", total["care"] / entries),
        "care_from_need_share": ("logit", 1.0 - total["direct_care"] / entries),
        "share_ever_in_need": ("logit", total["need"]),
    }
    weight = flow["need"] / total["need"][:, None]
    return quantities | {f"entry_age[{age}]": ("log", weight[:, age]) for age in range(AGES)}


def predictive_checks(figures: pd.DataFrame, rates: dict[str, np.ndarray], *, seed: int) -> pd.DataFrame:
    """Compare every figure, fitted or held out, with the model's prediction, including the figure's error.

    Parameters
    ----------
    figures
        From :func:`pathway_figures`.
    rates
        Draws of the rates, from ``natural_rates``.
    seed
        Seed of the errors.

    Returns
    -------
    DataFrame
        ``figure``, ``output``, ``fitted``, ``published``, ``mean``, ``expected_low``, ``expected_high`` (90 per
        cent), ``p_value`` (twice the smaller tail), Monte Carlo errors (``*_mcse``) and ``verdict``: "passed" within
        the interval, "failed" outside, ``CANNOT_BE_DETERMINED`` if Monte Carlo error could change that.
    """
    predicted = outputs(rates) | {
        "care_starts_per_10k": outputs(rates)["care_starts"] * 1e4,
        "care_within_2_of_referral": care_within_years(rates, 2),
        "care_5_to_10_years": long_stays(rates, 5, 10),
    }
    unknown = sorted(set(figures["output"]) - set(predicted))
    if unknown:
        raise InputError(f"{FIGURES}: the model has no output {unknown}.", fix=f"name one of {sorted(predicted)}.")
    rng, size = random_stream(seed, "models.pathway_fit"), len(next(iter(rates.values())))
    noise = rng.standard_normal((len(figures), size))
    table = _against_published(figures, predicted, noise, np.arange(size))
    parts = [_against_published(figures, predicted, noise, at) for at in batches(size)]
    table = table.join(batch_errors(parts, MEASURED))
    table["verdict"] = verdicts(table["margin"], table[f"margin{MCSE}"])
    ends = [f"{name}{which}" for name in MEASURED[:-1] for which in ("", MCSE)]
    return figures[["figure", "output", "fitted", "published"]].reset_index(drop=True).join(table[[*ends, "verdict"]])


def _against_published(
    figures: pd.DataFrame, predicted: dict[str, np.ndarray], noise: np.ndarray, at: np.ndarray
) -> pd.DataFrame:
    """Return predictions of some draws for each figure, and in ``margin`` how far the figure is inside the interval."""
    rows = []
    for row, drawn in zip(figures.to_dict("records"), noise, strict=True):
        values, scale, published = predicted[row["output"]][at], row["scale"], row["published"]
        replicated = _unbounded(values, scale, np) + row["error"] * drawn[at]
        low, high = np.quantile(replicated, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        aim = _unbounded(published, scale, np)
        above = float((replicated > aim).mean())
        ends = (_natural(end, scale, np) for end in (low, high))
        numbers = zip(
            MEASURED, (values.mean(), *ends, 2 * min(above, 1 - above), min(aim - low, high - aim)), strict=True
        )
        rows.append(dict(numbers))
    return pd.DataFrame(rows)


def pathway_tables(*, seed: int, draws: int = DRAWS, folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Fit the pathway and return the tables ``pathway_parameters``, ``pathway_correlations`` and ``pathway_checks``.

    Raises
    ------
    InputError
        If the fit fails its checks, which the message names.
    """
    register = evidence.load_register(folder=folder)
    priors, figures = register.tables["priors"], pathway_figures(register, folder=folder)
    with warnings.catch_warnings():  # eighteen years make a graph too long to fuse, which costs little here
        warnings.filterwarnings("ignore", "Loop fusion failed", UserWarning)
        tree = fit(
            pathway(figures, priors=priors),
            seed=seed,
            draws=draws,
            tune=TUNE,
            chains=CHAINS,
            progress=False,
            target_accept=TARGET_ACCEPT,
        )
    card = diagnose(tree)
    refuse_failed(card, "pathway", draws=draws)
    posterior = tree["posterior"]["rates"].astype(float)
    settings = f"{CHAINS} chains of {draws} draws after {TUNE}, nutpie; worst R-hat {card['value'].iloc[0]:.4f}"
    return summarised(posterior, figures, priors, seed=seed, settings=settings)


def summarised(
    posterior: xr.DataArray, figures: pd.DataFrame, priors: pd.DataFrame, *, seed: int, settings: str
) -> dict[str, pd.DataFrame]:
    """Return the committed tables from draws (chain, draw, parameter) of the unbounded rates."""
    free = posterior.transpose("chain", "draw", "parameter").values.reshape(-1, posterior.sizes["parameter"])
    rates = natural_rates(free, priors)
    check_rows(rates)
    rows = _priors(priors)
    extra = derived(rates)
    names = [*rows.index, *extra]
    scales = [*rows["scale"], *(scale for scale, _ in extra.values())]
    values = np.column_stack([free, *(_unbounded(quantity, scale, np) for scale, quantity in extra.values())])
    shape = tuple(posterior.sizes[dim] for dim in SAMPLE_DIMS)
    draws = xr.DataArray(values.reshape(*shape, -1), {"parameter": names}, (*SAMPLE_DIMS, "parameter"))
    parameters = summary(draws, ends=(0.5 - LEVEL / 2, 0.5 + LEVEL / 2)).to_dataframe().reset_index()
    parameters.insert(1, "scale", scales)
    correlation = np.corrcoef(values.T).round(6)
    row, column = np.tril_indices(len(names), -1)
    pairs = {"parameter": np.take(names, row), "other": np.take(names, column), "correlation": correlation[row, column]}
    worth = az.ess(draws, method="bulk").values
    pairs["correlation_mcse"] = (1 - pairs["correlation"] ** 2) / np.sqrt(np.minimum(worth[row], worth[column]))
    checks = predictive_checks(figures, rates, seed=seed)
    numbers = [name for name in checks.columns[3:-1] if not name.endswith(MCSE)]
    checks[numbers] = checks[numbers].map(lambda number: float(f"{number:.4g}"))
    return {
        "pathway_parameters": rounded(parameters, 6).assign(seed=seed, settings=settings),
        "pathway_correlations": rounded(pd.DataFrame(pairs), 6),
        "pathway_checks": rounded(checks.assign(seed=seed), 12),
    }
