"""What every test shares."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")  # set before matplotlib is first imported: tests open no window

from hypothesis import settings

# The default finds the same examples on every machine; `HYPOTHESIS_PROFILE=thorough` searches afresh.
settings.register_profile("fast", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
