"""Random numbers of the model of programmes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.schema import random_stream

Array = NDArray[Any]
PURPOSE = "models.programmes"  # of the random numbers


class Streams:
    """Random numbers of each part of the model by its name, whichever others there are and in whatever order."""

    def __init__(self, seed: int, purpose: str = PURPOSE) -> None:
        self._seed, self._purpose = seed, purpose
        self._streams: dict[str, np.random.Generator] = {}

    def of(self, name: str) -> np.random.Generator:
        """Return the stream of a name, which goes on where it was left."""
        if name not in self._streams:
            self._streams[name] = random_stream(self._seed, f"{self._purpose}: {name}")
        return self._streams[name]

    def normal(self, level: str, names: Sequence[str], size: int, *shape: int) -> Array:
        """Draw standard normals (particle, name, ...)."""
        drawn = np.empty((size, len(names), *shape))
        for place, name in enumerate(names):
            drawn[:, place] = self.of(f"{level} {name}").standard_normal((size, *shape))
        return drawn

    def uniform(self, purpose: str, names: Sequence[str], size: int) -> Array:
        """Draw uniform numbers (particle, name)."""
        drawn = np.empty((size, len(names)))
        for place, name in enumerate(names):
            drawn[:, place] = self.of(f"{purpose} {name}").uniform(size=size)
        return drawn
