"""The page is whole, honest, inert and loads nothing."""

import base64
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from toolkit.measures import possible_studies
from toolkit.measures import quantities as q
from toolkit.measures.analysis import analyse
from toolkit.measures.tables import who_pays
from toolkit.report.contents import every_table
from toolkit.report.html import render, shown

LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction", "manifest"}
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Every element with its attributes and the text inside, and whether tags close in order."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        joined = re.sub(r"\s+", " ", "".join(self.text).replace("\N{WORD JOINER}", ""))
        return joined.replace("\N{NO-BREAK SPACE}", " ")


def rendered(run, found=None):
    found = found or analyse(run)
    return render(run, every_table(run, found), found)


def page(run, found=None):
    return Page(rendered(run, found))


@pytest.fixture(scope="module")
def decided(run):
    """The decision of the plain run, for pages that are about something else."""
    with pytest.MonkeyPatch.context() as patch:  # the run in miniature compares no programmes, which give the risk
        patch.setattr(possible_studies, "_usual", lambda *_: {"care": 0.02, "repeat_referrals": 0.3})
        return analyse(run)


@pytest.fixture(scope="module")
def whole(run, decided):
    return page(run, decided)


def test_every_section_is_there_and_every_contents_link_leads_somewhere(whole):
    ids = {attributes.get("id") for _, attributes in whole.elements}
    links = {link["href"][1:] for link in whole.all("a") if link["href"].startswith("#")}
    assert links == {
        "answer",
        "cost",
        "lives",
        "appraisal",
        "decision",
        "adjustments",
        "curve",
        "true",
        "finding",
        "effects",
        "believed",
        "evidence",
    }
    assert links <= ids
    assert whole.open == []


def test_nothing_is_loaded_from_anywhere(whole):
    for tag, attributes in whole.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "audio", "video"}
        for name in LOADING & set(attributes):
            assert attributes[name].startswith("data:image/svg+xml;base64,"), (tag, name)
        assert not [name for name in attributes if name.startswith("on")]
    source = " ".join(style for _, attributes in whole.elements for style in [attributes.get("style", "")])
    assert "url(" not in source
    assert "default-src 'none'" in next(m["content"] for m in whole.all("meta") if m.get("http-equiv"))


def test_pictures_themselves_load_nothing(whole):
    for image in whole.all("img"):
        drawn = base64.b64decode(image["src"].split(",")[1]).decode()
        assert not re.findall(r"(?:href|src)=\"(?!#)[^\"]*\"|@import|url\((?!#)", drawn)


def test_every_picture_has_words_and_every_table_a_caption_and_headings(whole):
    images, tables = whole.all("img"), whole.all("table")
    assert len(images) == 25
    assert all(len(image["alt"]) > 80 for image in images)
    assert len(whole.all("caption")) == len(tables)
    scopes = {heading.get("scope") for heading in whole.all("th")}
    assert scopes == {"col", "row"}
    assert whole.all("html")[0]["lang"] == "en-GB"
    assert len(whole.all("h1")) == 1


def test_headings_never_skip_a_level(whole):
    levels = [int(tag[1]) for tag, _ in whole.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_what_must_be_said_is_said(whole):
    for said in (
        "90% interval",
        "Each programme has its own cost and its own effect",
        "Family group conference: no effect is counted on repeat referrals, youth justice and GCSE attainment",
        "on GCSE attainment from studies of its type alone",
        "served in all years together",
        "a grant from central government",
        "2025/26 prices",
        "Green Book 2026 standard",
        "money moving at the start of each year",
        "never a saving",
        "that is not knowing, not an effect of nil",
        "The answer under each rival structure",
        "chance that the help adds to cost",
        "paid back within 70 years is",
        "what the year's events lead to later",
        "As a budget paper shows it",
        "Knowing everything (the expected value of perfect information)",
        "published upper bound of optimism",
        "Money moves in mid-year",
        "Marginal value of public funds",
        "Internal rate of return",
        "in two arms of 1,000 children",
        "cash in the council's own budget",
        "Open Government Licence v3.0",
        "CC BY 4.0",
        "0.7 and 1.4 times today's level",
    ):
        assert said in whole.words, said
    assert not re.search(r"saves? £|savings", whole.words)


def test_a_run_that_passed_shows_no_red(whole):
    assert "failed its checks" not in whole.words
    assert not [attributes for _, attributes in whole.elements if "stop" in attributes.get("class", "")]


def test_a_run_that_failed_says_so_before_anything_else(undrawn, make_run, decided):
    failed = page(make_run(passed=False), decided)
    first = next(text for text in failed.text[failed.text.index("Cost of outcomes") + 1 :] if text.strip())
    assert first == "This run failed its checks"
    kinds = [tag for tag, attributes in failed.elements if tag == "h1" or attributes.get("class") == "stop"]
    assert kinds == ["section", "h1"]
    assert failed.words.count("FAILED") >= 2  # in the box, and in the table of all checks


def test_hostile_text_stays_text(undrawn, make_run, decided):
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    hostile = make_run(
        changes={"title": attack, "description": attack},
        areas={"E08000035": (attack, attack), "E06000047": ("B", "C")},
    )
    hostile.assumptions.loc["price_care_year", ["source", "url"]] = [attack, "javascript:alert(1)"]
    attacked = page(hostile, decided)
    assert attack in attacked.words
    assert not attacked.all("script")
    assert all("onerror" not in image for image in attacked.all("img"))
    assert all(link["href"].startswith(("#", "http")) for link in attacked.all("a"))


def test_own_figures_stand_out(undrawn, make_run, decided):
    own = {"price_care_year": {"value": 90_000, "price_year": "2024/25", "reason": "our own ledger"}}
    shown_page = page(make_run(overrides=own), decided)
    assert "your own figure" in shown_page.words
    assert "our own ledger" in shown_page.words
    assert [row for row in shown_page.all("tr") if row.get("class") == "own"]
    flag = "Price care year: 90,000. Reason: our own ledger"
    assert flag in shown_page.words[: shown_page.words.index("The answer in figures")]


def test_every_figure_used_is_listed_with_its_spread_and_source(run, whole):
    for role, row in run.assumptions.iterrows():
        assert row["id"] in whole.words, role
        assert row["source"] in whole.words, role
    assert "graded ±20%; old, no better one seen" in whole.words  # NEET of 2010/11, from the source itself
    assert "90% range" in whole.words


def test_areas_are_shown_only_where_there_are_several(undrawn, make_run, whole, decided):
    assert "By area" in whole.words
    one = page(make_run(areas={"E08000035": ("Leeds", "Yorkshire and The Humber")}), decided)
    assert "By area" not in one.words


@pytest.mark.long
def test_the_curve_without_a_range_is_all_extrapolation(undrawn, make_run, decided):
    assert "the whole curve is extrapolation" in page(make_run(spend_range=None), decided).words


@pytest.mark.long
@pytest.mark.parametrize(("horizon", "last"), [(5, "2029/30 (year 4)"), (12, "2036/37 (year 11)")])
def test_the_horizon_may_be_short_and_the_effect_none(undrawn, make_run, horizon, last):
    nothing = page(make_run(effect=0.0, changes={"horizon": horizon}))
    assert last in nothing.words
    assert not re.search(r"\bis and\b", nothing.words)


@pytest.mark.long
def test_a_page_is_small_enough_to_send(run, decided):
    assert len(rendered(run, decided).encode()) < 3_000_000


def test_tables_print_money_in_one_scale_with_a_proper_minus(make_run):
    run = make_run(funders=("local_authority",))
    text = shown(who_pays(run), level=0.9)
    assert text.headings[0].text == "Payer"
    assert "£\N{NO-BREAK SPACE}million" in text.headings[1].text
    council = dict(text.rows)["Local authority"]
    net = q.position(run)["net"].sel(payer="local_authority")
    assert council[3].text == f"\N{MINUS SIGN}{-float(net.mean()) / 1e6:.2f}"
    assert council[4].text.count("\N{MINUS SIGN}") == 2
