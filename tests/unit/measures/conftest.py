"""The finished run in miniature that the report's tests use."""

from tests.unit.report.conftest import make_run, register, run, undrawn

__all__ = ["make_run", "register", "run", "undrawn"]
