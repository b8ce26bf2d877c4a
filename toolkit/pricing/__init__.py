"""From hazards to pounds: the pricing of one area, of many in parallel, and of lives by age and history."""

from toolkit.pricing.areas import Progress, added_up, price, price_areas, silent
from toolkit.pricing.desk import Desk
from toolkit.pricing.place import Place

__all__ = [
    "Desk",
    "Place",
    "Progress",
    "added_up",
    "price",
    "price_areas",
    "silent",
]


def __dir__() -> list[str]:
    return __all__
