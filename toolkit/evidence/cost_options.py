"""Which cost components a choice of other prices leaves."""

from collections.abc import Collection

import pandas as pd

from toolkit.schema import InputError
from toolkit.tabular import excerpt


def with_options(table: pd.DataFrame, options: pd.DataFrame, chosen: Collection[str]) -> pd.DataFrame:
    """Return the component rows that some options leave: what an option adds is out unless it is chosen.

    Parameters
    ----------
    table, options
        ``cost_components`` and ``cost_options`` as read.
    chosen
        Names of options.

    Raises
    ------
    InputError
        An unknown option.
    """
    if unknown := sorted(set(chosen) - set(options["option"])):
        raise InputError(
            f"cost_options: no option {excerpt(unknown)}.", fix=f"use {' or '.join(options['option'].unique())}."
        )
    taken, adds = options["option"].isin(list(chosen)), options["use"] == "on"
    added = set(options.loc[taken & adds, "component"])
    out = set(options.loc[taken | adds, "component"]) - added
    return table[~table["component"].isin(out)]


def check_options(
    table: pd.DataFrame, options: pd.DataFrame, chosen: Collection[str], outcomes: Collection[str]
) -> None:
    """Refuse an option that adds what stands in place of a component that another option would leave out.

    Parameters
    ----------
    table, options, chosen
        As for :func:`with_options`.
    outcomes
        Of the scenario.

    Raises
    ------
    InputError
        Names the option and the other one, which must be chosen with it; or the outcome, without which it adds nothing.
    """
    rows = options.join(table.set_index("component")[["contains", "outcome"]], on="component", how="inner")
    taken, adds = rows["option"].isin(list(chosen)), rows["use"] == "on"
    leave_out = rows[~taken & ~adds.groupby(rows["option"]).transform("any")]
    beside = rows[taken & adds].merge(leave_out, on="contains", suffixes=("", "_left"))
    for _, both in beside.iterrows():
        option, outcome, other = both["option"], both["outcome"], both["option_left"]
        if outcome not in outcomes:
            problem = f"{option} adds only to {outcome}, which outcomes leaves out."
            raise InputError(f"cost_options: {problem}", fix=f"leave {option} out, or add {outcome} to outcomes.")
        problem = f"{option} stands beside the {other.removeprefix('without_').replace('_', ' ')} in use."
        raise InputError(f"cost_options: {problem}", fix=f"add {other}, or leave {option} out.")
