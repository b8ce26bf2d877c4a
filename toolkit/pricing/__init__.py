"""From hazards to pounds: the pricing of one area, of many in parallel, and of lives by age and history."""

from toolkit.pricing.areas import Progress, added_up, price, price_areas, programme, reached_share, silent
from toolkit.pricing.place import Desk, Place, yearly_sum

__all__ = [
    "Desk",
    "Place",
    "Progress",
    "added_up",
    "price",
    "price_areas",
    "programme",
    "reached_share",
    "silent",
    "yearly_sum",
]


def __dir__() -> list[str]:
    return __all__
