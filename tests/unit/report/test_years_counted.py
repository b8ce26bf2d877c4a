"""A run of fewer years than a life nowhere calls its cost a lifetime's: the words of every output are read."""

import re
from html import unescape

import openpyxl
import pytest

from toolkit import report
from toolkit.apps.explanations import numbers
from toolkit.apps.pages import costs
from toolkit.measures import words
from toolkit.measures.analysis import analyse
from toolkit.report import html
from toolkit.report.contents import every_table
from toolkit.report.workbook import write_workbook
from toolkit.scenario_model import LONGEST_HORIZON

LIFE = re.compile(
    r"(?<!GBP )lifetime|(over|for) (its |a |their |children.s |the )?(whole )?li(fe|ves)\b", re.IGNORECASE
)
CITED = ("assumptions", "excluded", "pooled", "published", "record")  # words of sources, which may count lives
STEPS = ("steps_before_0_3", "steps_to_alma")  # committed, and always of whole lives
STEPS_HEADINGS = ("What each addition", "From our lifetime cost of a child")


@pytest.fixture(scope="module")
def short(make_run):
    return make_run(changes={"horizon": 10})


@pytest.fixture(scope="module")
def tables(short):
    return every_table(short, analyse(short))


def of_life(texts, tables):
    """Return the texts that speak of a life, but for those of the evidence."""
    cited = {str(cell) for name in CITED for cell in tables[name].frame.to_numpy().ravel()}
    cited |= {str(row) for name in CITED for row in tables[name].frame.index}
    cited |= {text for name in STEPS for text in words_of(tables[name])}
    whole = " ".join(cited)
    return [
        text
        for text in map(str.strip, texts)
        if LIFE.search(text) and text not in whole and not text.removeprefix("Table: ").startswith(STEPS_HEADINGS)
    ]


def words_of(table):
    frame = table.frame
    return [
        table.title,
        table.note,
        table.rows,
        *map(str, frame.index),
        *(heading for heading, _ in table.columns),
        *(cell for cell in frame.to_numpy().ravel() if isinstance(cell, str)),
    ]


def test_tables(short, tables):
    assert not of_life([text for name in tables for text in words_of(tables[name]) if name not in CITED], tables)
    assert tables["lifetime_by_payer"].title == "10-year cost of the entering cohort, by payer"
    assert tables["avoided"].title == "Cost avoided over 10 years among the children served, by outcome"


def test_report(short, tables, undrawn):
    page = html.render(short, tables, analyse(short))
    texts = [
        unescape(text) for text in re.findall(r'>([^<]+)<|(?:alt|aria-label|title)="([^"]*)"', page) for text in text
    ]
    assert not of_life(texts, tables)
    assert "One entering cohort, over 10 years" in texts


def test_workbook(short, tables, tmp_path):
    write_workbook(short, tables, tmp_path / "run.xlsx")
    book = openpyxl.load_workbook(tmp_path / "run.xlsx")
    cells = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
    assert not of_life(cells, tables) and "10-year cost of the entering cohort, by outcome" in cells


@pytest.mark.parametrize(
    "name", sorted(name for name in report.__all__ if name.startswith("plot_") and name != "plot_cost_steps")
)
def test_figures(short, tables, name):
    texts = getattr(report, name)(short).findobj(lambda artist: hasattr(artist, "get_text"))
    assert not of_life([text.get_text().replace("\n", " ") for text in texts], tables)


@pytest.mark.parametrize("name", ["by_history", "waterfall", "curve_by_payer"])
def test_figures_of_lives(short, tables, name):
    texts = html.drawn(short)[name](short).findobj(lambda artist: hasattr(artist, "get_text"))
    found = [text.get_text() for text in texts]
    assert not of_life(found, tables) and any("10-year cost" in text for text in found)


@pytest.mark.parametrize("key", ["life|excess|All|All", "area_life|gross|Leeds", "each|excess|All", "curve|1"])
def test_explanations(short, tables, key):
    formula = numbers.formula(short, key)
    assert not of_life([formula.title, *formula.words, formula.sum_up(short)], tables)


def test_a_whole_life_is_called_one(run):
    for fewer, whole in ((words.counted(words_, 10), words_) for words_ in words.SPANS):
        assert "10" in fewer and words.counted(whole, LONGEST_HORIZON) == whole
    assert numbers.formula(run, "each|excess|All").title == "Excess lifetime cost of each child"
    over = ["excess", "excess over never in need", "gross"]
    assert list(costs.views(LONGEST_HORIZON)) == [*(f"Over a life: {reading}" for reading in over), "In one year"]
    assert list(costs.views(10).values()) == list(costs.views(LONGEST_HORIZON).values())
    assert not any(LIFE.search(text) for text in costs.views(10))
