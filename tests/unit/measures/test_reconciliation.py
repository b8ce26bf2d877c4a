from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from toolkit import evidence
from toolkit.measures import quantities as q
from toolkit.measures import reconciliation
from toolkit.prices import rebase
from toolkit.schema import InputError


def compared(**changes: str) -> dict[str, str]:
    row = {
        "id": "eif_outcome_lac",
        "ours_is": "annual",
        "reading": "gross",
        "account": "fiscal",
        "select_by": "component",
        "selected": "care_other",
        "per": "total",
        "alike": "full",
        "reason": "test",
    }
    return row | changes


@pytest.fixture
def england(make_run):
    run = make_run()
    run.tree.attrs["place"] = "England"
    return run


def made(run, register: evidence.Register, *rows: dict[str, str]) -> pd.DataFrame:
    held = replace(register, tables={**register.tables, "totals_compared": pd.DataFrame(rows)})
    return reconciliation.reconcile(run, held)


def test_a_total_is_compared_in_its_own_prices(england, register) -> None:
    row = made(england, register, compared()).iloc[0]
    care = q.costs(england)["annual"].sel(reading="gross", component="care_other").sum("area")
    in_2016 = rebase(care, "2025/26", to="2016", deflators=register.deflators)
    assert row["ours"] == pytest.approx(float(in_2016.mean()))
    assert row["low"] == pytest.approx(float(in_2016.quantile(0.05)))
    assert (row["published"], row["price_year"]) == (5.3e9, "2016")
    assert row["ratio"] == pytest.approx(row["ours"] / 5.3e9)


def test_payers_children_accounts_and_ratios_are_selected(england, register) -> None:
    rows = made(
        england,
        register,
        compared(id="eif_bearer_la", select_by="payer", selected="local_authority"),
        compared(
            id="alma_lifetime_swchild",
            ours_is="lifetime",
            reading="excess",
            account="social",
            select_by="",
            selected="",
            per="child",
        ),
        compared(id="tf_bcr_fiscal", ours_is="bcr", select_by="", selected="", reading=""),
        compared(id="gcse_5good_em_lifetime", ours_is="role", select_by="", selected="price_gcse"),
        compared(id="alma_per_child_annual", alike="no"),
        compared(
            id="alma_lifetime_care",
            ours_is="by_history",
            reading="excess",
            account="social",
            select_by="",
            selected="looked after by 18",
            per="child",
        ),
    )
    found = rows.set_index("id")["ours"]
    council = q.annual(england).sel(reading="gross")
    council = council.isel(component=np.flatnonzero(council["payer"].values == "local_authority")).sum("component")
    in_2016 = rebase(council, "2025/26", to="2016", deflators=register.deflators)
    assert found["eif_bearer_la"] == pytest.approx(float(in_2016.mean()))
    life = q.lifetime(england).sel(reading="excess").sum("component") / q.children(england)["entering"]
    in_2019 = rebase(life, "2025/26", to="2019/20", deflators=register.deflators)
    assert found["alma_lifetime_swchild"] == pytest.approx(float(in_2019.mean()))
    assert found["tf_bcr_fiscal"] == pytest.approx(float(q.result(england)["bcr"].sel(account="fiscal")))
    assert found["gcse_5good_em_lifetime"] == pytest.approx(80_000, rel=0.1)
    assert np.isnan(found["alma_per_child_annual"])
    told = england.tree["life_course"].to_dataset().sel(history="looked after by 18")
    each = told["by_history"].sel(reading="excess").sum("component") / told["children"]
    in_2019 = rebase(each, "2025/26", to="2019/20", deflators=register.deflators)
    assert found["alma_lifetime_care"] == pytest.approx(float(in_2019.mean()))


def test_the_shares_of_one_history_are_of_all_cost_and_of_all_children(england, register) -> None:
    row = {
        "ours_is": "history_share",
        "account": "social",
        "select_by": "",
        "selected": "looked after by 18",
        "per": "",
    }
    cost, children = made(
        england,
        register,
        compared(id="alma_care_share_cost", reading="excess", **row),
        compared(id="alma_care_share_children", reading="", **row),
    )["ours"]
    told = england.tree["life_course"].to_dataset()
    by = told["by_history"].sel(reading="excess").sum("component")
    assert cost == pytest.approx(float((by.sel(history="looked after by 18") / by.sum("history")).mean()))
    assert children == pytest.approx(0.15)


def test_what_cannot_be_compared_is_refused_by_name(make_run, england, register) -> None:
    with pytest.raises(InputError, match="the published totals are England's"):
        made(make_run(), register, compared())
    with pytest.raises(InputError, match=r"eif_outcome_lac: the run has no \['prisons'\]"):
        made(england, register, compared(selected="care_other;prisons"))


def test_every_shipped_comparison_names_a_total_and_components_that_exist(register) -> None:
    rows, tables = register.tables["totals_compared"], register.tables
    assert set(rows["id"]) <= set(register.figures.index)
    assert rows["reason"].str.len().gt(20).all()
    components = set(tables["cost_components"]["component"])
    named = rows[rows["select_by"] == "component"]["selected"].str.split(";").explode()
    assert set(named) <= components
