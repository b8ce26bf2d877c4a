"""An outcome of one's own becomes an indicator, and moves its layer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence, pathways, scenarios
from toolkit.pathways.layers import moved
from toolkit.schema import SAMPLE_DIMS, InputError

NAME = "neet_16_17"
MERGED = "stable:Cumbria area"


def counts(statistics: xr.Dataset, reference: pd.DataFrame) -> pd.DataFrame:
    codes = reference.loc[(reference["status"] == "current") & reference["area"].isin(statistics["area"].values)]
    rows = [
        {"la_code": code, "data_year": year, "events": 50 + year % 7, "exposure": 2000}
        for code in codes["la_code"]
        for year in (2021, 2022, 2025)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return evidence.reference_areas()


@pytest.fixture
def table(dozen: xr.Dataset, reference: pd.DataFrame) -> pd.DataFrame:
    return counts(dozen, reference)


def test_counts_become_cells_and_the_rest_stays(dozen: xr.Dataset, table: pd.DataFrame) -> None:
    found = evidence.with_indicator(dozen, table, name=NAME)
    for name in dozen.data_vars:
        kept = found[name].sel(indicator=dozen["indicator"]) if "indicator" in dozen[name].dims else found[name]
        xr.testing.assert_equal(kept, dozen[name])
        assert found[name].attrs == dozen[name].attrs
    own = found.sel(indicator=NAME)
    assert own["observed"].sum("area").sel(data_year=[2021, 2023, 2025]).values.tolist() == [13, 0, 13]
    assert float(own["events_lower"].sel(area="E06000001", data_year=2021)) == 50 + 2021 % 7
    # Authorities that became one area are summed.
    members = int(table["exposure"].sum() / 3 / 2000) - 12
    assert float(own["exposure"].sel(area=MERGED, data_year=2022)) == 2000 * members
    assert found["area_name"].equals(dozen["area_name"])


def test_a_hidden_count_is_an_interval(dozen: xr.Dataset, table: pd.DataFrame) -> None:
    table["events_upper"] = np.nan
    table.loc[0, ["events", "events_upper"]] = [0, 9]
    own = evidence.with_indicator(dozen, table, name=NAME).sel(
        indicator=NAME, area=table["la_code"][0], data_year=table["data_year"][0]
    )
    assert (float(own["events_lower"]), float(own["events_upper"])) == (0, 9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"la_code": "E99999999"}, "no authority"),
        ({"data_year": 1999}, "is a year that the statistics lack"),
        ({"data_year": 2022}, "repeats E06000001 in 2022"),
        ({"events": 2001}, "above the exposure"),
        ({"events": -1}, "not between 0"),
        ({"events": np.nan}, "blank where a number"),
        ({"events": True}, "not a number"),
        ({"events": "1.250,5"}, "write decimals with a point"),
        ({"events": 1e308}, "not between 0"),
        ({"events": 10**5000}, "not a number"),
        ({"events": [1]}, "not a number"),
        ({"data_year": 202426}, "is not a year"),
        ({"data_year": 2021.5}, "is not a year"),
        ({"la_code": "\ud800" * 1000}, "ud800"),
        ({"exposure": 0}, "exposure"),
    ],
)
def test_bad_rows_are_refused_by_name(dozen: xr.Dataset, table: pd.DataFrame, change: dict, said: str) -> None:
    table = table.astype(object)
    for column, value in change.items():
        table.at[0, column] = value
    with pytest.raises(InputError, match=said) as refused:
        evidence.with_indicator(dozen, table, name=NAME)
    assert "Fix:" in str(refused.value) and "line " in str(refused.value)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 300


def test_bad_tables_are_refused(dozen: xr.Dataset, table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="is there already"):
        evidence.with_indicator(dozen, table, name="care_starts")
    with pytest.raises(InputError, match="no column exposure"):
        evidence.with_indicator(dozen, table.drop(columns="exposure"), name=NAME)


def test_one_heir_of_a_merged_area_is_refused(dozen: xr.Dataset, table: pd.DataFrame, reference: pd.DataFrame) -> None:
    """What is known of Cumberland alone is not known of the area: it used to be blank there without a word."""
    cumberland = (table["la_code"] == "E06000063") & (table["data_year"] == 2022)
    alone = table[~cumberland]
    with pytest.raises(InputError, match=r"Westmorland and Furness in 2022, but Cumberland and West.*one area"):
        evidence.with_indicator(dozen, alone, name=NAME)
    before = table[cumberland].assign(la_code="E10000006")  # Cumbria, counted once, in place of both
    with pytest.raises(InputError, match="count as one area"):
        evidence.with_indicator(dozen, pd.concat([alone, before]), name=NAME)
    westmorland = (alone["la_code"] == "E06000064") & (alone["data_year"] == 2022)
    found = evidence.with_indicator(dozen, pd.concat([alone[~westmorland], before]), name=NAME)
    assert float(found["exposure"].sel(indicator=NAME, area=MERGED, data_year=2022)) == 2000


def test_codes_of_2025_are_their_authorities(statistics: xr.Dataset) -> None:
    rows = [("E08000038", 2025, 10, 2000), ("E08000039", 2025, 20, 3000)]
    table = pd.DataFrame(rows, columns=["la_code", "data_year", "events", "exposure"])
    own = evidence.with_indicator(statistics, table, name=NAME).sel(indicator=NAME, data_year=2025)
    assert own["exposure"].sel(area=["E08000016", "E08000019"]).values.tolist() == [2000, 3000]
    assert int(own["observed"].sum()) == 2
    twice = pd.concat([table, table.iloc[:1].assign(la_code="E08000016")])
    with pytest.raises(InputError, match="repeats E08000016 in 2025"):
        evidence.with_indicator(statistics, twice, name=NAME)


# As the Department publishes them --------------------------------------------------------------------


def published(table: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Return the same counts as a file of Explore Education Statistics, with other levels and a filter."""
    names = reference.set_index("la_code")
    rows = pd.DataFrame(
        {
            "time_period": [f"{year - 1}{year % 100:02d}" for year in table["data_year"]],
            "time_identifier": "Academic year",
            "geographic_level": "Local authority",
            "old_la_code": names["dfe_la_number"].reindex(table["la_code"]).to_numpy(),
            "new_la_code": table["la_code"],
            "la_name": names["la_name"].reindex(table["la_code"]).to_numpy(),
            "sex": "Total",
            "number_neet": table["events"].astype(str),
            "cohort": [f"{value:,}" for value in table["exposure"]],
        }
    )
    nation = rows.iloc[:1].assign(geographic_level="National", old_la_code="", new_la_code="", la_name="")
    return pd.concat([nation, rows.assign(sex="Girls", number_neet="c"), rows], ignore_index=True)


MEANT = {"events": "number_neet", "exposure": "cohort", "only": {"sex": "Total"}}


def test_a_published_file_is_read_as_it_comes(
    dozen: xr.Dataset, table: pd.DataFrame, reference: pd.DataFrame, tmp_path: Path
) -> None:
    expected = evidence.with_indicator(dozen, table, name=NAME)
    rows = published(table, reference)
    path = tmp_path / "published.csv"
    for form in (
        rows,
        rows[rows.columns[::-1]],
        rows.assign(time_period=[f"20{period[-2:]}" for period in rows["time_period"]]),
    ):
        form.to_csv(path, index=False, encoding="utf-8-sig")
        for source in (path, str(path), form, pd.read_csv(path, encoding="utf-8-sig")):
            xr.testing.assert_identical(evidence.with_indicator(dozen, source, name=NAME, **MEANT), expected)
    old = rows.drop(columns="new_la_code").assign(cohort=rows["cohort"].str.replace(",", ""))
    path.write_text(old.to_csv(index=False, sep=";"), encoding="utf-16")
    xr.testing.assert_identical(evidence.with_indicator(dozen, path, name=NAME, **MEANT), expected)


@pytest.mark.parametrize("marker", ["x", "z", "k", "u", "low", ":", "~", "-", " X "])
@pytest.mark.parametrize("column", ["number_neet", "cohort"])
def test_a_marker_makes_its_row_unknown_and_says_so(
    dozen: xr.Dataset, table: pd.DataFrame, reference: pd.DataFrame, marker: str, column: str
) -> None:
    rows = published(table, reference)
    rows.loc[rows.index[-len(table)], column] = marker
    with pytest.warns(UserWarning, match=f"rows left out as not known: 1 marked {marker.strip().casefold()}"):
        found = evidence.with_indicator(dozen, rows, name=NAME, **MEANT)
    first = {"indicator": NAME, "area": table["la_code"][0], "data_year": table["data_year"][0]}
    assert not found["observed"].sel(first)
    assert found["observed"].sum() == evidence.with_indicator(dozen, table, name=NAME)["observed"].sum() - 1
    assert found.attrs[f"{NAME}_hidden_unobserved"] == 1


def test_a_withheld_count_lies_between_zero_and_five(
    dozen: xr.Dataset, table: pd.DataFrame, reference: pd.DataFrame
) -> None:
    rows = published(table, reference)
    rows.loc[rows.index[-len(table)], ["number_neet", "cohort"]] = ["c", "2,000"]
    rows.loc[rows.index[-len(table) + 1], ["number_neet", "cohort"]] = ["c", "3"]
    cells = {"indicator": NAME, "area": table["la_code"][0]}
    for given, ends in (({}, [(0, 5), (0, 3)]), ({"hidden_up_to": 9}, [(0, 9), (0, 3)])):
        found = evidence.with_indicator(dozen, rows, name=NAME, **MEANT, **given)
        for year, (lower, upper) in zip((2021, 2022), ends, strict=True):
            own = found.sel(cells | {"data_year": year})
            assert (float(own["events_lower"]), float(own["events_upper"])) == (lower, upper)
    assert found.attrs[f"{NAME}_hidden_as_interval"] == 2
    rows.loc[rows.index[-len(table)], "cohort"] = "c"
    with pytest.warns(UserWarning, match="1 marked c"):
        evidence.with_indicator(dozen, rows, name=NAME, **MEANT)


def test_years_before_the_statistics_and_codes_of_2025_are_read(dozen: xr.Dataset, table: pd.DataFrame) -> None:
    early = table.rename(columns={"data_year": "time_period"})
    early.loc[0, "time_period"] = 200607
    with pytest.warns(UserWarning, match="1 of years that the statistics lack"):
        evidence.with_indicator(dozen, early, name=NAME)
    everywhere = evidence.load_statistics()
    for code, now in (("E08000038", "E08000016"), ("e08000039", "E08000019")):
        rows = table.iloc[:1].assign(la_code=code)
        found = evidence.with_indicator(everywhere, rows, name=NAME).sel(indicator=NAME, data_year=2021)
        assert found["area"].values[found["observed"]].tolist() == [now]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"only": {}}, r"repeats E06000001 in 2021. Fix: choose by column 'sex', as only=\{'sex': 'Girls'\}"),
        ({"only": {"sex": "All"}}, "no row where sex is 'All'. Fix: use one of its values, as 'Girls', 'Total'"),
        ({"only": {"gender": "Total"}}, "no column 'gender' to choose by"),
        ({"events": "neet"}, r"no column neet \(it has time_period"),
        ({"only": {"sex": "Girls"}, "exposure": "number_neet"}, "no row has a count"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*rows left out")
def test_what_is_not_in_a_published_file_is_named(
    dozen: xr.Dataset, table: pd.DataFrame, reference: pd.DataFrame, change: dict, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        evidence.with_indicator(dozen, published(table, reference), name=NAME, **(MEANT | change))


def drawn(values: object, *dims: str, **coords: object) -> xr.DataArray:
    return xr.DataArray(values, {**coords, "chain": [0, 1], "draw": range(5)}, (*dims, *SAMPLE_DIMS))


def test_fitted_rates_stand_for_the_published_level_of_their_name() -> None:
    levels, random = evidence.local_levels(), np.random.default_rng(1)
    areas = levels["area"].values[:3]
    rates = drawn(random.uniform(0.02, 0.06, (2, 3, 2, 5)), "indicator", "area", indicator=["other", NAME], area=areas)
    national = drawn(random.uniform(0.03, 0.04, (2, 2, 5)), "indicator", indicator=["other", NAME])
    assert evidence.with_fitted(levels, rates.sel(indicator=["other"]), national) is levels
    found = evidence.with_fitted(levels, rates, national).sel(area=areas[1])
    np.testing.assert_allclose(found["level"].sel(name=NAME), rates.sel(indicator=NAME, area=areas[1]))
    np.testing.assert_allclose(found["level"].sel(name="gcse_all"), levels["level"].sel(name="gcse_all", area=areas[1]))
    assert str(found["taken_from"].sel(name=NAME).values) == "model"
    share = np.full((2, 5), 0.1)
    odds = [part / (1 - part) for part in (rates.sel(indicator=NAME, area=areas[1]), national.sel(indicator=NAME))]
    expected = 0.1 / 0.9 * odds[0] / odds[1]
    np.testing.assert_allclose(moved(share, NAME, found), expected / (1 + expected))
    np.testing.assert_allclose(moved(share, "gcse_all", found), moved(share, "gcse_all", levels.sel(area=areas[1])))


def test_areas_at_the_national_rate_keep_the_national_figure(register: evidence.Register) -> None:
    """England's aggregate does not move: every layer has England's rate, draw by draw."""
    scenario = scenarios.load("families_first")
    like = xr.Dataset(coords={"chain": [0, 1], "draw": range(5)})
    assumptions = scenarios.resolve(scenario, register)
    draws = evidence.sample(assumptions, like=like, seed=1, price_base=scenario.price_base)
    tables = register.tables
    layers = pathways.chosen(tables["layers"], tables["layer_rates"], outcomes=scenario.outcomes)
    levels = evidence.local_levels()
    national = drawn(np.random.default_rng(1).uniform(0.02, 0.06, (1, 2, 5)), "indicator", indicator=[NAME])
    rates = national.expand_dims(area=levels["area"].values).transpose("indicator", "area", *SAMPLE_DIMS)
    found = evidence.with_fitted(levels, rates, national)
    of_england = pathways.child_rates(layers, tables["layer_rates"], draws)
    for area in levels["area"].values[::50]:
        own = pathways.child_rates(layers, tables["layer_rates"], draws, found.sel(area=area))
        chosen = {"layer": "neet_years_16_17"}
        np.testing.assert_allclose(own.sel(chosen), of_england.sel(chosen), rtol=1e-12)
