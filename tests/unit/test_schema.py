import numpy as np
import pytest
import xarray as xr

from toolkit.schema import InputError, aligned, check, random_stream


def over(areas: list[str]) -> xr.DataArray:
    return xr.DataArray(np.ones(len(areas)), dims="area", coords={"area": areas})


def test_aligned_refuses_what_xarray_would_silently_drop() -> None:
    left, right = over(["E1", "E2", "E3"]), over(["E2", "E4"])
    assert (left * right).sizes["area"] == 1  # the trap this law exists for
    with pytest.raises(InputError, match=r"'area'.*E1"):
        aligned(left, right)


def test_aligned_refuses_another_order() -> None:
    with pytest.raises(InputError, match="another order"):
        aligned(over(["E1", "E2"]), over(["E2", "E1"]))


def test_aligned_returns_equal_and_unrelated_arrays() -> None:
    left, other = over(["E1"]), xr.DataArray([1.0], dims="year")
    assert aligned(left, left, other) == (left, left, other)


def test_aligned_refuses_sizes_that_differ_without_labels() -> None:
    with pytest.raises(InputError, match="sizes 2 and 3"):
        aligned(xr.DataArray(np.ones(2), dims="draw"), xr.DataArray(np.ones(3), dims="draw"))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (over(["E1"]).assign_attrs(units="GBP"), "without a price base"),
        (over(["E1"]) * np.nan, "NaN"),
        (over(["E1"]).rename(area="place"), "lacks dimension"),
        (over(["E1"]).astype(str), "not numbers"),
        (over(["E1"]).astype(object), "not numbers"),
        (over(["E1"]).astype("datetime64[s]"), "not numbers"),
        (over(["E1"]).assign_attrs(units="persons"), "units are 'persons'"),
    ],
)
def test_check_names_the_law_broken(array: xr.DataArray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(array, dims=("area",), units="GBP" if "persons" in message else None)


def test_check_returns_a_lawful_array() -> None:
    money = over(["E1"]).assign_attrs(units="GBP", price_base="2025/26")
    assert check(money, dims=("area",), units="GBP") is money


def test_each_purpose_has_random_numbers_of_its_own_that_never_change() -> None:
    kept = random_stream(20261122, "cost_care_residential").random(2)
    np.testing.assert_allclose(kept, [0.84411731, 0.97091325], atol=1e-8)  # figures drawn before must come again
    others = [random_stream(7, "appraisal.evsi"), random_stream(7, "models.rates"), random_stream(8, "models.rates")]
    normals = np.array([one.standard_normal(10_000) for one in [*others, np.random.default_rng(7)]])
    assert np.abs(np.corrcoef(normals) - np.eye(4)).max() < 0.05
