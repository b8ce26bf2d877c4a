"""Every number on every page has an explanation that comes to the same number, and a key of nonsense has none."""

import html
import re

import numpy as np
import pytest

from tests.conftest import LEEDS
from toolkit.apps.explanations import numbers as kinds
from toolkit.apps.explanations.asking import Asking
from toolkit.apps.pages.drivers import swings
from toolkit.apps.parts.card import Card
from toolkit.apps.shell import Site
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.schema import SAMPLE_DIMS, InputError

pytestmark = pytest.mark.fit
BUTTON = re.compile(r'data-key="([^"]*)" aria-label="([^"]*)" tabindex="(-?\d)">([^<]*)</button>')
SCALES = {"billion": 1e9, "million": 1e6, "thousand": 1e3}
QUOTED = ("end", "figure", "information", "switch")  # the sum holds the very words of the cell
DEFINED = ("check", "column")
NONSENSE = [
    "",
    "nonsense",
    "payer_net",
    "payer_net|Nobody",
    "payer_net|NHS|more",
    "__class__",
    "worth|__class__",
    "figure|__import__('os')",
    "end|social|middle|cost_supporting_families",
    "end|social|lower|all effects",
    "effect|mean|Care",
    "information|social|<img src=x>",
    "@9|npsv",
    "@x|npsv",
    "@\N{SUPERSCRIPT TWO}|npsv",
    "@",
    "|",
    "x" * 100_000,
    "bridge|social|Nothing",
    "year_spent|1066/67",
    "npsv|social",
]


def opened(site, name):
    """Return the page with every table of it open, as HTML."""
    page = site.pages[name]
    for card in [*getattr(page, "cards", {}).values(), *vars(page).values()]:
        if isinstance(card, Card):
            card.as_table.value = True
    return "".join(
        str(pane.object)
        for pane in page.view().select(lambda one: isinstance(one.object, str) if hasattr(one, "object") else False)
    )


def numbers(text):
    """Return each number on a page: its key, what it is of (its table's caption among it) and how it reads."""
    for part in text.split("<table>"):
        caption = re.search("<caption>(.*?)</caption>", part)
        for key, label, _, shown in BUTTON.findall(part):
            yield tuple(map(html.unescape, (key, f"{label} {caption[1] if caption else ''}", shown)))


def values(shown, label):
    """Return the numbers that a cell's text holds, in pounds or shares, each with how far rounding can move it."""
    scale = next((size for name, size in SCALES.items() if f"£\N{NO-BREAK SPACE}{name}" in label), 1.0)
    for part in shown.replace("\u2060", "").replace("\N{MINUS SIGN}", "-").split(" to "):
        if "%" in part and ("under" in part or "over" in part):
            yield (0.0 if "under" in part else 1.0), 0.01
            continue
        sign, digits, fraction = re.search(r"([-+]?)£?([\d,]+)(\.\d+)?", part).groups()
        number = float(f"{sign}{digits.replace(',', '')}{fraction or ''}")
        size = next((size for name, size in SCALES.items() if name in part), 1.0)
        size *= 0.01 if "%" in part else 1.0 if "£" in part else scale
        unit = 10.0 ** -(len(fraction) - 1 if fraction else 0)
        yield number * size, 0.51 * unit * size + (0.006 * abs(number * size) if "£" in part else 1e-6)


def expected(run, key, label):
    draws = kinds.formula(run, key).draws(run)
    if any(words in label for words in ("turned round", "taken away", "less than")):  # as a sentence tells it
        draws = -draws
    if "Hazard ratio" in label:  # beside the change in the rate, which the explanation is of
        draws = 1.0 + draws
    flat = draws.transpose(*SAMPLE_DIMS).values.astype(float).ravel()
    low, high = np.quantile(flat, [0.05, 0.95])
    if "low end of 90%" in label or "high end of 90%" in label:
        return [low if "low end" in label else high]
    return [low, high] if "90% interval" in label else [flat.mean()]


def check(run, cells, fewest):
    seen = 0
    for key, label, shown in cells:
        kind = key.split("|")[0]
        if kind == "payback":  # said as a year; what the table shows is its value
            assert kinds.explanation(run, key)
        elif kind in (*QUOTED, *DEFINED):
            sum_up = kinds.formula(run, key).sum_up
            assert kind in DEFINED or shown in w.tied(sum_up(run)), key
        elif shown not in ("none", "–"):
            for (value, close), mean in zip(values(shown, label), expected(run, key, label), strict=True):
                assert mean == pytest.approx(value, abs=close), (key, label, shown)
        seen += 1
    assert seen >= fewest


@pytest.mark.long
@pytest.mark.parametrize(
    ("query", "each", "fewest"),  # of pages whose numbers take long each, some
    [
        ("?place=Leeds", 1, 200),
        ("?place=Leeds&page=Cost of poor outcomes", 2, 30),
        ("?place=Leeds&page=What drives it&adjustments.deadweight=0.2&adjustments.optimism_bias=0.1", 4, 15),
        ("?place=Leeds&page=Evidence", 7, 8),
        ("?place=Leeds&page=Model checks", 3, 100),
        ("?place=Leeds&page=Take away", 1, 20),
    ],
)
def test_every_number_comes_to_its_explanation(live, query, each, fewest):
    site = Site(live, query=query)
    page = site.pages[site.current]
    if hasattr(page, "ask"):
        page._ask()
    check(site.latest, list(numbers(opened(site, site.current)))[::each], fewest)
    if hasattr(page, "choice"):
        page.choice.value = "annual"
        check(site.latest, list(numbers(opened(site, site.current)))[::each], fewest)


def test_the_numbers_of_a_cut_do_too(live):
    site = Site(live, query="?place=Leeds&times=-0.4")
    seen = list(numbers(opened(site, site.current)))
    check(site.latest, seen, 170)
    assert sum(key.startswith("paid_back") for key, _, _ in seen) > 10
    explained = kinds.explanation(site.latest, "paid_back|social|20")  # of the chance, and what moves that
    assert "Still ahead at the end of 2046/47" in explained and re.search(
        r"[\d,]+ of [\d,]+ draws = [^£]*\d%", explained
    )
    assert (
        "net value" not in explained and "£" not in explained.partition("At its high end")[2].partition("Left out")[0]
    )


def drawn(chart):
    """Return each number that can be pressed on a chart: its key, and how far it is drawn along the chart's scale."""
    for one in chart.figure.renderers:
        data = one.data_source.data
        for k in range(len(next(iter(data.values()))) if one.name else 0):
            shown = {
                name: value if isinstance(value := column[k], str) else f"{value:.4g}" for name, column in data.items()
            }
            key = re.sub(r"{(\w+)}", lambda match, shown=shown: shown[match[1]].replace("\n", " "), one.name)
            along = next(
                getattr(one.glyph, side, None)
                for side in ("right", "top", "y", "x")
                if getattr(one.glyph, side, "name") != "name"
            )
            yield key, float(data[along][k])


@pytest.mark.long
@pytest.mark.parametrize(
    ("query", "fewest"),
    [
        ("?place=Leeds", 200),
        ("?place=Leeds&times=-0.4", 200),
        ("?place=Leeds&page=Cost of poor outcomes", 30),
        ("?place=Leeds&page=Cost of poor outcomes&cost=annual&effect.take_up=0.6", 20),
        ("?place=Leeds&page=What drives it&account=fiscal&adjustments.deadweight=0.2", 6),
        ("?place=Leeds&page=Take away", 6),
    ],
)
def test_what_is_drawn_is_the_number_of_its_key(live, query, fewest):
    site = Site(live, query=query)
    page = site.pages[site.current]
    if hasattr(page, "compare"):
        page._ask()
    curve = [page.curve.card] if hasattr(page, "curve") else []
    cards = [
        one for one in [*getattr(page, "cards", {}).values(), *vars(page).values(), *curve] if isinstance(one, Card)
    ]
    seen = [one for card in cards for one in drawn(card.chart)]
    assert len(seen) >= fewest
    for key, along in seen[:: 1 + len(seen) // 60]:
        run = page.others(site.latest)[0] if key.startswith("@0|") else site.latest
        formula = kinds.formula(run, key.removeprefix("@0|"))
        if key.startswith(("end", "bridge")):  # whose draws are those of the answer, or of the step alone
            assert w.money(along) in formula.sum_up(run) or key.startswith("bridge")
        else:
            assert float(formula.draws(run).mean()) == pytest.approx(along, rel=2e-4, abs=1e-3 if along < 1 else 50), (
                key
            )


def test_checks_of_changed_priors_are_explained(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    for name in ("changed_priors_pareto_k", "changed_priors_effective_draws"):
        assert len(kinds.formula(run, f"check|{w.label(name)}").words[0]) > 50


def test_the_sum_is_written_with_its_own_numbers(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    shown = kinds.formula(run, "payer_net|All").sum_up(run)
    terms = re.findall(r"(^|\+ |\N{MINUS SIGN} )(£[\d.,]+(?: \w+illion)?)", shown.partition(" = ")[0])
    total = sum((-1 if "\N{MINUS SIGN}" in sign else 1) * next(values(text, ""))[0] for sign, text in terms)
    assert len(terms) == 2
    assert total == pytest.approx(float(q.result(run)["npsv"].sel(account="social").mean()), rel=0.02)
    care = kinds.formula(run, "life|excess|Care|All").draws(run)
    assert float(care.mean()) == pytest.approx(
        float(q.by(q.lifetime(run), "outcome").sel(outcome="care", reading="excess").mean()), rel=1e-5
    )


def test_saved_scenarios_and_neighbours_are_explained_by_their_own_runs(live):
    site = Site(live, query="?place=Leeds&page=Compare")
    page = site.pages["Compare"]
    for times in (1.0, 2.0):
        site.state.multiply(times)
        page.save.clicks += 1
    text = opened(site, "Compare")
    keys = {key for key, _, _ in numbers(text)}
    assert {key[:2] for key in keys} == {"@0", "@1"} and len(keys) >= 14
    for place, run in enumerate(page.others(site.latest)):
        mine = [(key.partition("|")[2], label, shown) for key, label, shown in numbers(text) if key[:2] == f"@{place}"]
        for key, label, shown in mine:
            spread = label.replace("90% interval of", "90% interval") if "90% interval" in label else label
            for (value, close), printed in zip(values(shown, label), expected(run, key, spread), strict=True):
                assert printed == pytest.approx(value, abs=close), (key, label, shown)
    site = Site(live, query="?place=Leeds&page=Cost of poor outcomes")
    page = site.pages["Cost of poor outcomes"]
    page._ask()
    near = [(key, label, shown) for key, label, shown in numbers(page.neighbours_table)]
    assert len(near) >= 12
    for key, label, shown in near:
        run = page.others(site.latest)[0]
        for (value, close), printed in zip(
            values(shown, label), expected(run, key.partition("|")[2], label), strict=True
        ):
            assert printed == pytest.approx(value, abs=close), (key, label, shown)


@pytest.mark.parametrize("key", NONSENSE[1:])
def test_a_key_of_nonsense_is_refused_in_words(live, key):
    site = Site(live, query="?place=Leeds")
    site.asking._came("data", None, {"key": [key]})
    shown = site.asking.answer.data["html"][0]
    assert "cannot be explained" in shown and "Fix: " in shown and "<img" not in shown and len(shown) < 1000
    assert "went wrong" not in str(site.holders[site.current][0])
    if key[0] != "@":  # which names another run
        with pytest.raises(InputError, match="Fix"):
            kinds.formula(site.latest, key)


@pytest.mark.parametrize("sent", [{}, {"key": 5}, {"key": []}, {"key": [{"a": 1}]}, {"key": np.zeros(3)}])
def test_what_is_no_key_at_all_does_nothing_worse(live, sent):
    site = Site(live, query="?place=Leeds")
    site.asking._came("data", None, sent)
    shown = site.asking.answer.data["html"][0]
    assert shown == "" or "cannot be explained" in shown


def test_nothing_is_explained_unless_asked_and_what_is_open_follows_the_scenario(live, monkeypatch):
    site, asked, priced = Site(live, query="?place=Leeds"), [], []
    explained, page = kinds.explanation, site.pages["Invest to save"]
    monkeypatch.setattr(kinds, "explanation", lambda run, key: asked.append(key) or explained(run, key))
    monkeypatch.setattr(page, "prepare", lambda run, prepare=page.prepare: priced.append(run) or prepare(run))
    site.state.multiply(1.4)
    assert asked == [] and len(priced) == 1
    site.asking._came("data", None, {"key": ["year_spent|2026/27"]})
    before = site.asking.answer.data["html"][0]
    assert asked == ["year_spent|2026/27"] and len(priced) == 1  # what the page shows is not worked out again
    site.state.multiply(2.8)
    assert site.asking.answer.data["html"][0] != before and len(priced) == 2
    site.asking._came("data", None, {"key": [""]})
    site.state.multiply(1.9)
    assert len(asked) == 2 and site.asking.answer.data["html"] == [""]
    site.asking._came("data", None, {"key": ["npsv"]})
    site.tabs.active = 1
    assert site.asking.key == "" and site.asking.answer.data["html"] == [""]


def test_a_fault_of_an_explanation_has_a_number_and_leaves_the_page(live, monkeypatch):
    def broken(run, key):
        raise RuntimeError("secret")

    site = Site(live, query="?place=Leeds")
    monkeypatch.setattr(kinds, "explanation", broken)
    site.asking._came("data", None, {"key": ["npsv"]})
    shown = site.asking.answer.data["html"][0]
    assert re.search(r"[0-9a-f]{8}\.", shown) and "secret" not in shown
    assert "£" in site.pages["Invest to save"].sentence.object


def test_a_table_is_one_stop_of_the_tabulator(live):
    site = Site(live, query="?place=Leeds")
    for part in opened(site, site.current).split("<table>")[1:]:
        stops = [stop for _, _, stop, _ in BUTTON.findall(part.split("</table>")[0])]
        assert stops.count("0") == bool(stops)


def test_an_input_says_how_far_it_moves_the_headline_even_if_chance_could(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    moves, shown = swings(run, q.result(run)["npsv"].sel(account="social"), of=("price_rereferral",))
    assert moves["parameter"].values.tolist() == ["price_rereferral"] and "chance" in shown
    explained = kinds.explanation(run, "figure|price_rereferral")
    assert (
        "Unit Cost Database" in explained and "2008/09 prices" in explained and explained.count('<th scope="row">') == 1
    )


def test_asking_needs_no_page():
    assert Asking(lambda: None).prepare(None, None) == ""


def test_a_changed_scenario_is_not_explained_by_the_one_before(live, small_scenario):
    site = Site(live, query="?place=Leeds")
    site.asking._came("data", None, {"key": ["programme"]})
    first = site.asking.answer.data["html"][0]
    site.state.multiply(2.0)
    second = site.asking.answer.data["html"][0]
    run = live.run(small_scenario.times(2.0), (LEEDS,))
    assert first != second == kinds.explanation(run, "programme")


def test_a_number_of_a_year_is_named_after_the_year(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    assert "Money spent: 2026/27</h2>" in kinds.explanation(run, "year_spent|2026/27")
