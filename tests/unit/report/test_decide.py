"""Three files in, a report out: the shipped example against its exact answer, and every bad file."""

import re
import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

from toolkit import cli
from toolkit.report import decide as decision
from toolkit.report import draw_files
from toolkit.schema import InputError

EXAMPLE = Path(__file__).resolve().parents[3] / "notebooks" / "example_draws"
THRESHOLD, MEAN = 70_000, 200.0
# Standard deviation of the gain that each set explains, from the formula in the example's README.
SPREAD = {
    "entries_avoided": 2100.0,
    "staff_cost": 500.0,
    "overheads": 300.0,
    "programme cost": float(np.hypot(500, 300)),
    "everything": float(np.sqrt(2100**2 + 500**2 + 300**2)),
}


def exact(spread: float) -> float:
    """Value of learning a normal gain's part with this spread: s phi(m/s) - m Phi(-m/s)."""
    return spread * norm.pdf(MEAN / spread) - MEAN * norm.cdf(-MEAN / spread)


@pytest.fixture(scope="module")
def files():
    cost, effect = draw_files.read_options(EXAMPLE / "costs.csv", EXAMPLE / "effects.csv")
    parameters = draw_files.read_parameters(EXAMPLE / "parameters.csv", like=cost, beside=EXAMPLE / "costs.csv")
    return cost, effect, parameters


@pytest.fixture(scope="module")
def decided(files):
    groups = {"programme cost": ("staff_cost", "overheads")}
    return decision.decide(*files, threshold=THRESHOLD, groups=groups, unit="a care entry avoided")


def test_the_example_is_what_its_readme_says(files):
    cost, effect, parameters = files
    lattice = norm.ppf((np.arange(1, 1001)[:, None] * np.sqrt([2, 3, 5, 7])) % 1)
    drawn = lattice * [0.03, 500, 300, 1500] + [0.06, 3200, 800, 9000]
    np.testing.assert_allclose(parameters.to_dataarray().T, drawn, atol=1e-5)
    entries, staff, overheads, usual = drawn.T
    np.testing.assert_allclose(cost.T, [usual, usual + staff + overheads, usual + staff + overheads + 400], atol=0.01)
    np.testing.assert_allclose(effect.T, [0 * entries, entries, entries], atol=1e-6)


def test_the_answer_is_the_exact_one(decided):
    here = decided.here
    assert here["best_option"].item() == "family_help"
    assert float(here["probability_best"].sel(option="family_help")) == pytest.approx(0.537, abs=0.01)
    assert float(here["evpi"]) == pytest.approx(exact(SPREAD["everything"]), rel=0.02)
    information = decided.information.set_index(set="set")
    for name in ("entries_avoided", "staff_cost", "overheads", "programme cost"):
        one = information.sel(set=name)
        assert abs(float(one["evppi"]) - exact(SPREAD[name])) < 1.5 * float(one["standard_error"]), name
    assert float(information["evppi"].sel(set="usual_cost")) <= 10
    assert decided.options["status"].sel(option="family_help_longer").item() == "dominated"
    # 4,000 / 0.06; both means are those of 1,000 draws.
    assert float(decided.options["icer"].sel(option="family_help")) == pytest.approx(66_667, rel=2e-3)


def test_the_sentences_say_it(decided):
    text = " ".join(decision.sentences(decided))
    for part in (
        "family_help is the best choice on average",
        "a 5 in 10 chance",
        "usual_help is best while",
        "family_help_longer is never best",
        "The single most useful thing to find out is entries_avoided",
    ):
        assert part in text


def test_without_parameters_nothing_is_said_of_them(files, tmp_path):
    decided = decision.decide(*files[:2], threshold=THRESHOLD)
    assert decided.information is None and "information" not in decision.tables(decided)
    page = decision.render(decided)
    assert "No parameters were given" in page and "most useful" not in page


def test_few_draws_are_warned_of_on_the_page(files):
    few = [part.isel(sample=slice(0, 60)) for part in files]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decided = decision.decide(*few, threshold=THRESHOLD)
    assert len(decided.cautions) == 1 and "only 60 draws" in decided.cautions[0]
    assert "only 60 draws" in decision.render(decided)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href") and value]


def test_the_page_stands_alone_and_names_are_escaped(files):
    evil = "<script>alert(1)</script>"
    cost, effect = (part.assign_coords(option=["usual", evil, "longer"]) for part in files[:2])
    page = decision.render(decision.decide(cost, effect, threshold=THRESHOLD))
    parsed = Page(page)
    assert "script" not in parsed.tags and evil not in page
    assert all(link.startswith(("data:image/svg+xml;base64,", "#")) for link in parsed.links)
    assert parsed.tags.count("img") == 4 and "default-src 'none'" in page
    assert not re.search(r"\bnan\b|None|<Figure", page)


def test_the_workbook_holds_the_same_numbers_and_no_formula(files, tmp_path):
    cost, effect = (part.assign_coords(option=["usual", "=1+1", "longer"]) for part in files[:2])
    decided = decision.decide(cost, effect, files[2], threshold=THRESHOLD)
    paths = decision.write(decided, tmp_path)
    assert [path.name for path in paths] == ["decide.html", "decide.xlsx"] == sorted(p.name for p in tmp_path.iterdir())
    book = openpyxl.load_workbook(paths[1])
    assert {"Answer", "Along the worth", "Value of information", "Curves"} == set(book.sheetnames)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert not [cell for cell in cells if cell.data_type == "f"]
    rows = {row[0].value: [cell.value for cell in row] for row in book["Value of information"].iter_rows()}
    worth = decided.information["evppi"].values[list(decided.information["set"].values).index("entries_avoided")]
    assert rows["entries_avoided"][1] == pytest.approx(float(worth))
    assert book["Curves"].max_row >= decision.POINTS


def test_a_failed_write_leaves_what_was_there(decided, tmp_path, monkeypatch):
    (tmp_path / "decide.html").write_text("before")
    monkeypatch.setattr(decision, "_workbook", lambda *_: (_ for _ in ()).throw(RuntimeError("full disk")))
    with pytest.raises(RuntimeError):
        decision.write(decided, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["decide.html"]
    assert (tmp_path / "decide.html").read_text() == "before"


@pytest.mark.parametrize(("threshold", "highest"), [(0, None), (-5, None), (10, 10), (10, 5), (float("nan"), None)])
def test_thresholds_must_increase(files, threshold, highest):
    with pytest.raises(InputError, match="thresholds must increase"):
        decision.decide(*files[:2], threshold=threshold, highest=highest)


def test_a_dead_heat_is_named_on_the_page_and_in_the_workbook(files, tmp_path):
    cost, effect, _ = files
    pair = [
        one.isel(option=[0, 1]).copy(data=np.tile(row, (one.sizes["sample"], 1)))
        for one, row in ((cost, [0.0, 1000.0]), (effect, [0.0, 0.05]))
    ]
    level = decision.decide(*(one.transpose("sample", "option") for one in pair), threshold=20_000)
    names = " or ".join(cost["option"].values[:2])
    assert level.best == names and decision.tables(level)["at"].frame.iloc[:, 1].tolist() == [0.5, 0.5]
    page = decision.render(level)
    assert f"<h1>{names}</h1>" in page and "level, as the best choices on average, if" in page
    book = openpyxl.load_workbook(decision.write(level, tmp_path)[1])
    assert names in [cell.value for row in book["Curves"].iter_rows() for cell in row]


def test_a_parameter_that_never_varies_is_set_aside_aloud(files, decided):
    # It cannot move anything: every other number is as it is without it, alone and in a group.
    cost, effect, parameters = files
    rounding = 0.3 + 1e-16 * np.arange(cost.sizes["sample"])
    more = parameters.assign(flat=("sample", np.full_like(rounding, 3.0)), rounded=("sample", rounding))
    groups = {"programme cost": ("staff_cost", "overheads", "flat"), "nothing": ("flat", "rounded")}
    other = decision.decide(cost, effect, more, threshold=THRESHOLD, groups=groups, unit="a care entry avoided")
    assert other.information.identical(decided.information)
    assert [line.split()[0] for line in other.cautions] == ["flat", "rounded"]
    assert all("never varies" in line for line in other.cautions)
    alone = decision.decide(cost, effect, more[["flat"]], threshold=THRESHOLD)
    assert alone.information is None and alone.cautions == other.cautions[:1]
    assert "flat never varies" in decision.render(alone)


def test_a_parameter_of_words_is_refused_by_name(files):
    cost, effect, parameters = files
    words = parameters.assign(kind=("sample", ["urban", "rural"] * (cost.sizes["sample"] // 2)))
    with pytest.raises(InputError, match=r"kind: holds .* not numbers\. Fix:"):
        decision.decide(cost, effect, words, threshold=THRESHOLD)


# Bad files ---------------------------------------------------------------------------------------


def write(path, columns, rows=120):
    generator = np.random.default_rng(1)
    table = pd.DataFrame({name: generator.normal(size=rows) for name in columns})
    table.to_csv(path, index=False)
    return table


@pytest.fixture
def folder(tmp_path):
    for name, columns in (("costs", "ab"), ("effects", "ab"), ("parameters", "xyz")):
        write(tmp_path / f"{name}.csv", columns)
    return tmp_path


def run(folder):
    paths = [str(folder / f"{name}.csv") for name in ("costs", "effects", "parameters")]
    cost, _ = draw_files.read_options(Path(paths[0]), Path(paths[1]))
    return draw_files.read_parameters(Path(paths[2]), like=cost, beside=Path(paths[0]))


def change(folder, name, edit):
    path = folder / f"{name}.csv"
    edit(pd.read_csv(path, dtype=object)).to_csv(path, index=False)


BAD = {
    "draws differ": ("effects", lambda t: t.iloc[:-1], r"120 draws.*119"),
    "parameter draws differ": ("parameters", lambda t: t.iloc[:-1], r"120 draws.*119"),
    "options differ": ("effects", lambda t: t.rename(columns={"b": "c"}), r"options do not match.*'b'.*'c'"),
    "an option is missing": ("effects", lambda t: t[["a"]], r"only .*costs.csv has \['b'\]"),
    "blank": ("costs", lambda t: t.assign(b=t["b"].where(t.index != 3)), r"line 5, column 'b': blank where a number"),
    "infinite": (
        "effects",
        lambda t: t.assign(a=t["a"].where(t.index != 0, "inf")),
        r"line 2, column 'a': 'inf' is not a number",
    ),
    "words": ("costs", lambda t: t.assign(a=t["a"].where(t.index > 1, "£1,200")), r"line 2.*'£1,200' is not"),
    "categories": ("parameters", lambda t: t.assign(y="urban"), r"line 2, column 'y': 'urban' is not a number"),
    "more parameters than draws": (
        "parameters",
        lambda t: pd.DataFrame(np.random.default_rng(2).normal(size=(120, 130))).add_prefix("p"),
        r"130 parameters but only 120 draws",
    ),
    "no draws": ("costs", lambda t: t.iloc[:0], r"only a line of headings"),
    "row numbers without a name": ("costs", lambda t: t.reset_index(names=""), r"column 1 has no name"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_files_are_refused_in_one_message(folder, case):
    name, edit, message = BAD[case]
    change(folder, name, edit)
    with pytest.raises(InputError, match=message) as problem:
        run(folder)
    assert "Fix:" in str(problem.value) and ".csv" in str(problem.value)


def test_one_option_and_doubled_names_are_refused(folder):
    for name in ("costs", "effects"):
        write(folder / f"{name}.csv", "a")
    with pytest.raises(InputError, match="single option"):
        run(folder)
    (folder / "costs.csv").write_text("a,a\n1,2\n")
    with pytest.raises(InputError, match="'a' is there twice"):
        run(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2,3\n4,5,6\n", "line 2: 3 cells for 2 columns.*Fix: name every column"),  # R's unnamed row names
        ("a,b\n1,2\n4,5,6\n", "line 3: 3 cells for 2 columns"),
        ("a,b\n1,2\n4\n", "line 3, column 'b': blank"),
        ("a,b\n1,2\n\n4,5\n", "line 3: blank, but rows follow"),
        ("0.4,0.5\n1,2\n", "numbers where the names of the columns"),
        ("draw,0.5\n1,2\n", "a number \\('0.5'\\) where a column's name"),
    ],
)
def test_ragged_files_lose_nothing_in_silence(folder, text, message):
    (folder / "costs.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        run(folder)


def test_names_of_any_signs_are_drawn_as_they_are_and_long_ones_refused(folder):
    for name in ("costs", "effects"):
        change(folder, name, lambda t: t.set_axis(["$\\frac{$", "<b>%s{0}"], axis=1))
    options = draw_files.read_options(folder / "costs.csv", folder / "effects.csv")
    assert "$\\frac{$" in decision.render(decision.decide(*options, threshold=1.0))
    change(folder, "costs", lambda t: t.set_axis(["a" * 81, "b"], axis=1))
    with pytest.raises(InputError, match="too long a name"):
        draw_files.read_options(folder / "costs.csv", folder / "effects.csv")


def test_a_byte_order_mark_is_no_part_of_a_name(folder):
    path = folder / "costs.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    run(folder)


def test_missing_and_unreadable_files_are_refused(folder):
    (folder / "costs.csv").write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(InputError, match="only a line of headings"):
        run(folder)
    (folder / "costs.csv").write_text("")
    with pytest.raises(InputError, match="empty"):
        run(folder)
    (folder / "costs.csv").unlink()
    with pytest.raises(InputError, match="no such file"):
        run(folder)


def test_options_are_matched_by_name_and_draws_by_their_labels(folder):
    costs, effects = (pd.read_csv(folder / f"{name}.csv") for name in ("costs", "effects"))
    effects[["b", "a"]].to_csv(folder / "effects.csv", index=False)
    cost, effect = draw_files.read_options(folder / "costs.csv", folder / "effects.csv")
    np.testing.assert_allclose(effect.sel(option="a"), effects["a"])
    np.testing.assert_allclose(cost.sel(option="b"), costs["b"])


SPELLINGS = [
    "draw",
    "Draw",
    ".draw",
    "DRAW",
    "draw_id",
    "sample",
    "sim",
    "Sim No",
    "simulation",
    "id",
    "ID",
    "iteration",
    ".iteration",
    "iter",
    "index",
    "row",
    "psa_iteration",
    "run",
    "obs",
]


@pytest.mark.parametrize("name", SPELLINGS)
def test_columns_that_number_draws_are_set_aside_aloud_and_pair_the_files(folder, name):
    plain = run(folder)
    costs, effects, parameters = (pd.read_csv(folder / f"{file}.csv") for file in ("costs", "effects", "parameters"))
    expected = effects["a"].to_numpy()
    for file, table in (("costs", costs), ("effects", effects.iloc[::-1]), ("parameters", parameters.iloc[::-1])):
        numbered = table.assign(**{name: table.index + 1, "lp__": -0.5})
        numbered.to_csv(folder / f"{file}.csv", index=False)
    with pytest.warns(UserWarning, match="set aside") as caught:
        cost, effect = draw_files.read_options(folder / "costs.csv", folder / "effects.csv")
        read = draw_files.read_parameters(folder / "parameters.csv", like=cost, beside=folder / "costs.csv")
    assert cost["option"].values.tolist() == ["a", "b"] and list(read) == ["x", "y", "z"]
    np.testing.assert_array_equal(effect.sel(option="a"), expected)
    np.testing.assert_array_equal(read["x"], plain["x"])
    aside = "lp__" if name == "draw" else f"{name}, lp__"  # draw is the name that we ask for
    assert f": {aside} set aside" in str(caught[0].message) and len(caught) == 2


def test_chains_and_draws_pair_together_and_parameters_follow(folder):
    rows = [f"{chain},{draw},{chain * 100 + draw},{draw % 2}" for chain in (1, 2) for draw in (1, 2, 3)]
    (folder / "costs.csv").write_text("\n".join(["chain,draw,a,b", *rows]))
    (folder / "effects.csv").write_text("\n".join([".Chain,.draw,a,b", *rows[3:], *rows[:3]]))
    with pytest.warns(UserWarning, match="set aside"):
        cost, effect = draw_files.read_options(folder / "costs.csv", folder / "effects.csv")
    np.testing.assert_array_equal(cost, effect)


STEPS = {
    "a draw that only one file has": ("draw,a,b\n1,1,2\n2,3,1\n3,3,1\n", "effects.csv, line 4: draw 3 is not in"),
    "other names": ("sim,a,b\n1,1,2\n2,3,1\n", "costs.csv numbers its draws by draw, .*effects.csv by sim"),
    "two columns of one name": ("draw,.draw,a,b\n1,1,1,2\n2,2,3,1\n", "two columns number the draws"),
    "a blank label": ("draw,a,b\n1,1,2\n,3,1\n", "line 3, column 'draw': blank"),
    "labels twice": ("draw,a,b\n2,1,2\n2,3,1\n", "line 2, and .*line 2: out of step, as draw differs"),
    "a draw too few": ("draw,a,b\n1,1,2\n", "costs.csv, line 3: draw 2 is not in"),
}


@pytest.mark.filterwarnings("ignore:.*set aside")
@pytest.mark.parametrize("case", list(STEPS))
def test_draws_out_of_step_are_refused_with_their_line(folder, case):
    (folder / "costs.csv").write_text("draw,a,b\n1,5,7\n2,4,1\n")
    text, message = STEPS[case]
    (folder / "effects.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        draw_files.read_options(folder / "costs.csv", folder / "effects.csv")


def test_a_blank_line_in_each_file_pairs_no_draw_with_anothers(folder):
    """Issue: blank at draw 5 of the costs and at draw 9 of the effects."""
    for name, blank in (("costs", 5), ("effects", 9)):
        lines = (folder / f"{name}.csv").read_text().splitlines()
        (folder / f"{name}.csv").write_text("\n".join([*lines[:blank], "", *lines[blank:]]))
    with pytest.raises(InputError, match=r"costs\.csv, line 6: blank, but rows follow"):
        run(folder)


def test_draws_paired_by_position_alone_are_said(folder):
    costs = pd.read_csv(folder / "costs.csv")
    costs.rename_axis("draw").to_csv(folder / "costs.csv")
    with pytest.warns(UserWarning, match=r"effects\.csv: no column numbers its draws"):
        draw_files.read_options(folder / "costs.csv", folder / "effects.csv")


@pytest.mark.parametrize("numbers", ["123456", "012345", "123123"])
def test_a_column_that_only_counts_rows_is_refused(folder, numbers):
    for name in ("costs", "effects"):
        rows = [f"{number},{place * place},{place % 3}" for place, number in enumerate(numbers)]
        (folder / f"{name}.csv").write_text("\n".join(["X,a,b", *rows]))
    with pytest.raises(InputError, match="column 'X' only counts the rows"):
        run(folder)


def test_semicolons_and_decimal_commas_are_read(folder):
    plain = run(folder)
    for name in ("costs", "effects", "parameters"):
        text = (folder / f"{name}.csv").read_text()
        (folder / f"{name}.csv").write_text(text.replace(",", ";").replace(".", ",") + ";;\r\n" * 3)
    assert run(folder).equals(plain)


@pytest.mark.parametrize("text", ["costs", "costs=", "=x", "costs=x,missing"])
def test_groups_must_name_parameters(folder, text):
    with pytest.raises(InputError, match="Fix: write it as"):
        draw_files.groups_named([text], run(folder))
    assert draw_files.groups_named(["both=x, z"], run(folder)) == {"both": ("x", "z")}


def test_a_group_cannot_take_a_parameters_name(files):
    with pytest.raises(InputError, match="name of a parameter"):
        decision.decide(*files, threshold=THRESHOLD, groups={"overheads": ("staff_cost", "overheads")})


# The command -------------------------------------------------------------------------------------


def test_the_command_writes_both_files_and_says_the_answer(tmp_path):
    arguments = [str(EXAMPLE / f"{name}.csv") for name in ("costs", "effects", "parameters")]
    options = ["--threshold", "70000", "--group", "programme cost=staff_cost,overheads", "--build", str(tmp_path)]
    result = CliRunner().invoke(cli.app, ["decide", *arguments, *options])
    assert result.exit_code == 0, result.output
    assert "set aside" not in result.output
    assert "family_help is the best choice on average" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decide.html", "decide.xlsx"]


def test_the_command_says_what_it_set_aside_on_screen_and_page(folder):
    for name in ("costs", "effects"):
        change(folder, name, lambda t: t.assign(chain=1, Iteration=t.index))
    files = [str(folder / f"{name}.csv") for name in ("costs", "effects")]
    result = CliRunner().invoke(cli.app, ["decide", *files, "--threshold", "1", "--build", str(folder)])
    assert result.exit_code == 0, result.output
    for text in (result.output, (folder / "decide.html").read_text()):
        assert "chain, Iteration set aside" in text and "not options" in text


def test_bad_input_ends_with_code_2_and_writes_nothing(folder, monkeypatch, capsys):
    change(folder, "effects", lambda t: t.iloc[:-1])
    build = folder / "build"
    arguments = ["outcomes", "decide", *(str(folder / f"{name}.csv") for name in ("costs", "effects"))]
    monkeypatch.setattr("sys.argv", [*arguments, "--threshold", "1", "--build", str(build)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2 and not build.exists()
    assert "119" in capsys.readouterr().err
