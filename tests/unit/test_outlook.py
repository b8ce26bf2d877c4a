"""The outlook: identities, baselines and what is refused, with a posterior without doubt in place of a fit."""

import numpy as np
import pytest
import xarray as xr

from tests.unit.models.outlook.conftest import sure_posterior
from toolkit import evidence, outlook
from toolkit.models.outlook.dataset import LATEST, WEEKS
from toolkit.models.outlook.series import to_series
from toolkit.schema import InputError

LEEDS, HARTLEPOOL = "E08000035", "E06000001"
OWN = {year: 1500.0 + year - 2026 for year in range(2026, 2036)}


@pytest.fixture
def forecast(monkeypatch, tmp_path):
    series = to_series(evidence.care_panel())

    def with_posterior(areas=(LEEDS,), settings=None, **asked):
        posterior = sure_posterior(series, **(settings or {"step": 0.05, "gain": 0.9, "tail": 8.0}))
        tree = xr.DataTree.from_dict({"posterior": posterior})
        monkeypatch.setattr(outlook, "fit_outlook", lambda **_: tree)
        return outlook.forecast(list(areas), cache=tmp_path, **asked)

    return with_posterior


@pytest.mark.parametrize("baseline", ["model", "flat", "review", "counties", OWN])
def test_stock_and_spending_are_the_sums_of_their_parts(forecast, baseline):
    drawn = forecast(baseline=baseline)
    stock = drawn["children"].sum("placement")
    moved = stock.shift(year=1) + drawn["starts"] - drawn["ends"] + drawn["difference"]
    assert np.allclose(stock.isel(year=slice(1, None)), moved.isel(year=slice(1, None)))
    assert np.allclose(drawn["spend"], drawn["children"] * drawn["price"] * WEEKS * drawn["factor"])
    assert np.allclose(drawn["spend_cash"], drawn["spend"] * drawn["to_cash"])
    assert float(drawn["starts"].min()) >= 0 and float(drawn["ends"].min()) >= 0
    assert (drawn["unaccompanied"] <= stock).all()


def test_the_first_year_is_as_published(forecast):
    drawn = forecast().sel(year=LATEST, area=LEEDS)
    assert np.allclose(drawn["children"].sum("placement"), 1498)
    assert np.allclose(drawn["spend_cash"].sum("placement"), 148_829_653)
    assert np.allclose(drawn["starts"], 458) and np.allclose(drawn["ends"], 512)
    assert np.allclose(drawn["unaccompanied"], 102)


def test_paths_of_children(forecast):
    def path(baseline):
        return forecast(baseline=baseline)["children"].sum("placement").isel(chain=0, draw=0, area=0).values

    assert path("flat") == pytest.approx(1498)
    # 82,090 looked after in March 2022: to 100,000 in 2032, and to 95,000 in 2025.
    for name, growth in {"review": (100_000 / 82_090) ** 0.1, "counties": (95_000 / 82_090) ** (1 / 3)}.items():
        assert path(name) == pytest.approx(1498 * growth ** np.arange(11))
    assert path(OWN)[1:] == pytest.approx([*OWN.values()])


def test_prices_grow_as_asked(forecast):
    sure = {"growth": 0.03}

    def price(how):
        drawn = forecast(settings=sure, price_growth=how)
        return drawn["price"].sel(placement="residential").isel(chain=0, draw=0, area=0, year=[0, 1, 10]).values

    start, first, last = price("fade")
    assert np.log([first / start, last / start]) == pytest.approx([0.03, 0.03 * 5.5], abs=1e-6)  # 1 + 0.9 + ... + 0.1
    assert price("persist") == pytest.approx(start * np.exp([0.0, 0.03, 0.3]), rel=1e-6)
    assert price(0.02) == pytest.approx(start * np.array([1.0, 1.02, 1.02**10]), rel=1e-6)


def test_cash_follows_the_treasury_and_then_its_last_growth(forecast):
    cash = forecast()["to_cash"]
    assert cash.sel(year=[2025, 2026, 2031]).values == pytest.approx([100 / 103.2388, 1.0, 113.6416 / 103.2388])
    assert float(cash.sel(year=2033)) == pytest.approx(113.6416 / 103.2388 * (113.6416 / 111.3959) ** 2)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"baseline": {2026: 1500.0}, "until": 2028}, "no figure for 2027, 2028"),
        ({"baseline": {2026: 1500.0, 2024: 3.0}, "until": 2026}, "2024 is not a year to come"),
        ({"baseline": {2026: -3.0}, "until": 2026}, "2026: -3 children"),
        ({"baseline": {2026: float("nan")}, "until": 2026}, "2026: nan children"),
        ({"baseline": {2026: 1500.5}, "until": 2026}, "2026: 1,500.5 children looked after. Fix: give a whole number"),
        (
            {"baseline": {2026: 1e9}, "until": 2026},
            r"1,000,000,000 children looked after. Fix: .* from 1 to 17\d,\d{3}, ",
        ),
        ({"baseline": OWN, "areas": [LEEDS, HARTLEPOOL]}, "figures for 2 areas"),
        ({"baseline": "growth"}, "baseline 'growth' is not known"),
        ({"price_growth": 3.0}, "more than 25% a year"),
        ({"price_growth": "rise"}, "price growth 'rise' is not known"),
        ({"until": 2036}, "until 2036: out of range"),
        ({"areas": ["E09000001"]}, "City of London has too few children"),
        (
            {"areas": ["E06000063"]},
            r'Cumberland has too short a history of its own. Fix: .*--area "Cumbria area" \(Cumberland with West',
        ),
        ({"areas": []}, "no area"),
    ],
)
def test_bad_input_says_what_is_wrong_and_the_fix(forecast, asked, message):
    with pytest.raises(InputError, match=message) as problem:
        forecast(**asked)
    assert "Fix: " in str(problem.value) and "\n" not in str(problem.value)
