"""The site as a person meets it: by keyboard, by link, on a phone, two at once, and with no network beyond it."""

import io
import zipfile
from itertools import count
from time import sleep
from xml.etree import ElementTree

import openpyxl
import pytest
import yaml
from PIL import Image

from tests.browser.conftest import SCREENS
from toolkit.apps.engine import live
from toolkit.measures import words as w

pytestmark = pytest.mark.fit
SPEND = "Sum: times the plan"
HEADINGS = {
    "Invest to save": "What would this investment do?",
    "Programmes": "Which programme?",
    "Budget outlook": "Where is the budget heading?",
    "Cost of poor outcomes": "What do poor outcomes cost?",
    "What drives it": "What drives the answer?",
    "Compare": "Which is better?",
    "Evidence": "What does it all rest on?",
    "Model checks": "Can the model be trusted?",
    "Take away": "Take it to committee",
}
AXE = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"


def axe_script():
    from pathlib import Path

    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


# What runs off the side of the screen, other than inside something that scrolls by itself.
OFF_THE_SIDE = """() => {
  const found = [];
  const up = (node) => node.parentElement || (node.getRootNode().host ?? null);
  const scrolls = (node) => {
    for (let at = node; at; at = up(at))
      if (["auto", "scroll"].includes(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth)
        return at.getBoundingClientRect().right <= innerWidth + 1;
    return false;
  };
  const walk = (root) => root.querySelectorAll("*").forEach((node) => {
    if (node.shadowRoot) walk(node.shadowRoot);
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    const holds = (node.textContent || "").trim() || /CANVAS|INPUT|BUTTON/.test(node.tagName);
    const seen = box.width && box.height && holds && style.visibility === "visible" && style.opacity !== "0";
    if (seen && box.right > innerWidth + 1 && box.left < innerWidth && !scrolls(node))
      found.push([node.tagName, node.className, (node.textContent || "").slice(0, 40), box.right].join(" "));
  });
  walk(document.body);
  return found;
}"""


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_shown_named_fits_and_is_fetched_from_here(visit, width):
    one = visit("?place=Leeds", width=width)
    one.page.evaluate(axe_script())
    SCREENS.mkdir(parents=True, exist_ok=True)
    if width < 600:  # a phone shows the answer first
        one.page.get_by_role("slider", name=SPEND).wait_for(state="hidden")
    for name, heading in HEADINGS.items():
        one.go(name, heading)
        one.at_rest()
        one.page.screenshot(path=SCREENS / f"{name.replace(' ', '_').lower()}_{width}.png")
        found = one.page.evaluate(AXE)
        bad = [
            (v["id"], v["nodes"][0]["html"][:120])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert bad == [], name
        assert len(found["passes"]) > 15
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width
        assert one.page.evaluate(OFF_THE_SIDE) == [], name
        assert width < 600 or one.page.get_by_role("slider").count() >= 8
    assert one.elsewhere == []
    assert one.faults == []
    assert one.page.evaluate("document.documentElement.lang") == "en-GB"


@pytest.mark.long
def test_nothing_moves_for_those_who_ask_for_that_and_sliders_for_nobody(visit):
    one = visit("?place=Leeds")
    moving = """(within) => {
      let most = 0;
      const walk = (root) => root.querySelectorAll("*").forEach((node) => {
        if (node.shadowRoot) walk(node.shadowRoot);
        if (!node.closest(within)) return;
        most = Math.max(most, ...getComputedStyle(node).transitionDuration.split(",").map(parseFloat));
      });
      walk(document);
      return most;
    }"""
    assert one.page.evaluate(moving, "*") > 0
    assert one.page.evaluate(moving, ".MuiSlider-root") == 0  # nor would charts wait for one to glide to its value
    one.page.emulate_media(reduced_motion="reduce")
    one.open("?place=Leeds")
    one.until(f"() => ({moving})('*') === 0")


def test_the_story_by_keyboard_and_its_link(leeds, visit):
    one = leeds
    before = one.sentence()
    slider = one.page.get_by_role("slider", name=SPEND)
    slider.focus()
    for _ in range(6):
        slider.press("ArrowRight")
    one.until("() => location.search.includes('times=1.06')")
    one.page.get_by_text(before, exact=True).first.wait_for(state="detached")
    two = visit("?" + one.page.url.partition("?")[2])
    assert two.sentence() != before
    one.page.get_by_text(two.sentence(), exact=True).first.wait_for()
    slider.focus()
    slider.press("ArrowRight")  # seconds after the others, which may be one step together
    one.until("() => location.search.includes('times=1.07')")
    one.page.get_by_role("button", name="Undo").press("Enter")
    one.until("() => location.search.includes('times=1.06')")
    one.page.get_by_role("button", name="Reset to the evidence").press("Enter")
    one.page.get_by_text(before, exact=True).first.wait_for()


@pytest.mark.long
def test_charts_have_words_and_tables(leeds):
    one = leeds
    pictures = one.page.get_by_role("img", name="Expected net position: ")
    pictures.first.wait_for()
    one.page.get_by_role("checkbox", name="Table: who pays, who gains").check()
    table = one.page.get_by_role("table", name="Who pays and who gains")
    table.wait_for()
    assert table.get_by_role("row").count() >= 5


def test_two_people_at_once_stay_apart(leeds, visit):
    one, two = leeds, visit("?place=Leeds")
    before = two.sentence()
    one.page.get_by_role("slider", name=SPEND).press("End")
    one.page.get_by_text(before, exact=True).first.wait_for(state="detached")
    two.at_rest()
    assert two.sentence() == before


@pytest.mark.long
def test_a_hand_edited_link_is_named_and_shown_as_text(visit):
    one = visit("?place=Leeds&effect.take_up=9&<img src=x onerror=alert(1)>=1&times=1.5")
    alert = one.page.get_by_role("alert")
    assert "effect.take_up" in alert.inner_text()
    assert "<img" in alert.inner_text()
    assert alert.locator("img").count() == 0
    one.page.get_by_text("of cost over children").first.wait_for()
    assert "1.5" in one.page.get_by_role("slider", name=SPEND).get_attribute("aria-valuenow")


@pytest.mark.long
def test_the_scenario_file_goes_out_and_comes_back(leeds, visit, tmp_path):
    one = visit("?place=Leeds&times=2")
    with one.page.expect_download() as saved:
        one.page.get_by_role("link", name="Save scenario").or_(
            one.page.get_by_role("button", name="Save scenario")
        ).first.click()
    path = tmp_path / "scenario.yaml"
    saved.value.save_as(path)
    assert yaml.safe_load(path.read_text())["plan"][0]["pounds_per_child"] == [120.0] * 3
    two = leeds
    two.page.locator("input[type=file]").first.set_input_files(path)
    two.until("() => location.search.includes('plan=')")
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: !!python/object/apply:os.system [true]")
    two.page.locator("input[type=file]").first.set_input_files(bad)
    two.page.get_by_role("alert").filter(has_text="not readable as YAML").wait_for()


@pytest.mark.long
def test_own_figures_are_typed_by_keyboard_and_flagged_everywhere(leeds, visit):
    one = leeds
    one.go("Evidence", HEADINGS["Evidence"])
    before = one.page.get_by_role("table", name="Leeds")
    before.wait_for()
    one.page.get_by_label("Where your council’s figures come from").fill("our ledger, <b>2025</b>")
    one.page.get_by_label("Your council’s value").focus()
    one.page.keyboard.type("250")
    for _ in range(8):  # on by the tabulator: price year, reason, button
        one.page.keyboard.press("Tab")
        if one.page.get_by_role("button", name="Use our value").evaluate("node => node.matches(':focus')"):
            break
    one.page.keyboard.press("Enter")
    flag = one.page.get_by_text("the council’s own. Reason: our ledger, <b>2025</b>").first
    flag.wait_for()
    one.until("() => location.search.includes('own_figures.early_help_spend')")
    one.go("Invest to save", HEADINGS["Invest to save"])
    flag.wait_for()
    two = visit("?" + one.page.url.partition("?")[2].replace("place=Leeds", "place=Kent"))
    assert "own_figures" in two.page.get_by_role("alert").first.inner_text()


@pytest.mark.long
def test_a_changed_prior_is_weighed_in_or_a_new_fit_is_offered_and_cancelled(leeds):
    one = leeds
    one.go("Model checks", HEADINGS["Model checks"])
    one.page.get_by_label("Prior", exact=True).click()
    one.page.get_by_role("listbox", name="Prior").get_by_text("Persistence of an area").first.click()
    one.page.get_by_label("Why this prior").fill("a closer look")
    one.page.get_by_label("First shape").fill("3")
    one.page.get_by_role("button", name="Use this prior").click()
    one.page.get_by_text("reweighted by the ratio of the priors").wait_for()
    for label, number in (("First shape", "900"), ("Second shape", "1")):
        one.page.get_by_label(label).fill(number)
    one.page.get_by_role("button", name="Use this prior").click()
    one.page.get_by_text("too far for its draws").wait_for()
    one.page.get_by_role("button", name="Refit the model").click()
    one.page.get_by_text("Fitting: getting ready").wait_for()
    one.page.get_by_role("button", name="Cancel the fit").click()
    one.page.get_by_text("The fit was cancelled").wait_for()


@pytest.mark.long
def test_an_override_is_flagged_everywhere(leeds):
    one = leeds
    one.go("Evidence", HEADINGS["Evidence"])
    one.page.get_by_label("Your value", exact=True).fill("1.9")
    one.page.get_by_label("Reason, printed beside it").fill("our ledger, <b>2025</b>")
    one.page.get_by_label("Reason, printed beside it").press("Enter")
    one.page.get_by_role("button", name="Use this figure").click()
    flag = one.page.get_by_text("Reason: our ledger, <b>2025</b>").first
    flag.wait_for(timeout=30_000)
    one.go("Invest to save", HEADINGS["Invest to save"])
    flag.wait_for()
    one.until("() => location.search.includes('overrides.children_per_family')")


@pytest.mark.long
def test_many_areas_show_how_far_they_are_and_can_be_stopped(browser, address, monkeypatch):
    def unhurried(desk, *, progress, **_):  # a dozen areas may be done before the page is there
        for moment in count():
            progress("price areas", min(moment / 1000, 0.99))
            sleep(0.05)

    monkeypatch.setattr(live, "added_up", unhurried)
    page = browser.new_page()
    page.goto(address + "?place=England&effect.take_up=0.9")
    page.get_by_role("status").filter(has_text="price areas").wait_for()
    page.screenshot(path=SCREENS / "working.png")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("alert").filter(has_text="Stopped").wait_for()
    page.get_by_role("status").filter(has_text="price areas").wait_for(state="detached")
    page.close()


FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
  return at.dataset.key || at.id;
}"""


@pytest.mark.long
def test_any_number_explains_itself_by_mouse_and_keyboard(leeds):
    one, box = leeds, leeds.page.get_by_role("dialog")
    one.page.evaluate(axe_script())

    def explained(title):
        box.get_by_role("heading", name=title).wait_for()
        one.until(f"() => ({FOCUSED})() === 'explained'")

    one.page.get_by_role("button", name="Children served: explain").first.press("Enter")
    explained("Children served")
    assert "the sum for each programme" in box.inner_text() and box.get_by_role("link").count() >= 1
    now = box.get_by_text("Now:").inner_text()
    one.page.get_by_role("slider", name=SPEND).press("ArrowRight")  # the controls stay free, and it follows them
    one.until("(was) => !document.getElementById('explained').innerText.includes(was)", now)
    one.page.keyboard.press("Escape")
    box.wait_for(state="hidden")
    assert one.page.evaluate(FOCUSED) == "reached"
    one.at_rest()
    one.page.wait_for_timeout(1500)  # tables are written again once the slider rests
    table = one.page.get_by_role("table", name="The council’s cash position")
    stops = table.get_by_role("button")
    assert stops.evaluate_all("all => all.filter((node) => node.tabIndex === 0).length") == 1
    stops.first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowRight"):
        one.page.keyboard.press(key)
    assert one.page.evaluate(FOCUSED) == "cash_net|2027/28"
    one.page.keyboard.press("Space")
    explained("Net cash: 2027/28")
    found = one.page.evaluate(AXE)
    assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
    number, shown = (part.bounding_box() for part in (table.locator("[data-key='cash_net|2026/27']").first, box))
    assert number["y"] + number["height"] <= shown["y"] or shown["y"] + shown["height"] <= number["y"]
    one.page.emulate_media(media="print")
    assert box.is_visible() and not table.is_visible()
    one.page.emulate_media(media="screen")
    box.get_by_role("button", name="Close").click()
    assert one.page.evaluate(FOCUSED) == "cash_net|2027/28"
    one.page.get_by_role("button", name="Net present social value: explain").first.click()
    explained("Net present social value")
    tab = one.page.get_by_role("tab", name="Cost of poor outcomes")  # which it is not of, and which it may lie over
    tab.press("Enter")
    box.wait_for(state="hidden")
    one.page.get_by_role("button", name="cost of each child: explain").click()
    explained("Excess lifetime cost of each child")
    one.page.keyboard.press("Escape")


def test_a_browser_that_asks_for_nonsense_is_told_so(leeds):
    one = leeds
    one.page.evaluate("""() => {
      const asked = Bokeh.documents[0].get_model_by_name("asked");
      window.said = [];
      addEventListener("explained", (event) => said.push(event.detail.html));
      asked.data = {key: ["figure|<img src=x onerror=alert(1)>"]};
    }""")
    one.until("() => said.some((words) => words.includes('cannot be explained') && words.includes('&lt;img'))")
    one.page.evaluate("() => { Bokeh.documents[0].get_model_by_name('asked').data = {key: ['']}; }")
    one.page.get_by_text("of cost over children").first.wait_for()


@pytest.mark.long
def test_the_files_open_and_hold_the_numbers_on_the_page(leeds, tmp_path):
    one = leeds
    sentence = one.sentence()
    one.go("Take away", HEADINGS["Take away"])
    one.page.get_by_role("button", name="Make the files").click()
    held = {}
    for name in ("Report", "Workbook", "Every figure"):
        button = one.page.get_by_role("link", name=name).or_(one.page.get_by_role("button", name=name)).first
        button.wait_for(timeout=90_000)
        with one.page.expect_download() as saved:
            button.click()
        held[name] = tmp_path / name
        saved.value.save_as(held[name])
    assert "£" in held["Report"].read_text(encoding="utf-8")
    book = openpyxl.load_workbook(io.BytesIO(held["Workbook"].read_bytes()))
    texts = {str(cell.value) for sheet in book for row in sheet.iter_rows(max_row=12) for cell in row if cell.value}
    plain = sentence.replace("\N{WORD JOINER}", "").replace("\N{NO-BREAK SPACE}", " ")
    assert any(plain in text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "") for text in texts)
    archive = zipfile.ZipFile(held["Every figure"])
    assert len(archive.namelist()) >= 16
    one.page.get_by_label("One figure").click()  # one by one they are those of the archive
    figure = w.label([name.removesuffix(".png") for name in archive.namelist() if name.endswith(".png")][2])
    one.page.get_by_role("listbox", name="One figure").get_by_text(figure, exact=True).first.click()
    single = {}
    for kind in ("PNG", "SVG"):
        button = (
            one.page.get_by_role("button", name=f"This figure as {kind}")
            .or_(one.page.get_by_role("link", name=f"This figure as {kind}"))
            .first
        )
        with one.page.expect_download() as saved:
            button.click()
        name = saved.value.suggested_filename
        saved.value.save_as(tmp_path / name)
        single[kind] = (tmp_path / name).read_bytes()
        assert single[kind] == archive.read(name) and w.label(name.partition(".")[0]) == figure
    with Image.open(io.BytesIO(single["PNG"])) as image:
        assert image.size[0] > 600 and sum(map(bool, image.convert("L").histogram())) > 10  # something is drawn
    drawing = ElementTree.fromstring(single["SVG"])
    assert drawing.tag.endswith("svg") and len(list(drawing.iter("{http://www.w3.org/2000/svg}path"))) > 10
