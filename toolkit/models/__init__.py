"""PyMC models from Dataset to posterior, one module per model, and the checks that a fit must pass."""

from pytensor.configdefaults import config

# numba brings its own linear algebra. Without this setting PyTensor looks for a library to link with and warns
# every user who installed it with pip.
config.blas__ldflags = ""

from toolkit.models.effects.evidence_summary import evidence_summary, power_scaling  # noqa: E402
from toolkit.models.effects.grid import quadrature  # noqa: E402
from toolkit.models.effects.model import effects  # noqa: E402
from toolkit.models.effects.new_studies import changed_priors, read_studies  # noqa: E402
from toolkit.models.effects.sources import effect_draws, panel_signal  # noqa: E402
from toolkit.models.effects.studies import study_list, study_table  # noqa: E402
from toolkit.models.fitting.diagnose import diagnose, passed  # noqa: E402
from toolkit.models.fitting.fit import evenly, fit  # noqa: E402
from toolkit.models.fitting.reweight import resampled, weigh  # noqa: E402
from toolkit.models.outcomes.expected import expected_rates  # noqa: E402
from toolkit.models.outcomes.forecast import forecast  # noqa: E402
from toolkit.models.outcomes.model import outcomes  # noqa: E402
from toolkit.models.outcomes.rates import baseline  # noqa: E402

__all__ = [
    "baseline",
    "changed_priors",
    "diagnose",
    "effect_draws",
    "effects",
    "evenly",
    "evidence_summary",
    "expected_rates",
    "fit",
    "forecast",
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
