"""What is bought: a row for each part of the plan, how many times its sums are spent, and what they come to."""

from collections.abc import Callable
from typing import Any

import panel_material_ui as pmui

from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.parts import entry
from toolkit.apps.parts.fields import beside, button, column
from toolkit.apps.session.state import State
from toolkit.measures import words as w
from toolkit.pricing.programmes import bought
from toolkit.schema import FUNDERS, InputError
from toolkit.settings import PlanPart

BASIS = {
    "£ for each child aged 0–17": "pounds_per_child",
    "£ in all": "pounds",
    "£ for all of England": "england",
    "families or children served": "units",
}
TOTAL = {False: "Sum in all years, £", True: "Sum taken away in all years, £"}  # of an investment, and of a cut
SCALES = {"bn": 1e9, "m": 1e6}
LONGEST = 200  # characters of sums
FIRST_SUM = 1.0  # of a further programme, £ for each child


def in_words(sums: tuple[float, ...]) -> str:
    """Return yearly sums as the field shows them: "731m; 717.1m", or a sum that is the same in every year once."""
    texts = [_written(value) for value in sums]
    return texts[0] if len(set(texts)) == 1 else "; ".join(texts)


def _written(value: float) -> str:
    for sign, scale in SCALES.items():
        if abs(value) >= scale:
            return f"{value / scale:.10g}{sign}"
    return f"{value:.10g}"


def sums_of(text: object, years: int) -> list[float]:
    """Read yearly sums as people type them, in pounds with m for millions.

    Parameters
    ----------
    text
        One sum for every year, or one for each with a semicolon between them.
    years
        For how many years one sum is spent.

    Raises
    ------
    InputError
        A sum that is no number.
    """
    sums = []
    for piece in str(text or "").split(";"):
        plain = piece.strip().casefold()
        sign = next((sign for sign in SCALES if plain.endswith(sign)), "")
        number = entry.number(plain.removesuffix(sign).rstrip(), "sum a year")
        sums.append(number * SCALES.get(sign, 1.0))
    return sums * years if len(sums) == 1 else sums


class PartRow:
    """One part of the plan: the programme, its sums, what these are given in, and whose money it is."""

    def __init__(self, place: int, plan: "Plan") -> None:
        self.place, self.plan = place, plan
        name, options = f"Part {place + 1}", {"size": "small", "sizing_mode": "stretch_width"}
        self.programme = pmui.Select(label=f"{name}: programme", options=plan.programmes, **options)
        self.sums = pmui.TextInput(label=f"{name}: sum a year", max_length=LONGEST, **options)
        self.basis = pmui.Select(label=f"{name}: the sum is", options=BASIS, **options)
        self.funder = pmui.Select(label=f"{name}: whose money", options={w.label(f): f for f in FUNDERS}, **options)
        self.remove = button(f"Remove part {place + 1}", lambda: plan.drop(place))
        for widget, change in (
            (self.programme, self._programme),
            (self.sums, self._sums),
            (self.basis, self._basis),
            (self.funder, lambda part, value: part.model_copy(update={"funder": value})),
        ):
            widget.param.watch(self._moved(change), "value")

    def _moved(self, change: Callable[[PlanPart, Any], PlanPart]) -> Callable[[Any], None]:
        def moved(event: Any) -> None:
            if not self.plan.writing:
                self.plan.put(self.place, lambda part: change(part, event.new))

        return moved

    def _programme(self, part: PlanPart, name: str) -> PlanPart:
        return part.model_copy(update={"programme": name, "cost": ""})

    def _sums(self, part: PlanPart, text: str) -> PlanPart:
        return part.model_copy(update={part.basis: tuple(sums_of(text, len(part.sums)))})

    def _basis(self, part: PlanPart, basis: str) -> PlanPart:
        state = self.plan.state
        return state.live.converted(state.base, part, basis, state.areas)

    def show(self, part: PlanPart, *, alone: bool) -> None:
        """Show a part of the plan as it is stated."""
        if part.programme not in self.programme.options.values():
            own = self.plan.state.base.own_programmes.get(part.programme)
            label = own.label if own else w.label(part.programme)
            self.programme.options = {**self.programme.options, label: part.programme}
        texts = {self.programme: part.programme, self.sums: in_words(part.sums), self.basis: part.basis}
        for widget, value in (texts | {self.funder: part.funder}).items():
            if widget.value != value:
                widget.value = value
        self.remove.visible = not alone

    def view(self) -> Any:
        """Return the row."""
        return column(self.programme, self.sums, self.basis, self.funder, self.remove, margin=(0, 0, 10, 0))


class Plan:
    """The rows of the plan, in step with the state, and what its sums come to."""

    def __init__(self, state: State) -> None:
        self.state, self.writing = state, False
        register = state.live.register
        labels = register.tables["programmes"].set_index("programme")["label"]
        self.programmes = {str(labels[name]): name for name in bought(register)}
        self.rows: list[PartRow] = []
        self.holder = column()
        self.add = button("Add a programme", self._add)
        self.total = pmui.TextInput(label=TOTAL[False], max_length=20, size="small", sizing_mode="stretch_width")
        self.total.param.watch(self._typed, "value")
        self._spent = 0.0  # of the run shown, all years together
        self._times = 1.0

    def put(self, place: int, change: Callable[[PlanPart], PlanPart]) -> None:
        """Change one part of the plan; where it cannot be, say so and show it as it was."""
        parts = list(self.state.base.plan)
        before = self.state.base
        try:
            parts[place] = change(parts[place])
        except InputError as problem:
            self.state.say([str(problem)])
        else:
            self._buy(parts)
        if self.state.base is before:
            self.show()

    def drop(self, place: int) -> None:
        """Take a part out of the plan."""
        self._buy([part for k, part in enumerate(self.state.base.plan) if k != place])

    def _add(self) -> None:
        plan = self.state.base.plan
        bought_already = {part.programme for part in plan}
        name = next((one for one in self.programmes.values() if one not in bought_already), plan[0].programme)
        sign = -1.0 if self.state.base.cut else 1.0
        sums = (sign * FIRST_SUM,) * len(plan[0].sums)
        self._buy([*plan, PlanPart(programme=name, funder=plan[0].funder, pounds_per_child=sums)])

    def _buy(self, parts: list[PlanPart]) -> None:
        self.state.buy([part.model_dump(mode="json", exclude_defaults=True) for part in parts])

    def _typed(self, event: Any) -> None:
        if self.writing:
            return
        state = self.state
        try:
            (sum_typed,) = sums_of(event.new, 1)
            if not self._spent or sum_typed <= 0:
                raise InputError(f"{self.total.label}: {event.new} cannot be used.", fix="give more than nothing.")
            times = float(f"{self._times * sum_typed / self._spent:.10g}")
            most = state.most_times(times)
            if abs(times) > most:
                text = w.money(self._spent * most / abs(self._times))
                raise InputError(
                    f"{self.total.label}: {event.new} is too much.",
                    fix=f"give at most {text}, which this place can use.",
                )
        except InputError as problem:
            state.say([str(problem)])
            self.show()
        else:
            state.multiply(times)

    def show(self) -> None:
        """Show the plan as the state has it."""
        plan = self.state.base.plan
        self.writing = True
        try:
            if len(self.rows) != len(plan):
                self.rows = [PartRow(place, self) for place in range(len(plan))]
                self.holder[:] = [row.view() for row in self.rows]
            for row, part in zip(self.rows, plan, strict=True):
                row.show(part, alone=len(plan) == 1)
            self._write_total()
        finally:
            self.writing = False

    def rest(self, run: LiveRun) -> None:
        """Write what the sums of a run come to."""
        numbers, scenario = run.numbers, run.scenario
        self._spent = abs(float(numbers.spent.sum())) / (1.0 + scenario.optimism)
        self._times = self.state.times
        self.writing = True
        try:
            self.total.label = TOTAL[scenario.cut]
            self._write_total()
        finally:
            self.writing = False

    def _write_total(self) -> None:
        text = w.number(self._spent, 0) if self._spent else ""
        if self.total.value != text:
            self.total.value = text

    def view(self) -> list[Any]:
        """Return the rows, and the button that adds one."""
        return [self.holder, beside(self.add)]
