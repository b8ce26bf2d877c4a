"""Unaccompanied children: how many, their share of care starts, and what is left without them."""

import numpy as np
import pytest
import xarray as xr

from toolkit import evidence
from toolkit.schema import InputError

KENT, STOKE, LONDON = "E10000016", "E06000021", "E09000001"


@pytest.fixture(scope="module")
def base(statistics: xr.Dataset) -> xr.Dataset:
    return evidence.base_year(statistics)


@pytest.fixture(scope="module")
def alone(base: xr.Dataset) -> xr.Dataset:
    return evidence.unaccompanied(base, xr.DataArray([[1.3]], {"chain": [0], "draw": [0]}))


def test_kents_share_by_hand(alone: xr.Dataset) -> None:
    """451 who stay 1.3 years make 346.9 starts a year, and 2,366 are moved on: 2,712.9.

    England: 6,534 / 1.3 + 2,366 = 7,392.2 of 32,265 starts, so that 24,872.8 others leave 81,773 - 6,534 = 75,239
    looked after, 3.025 years each. Kent's 1,896 - 451 = 1,445 others make 477.7 starts: 85 per cent are unaccompanied.
    """
    assert float(alone["looked_after"].sel(area=KENT)) == 451
    assert alone["share"].sel(area=KENT).item() == pytest.approx(2712.9 / (2712.9 + 477.7), abs=2e-4)
    assert alone["share"].sel(area=STOKE).item() == pytest.approx(13.85 / (13.85 + 1045 / 3.025), abs=2e-4)
    assert float(alone["looked_after"].sel(area=LONDON)) == 0.0 == alone["share"].sel(area=LONDON).item()


def test_the_rest_is_what_is_left(base: xr.Dataset, alone: xr.Dataset) -> None:
    rest = evidence.without_unaccompanied(base, alone)
    kent = rest.sel(area=KENT)
    assert float(kent["children_looked_after"]) == 1896 - 451
    assert float(kent["care_starts"]) == 3226 - 2366
    outside = base["children_in_need"] - base["children_looked_after"]
    np.testing.assert_allclose(rest["children_in_need"] - rest["children_looked_after"], outside)  # all are in need
    starts = 3226 * alone["share"].sel(area=KENT).item()
    assert float(kent["children_in_need_starts"]) == pytest.approx(17_378 - starts)
    counted = evidence.without_unaccompanied(base, alone * 0.0)
    xr.testing.assert_equal(counted, base)


def test_a_stay_so_short_that_all_starts_are_theirs_is_refused(base: xr.Dataset) -> None:
    with pytest.raises(InputError, match=r"more start to be looked after.*unaccompanied_stay"):
        evidence.unaccompanied(base, xr.DataArray([[0.2]], {"chain": [0], "draw": [0]}))


def test_fewer_children_than_are_unaccompanied_are_refused(base: xr.Dataset, alone: xr.Dataset) -> None:
    few = base.assign(children_looked_after=base["children_looked_after"].where(base["area"] != KENT, 400.0))
    with pytest.raises(InputError, match=rf"{KENT}: fewer than its unaccompanied.*unaccompanied: true"):
        evidence.without_unaccompanied(few, alone)


def test_a_count_is_poisson_about_the_mean_that_it_is_drawn_for() -> None:
    like = xr.Dataset(coords={"chain": range(4), "draw": range(5000)})
    drawn = evidence.steady_stock(xr.DataArray([0.0, 400.0], {"area": ["a", "b"]}, "area"), like=like, seed=1)
    assert bool((drawn > 0).all())
    np.testing.assert_allclose(drawn.mean(("chain", "draw")), [0.5, 400.5], rtol=0.02)
    np.testing.assert_allclose(drawn.std(("chain", "draw")), np.sqrt([0.5, 400.5]), rtol=0.03)


def test_spending_is_shared_out_by_children(base: xr.Dataset, alone: xr.Dataset, register: evidence.Register) -> None:
    """Kent's 1,445 of 1,896 children; its section 251 returns of 2024/25 hold leaving care."""

    def published(left_out: xr.Dataset, **how: object) -> xr.Dataset:
        settings = {"leaving_care": True, "price_base": "2024/25", "deflators": register.deflators} | how
        return evidence.published_care(base, left_out, **settings).sel(area=KENT)

    own, whole = published(alone), published(alone * 0.0)
    assert float(own["looked_after"]) == 1445
    assert float(own["care_spending"] / whole["care_spending"]) == pytest.approx(1445 / 1896)
    assert float(own["care_starts"]) == pytest.approx(3226 * (1 - alone["share"].sel(area=KENT).item()))
    panel = evidence.load_table("statistics/panel_spending").query("la_code == @KENT and year == 2025")
    returned = panel.set_index("measure")["value"]
    assert float(whole["care_spending"]) == pytest.approx(returned["s251_looked_after_gross"])
    without = published(alone * 0.0, leaving_care=False)["care_spending"]
    assert float(without) == pytest.approx(returned["s251_looked_after_gross"] - returned["s251_leaving_care_gross"])
    later = published(alone * 0.0, price_base="2025/26")["care_spending"]
    assert float(later / whole["care_spending"]) == pytest.approx(
        register.deflators["2025/26"] / register.deflators["2024/25"]
    )


def test_parts_of_a_merged_area_have_their_own(base: xr.Dataset) -> None:
    part = base.sel(area=[KENT]).assign_coords(area=["E06000063"])
    alone = evidence.unaccompanied(xr.concat([base, part], "area"), xr.DataArray([[1.3]], {"chain": [0], "draw": [0]}))
    assert (
        0
        < float(alone["looked_after"].sel(area="E06000063"))
        < float(alone["looked_after"].sel(area=[a for a in base["area"].values if "Cumbria" in a]).sum())
    )
