"""The controls: one for each assumption a finance officer may move, each showing the evidence's own value.

A control writes one key of the scenario and is written by it; it holds nothing itself.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import panel as pn
import panel_material_ui as pmui

from toolkit import appraisal
from toolkit.apps.parts.fields import column
from toolkit.apps.parts.spending import Plan
from toolkit.apps.session.starts import presets
from toolkit.apps.session.state import State
from toolkit.measures import words as w
from toolkit.scenario_model import LONGEST_HORIZON

RAMPS = {
    "Half in the first year, then all": (0.5, 1.0),
    "All from the first year": (1.0, 1.0),
    "A third, two thirds, then all": (0.33, 0.67, 1.0),
    "Nothing in the first year, then all": (0.0, 1.0),
}
LEAST_TIMES, MOST_TIMES, STEPS = 0.05, 100.0, 400  # of the slider of the sum, and how many steps it has at most
GROWTH = ("growth_care", "growth_social_work")
NO_GROWTH = {
    "value": 0.0,
    "low": -0.0005,
    "high": 0.0005,
    "interval_level": 0.9,
    "reason": "Prices grow with inflation only: chosen on the dashboard.",
}
NO_FADE = {"fade": {"none": 1.0}}
SCALE_UP = {"As the evidence draws it": None, "All of it": 1.0, "Three quarters": 0.75, "Half": 0.5}
OVERLAPS = {
    "No two parts are for the same": "",
    "Parts serve different children": "apart",
    "Some get two, and gain from the first": "nested",
}


@dataclass(frozen=True)
class Control:
    """A widget, the value it should show, and what its moving changes."""

    widget: Any
    value: Callable[[State], Any]
    change: Callable[[State, Any], None]


def slider(name: str, low: float, high: float, step: float, form: str = "0.[00]", **more: Any) -> Any:
    """Return a slider that reports every move at once."""
    kind = pmui.IntSlider if isinstance(step, int) else pmui.FloatSlider
    options = {} if isinstance(step, int) else {"format": form}
    widget = kind(label=name, start=low, end=high, step=step, value=low, sizing_mode="stretch_width", **options, **more)
    setattr(widget, "_debounce", 5)  # noqa: B010 - Panel waits 50 ms on every move otherwise; a test pins the name
    return widget


def _key(section: str, name: str, widget: Any) -> Control:
    return Control(
        widget,
        lambda state: getattr(getattr(state.scenario, section), name),
        lambda state, value: state.change(**{section: {name: value}}),
    )


def _select(name: str, options: Any) -> Any:
    return pmui.Select(label=name, options=options, sizing_mode="stretch_width", size="small")


def _tick(name: str) -> Any:
    return pmui.Checkbox(label=name, sizing_mode="stretch_width")


def sums() -> list[Control]:
    """Return the controls of the whole plan."""
    return [
        Control(
            slider("Sum: times the plan", LEAST_TIMES, 2.0, 0.05),
            lambda state: abs(state.times),
            lambda state, times: state.multiply(state.bounded(math.copysign(times, state.times))),
        ),
        Control(
            _tick("Take these sums away instead (a cut)"),
            lambda state: state.scenario.cut,
            lambda state, cut: state.multiply(state.bounded(-state.times)) if cut != state.scenario.cut else None,
        ),
        Control(
            _select("Parts for the same children", OVERLAPS),
            lambda state: state.base.overlap,
            lambda state, how: state.change(overlap=how),
        ),
    ]


def effect() -> list[Control]:
    """Return the controls of what help changes, and for how long."""
    return [
        _key("effect", "scale_up", _select("Share of the effect that survives scale-up", SCALE_UP)),
        _key("effect", "take_up", slider("Take-up of the offer", 0, 1, 0.05, "0%")),
        Control(_select("Build-up of the effect", {name: name for name in (*RAMPS, "Other")}), _ramp_name, _set_ramp),
        Control(
            _tick("Effects fade with the years"),
            lambda state: "fade" not in state.base.effect.structure,
            lambda state, fades: state.change(effect={"structure": {} if fades else NO_FADE}),
        ),
        _key("effect", "detection", _tick("More help first finds more need")),
        _key("effect", "shared_luck", slider("Site’s luck shared with other programmes", 0, 1, 0.05, "0%")),
    ]


def adjustments() -> list[Control]:
    """Return the controls of the appraisal: Green Book adjustments, prices and discounting."""
    names = {
        "Green Book 2026, standard": "green_book_2026_standard",
        "Green Book 2026, sensitivity": "green_book_2026_sensitivity",
        "Green Book 2022, standard": "green_book_2022_standard",
    }
    known = set(appraisal.schedule_names())
    schedules = {name: key for name, key in names.items() if key in known}
    return [
        _key("adjustments", "optimism_bias", slider("Optimism bias on the cost", 0, 1, 0.01, "0%")),
        _key("adjustments", "deadweight", slider("Deadweight: would have happened anyway", 0, 1, 0.05, "0%")),
        _key("adjustments", "displacement", slider("Displacement: moved elsewhere", 0, 1, 0.05, "0%")),
        _key("adjustments", "attribution", slider("Attribution to this programme", 0, 1, 0.05, "0%")),
        _key("adjustments", "drop_off", slider("Drop-off of the benefit each year", 0, 0.5, 0.05, "0%")),
        Control(
            _tick("Care and social work prices rise faster than inflation"),
            lambda state: not set(GROWTH) <= set(state.scenario.overrides),
            lambda state, grows: state.override_all({key: None if grows else NO_GROWTH for key in GROWTH}),
        ),
        Control(
            _select("Discounting", schedules),
            lambda state: state.scenario.discount_schedule,
            lambda state, name: state.change(discount_schedule=name),
        ),
        Control(
            slider("Years counted", 5, LONGEST_HORIZON, 1),
            lambda state: state.scenario.horizon,
            lambda state, years: state.change(horizon=max(years, state.scenario.years)),
        ),
    ]


def start(groups: dict[str, dict[str, str]]) -> list[Control]:
    """Return the choice of place and of a preset to start from."""
    place = pmui.AutocompleteInput(
        label="Area, region or England",
        min_characters=0,
        restrict=True,
        case_sensitive=False,
        search_strategy="includes",
        sizing_mode="stretch_width",
        size="small",
    )
    preset = pmui.Select(label="Start from", groups=groups, sizing_mode="stretch_width", size="small")
    return [
        Control(place, lambda state: state.place, lambda state, value: state.go_to(value or "")),
        Control(preset, lambda s: s.preset, lambda s, value: s.start_from(value)),
    ]


def _ramp_name(state: State) -> str:
    ramp = _trimmed(state.scenario.effect.ramp)
    return next((name for name, shape in RAMPS.items() if ramp == _trimmed(shape)), "Other")


def _trimmed(ramp: tuple[float, ...]) -> tuple[float, ...]:
    """Return a ramp without what only repeats its last share, which stays."""
    while len(ramp) > 1 and ramp[-1] == ramp[-2]:
        ramp = ramp[:-1]
    return ramp


def _set_ramp(state: State, name: str) -> None:
    if name in RAMPS:
        state.change(effect={"ramp": RAMPS[name]})


class Panel:
    """All controls, kept in step with the state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.groups = {
            "Where": start(presets(state.live)),
            "Plan": sums(),
            "Effect": effect(),
            "Appraisal": adjustments(),
        }
        self.plan = Plan(state)
        self.groups["Where"][0].widget.options = list(state.live.places)
        self._writing = False
        place = self.groups["Where"][0].widget
        place.param.watch(lambda event: self._typed(place, event.new or ""), "value_input")
        for control in self.controls:
            control.widget.param.watch(self._moved(control), "value")
        state.watch(self.show)
        self.show()

    @property
    def controls(self) -> list[Control]:
        """Every control."""
        return [control for group in self.groups.values() for control in group]

    def named(self, label: str) -> Any:
        """Return the widget with a label."""
        return next(control.widget for control in self.controls if control.widget.label == label)

    def _typed(self, place: Any, text: str) -> None:
        """While a name is half typed, say whose the numbers are and whether any place matches."""
        known = self.state.place
        none = not any(text.casefold() in name.casefold() for name in place.options)
        lacking = f"No area or region has “{text[:40]}” in its name. " if none else ""
        place.helper_text = "" if text == known else f"{lacking}The numbers are those of {known}."

    def _moved(self, control: Control) -> Callable[[Any], None]:
        def moved(event: Any) -> None:
            if not self._writing:
                control.change(self.state, event.new)

        return moved

    def show(self) -> None:
        """Write the state's values into the controls."""
        self._writing = True
        try:
            self._bound()
            self.plan.show()
            for control in self.controls:
                value = control.value(self.state)
                if control.widget.value != value:
                    self._fit(control.widget, value)
                    control.widget.value = value
        finally:
            self._writing = False

    def _bound(self) -> None:
        """End the slider of the sum where the place has no more children for the plan, or no more spend to cut."""
        widget = self.named("Sum: times the plan")
        most = min(self.state.most_times(self.state.times), MOST_TIMES)
        step = next((one for one in (0.01, 0.05, 0.1, 0.25) if most / one <= STEPS), 1.0)
        end = max(LEAST_TIMES, most // step * step)
        if (widget.end, widget.step) != (end, step):
            widget.param.update(start=min(LEAST_TIMES, end), end=end, step=step)

    def _fit(self, widget: Any, value: Any) -> None:
        """Widen a control to a value that only an address or a file can give."""
        if hasattr(widget, "end"):
            widget.param.update(start=min(widget.start, value), end=max(widget.end, value))
        options = getattr(widget, "options", None)
        if isinstance(options, dict) and options and value not in options.values():
            widget.options = {**options, w.label(value): value}

    def view(self) -> Any:
        """Return the controls as the page's side bar."""
        parts: list[Any] = []
        for title, group in self.groups.items():
            parts.append(pn.pane.HTML(f"<h2>{title}</h2>", stylesheets=[SIDE], margin=(14, 0, 6, 0)))
            widgets = [control.widget for control in group]
            if title == "Plan":
                widgets[1:1] = [self.plan.total]
                widgets = [*self.plan.view(), *widgets]
            parts += widgets
        return column(*parts, margin=(0, 14, 24, 14))


SIDE = "h2 { font: 700 19px Arial, Helvetica, sans-serif; color: #0b0c0c; margin: 0; }"
