"""The page *What drives it*: sensitivity analysis, switching values and the value of information."""

from html import escape
from typing import Any

import numpy as np
import panel_material_ui as pmui
import xarray as xr

from toolkit import appraisal, evidence
from toolkit.apps.pages.priors import reader_name
from toolkit.apps.parts import charts, look
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.fields import button, column
from toolkit.apps.session.state import State
from toolkit.measures import decision_tables, tables
from toolkit.measures import quantities as q
from toolkit.measures import value_of_information as voi
from toolkit.measures import words as w
from toolkit.measures.drivers import SHOWN, acting, named, swings, valued
from toolkit.measures.quantities import Run
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

BRIDGE = {f"{w.label(account)} account": f"bridge|{account}" for account in ACCOUNTS}
EFFECTS = {"Effect": "effect|effect", "Hazard ratio": "effect|effect", "Chance of harm": "effect|harmful"}


class Drivers:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        options = {w.label(name): name for name in reversed(ACCOUNTS)}
        self.account = pmui.Select(label="Account", options=options, value="social", size="small", width=260)
        self.account.param.watch(lambda event: state.look(account=event.new), "value")
        hint = (
            "Expected net present value at the low end (white dot) and the high end (black dot) of each input’s own "
            "90% interval."
        )
        self.card = Card(
            "tornado",
            charts.ranges("How far each input moves the answer", "Net present value"),
            ("Sensitivity analysis: what moves the answer", hint),
            lambda _: self._rows,
        )
        about = "From the value with every adjustment off to the one on these pages, in this order."
        self.bridge = Card(
            "bridge",
            charts.waterfall("From the unadjusted to the adjusted value", "Net present value"),
            ("What each adjustment does", about),
            lambda run: look.table(decision_tables.bridge(run, q.bridge(run)), q.level(run), look.keyed(BRIDGE)),
        )
        self._rows, self._steps = "", self.bridge.view()
        text = "With these settings nothing of the result is left, so the adjustments have nothing to act on."
        self._no_steps = look.html(f"<p>{text}</p>", visible=False)
        self.switching, self.effects, self.information, self.left_out = (look.html() for _ in range(4))
        self.ask = button("Work out the value of information", self._ask)
        self.asked = ""

    def _ask(self) -> None:
        self.asked = self.state.scenario.hash + self.state.place
        self.state.notify()

    def prepare(self, run: Run) -> dict[str, Any]:
        """Find what moves the answer; the value of information only on request, as it takes seconds."""
        account = self.state.views["account"]
        gain = q.result(run)["npsv"].sel(account=account, drop=True).transpose(*SAMPLE_DIMS)
        gain = gain.astype(float).reset_coords(drop=True)
        able = acting(run, lambda other: q.result(other)["npsv"].sel(account=account, drop=True))
        moves: dict[str, Any] = {
            "account": account,
            "tornado": swings(run, gain, among=able),
            "switching": appraisal.switching_values(gain, voi.parameters(run, acting=able)),
        }
        own = run.scenario.adjustments
        if own.attribution * (1 - own.deadweight) * (1 - own.displacement):  # else nothing is left to take apart
            moves["bridge"] = q.bridge(run).sel(account=account, drop=True).mean(SAMPLE_DIMS)
        if self.asked == self.state.scenario.hash + self.state.place:
            moves["information"] = voi.analyse_inputs(run, account=account, acting=able)
        return moves

    def show(self, run: Run, prepared: dict[str, Any]) -> None:
        """Put a run on the page."""
        (tornado, left_out), account = prepared["tornado"], prepared["account"]
        self.account.value = self.state.views["account"]
        names = [named(run, name) for name in tornado["parameter"].values]
        expected = float(tornado["expected"])
        ends = list(zip(tornado["at_lower"].values.tolist(), tornado["at_upper"].values.tolist(), strict=True))
        values = zip(tornado["lower_value"].values.tolist(), tornado["upper_value"].values.tolist(), strict=True)
        self._rows = look.plain_table(
            "Expected net present value at each end",
            ["Input", "Low end", "High end", "At the low end", "At the high end"],
            [
                (
                    named(run, key),
                    [look.Number(valued(run, key, x), f"figure|{key}") for x in inputs]
                    + [look.Number(w.money(a), f"end|{account}|lower|{key}")]
                    + [look.Number(w.money(b), f"end|{account}|upper|{key}")],
                )
                for key, inputs, (a, b) in zip(tornado["parameter"].values, values, ends, strict=True)
            ],
            left_out,
        )
        rows = tornado["parameter"].values[::-1]
        keys = {end: [f"end|{account}|{end}|{key}" for key in rows] for end in ("lower", "upper")}
        charts.set_ranges(self.card.chart, names[::-1], ends[::-1], expected, keys)
        widest = "; ".join(
            f"{name}: {w.money(a)} to {w.money(b)}" for name, (a, b) in list(zip(names, ends, strict=True))[:4]
        )
        self.card.show(run, {}, f"Expected value {w.money(expected)}. Widest swings: {widest or 'none'}. {left_out}")
        self.left_out.object = f'<p class="hint">{escape(left_out)}</p>'
        self._steps.visible = "bridge" in prepared
        self._no_steps.visible = not self._steps.visible
        if "bridge" in prepared:
            self._step(run, prepared["bridge"], account)
        self.switching.object = _switching(run, prepared["switching"], account)
        effects = look.table(tables.effects(run), q.level(run), look.keyed(EFFECTS))
        self.effects.object = effects + _priors(self.state)
        self.information.object = _information(prepared["information"], account) if "information" in prepared else ""

    def _step(self, run: Run, bridge: xr.Dataset, account: str) -> None:
        acting = bridge.isel(step=np.flatnonzero(np.abs(bridge["contribution"].values) > 0))
        names = [w.label(name) for name in acting["step"].values]
        after, change = (acting[name].values.tolist() for name in ("result", "contribution"))
        start = [0.0, *after[:-2], 0.0]
        keys = [f"bridge|{account}|{name}" for name in names]
        charts.set_waterfall(self.bridge.chart, names[::-1], start[::-1], after[::-1], keys[::-1])
        steps = "; ".join(f"{name} {w.money(value)}" for name, value in zip(names, change, strict=True))
        self.bridge.show(run, {}, f"Expected value step by step: {steps}.")

    def view(self) -> Any:
        """Return the page."""
        return column(
            look.html("<h1>What drives the answer?</h1>"),
            self.account,
            self.card.view(),
            self.left_out,
            self._steps,
            self._no_steps,
            look.html("<h2>Switching values: what would flip the decision</h2>"),
            self.switching,
            look.html("<h2>Value of information: what finding out is worth</h2>"),
            self.ask,
            self.information,
            look.html("<h2>The effects: what was believed before, and what the studies say</h2>"),
            self.effects,
        )


def _switching(run: Run, switching: xr.Dataset, account: str) -> str:
    flips = switching.isel(parameter=np.flatnonzero(np.isfinite(switching["switching_value"].values)))
    if not flips.sizes["parameter"]:
        return "<p>No single input, moved over all it could be, changes the sign of the expected net present value.</p>"
    flips = flips.isel(parameter=np.argsort(-flips["probability"].values)[:SHOWN])
    columns = (flips[name].values for name in ("expected_value", "switching_value", "probability"))
    rows = []
    for name, now, value, chance in zip(flips["parameter"].values, *columns, strict=True):
        texts = (valued(run, name, float(now)), valued(run, name, float(value)), w.percent(float(chance)))
        rows.append((named(run, name), [look.Number(text, f"switch|{account}|{name}") for text in texts]))
    return look.plain_table("Switching values", ["Input", "Expected", "Flips at", "Chance of being beyond"], rows)


def _information(inputs: voi.InputAnalysis, account: str) -> str:
    worth = inputs.information["evppi"].to_series().sort_values(ascending=False, kind="stable")[:SHOWN]
    key = f"information|{account}"
    rows = [(w.label(inputs.names[str(name)]), [look.Number(w.money(x), f"{key}|{name}")]) for name, x in worth.items()]
    all_of_it = look.Number(w.money(float(inputs.information["evpi"])), f"{key}|All", "knowing everything")
    note = look.ExplainedText(
        "What knowing an input for certain would be worth, on average, to the choice between this option and doing "
        f"nothing. Knowing everything: {all_of_it}.",
        all_of_it,
    )
    return look.plain_table("Value of information", ["Input", "Value"], rows, note)


def _priors(state: State) -> str:
    known = evidence.changeable_priors(state.live.register.tables["priors"])
    rows = [
        (
            reader_name(f"{row.model}.{row.parameter}"),
            [f"{str(row.distribution).replace('_', ' ')} {row.arg1:g}" + _second(row), str(row.reason)],
        )
        for row in known[known["model"] == "programmes"].itertuples()
    ]
    return look.plain_table("Before any study: the priors", ["Parameter", "Prior", "Why"], rows)


def _second(row: Any) -> str:
    return f", {row.arg2:g}" if row.arg2 == row.arg2 and row.arg2 != "" else ""
