"""The page *Compare*: up to six scenarios side by side, and the best portfolio of them under a budget."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import xarray as xr

from toolkit import appraisal, tabular
from toolkit.appraisal.portfolio import Objective
from toolkit.apps.parts import look
from toolkit.apps.parts.fields import attempt, beside, button, choice, column, field
from toolkit.apps.session import views
from toolkit.apps.session.scenario_keys import LONGEST_NAME, MOST_SAVED, Saved
from toolkit.apps.session.state import State, own
from toolkit.measures import headline, plan
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.schema import SAMPLE_DIMS, InputError

NOTE = "For each £1: expected cost avoided, all accounts, over expected spending; its interval is the former’s alone."
LUCK = (
    "The scenarios are compared draw by draw, with the same draws of what is uncertain: figures, lives and the mean "
    "effect. So is the luck of a site (how much better or worse than the mean help works there), as far as each "
    "scenario says: where it is shared wholly, programmes do well or badly together, in all areas. "
)
NONE_YET = "<p>None saved yet. Save the one that is open, change it, save again.</p>"
OBJECTIVES: dict[str, Objective] = {
    "Highest expected value": "expected_value",
    "Best of the worst tenth of outcomes": "conditional_value_at_risk",
}


class Compare:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.name = field("Name", most=LONGEST_NAME, width=280)
        self.save = button(
            "Save this scenario here", lambda: attempt(self.problems, "Not saved", self._save), main=True
        )
        self.which = choice("Saved scenario", [], width=280)
        self.use, self.drop = button("Open it", self._use), button("Remove it", self._drop)
        self.budget = field("Budget, £ million", most=12, width=280, value=views.BEGIN["budget"])
        self.aim = choice("Choose for", OBJECTIVES, width=280)
        self.problems, self.table, self.portfolio = look.html(visible=False), look.html(), look.html()
        self.budget.param.watch(lambda event: self._budget(event.new), "value")
        self.aim.param.watch(lambda event: state.look(aim=event.new), "value")

    def _budget(self, text: str) -> None:
        try:
            self.state.look(budget=views.budget(text))
        except InputError as problem:
            self.state.say([str(problem)])

    def _save(self) -> None:
        name = (
            tabular.excerpt(str(self.name.value or "").strip(), LONGEST_NAME - 1)
            or f"Scenario {len(self.state.saved) + 1}"
        )
        if len(self.state.saved) >= MOST_SAVED:
            raise InputError(f"{MOST_SAVED} scenarios are saved: remove one first.")
        if name in self._names():
            raise InputError(f"There is one called {name} already: choose another name.")
        one = Saved(name, self.state.place, self.state.areas, self.state.scenario)
        self._changed((*self.state.saved, one))

    def _use(self) -> None:
        for saved in self.state.saved:
            if saved.name == self.which.value:
                self.state.replace(saved.scenario, saved.place)

    def _drop(self) -> None:
        self._changed(tuple(one for one in self.state.saved if one.name != self.which.value))

    def _changed(self, saved: tuple[Saved, ...]) -> None:
        self.state.saved = saved
        self.problems.visible = False
        self.state.notify()

    def _names(self) -> list[str]:
        return [saved.name for saved in self.state.saved]

    def prepare(self, run: Run) -> tuple[Sequence[tuple[Saved, Run]], str]:
        """Price every saved scenario on the same draws, and choose a portfolio."""
        runs = list(zip(self.state.saved, self.others(run), strict=True))
        return runs, self._chosen(runs)

    def others(self, run: Run) -> list[Run]:
        """Return the runs whose numbers the page shows."""
        return [self.state.live.run(saved.scenario, saved.areas) for saved in self.state.saved]

    def show(self, run: Run, prepared: tuple[Sequence[tuple[Saved, Run]], str]) -> None:
        """Put the saved scenarios side by side."""
        runs, portfolio = prepared
        self.budget.value, self.aim.value = (self.state.views[name] for name in ("budget", "aim"))
        if self.which.options != (names := self._names()):
            self.which.param.update(options=names, value=names[-1] if names else None)
        self.table.object = _table(runs) if runs else NONE_YET
        self.portfolio.object = portfolio

    def _chosen(self, runs: Sequence[tuple[Saved, Run]]) -> str:
        able = [(saved, run) for saved, run in runs if not saved.scenario.cut]
        if len(able) < 2:
            return "<p>Save two or more investments to choose among them.</p>"
        names = [saved.name for saved, _ in able]
        npsv = [q.result(run)["npsv"].sel(account="social", drop=True).transpose(*SAMPLE_DIMS) for _, run in able]
        gain = xr.concat([saved.astype(float) for saved in npsv], xr.Variable("programme", names)).assign_attrs(
            npsv[0].attrs
        )
        cost = xr.DataArray(
            [float(q.result(run)["programme_cost"].mean()) for _, run in able], coords={"programme": names}
        ).assign_attrs(units="GBP", price_base=able[0][0].scenario.price_base)
        gain = gain.assign_attrs(cost.attrs)
        rivals = [(a.name, b.name) for k, (a, _) in enumerate(able) for b, _ in able[:k] if set(a.areas) & set(b.areas)]
        try:
            aim = cast(Objective, self.state.views["aim"])
            budget, least = 1e6 * float(self.state.views["budget"]), float(cost.min())
            if budget < least:
                raise InputError(
                    f"The budget, {w.money(budget)}, buys none of them: {names[cost.values.argmin()]} costs "
                    f"{w.money(least)}, the least. Raise the budget, or save a smaller investment."
                )
            chosen = appraisal.allocate(budget, gain, cost, objective=aim, excludes=rivals)
        except InputError as problem:
            return look.box("No portfolio", str(problem).splitlines(), "warn")
        return _portfolio(chosen, self._names())

    def view(self) -> Any:
        """Return the page."""
        return column(
            look.html("<h1>Which is better?</h1>"),
            beside(self.name, self.save),
            self.problems,
            self.table,
            beside(self.which, self.use, self.drop),
            look.html(
                "<h2>A portfolio under a budget</h2><p class=hint>Scenarios that share an area are alternatives: at "
                "most one of them is chosen. Value is net present social value, on the same draws.</p>"
            ),
            beside(self.budget, self.aim),
            self.portfolio,
        )


def _table(runs: Sequence[tuple[Saved, Run]]) -> str:
    rows: dict[str, list[str]] = {}
    for place, (saved, run) in enumerate(runs):
        numbers = {name: look.Number(cell, f"@{place}|{kind}") for name, (cell, kind) in _results(run).items()}
        for name, cell in (_settings(saved, run) | numbers).items():
            rows.setdefault(name, []).append(cell)
    headings = ["Measure", *(saved.name for saved, _ in runs)]
    return look.plain_table("Saved scenarios", headings, list(rows.items()), f"{NOTE} {LUCK}{_together(runs)}".strip())


def _together(runs: Sequence[tuple[Saved, Run]]) -> str:
    """Return in words how far the net values of the scenarios move together over the draws."""
    gains = [q.result(run)["npsv"].sel(account="social").transpose(*SAMPLE_DIMS).values.ravel() for _, run in runs]
    varying = [gain for gain in gains if np.ptp(gain) > 0]
    if len(varying) < 2:
        return ""
    every = np.corrcoef(varying)[np.triu_indices(len(varying), 1)]
    low, high = (f"{value:.2f}".replace("-", w.MINUS) for value in (every.min(), every.max()))
    return f"Net social values of two of them correlate by {low if low == high else f'{low} to {high}'}."


def _settings(saved: Saved, run: Run) -> dict[str, str]:
    scale_up = saved.scenario.effect.scale_up
    return {
        "Place": saved.place,
        "Plan": " ".join(plan.lines(run)),
        "Lost in scale-up": "as the evidence draws it" if scale_up is None else w.percent(1.0 - scale_up),
        "Luck of the sites": w.luck(saved.scenario.effect.shared_luck),
        "Evidence of your own": str(len(own(saved.scenario)) or "none"),
    }


def _results(run: Run) -> dict[str, tuple[str, str]]:
    """Return a run's numbers by row, each with the key that explains it."""
    result, cut = q.result(run), run.scenario.cut
    worth = headline.estimate(run, result["npsv"].sel(account="social"))
    cash = headline.estimate(run, q.council_cash(run).isel(year=slice(0, 5)).sum("year"))
    ratio, *ends = (float(result[name].sel(account="social")) for name in ("bcr", "bcr_lower", "bcr_upper"))
    last = w.percent(float(q.paid_back(run).sel(account="fiscal").isel(year=-1)))
    cost = w.money(abs(float(result["programme_cost"].mean())))
    chance = w.percent(float((result["npsv"].sel(account="social") > 0).mean()))
    back = f"{last} {'still ahead at the end' if cut else 'paid back'}"
    return {
        "Spending on the plan": (f"{cost} taken away" if cut else cost, "programme"),
        "Net present social value": (str(worth), "worth|social"),
        "90% interval of it": (worth.interval or "none", "worth|social"),
        "For each £1": (f"{w.pence(ratio)} {'caused by each £1 cut' if cut else 'avoided'}", "ratio|social"),
        "90% interval of that": (w.interval(min(ends), max(ends), w.pence), "ratio|social"),
        "Chance it is worth its cost": (chance, "chance_worth"),
        "Chance for the public purse": (back, f"paid_back|fiscal|{run.scenario.horizon - 1}"),
        "Council’s cash, five years": (str(cash), "cash"),
        "90% interval of the cash": (cash.interval or "none", "cash"),
        f"Chance that {w.HARM}": (w.percent(q.harm(run)), "chance_harm"),
    }


def _portfolio(chosen: xr.Dataset, saved: list[str]) -> str:
    rows = []
    for name in map(str, chosen["item"].values):
        item, place = chosen.sel(item=name), saved.index(name)
        sums, bought = [w.money(float(item[part])) for part in ("spend", "expected_gain")], float(item["share"]) > 0.5
        if bought:
            of = (f"@{place}|programme", f"@{place}|worth|social")
            sums = [look.Number(text, key) for text, key in zip(sums, of, strict=True)]
        rows.append((name, ["chosen" if bought else "not chosen", *sums, str(item["reason"].item())]))
    value, left = (w.money(float(chosen[name])) for name in ("value", "budget_left"))
    note = (
        f"Value of what is chosen, added up and by the aim: {value}. Left of the budget after its cost: {left}. {LUCK}"
    )
    return look.plain_table("The portfolio", ["Scenario", "Decision", "Cost", "Expected value", "Why"], rows, note)
