"""More of what a person does: designs a sum, drags the handle, compares, goes back, refreshes, enlarges, prints."""

import re

import pytest

pytestmark = [pytest.mark.fit, pytest.mark.long]
COST, DRIVERS = ("Cost of poor outcomes", "What do poor outcomes cost?"), ("What drives it", "What drives the answer?")
COMPARE, EVIDENCE = ("Compare", "Which is better?"), ("Evidence", "What does it all rest on?")
# Where the curve's handle is on the screen, and where it would be at another multiple of today's spend.
HANDLE = """(to) => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  const figure = models.find((m) => m.type === "Figure" && m.x_range.start === 0.45);
  const view = [...Bokeh.index.find_by_id(figure.id)][0], box = view.frame.bbox;
  view.el.scrollIntoView({block: "center"});
  const {left, top} = view.el.getBoundingClientRect(), {x_range: x, y_range: y} = figure;
  const source = figure.renderers.at(-1).data_source.data;
  const across = (at) => left + box.left + (at - x.start) / (x.end - x.start) * (box.right - box.left);
  const up = top + box.bottom - (source.mean[0] - y.start) / (y.end - y.start) * (box.bottom - box.top);
  return [across(source.multiple[0]), up, across(to)];
}"""
# A place on a chart: so far along and down its frame, once it lies in the middle of the screen.
SPOT = """([label, along, down]) => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  const figure = models.find((m) => m.type === "Figure" && m.html_attributes["aria-label"].startsWith(label));
  const view = [...Bokeh.index.find_by_id(figure.id)][0], box = view.frame.bbox;
  view.el.scrollIntoView({block: "center"});
  const {left, top} = view.el.getBoundingClientRect();
  return [left + box.left + along * (box.right - box.left), top + box.top + down * (box.bottom - box.top)];
}"""
EVERY = """(selector) => {
  let found = 0;
  const walk = (root) => {
    found += root.querySelectorAll(selector).length;
    root.querySelectorAll("*").forEach((node) => node.shadowRoot && walk(node.shadowRoot));
  };
  walk(document);
  return found;
}"""


def picture(one, name):
    return one.page.get_by_role("img", name=name).first


def lying_still(one, script, what):
    """Return what a script says of the page once it says the same twice."""
    before = []
    while before != (now := one.page.evaluate(script, what)):
        before = now
        one.page.wait_for_timeout(200)
    return now


def test_a_plan_is_designed_part_by_part_and_sized_by_its_sum(leeds):
    one = leeds
    total = one.page.get_by_label("Sum in all years, £")
    total.fill("20m")
    total.press("Enter")
    one.until("() => location.search.includes('times=')")
    one.at_rest()
    assert total.input_value() == "20,000,000"
    total.fill("a great deal")
    total.press("Enter")
    one.page.get_by_role("alert").filter(has_text="is not a number").wait_for()
    assert total.input_value() == "20,000,000"
    one.page.get_by_role("button", name="Add a programme").click()
    one.page.get_by_label("Part 3: sum a year").fill("2; 3")
    one.page.get_by_label("Part 3: sum a year").press("Enter")
    one.until("() => location.search.includes('plan=') && location.search.includes('2.0%2C3.0')")
    one.page.get_by_role("button", name="Remove part 3").click()
    one.page.get_by_label("Part 3: sum a year").wait_for(state="detached")
    one.at_rest()


def test_the_handle_is_dragged_and_moved_by_keyboard(leeds):
    one = leeds
    one.page.get_by_role("button", name="Move this sum along the curve").click()
    one.page.get_by_role("heading", level=1, name=COST[1]).wait_for()
    picture(one, "Early-help spend plus").wait_for()
    one.at_rest()
    x, y, to = lying_still(one, HANDLE, 1.5)
    one.page.mouse.move(x, y)
    one.page.mouse.down()
    one.page.mouse.move((x + to) / 2, y, steps=3)
    one.page.mouse.move(to, y, steps=3)
    one.page.mouse.up()
    one.page.get_by_text(re.compile(r"makes early-help spend 1\.(49|50|51) times")).wait_for()
    handle = one.page.get_by_role("slider", name="Early-help spend a year")
    handle.press("Home")
    one.page.get_by_text("makes early-help spend 0.50 times").wait_for()
    one.until("() => location.search.includes('times=-')")


def test_a_bar_a_point_and_a_line_explain_themselves_when_pressed(leeds):
    one, box = leeds, leeds.page.get_by_role("dialog")

    def press(label, along, down, title):
        picture(one, label).wait_for()
        one.page.mouse.click(*lying_still(one, SPOT, [label, along, down]))
        box.get_by_role("heading", name=title).wait_for()
        said = box.inner_text()
        one.page.keyboard.press("Escape")
        box.wait_for(state="hidden")
        return said

    paid = press("Expected net position", 0.5, 0.06, "Net position: Central government (grant)")
    assert "in every draw" in paid and "None of" in paid  # a grant is what it is
    said = press("Expected net position", 0.5, 0.92, "Net position: Local authority")
    assert "Now: " in said and "At its low end" in said
    table = one.page.get_by_role("checkbox", name="Table: who pays, who gains")
    table.check()
    cells = one.page.get_by_role("table", name="Who pays and who gains")
    cells.locator("[data-key='payer_net|Local authority']").first.click()
    assert box.get_by_text("Now: ").inner_text() in said  # which is the number of its cell
    one.page.keyboard.press("Escape")
    table.uncheck()
    press("Money spent is", 0.02, 0.3, "Money spent: 2026/27")
    press("Money spent is", 0.5, 0.2, "Cost avoided: 20")
    press("Chance of having paid back", 0.9, 0.9, "Money back by the end of 20")
    one.page.mouse.click(*lying_still(one, SPOT, ["Money spent is", 0.5, 1.2]))  # under the axis is no number
    one.page.wait_for_timeout(500)
    assert not box.is_visible()
    one.go(*COST)
    press("Early-help spend plus", 0.99, 0.5, "Spend and cost: 2 × today’s spend")
    one.page.get_by_role("button", name="In one year").click()
    one.until("() => location.search.includes('cost=annual')")
    press("Expected cost by payer", 0.5, 0.06, "Gross cost of one year’s outcomes: all outcomes, Local authority")
    one.page.get_by_role("button", name="Undo").click()
    one.until("() => !location.search.includes('cost=')")


def test_the_budget_of_a_portfolio_is_in_the_link_and_goes_back(leeds):
    one, budget = leeds, leeds.page.get_by_label("Budget, £ million")
    one.go(*COMPARE)
    for text in ("37", "a lot"):
        budget.fill(text)
        budget.press("Enter")
        one.until("() => location.search.includes('budget=37')")
    one.page.get_by_role("alert").filter(has_text="is not a number").wait_for()
    one.page.get_by_role("button", name="Undo").click()
    one.until("() => !location.search.includes('budget')")
    one.at_rest()
    assert budget.input_value() == "20"


def test_a_cost_in_one_year_goes_back_to_a_life_by_the_browsers_back(leeds):
    one = leeds
    one.go(*COST)
    picture(one, "Expected cost by payer").wait_for()
    one.until("() => location.search.includes('page=Cost')")  # a page is a step of its own once it has come to rest
    one.page.get_by_role("button", name="In one year").click()
    one.page.get_by_text("Not one cohort over years").wait_for()
    one.until("() => location.search.includes('cost=annual')")
    one.page.go_back()
    one.page.get_by_text("beyond what all children of the same age").wait_for()
    one.page.go_forward()
    one.page.get_by_text("Not one cohort over years").wait_for()
    one.page.get_by_role("button", name="Undo").click()
    one.page.get_by_text("beyond what all children of the same age").wait_for()
    one.page.get_by_role("button", name="Compare with statistical neighbours").click()
    picture(one, "Expected excess lifetime cost of a child, most expensive first").wait_for()
    one.page.get_by_role("checkbox", name="Table: the cost of a child").check()
    table = one.page.get_by_role("table", name="This area and its statistical neighbours")
    table.get_by_role("rowheader", name="Leeds ← this area").wait_for()


def test_what_drives_it_is_read_in_another_account_and_the_link_holds_it(leeds):
    one = leeds
    one.go(*DRIVERS)
    picture(one, "Expected value").wait_for()
    one.page.get_by_role("checkbox", name="Table: sensitivity analysis: what moves the answer").check()
    of = f"(account) => ({EVERY})(`.explain[data-key^='end|${{account}}|']`) > 0"
    one.until(of, "social")
    one.page.get_by_label("Account", exact=True).click()
    one.page.get_by_role("listbox", name="Account").get_by_text("Fiscal").click()
    one.until("() => location.search.includes('account=fiscal')")
    one.until(of, "fiscal")
    one.page.get_by_role("button", name="Undo").click()
    one.until("() => !location.search.includes('account=')")
    one.until(of, "social")


def test_scenarios_are_compared_and_survive_a_refresh(leeds):
    one = leeds
    one.go(*COMPARE)
    for name, steps in (("as it is", 0), ("more", 5)):
        for _ in range(steps):
            one.page.get_by_role("slider", name="Sum: times the plan").press("ArrowRight")
        one.page.get_by_label("Name", exact=True).fill(name)
        one.page.get_by_label("Name", exact=True).press("Enter")
        one.page.get_by_role("button", name="Save this scenario here").click()
        one.page.get_by_role("columnheader", name=name).wait_for()
    one.page.get_by_role("table", name="The portfolio").or_(one.page.get_by_text("No portfolio")).first.wait_for()
    one.open("?place=Leeds&page=Compare")
    table = one.page.get_by_role("table", name="Saved scenarios")
    table.wait_for()
    assert table.get_by_role("columnheader").all_inner_texts()[1:] == ["as it is", "more"]
    for left in (1, 0):
        one.page.get_by_role("button", name="Remove it").click()
        one.until("(left) => JSON.parse(sessionStorage.getItem('outcomes: saved scenarios')).length === left", left)


def test_a_study_is_left_out_and_taken_back(leeds):
    one = leeds
    one.go(*EVIDENCE)
    one.page.get_by_role("button", name="Leave it out").click()
    one.until("() => location.search.includes('left_out=')")
    one.page.get_by_text("Evidence of your own is in use").wait_for()
    one.page.get_by_role("button", name="Back to the evidence’s own studies").click()
    one.until("() => !location.search.includes('left_out=')")


def test_a_file_that_the_browser_drops_is_said_to_be_too_large(leeds):
    heavy = {"name": "heavy.yaml", "mimeType": "text/yaml", "buffer": b"x" * 600_000}
    leeds.at_rest()
    leeds.page.wait_for_timeout(400)  # until its input is known
    leeds.page.locator("input[type=file]").first.set_input_files(heavy)
    leeds.page.get_by_role("alert").filter(has_text="heavy.yaml was not loaded: it has 0.6 MB").wait_for()


def test_an_enlarged_page_shows_the_answer_and_not_the_controls_over_it(leeds):
    one, slider = leeds, leeds.page.get_by_role("slider", name="Sum: times the plan")
    try:
        one.page.set_viewport_size({"width": 640, "height": 450})  # 1280 by 900 at 200%
        slider.wait_for(state="hidden")
        one.page.wait_for_timeout(1600)
        one.page.locator("header button").first.click()
        slider.wait_for()
        one.page.wait_for_timeout(800)
        assert slider.is_visible()  # what was opened on purpose stays
    finally:
        one.page.set_viewport_size({"width": 1280, "height": 900})


def test_where_the_system_chooses_colours_the_open_tab_is_outlined(leeds):
    one = leeds
    one.page.emulate_media(forced_colors="active")
    try:
        tabs = one.page.get_by_role("tab")
        styles = [tab.evaluate("(tab) => getComputedStyle(tab).outlineStyle") for tab in tabs.all()]
        assert styles[0] == "solid" and set(styles[1:]) == {"none"}
    finally:
        one.page.emulate_media(forced_colors="none")


def test_a_printed_page_goes_on_over_sheets_and_keeps_its_charts(leeds):
    one = leeds
    one.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert one.page.evaluate(EVERY, "img.printed") == one.page.evaluate(EVERY, "canvas") >= 3
    one.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert one.page.evaluate(EVERY, "img.printed") == 0
    sheets = re.findall(rb"/Type\s*/Page\b", one.page.pdf(format="A4"))
    assert 2 <= len(sheets) <= 4
    one.page.emulate_media(media="print")
    try:
        assert one.page.get_by_text("Leeds. Families First").is_visible()
        assert not one.page.get_by_role("button", name="Undo").is_visible()
        assert not one.page.get_by_role("slider", name="Sum: times the plan").is_visible()
    finally:
        one.page.emulate_media(media="screen")
