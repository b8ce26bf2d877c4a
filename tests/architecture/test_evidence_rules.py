"""Every number that can move a result stands in data/, cited, graded and with its interval's level."""

import ast
from pathlib import Path

import pandas as pd
import pytest

from toolkit import evidence, scenarios
from toolkit.pathways.layers import CERTAIN

ROOT = Path(__file__).resolve().parents[2]

# Numbers that may stand in the code of the economic chain, because they are arithmetic or definitions.
DEFINITIONS = {
    "pathways/kernel.py": {
        18: "childhood in years",
        10: "age of criminal responsibility, an age band, a row",
        16: "age at GCSE",
        5: "an age band, a row",
        0.01: "below it a quotient loses its digits",
        1e-3: "below it two quotients in a row do",
        1e-4: "nearer hazards are one, or their difference loses its digits",
        160: "draws in a block",
    }
    | dict.fromkeys((3, 4, *range(6, 10), *range(11, 23)), "a row of the kernel, a term of a series"),
    "pathways/lives.py": {
        18: "childhood",
        3: "in pi / sqrt(3)",
        1e-6: "keeps a logit finite",
        60: "halvings of a bisection",
        100.0: "its upper end",
    },
    "pathways/cohort.py": {},
    "pathways/layers.py": {18: "childhood in years", 4: "of the solution of a quadratic"},
    "pathways/comparison.py": {},
    "pricing/place.py": {60: "years of discounting past the horizon", 12: "months in a year"},
    "pricing/areas.py": {4: "workers at most", 25: "areas from which processes are started", 15: "areas at a time"},
}
PATHWAYS = ("cohort", "kernel", "lives", "layers", "comparison", "reach")
NAMING_ROLES = {
    "cost_components": ("price_role", "times_role", "share_role", "growth_role"),
    "layers": ("odds_below_grade", "share_role"),
    "layer_rates": ("role", "times_role"),
}
ARITHMETIC = {-1, 0, 1, 2, 0.5}


@pytest.fixture(scope="module")
def assumptions() -> pd.DataFrame:
    return scenarios.resolve(scenarios.load("families_first"), evidence.load_register())


def test_no_default_rests_on_memory_or_on_a_superseded_row(assumptions: pd.DataFrame) -> None:
    assert set(assumptions["confidence"]) <= {"A", "B", "J"}
    assert (assumptions["superseded_by"] == "").all()


def test_every_figure_in_use_names_its_source_or_its_reason(assumptions: pd.DataFrame) -> None:
    assert assumptions["source"].str.len().gt(3).all()
    assert assumptions["reason"].str.len().gt(10).all()
    cited = assumptions[assumptions["confidence"] != "J"]
    assert cited["url"].str.startswith("http").all(), cited.index[~cited["url"].str.startswith("http")].tolist()


def test_every_judgement_gives_its_reason() -> None:
    judgements = evidence.load_register().tables["judgements"]
    assert judgements["reason"].str.len().gt(20).all()


def test_every_interval_in_use_has_a_level_and_every_other_figure_a_grade(assumptions: pd.DataFrame) -> None:
    drawn = assumptions[assumptions["distribution"] != "fixed"]
    own = drawn["interval_kind"].isin(["confidence", "range"]) & drawn["low"].notna()
    assert drawn.loc[own, "interval_level"].between(0.5, 1).all()
    assert drawn.loc[~own, "coefficient_of_variation"].gt(0).all()
    assert drawn.loc[~own, "graded"].all()


def test_every_money_figure_in_use_has_a_price_year(assumptions: pd.DataFrame) -> None:
    money = assumptions[assumptions["unit"].str.startswith("GBP")]
    assert money["price_year"].str.match(r"^\d{4}(/\d\d)?$").all()


def test_every_role_is_used_and_every_part_has_its_role() -> None:
    """A role that nothing reads would be an assumption that does nothing; the report would list it in vain."""
    register = evidence.load_register()
    roles = set(register.tables["roles"]["role"])
    named = {
        role for table, columns in NAMING_ROLES.items() for column in columns for role in register.tables[table][column]
    } - {""}
    own = {"referral_to_need", *CERTAIN}  # from the fitted pathway, or certain
    assert named <= roles | own
    code = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "toolkit").rglob("*.py"))
    unread = {role for role in roles - named if f'"{role}"' not in code}
    assert not unread


def test_priors_and_components_give_their_reason() -> None:
    tables = evidence.load_register().tables
    for name in ("priors", "roles", "design_bias", "graded_uncertainty", *NAMING_ROLES, "overlaps", "cost_options"):
        assert tables[name]["reason"].str.len().gt(5).all(), name


@pytest.mark.parametrize(
    "module",
    ["costing.py", "pricing/place.py", "pricing/areas.py", *(f"pathways/{name}.py" for name in PATHWAYS)],
)
def test_no_constant_that_moves_a_result_stands_in_the_code(module: str) -> None:
    tree = ast.parse((ROOT / "toolkit" / module).read_text(encoding="utf-8"))
    grids = {"SPEND_MULTIPLES"}  # where the curve is drawn, not what it says
    skipped = {
        id(node)
        for part in tree.body
        if isinstance(part, ast.Assign) and {getattr(name, "id", "") for name in part.targets} & grids
        for node in ast.walk(part)
    }
    numbers = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and id(node) not in skipped
    }
    assert numbers - ARITHMETIC - set(DEFINITIONS.get(module, {})) == set()


def test_proceedings_are_priced_for_a_child_and_not_for_a_case(register: evidence.Register) -> None:
    """The review's 80,000 a case and 48,900 a child have the same ratio as the component's."""
    components = register.tables["cost_components"].set_index("component")
    for bearer in ("court", "cafcass", "legal_aid"):
        assert components["times_role"][f"proceedings_{bearer}"] == "proceedings_per_child"
        assert components["quantity"][f"proceedings_{bearer}"] == "care_entries"
    value = register.figures["value"]
    case, child = (value[f"care_proceedings_{each}_review_2020"] for each in ("case", "child"))
    assert case * value["proceedings_per_child"] == pytest.approx(child, rel=0.005)
