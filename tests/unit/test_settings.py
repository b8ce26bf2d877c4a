"""Every key of a scenario says what it means, in which unit and what it may be."""

import pytest

from toolkit import scenarios, settings
from toolkit.schema import COVARIATES, InputError

FIELDS = scenarios.fields()


def test_every_key_has_a_meaning_in_one_sentence_and_a_range() -> None:
    assert FIELDS.index.is_unique and len(FIELDS) > 50
    for key, row in FIELDS.iterrows():
        assert 10 < len(row["meaning"]) < 110 and row["meaning"].endswith("."), key
        assert row["allowed"], key


@pytest.mark.parametrize(
    ("key", "unit", "allowed", "default"),
    [
        ("plan.<part>.programme", "", "text, at most 60 characters", "needed"),
        ("plan.<part>.pounds_per_child", "GBP a year", "a list: a number, -1,000 or more, 1,000 or less", "[]"),
        ("horizon", "years", "a whole number, 5 or more, 70 or less", "70"),
        ("effect.unevidenced", "", "none, borrow", "none"),
        ("effect.ramp", "share", "a list: a number, 0 or more, 1 or less", "[0.5, 1.0]"),
        ("effect.detection", "", "true, false", "false"),
        ("covariates", "", f"a list: {', '.join(COVARIATES)}", "[]"),
        ("overrides.<name>.interval_level", "", "a number, above 0, below 1", ""),
        ("overrides.<name>.reason", "", "text, at least 5 characters", "needed"),
        ("seed", "", "a whole number, 0 or more, below 4,294,967,296", "20261122"),
    ],
)
def test_unit_range_and_default(key: str, unit: str, allowed: str, default: str) -> None:
    assert FIELDS.loc[key, ["unit", "allowed", "default"]].tolist() == [unit, allowed, default]


@pytest.mark.parametrize(("horizon", "fine"), [(4, False), (5, True), (70, True), (71, False)])
def test_the_range_shown_is_the_range_kept(horizon: int, fine: bool) -> None:
    base = scenarios.load("families_first")
    if fine:
        assert scenarios.change(base, horizon=horizon).horizon == horizon
    else:
        with pytest.raises(InputError, match="horizon"):
            scenarios.change(base, horizon=horizon)


def test_a_part_of_ones_own_is_described_too() -> None:
    assert settings.described(settings.PlanPart).index.tolist()[:2] == ["programme", "pounds_per_child"]
