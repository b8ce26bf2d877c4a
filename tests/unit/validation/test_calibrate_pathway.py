"""Calibration of the pathway: made figures follow their truth, what is ranked, the committed table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

from toolkit import evidence
from toolkit.models.pathway.published_fit import derived, natural_rates, pathway, pathway_figures
from toolkit.validation import calibrate_pathway
from toolkit.validation.calibration import calibrate_sampled

LOCALISED = 7  # quantities, ages apart


@pytest.fixture(scope="module")
def figures() -> pd.DataFrame:
    return pathway_figures(evidence.load_register())


@pytest.fixture(scope="module")
def priors() -> pd.DataFrame:
    return evidence.load_table("priors")


@pytest.fixture
def without_sampler(priors: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[np.ndarray]]:
    """Put draws of the prior in place of the posterior's: of data that tell nothing, so that ranks are uniform."""
    given: list[np.ndarray] = []
    rows = priors[priors["model"] == "pathway"]
    coords = {"parameter": rows["parameter"].to_numpy(str)}

    class Compiled:
        def with_data(self, published):
            given.append(published)
            return self

    def drawn(compiled, flat, *, seed, runs):
        shape = (2, 30, len(rows))
        values = np.random.default_rng(seed).normal(rows["arg1"], rows["arg2"], shape)
        quantities = flat(xr.Dataset({"rates": (("chain", "draw", "parameter"), values)}, coords))
        return quantities, np.full(quantities.sizes["quantity"], 60.0), {"again": False, "unmixed": False}

    monkeypatch.setattr(calibrate_pathway, "compile_model", lambda model: Compiled())
    monkeypatch.setattr(calibrate_pathway, "sampled", drawn)
    yield given


def test_figures_are_made_as_the_graph_says_they_are(figures, priors) -> None:
    """The density of the graph is highest, and falls by half a square a standard error, about what NumPy walks to."""
    fitted = figures[figures["fitted"] == 1]
    rows = priors[priors["model"] == "pathway"]
    standard = np.random.default_rng(2).standard_normal(len(rows)) / 2
    truth = rows["arg1"].to_numpy(float) + rows["arg2"].to_numpy(float) * standard
    random = np.random.default_rng(3)
    made = np.array([calibrate_pathway.simulated(truth, fitted, random, priors=priors) for _ in range(200)])
    exact = calibrate_pathway.simulated(truth, fitted.assign(error=0.0), random, priors=priors)
    error = fitted["error"].to_numpy(float)
    np.testing.assert_allclose(made.mean(0), exact, atol=4.5 * error.max() / np.sqrt(200))
    assert ((made - exact) / error).std() == pytest.approx(1, abs=0.03)  # 200 draws of each of dozens
    with pathway(fitted, priors=priors) as model:
        density = model.compile_fn(model["figures"].owner.inputs[2], inputs=[model["standard"]], mode="FAST_COMPILE")
        np.testing.assert_allclose(density({"standard": standard}), exact, rtol=1e-9, atol=1e-9)
        pm.set_data({"published": exact})
        assert model.rvs_to_values[model["figures"]].eval() == pytest.approx(exact)


def test_every_rate_is_ranked_and_what_areas_are_localised_by(figures, priors, without_sampler, tmp_path: Path) -> None:
    one = calibrate_pathway.pathway_replication(figures, seed=5, priors=priors)
    settings = {"replications": 100, "seed": 5, "model": "pathway", "runs": calibrate_pathway.RUNS}
    table = calibrate_sampled(one, file=tmp_path / "kept.jsonl", **settings)
    rates = priors.loc[priors["model"] == "pathway", "parameter"]
    assert set(table.loc[table["parameter"] == "rate", "pool"]) == set(rates)
    assert (table["parameter"] == "localised by").sum() == LOCALISED
    assert (table["p_value"] > 0.001).all()  # the right posterior of nothing is the prior
    assert table["settings"].str.contains("; 0 replications sampled badly").all()
    assert np.unique(np.array(without_sampler), axis=0).shape == (100, (figures["fitted"] == 1).sum())


def test_a_quantity_is_ranked_under_its_own_name(priors) -> None:
    rows = priors[priors["model"] == "pathway"]
    values = np.random.default_rng(1).normal(rows["arg1"], rows["arg2"], (2, 3, len(rows)))
    coords = {"parameter": rows["parameter"].to_numpy(str)}
    found = calibrate_pathway._flat(xr.DataArray(values, coords, ("chain", "draw", "parameter")), priors)
    assert list(found["pool"].values[: len(rows)]) == list(rows["parameter"])
    np.testing.assert_array_equal(found.values[4], values[:, :, 4])
    walked = derived(natural_rates(values[1, 2:3], priors))
    for name in ("open_care_rate", "share_ever_in_need"):
        at = int(np.argmax(found["pool"].values == name))
        assert found.values[at, 1, 2] == pytest.approx(walked[name][1][0])


def test_the_committed_calibration_covers_every_rate(priors) -> None:
    """Only a table that is listed as made from an earlier version may lack a rate that has come since."""
    table = evidence.load_table("reference/calibration_pathway")
    rates = set(priors.loc[priors["model"] == "pathway", "parameter"])
    missing = rates - set(table.loc[table["parameter"] == "rate", "pool"])
    assert not missing or "calibration_pathway" in set(evidence.outdated()["made"])
    assert len(table) == len(rates - missing) + LOCALISED
    assert (table["replications"] >= 200).all()
    assert table["coverage_90"].mean() == pytest.approx(0.9, abs=0.03)
