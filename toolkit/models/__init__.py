"""PyMC models from Dataset to posterior, one module per model, and the checks that a fit must pass."""

from pytensor.configdefaults import config

# numba brings its own linear algebra. Without this setting PyTensor looks for a library to link with and warns
# every user who installed it with pip.
config.blas__ldflags = ""

from toolkit.models.fitting.diagnose import diagnose, passed  # noqa: E402
from toolkit.models.fitting.fit import evenly, fit  # noqa: E402
from toolkit.models.fitting.reweight import resampled, weigh  # noqa: E402
from toolkit.models.outcomes.expected import expected_rates  # noqa: E402
from toolkit.models.outcomes.forecast import forecast  # noqa: E402
from toolkit.models.outcomes.model import outcomes  # noqa: E402
from toolkit.models.outcomes.rates import baseline  # noqa: E402

__all__ = [
    "baseline",
    "diagnose",
    "evenly",
    "expected_rates",
    "fit",
    "forecast",
    "outcomes",
    "passed",
    "resampled",
    "weigh",
]


def __dir__() -> list[str]:
    return __all__
