"""Layers of a life: what happens alongside contact with social care, in childhood and after eighteen.

A layer is a row of ``layers.csv`` with its rates in ``layer_rates.csv``. A childhood layer has a rate a year in each
group of states (open, closed, looked after, left care), which the walk applies. An adult layer has a rate for each
history at eighteen and, where a cited ratio says so, for the grade reached at sixteen; it may apply only to those who
never entered youth justice. Its quantity is dated in the year of turning eighteen and is the sum over its ages, over
which costing spreads it.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.pathways.cohort import CELLS, GROUPS, HISTORIES
from toolkit.pathways.kernel import AGES
from toolkit.schema import SAMPLE_DIMS, InputError
from toolkit.tabular import excerpt

EVERYONE = "everyone"
ADULT_AGE = AGES
Rates = dict[tuple[str, str], tuple[str, ...]]  # role, role to multiply by, local level; by layer and group
CERTAIN = {"always": 1.0, "never": 0.0}  # what may stand for the role of a rate
STAGES = {"child": GROUPS, "adult": HISTORIES}


def chosen(
    table: pd.DataFrame, rates: pd.DataFrame, *, outcomes: Collection[str], extra: Collection[str] = ()
) -> pd.DataFrame:
    """Return the layers that a run uses, checked, by name.

    Parameters
    ----------
    table, rates
        ``layers`` and ``layer_rates`` as read, possibly with the user's own rows added.
    outcomes
        Outcomes to price; layers of others are left out.
    extra
        Names of layers to use although they are off by default.

    Raises
    ------
    InputError
        Ages out of order, a group without its rate, a rate of an unknown layer, or an unknown name in ``extra``.
    """
    layers = table.set_index("layer")
    unknown = sorted(set(extra) - set(layers.index)) or sorted(set(rates["layer"]) - set(layers.index))
    if unknown:
        raise InputError(f"layers.csv: no layer {excerpt(unknown)}.", fix="choose one of its rows, or add one.")
    for name, row in layers.iterrows():
        given = set(rates.loc[rates["layer"] == name, "group"])
        needed = {EVERYONE, *STAGES[row["stage"]]}
        if given != needed:
            raise InputError(
                f"layer_rates.csv, {name}: groups {sorted(given ^ needed)} lack a rate or are not of its stage.",
                fix=f"give one row for each of {sorted(needed)}.",
            )
        first = 0 if row["stage"] == "child" else ADULT_AGE
        last = ADULT_AGE - 1 if row["stage"] == "child" else np.inf
        if not first <= row["from_age"] <= row["full_to_age"] <= row["to_age"] <= last:
            raise InputError(f"layers.csv, {name}: ages do not rise within its stage.", fix="from <= full_to <= to.")
    in_use = (layers["in_use"] == 1) | layers.index.isin(list(extra))
    rows = layers[in_use & layers["outcome"].isin(list(outcomes))]
    return rows.assign(years=[duration(row) for _, row in rows.iterrows()])


def child_rates(
    layers: pd.DataFrame, rates: pd.DataFrame, draws: xr.Dataset, levels: xr.Dataset | None = None
) -> xr.DataArray:
    """Return yearly rates of the childhood layers (layer, group, chain, draw) of one area.

    Coordinates ``start`` and ``stop`` (layer) are the age from which, and before which, each applies.

    Parameters
    ----------
    layers
        From :func:`chosen`.
    rates
        ``layer_rates`` as read.
    draws
        Sampled figures (chain, draw).
    levels
        From ``evidence.local_levels``, one area: moves a rate by the area's odds relative to England's. England's
        rates if there are none.
    """
    rows, known = layers[layers["stage"] == "child"], _by_group(rates)
    by_layer = {str(name): [_rate(known, str(name), group, draws, levels) for group in GROUPS] for name in rows.index}
    ages = {"start": rows["from_age"], "stop": rows["to_age"] + 1}
    windows = {name: ("layer", column.to_numpy(int)) for name, column in ages.items()}
    return _stacked(by_layer, GROUPS, draws=draws, dim="group").assign_coords(windows)


def adult_rates(
    layers: pd.DataFrame, rates: pd.DataFrame, draws: xr.Dataset, usual: xr.DataArray, levels: xr.Dataset | None = None
) -> xr.DataArray:
    """Return the adult layers' rates by cell at eighteen (layer, cell, chain, draw) of one area.

    Where the odds differ by grade, the rates are set so that the area's children, without help, have the published rate
    of their history. A rate given the grade leaves out what missing the grade brings to anyone, and is negative in a
    draw in which they do better than peers of the same grade.

    Parameters
    ----------
    layers, rates, draws, levels
        As in :func:`child_rates`.
    usual
        Children by cell without help (cell, year_of_18, chain, draw).

    Raises
    ------
    InputError
        If a share of people is not between 0 and 1.
    """
    people = (
        usual.sum("year_of_18").transpose("cell", *SAMPLE_DIMS).values.reshape(len(HISTORIES), 2, 2, *_shape(draws))
    )
    passed, everyone = people[:, :, 0].sum(1), people.sum((1, 2))
    # Share of each history that reached grade 4; any value will do for a history that nobody has.
    passed = np.divide(passed, everyone, out=np.zeros_like(passed), where=everyone > 0)
    by_layer, known = {}, _by_group(rates)
    for name, row in layers[layers["stage"] == "adult"].iterrows():
        marginal = np.stack([_rate(known, str(name), history, draws, levels) for history in HISTORIES])
        cells = np.stack([np.stack(_by_grade(marginal, passed, row, draws), 1)] * 2, 1)  # history, justice, grade
        if row["given"] == "grade":
            reached, missed = _everyone_by_grade(known, row, draws, levels)
            cells[:, :, 1] -= missed - reached
        if row["given"] == "justice":
            cells[:, 1] = 0.0
        by_layer[str(name)] = list(cells.reshape(len(CELLS), *_shape(draws)))
    return _stacked(by_layer, CELLS, draws=draws, dim="cell")


def _by_grade(
    share: np.ndarray, passed: np.ndarray, row: pd.Series, draws: xr.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Divide a share of people into those who reached grade 4 and those who did not, by the odds between them.

    The share with the grade, p, solves passed p + (1 - passed) o p / (1 + (o - 1) p) = share: a quadratic.
    """
    if not row["odds_below_grade"]:
        return share, share
    if not ((share > 0) & (share < 1)).all():
        raise InputError(f"layers.csv, {row.name}: a share of people is not between 0 and 1.", fix="check its rates.")
    odds = draws[row["odds_below_grade"]].values
    more = odds - 1.0
    linear = passed + (1.0 - passed) * odds - share * more
    reached = 2.0 * share / (linear + np.sqrt(linear**2 + 4.0 * passed * more * share))
    return reached, odds * reached / (1.0 + more * reached)


def everyone_rates(
    layers: pd.DataFrame,
    rates: pd.DataFrame,
    draws: xr.Dataset,
    first_entry: xr.DataArray,
    levels: xr.Dataset | None = None,
) -> xr.DataArray:
    """Return the rate of each layer among all children of the area (layer, chain, draw), for the comparator.

    Given the grade it is the rate of young people with grade 4; given justice it is the mean over all children, with 0
    for those who entered youth justice.

    Parameters
    ----------
    layers, rates, draws, levels
        As in :func:`child_rates`.
    first_entry
        Share of the area's children who ever enter youth justice (chain, draw).
    """
    by_layer, known = {}, _by_group(rates)
    for name, row in layers.iterrows():
        if row["given"] == "grade":
            by_layer[str(name)] = _everyone_by_grade(known, row, draws, levels)[0]
        else:
            apart = 1.0 - first_entry.transpose(*SAMPLE_DIMS).values if row["given"] == "justice" else 1.0
            by_layer[str(name)] = _rate(known, str(name), EVERYONE, draws, levels) * apart
    coords = {"layer": list(by_layer), **{dim: draws[dim].values for dim in SAMPLE_DIMS}}
    values = np.stack(list(by_layer.values())) if by_layer else np.zeros((0, *_shape(draws)))
    return xr.DataArray(values, coords, ("layer", *SAMPLE_DIMS), attrs={"units": "per person"})


def age_weights(row: pd.Series) -> np.ndarray:
    """Return a layer's weight at each age from ``from_age`` to ``to_age``: one, then falling in a straight line."""
    ages = np.arange(row["from_age"], row["to_age"] + 1)
    left = row["to_age"] + 1 - row["full_to_age"]
    return np.asarray(np.minimum(1.0, (row["to_age"] + 1 - ages) / left))


def duration(row: pd.Series) -> float:
    """Return the years for which a rate applies: the sum of the age weights, or one where the rate is of ever."""
    return float(age_weights(row).sum()) if row["rate_is"] == "per_year" else 1.0


def whole_lives(
    lives: xr.Dataset, rates: xr.DataArray, layers: pd.DataFrame, *, quantities: Sequence[str] | None = None
) -> xr.DataArray:
    """Return what happens in childhood and what the adult layers add to it (quantity, year, ..., chain, draw).

    Parameters
    ----------
    lives
        ``events`` (..., quantity, year, chain, draw) and ``cells`` (..., cell, year_of_18, chain, draw), from
        ``per_child`` or ``project``.
    rates
        From :func:`adult_rates`.
    layers
        From :func:`chosen`, with the ``years`` for which a rate applies.
    quantities
        Names of those returned; all by default.

    Returns
    -------
    DataArray
        Over the years in which children turn eighteen, which include those of childhood. An adult layer's quantity is
        the sum over its ages, dated in the year of turning eighteen.
    """
    childhood = lives["events"].get_index("quantity")
    names = [*childhood, *rates["layer"].values] if quantities is None else list(quantities)
    middle = [dim for dim in lives["events"].dims if dim not in ("quantity", "year", *SAMPLE_DIMS)]
    events = lives["events"].transpose("quantity", "year", *middle, *SAMPLE_DIMS).values
    cells: np.ndarray = lives["cells"].transpose("cell", "year_of_18", *middle, *SAMPLE_DIMS).values
    spans = rates.transpose("layer", "cell", *SAMPLE_DIMS).values
    whole = np.zeros((len(names), *cells.shape[1:]), cells.dtype)
    for index, name in enumerate(names):
        if name in childhood:
            whole[index, : events.shape[1]] = events[childhood.get_loc(name)]
        else:
            span = np.asarray(spans[rates.get_index("layer").get_loc(name)] * layers.at[name, "years"], cells.dtype)
            np.einsum("e...cd,ecd->...cd", cells, span, out=whole[index])
    axes = {dim: lives[dim].values for dim in (*middle, *SAMPLE_DIMS)}
    coords = {"quantity": names, "year": lives["year_of_18"].values, **axes}
    return xr.DataArray(whole, coords, ("quantity", "year", *axes), attrs=lives.attrs)


def age_spread(layers: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return, for each adult layer, the share of its quantity that falls in each year from eighteen on."""
    spread = {}
    for name, row in layers[layers["stage"] == "adult"].iterrows():
        weights = np.concatenate([np.zeros(int(row["from_age"]) - ADULT_AGE), age_weights(row)])
        spread[str(name)] = weights / weights.sum()
    return spread


def _by_group(rates: pd.DataFrame) -> Rates:
    """Return the rows of ``layer_rates`` by layer and group, because looking up each in the table is slow."""
    columns = (rates[name].tolist() for name in ("layer", "group", "role", "times_role", "local"))
    return {(layer, group): tuple(rest) for layer, group, *rest in zip(*columns, strict=True)}


def _everyone_by_grade(
    rates: Rates, row: pd.Series, draws: xr.Dataset, levels: xr.Dataset | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rates among all young people of the area with grade 4 and without."""
    passed = moved(draws["gcse_all_pupils"].values, "gcse_all", levels)
    return _by_grade(_rate(rates, str(row.name), EVERYONE, draws, levels), passed, row, draws)


def _rate(rates: Rates, layer: str, group: str, draws: xr.Dataset, levels: xr.Dataset | None) -> np.ndarray:
    role, times, local = rates[layer, group]
    if role in CERTAIN:
        return np.full(_shape(draws), CERTAIN[role])
    value: np.ndarray = moved(draws[role].values, local, levels)
    return value * np.asarray(draws[times].values) if times else value


def moved[T: (np.ndarray, xr.DataArray)](share: T, name: str, levels: xr.Dataset | None) -> T:
    """Move a share from England to the area by the ratio of odds, which keeps it between 0 and 1."""
    if not name or levels is None:
        return share
    area, england = (levels[part].sel(name=name).values for part in ("level", "england"))  # or both by draw
    odds = share / (1.0 - share) * (area / (1.0 - area)) / (england / (1.0 - england))
    return odds / (1.0 + odds)


def _stacked(
    by_layer: Mapping[str, list[np.ndarray]], over: Sequence[str], *, draws: xr.Dataset, dim: str
) -> xr.DataArray:
    values = np.array(list(by_layer.values())).reshape(len(by_layer), len(over), *_shape(draws))
    coords = {"layer": list(by_layer), dim: list(over), **{name: draws[name].values for name in SAMPLE_DIMS}}
    return xr.DataArray(values, coords, ("layer", dim, *SAMPLE_DIMS), attrs={"units": "per person"})


def _shape(draws: xr.Dataset) -> tuple[int, ...]:
    return tuple(draws.sizes[dim] for dim in SAMPLE_DIMS)
