"""PyMC models from Dataset to posterior, one module a model, and the checks they must pass."""

from pytensor.configdefaults import config

# numba brings its own linear algebra. Saying so here keeps PyTensor from looking for a library to link
# with and warning every user who installed it with pip.
config.blas__ldflags = ""

from toolkit.models.diagnose import diagnose, passed  # noqa: E402
from toolkit.models.effect_grid import quadrature  # noqa: E402
from toolkit.models.effects import effects  # noqa: E402
from toolkit.models.expected import expected_rates  # noqa: E402
from toolkit.models.fit import evenly, fit  # noqa: E402
from toolkit.models.forecast import forecast  # noqa: E402
from toolkit.models.new_studies import changed_priors, read_studies  # noqa: E402
from toolkit.models.outcomes import outcomes  # noqa: E402
from toolkit.models.predictive import check  # noqa: E402
from toolkit.models.rates import baseline  # noqa: E402
from toolkit.models.reading import honest_reading, power_scaling  # noqa: E402
from toolkit.models.reweight import resampled, weigh  # noqa: E402
from toolkit.models.sources import effect_draws, panel_signal  # noqa: E402
from toolkit.models.studies import study_list, study_table  # noqa: E402

__all__ = [
    "baseline",
    "changed_priors",
    "check",
    "diagnose",
    "effect_draws",
    "effects",
    "evenly",
    "expected_rates",
    "fit",
    "forecast",
    "honest_reading",
    "outcomes",
    "panel_signal",
    "passed",
    "power_scaling",
    "quadrature",
    "read_studies",
    "resampled",
    "study_list",
    "study_table",
    "weigh",
]


def __dir__() -> list[str]:
    return __all__
