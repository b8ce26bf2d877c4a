"""PyMC models from Dataset to posterior, one module a model, and the checks they must pass."""

from toolkit.models.diagnose import diagnose, passed
from toolkit.models.fit import fit
from toolkit.models.outcomes import outcomes
from toolkit.models.rates import baseline

__all__ = ["baseline", "diagnose", "fit", "outcomes", "passed"]
