"""What the page *Model checks* shows, in words: each check of a fit, and each column of the committed tables."""

from toolkit.measures import words as w

CHECKS = {
    w.label(name): words
    for name, words in {
        "rhat": "How far the chains of the sampler differ from each other, spread and middle, against one chain’s own: "
        "1 when they agree. Above the threshold they have not found the same answer. The worst quantity is named.",
        "ess_bulk": "How many independent draws the sampler’s draws are worth for a quantity’s middle. Below the "
        "threshold means and medians are too rough. The worst quantity is named.",
        "ess_tail": "How many independent draws the sampler’s draws are worth for the ends of an interval. Below the "
        "threshold intervals are too rough. The worst quantity is named.",
        "monte_carlo_error": "How far a quantity’s mean may lie from the one that endless draws would give: its "
        "standard error over the quantity’s own standard deviation. The worst quantity is named.",
        "divergences": "Steps of the sampler that diverged where the posterior bends sharply. Any at all may mean "
        "that a part of it was left out.",
        "energy": "How freely the sampler moved between levels of the posterior (E-BFMI). Below the threshold it "
        "explored the tails slowly.",
        "changed_priors_pareto_k": "How heavy the tail of the weights is by which changed priors reweight the fit’s "
        "draws (Pareto k-hat). Above the threshold a few draws decide, and the model has to be refitted.",
        "changed_priors_effective_draws": "How many evenly weighted draws the reweighted ones are worth. Below the "
        "threshold they are too few.",
    }.items()
}
COLUMNS = {
    "Error of the model over that of the rival": "The model’s mean continuous ranked probability score in years kept "
    "from it ÷ the rival forecast’s. Below 1 the model is nearer.",
    "Standard error": "By how much chance in which areas and years were scored may move the ratio beside it.",
    "Model: share within its 90% interval": "Counts of years kept from the model that lie in its 90% interval ÷ all "
    "such counts. About nine in ten if it is right.",
    "Value": "The check’s statistic, worked out from the published counts.",
    "From": "The low end of where the statistic lies if the model is right.",
    "To": "The high end of where the statistic lies if the model is right.",
    "Parameters checked": "How many of the model’s parameters were checked in data simulated from it.",
    "Passed": "How many were recovered as often as the model’s own uncertainty implies.",
    "Cannot be determined": "How many are so near the threshold of the test that chance in the simulations decides.",
    "Replications each": "How often data were simulated from the model’s prior and the model was fitted to them.",
    "Share within 50% intervals": "How often the truth lay in the posterior’s 50% interval: a half if it is right.",
    "Share within 90% intervals": "How often the truth lay in the posterior’s 90% interval: nine in ten if so.",
    "Prior": "How far the posterior of the quantity moves as its priors are given a little more or less weight "
    "(power-scaling). Above 0.05 counts.",
    "Data": "How far the posterior of the quantity moves as its data are given a little more or less weight.",
    "Noise": "What the same measure finds where nothing is moved.",
    "Spread over the prior's": "Standard deviation of the posterior ÷ that of the prior: near 1, data say little.",
    "Published": "The figure as its source gives it.",
    "Model": "What the fitted pathway expects of the same figure.",
    "Ours": "What this toolkit gives for the same total.",
    "Ours over it": "Our total ÷ the published one. Why they differ stands in the same row.",
}
