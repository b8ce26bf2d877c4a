"""What the options of ``outcomes outlook`` may be."""

import pytest

from toolkit.outlook_command import growth_of, own_figures
from toolkit.schema import InputError


def test_figures_by_year():
    assert own_figures(["2026=1,500", "2027=1510"], "model") == {2026: 1500.0, 2027: 1510.0}
    assert growth_of("0.03") == 0.03 and growth_of("persist") == "persist"


@pytest.mark.parametrize(
    ("texts", "baseline", "message"),
    [(["next=1500"], "model", "--own next: not a year"), (["2026=1500"], "flat", "--own beside --baseline flat")],
)
def test_bad_figures_are_refused(texts, baseline, message):
    with pytest.raises(InputError, match=message):
        own_figures(texts, baseline)
