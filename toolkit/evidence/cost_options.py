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
    rows, uses = table.set_index("component"), options.groupby("option")["use"].agg(set)
    taken = options["option"].isin(list(chosen))
    leave_out = options[~taken & options["option"].map(uses == {"off"})]
    for _, added in options[taken & (options["use"] == "on")].iterrows():
        option, mine = added["option"], rows.loc[added["component"]]
        for _, left in leave_out.iterrows():
            if rows.loc[left["component"], "contains"] != mine["contains"]:
                continue
            if mine["outcome"] not in outcomes:
                raise InputError(
                    f"cost_options: {option} adds only to {mine['outcome']}, which outcomes leaves out.",
                    fix=f"leave {option} out, or add {mine['outcome']} to outcomes.",
                )
            other = str(left["option"])
            what = other.removeprefix("without_").replace("_", " ")
            raise InputError(
                f"cost_options: {option} stands beside the {what} in use.",
                fix=f"add {other}, or leave {option} out.",
            )
