"""Bayesian cost of poor outcomes for children in contact with social care, and what early help avoids.

Each part is imported when it is first used: ``toolkit.workflow`` needs no import of its own.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from toolkit.folders import use_writable

if TYPE_CHECKING:
    from toolkit import (
        appraisal,
        apps,
        costing,
        evidence,
        measures,
        models,
        pathways,
        prices,
        pricing,
        report,
        scenarios,
        schema,
        validation,
        workflow,
    )

__all__ = [
    "__version__",
    "appraisal",
    "apps",
    "costing",
    "evidence",
    "measures",
    "models",
    "pathways",
    "prices",
    "pricing",
    "report",
    "scenarios",
    "schema",
    "validation",
    "workflow",
]

__version__ = version("cost-of-outcomes")

use_writable()  # before any part imports numba, PyTensor or matplotlib


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
