"""What it would mean if findings without a significant benefit were published less often.

A weight function with one step: a finding with a significant benefit is always seen, any other with a chance that is
given. To estimate that chance, or to regress effects on their errors, takes far more than a handful of studies of each
outcome, so it is an assumption, and the result a sensitivity.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from toolkit.models.effects.programme_priors import LEVELS, Priors
from toolkit.models.effects.scales import SIGNIFICANT
from toolkit.schema import InputError

if TYPE_CHECKING:
    from toolkit.models.effects.hierarchy import Design

Array = NDArray[Any]
BOUND = 1.95  # an error derived from a rounded bound (significant at 5 per cent) can give a ratio just below 1.96


def log_selection(values: dict[str, Array], design: "Design", prior: Priors, chance: float) -> Array:
    """Return the log of the factor by which selection changes each particle's weight (particle).

    Given its programme's effect and its evaluation's bias, each finding is taken to have been drawn until one was
    published: its density is multiplied by its chance of being so, over that chance before the finding was known.

    Parameters
    ----------
    values
        Of the particles: ``programme_effect``, ``spread``, ``take_up``, ``evaluation``, ``number`` and ``error``.
    design, prior
        As for `weighted_particles`.
    chance
        That a finding without a significant benefit is published, relative to one with: above 0, up to 1 (no
        selection).

    Raises
    ------
    InputError
        ``chance`` is not a chance.

    References
    ----------
    Vevea and Woods (2005), Psychological Methods 10: 428-443 (weight functions fixed in advance).
    """
    if not 0 < chance <= 1:
        raise InputError(f"selection: {chance} is not a chance.", fix="give a number above 0 and up to 1.")
    table, orientation = design.table, prior.orientation[design.outcome]
    error, bias_sd = values["error"], table["bias_sd"].to_numpy()
    share = np.where(table["take_up_first"].notna(), values["take_up"][:, design.programme], 1.0)
    spread = share * values["spread"][:, LEVELS.index("study"), design.outcome]
    shared = np.sqrt(prior.bias_correlation) * bias_sd * orientation * values["evaluation"][:, design.evaluation]
    centre = share * values["programme_effect"][:, design.programme, design.outcome]
    centre = centre + table["bias_mean"].to_numpy() + shared
    sd = np.sqrt(error**2 + (1 - prior.bias_correlation) * bias_sd**2 + spread**2)
    benefit = -orientation
    significant = ndtr((benefit * centre - SIGNIFICANT * error) / sd)
    published = np.where(benefit * values["number"] / error >= BOUND, 0.0, np.log(chance))
    log_factor: Array = (published - np.log(chance + (1 - chance) * significant)).sum(1)
    return log_factor
