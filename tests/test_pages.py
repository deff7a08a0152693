"""The interactive page in a browser: steps, clicks, keys, search, themes; nothing leaves it."""

import json
import re
import shutil

import numpy as np
import pytest

import chainrule as cr
from chainrule.pictures.output import page as page_module

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def two_neurons():
    w1, b1 = cr.Value(0.15, "w1"), cr.Value(0.40, "b1")
    w2, b2 = cr.Value(0.45, "w2"), cr.Value(0.65, "b2")
    a1 = cr.sigmoid(w1 * 0.1 + b1)
    a2 = cr.sigmoid(w2 * a1 + b2)
    a1.label, a2.label = "a1", "a2"
    E = 0.5 * (0.25 - a2) ** 2
    E.label = "E"
    E.backward()
    return E


def two_paths():
    x, c = cr.Value(1.0, "x"), cr.Value(0.7, "c")
    with cr.scope("first"):
        h1 = cr.tanh(cr.Value(0.8, "w1") * x)
        h1.label = "h1"
    with cr.scope("second"):
        h2 = cr.tanh(cr.Value(-0.5, "w2") * x)
        h2.label = "h2"
    y = c * h1 + c * h2
    y.label = "y"
    y.backward()
    return y


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page; at the end nothing must have gone wrong in it, or left it."""
    pages, trouble = [], []

    def open_page(root, **options):
        file = cr.render(root, tmp_path / "page.html", **options)
        context = browser.new_context(viewport={"width": 1300, "height": 800})
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        pages.append((context, requests))
        return page

    yield open_page
    assert not trouble
    for context, requests in pages:
        assert len(requests) == 1, requests
        context.close()


def box(page, name):
    return page.locator(f'#stage section:not([hidden]) [role=button][aria-label^="{name},"]')


def texts(page, name):
    return box(page, name).locator("text").all_text_contents()


def status(page):
    return page.locator("#status").text_content()


def to_step(page, step):
    page.locator("#slider").focus()
    page.keyboard.press("Home")
    for _ in range(step):
        page.keyboard.press("ArrowRight")


def test_the_page_of_the_first_document_is_small(tmp_path):
    assert cr.render(two_neurons(), tmp_path / "page.html").stat().st_size < 150_000


def test_steps_spell_every_accumulation_out(opened):
    page = opened(two_paths())
    told = []
    to_step(page, 0)
    for _ in range(int(page.locator("#slider").get_attribute("max"))):
        page.click("#next")
        told.append(status(page))
    assert told[0] == "Forward 1/7: u1 = w1·x = 0.8"
    assert told[6].startswith("Forward 7/7: y = ")
    assert told[7] == "Backward 1/7: at y (grad +1) → u3 += 1 × 1; u4 += 1 × 1"
    assert "c += −0.4621 × 1; h2 += 0.7 × 1" in told[8]
    assert page.locator("#next").is_disabled()
    # what the boxes hold at the end are the gradients
    y = two_paths()
    for node in cr.adjoints(y):
        if node.label:
            assert f"{node.grad:+.4g}".replace("-", "−") in texts(page, node.label)


def test_a_sum_grows_step_by_step(opened):
    page = opened(two_paths())
    grads = []
    for step in range(15):
        to_step(page, step)
        grads.append(texts(page, "c")[-1])
    seen = list(dict.fromkeys(grads))
    assert seen == ["·", "−0.4621", "+0.2019"]
    h1, h2 = np.tanh(0.8), np.tanh(-0.5)
    assert [f"{h2:+.4g}", f"{h2 + h1:+.4g}"] == [text.replace("−", "-") for text in seen[1:]]


def test_values_appear_when_they_are_computed(opened):
    page = opened(two_paths())
    to_step(page, 0)
    value = box(page, "h1").locator("g").first
    assert value.evaluate("node => getComputedStyle(node).visibility") == "hidden"
    to_step(page, 3)
    assert value.evaluate("node => getComputedStyle(node).visibility") == "visible"


def test_a_click_on_a_weight_lights_all_its_paths(opened):
    page = opened(two_paths())
    box(page, "x").click()
    told = page.locator("#told").text_content()
    assert told.startswith("∂y/∂x = ")
    assert "the sum over 2 paths" in told
    products = [
        float(t.replace("−", "-"))
        for t in re.findall(r"^([+−][\d.e−]+) = ", told[told.index("paths") + 5 :], re.MULTILINE)
    ]
    assert len(products) == 2
    y = two_paths()
    x = next(node for node in cr.adjoints(y) if node.label == "x")
    assert sum(products) == pytest.approx(x.grad, rel=1e-3)
    faded = page.locator("#stage .box.faded")
    assert {
        faded.nth(i).get_attribute("aria-label").split(",")[0] for i in range(faded.count())
    } == {"w1", "w2", "c"}
    page.keyboard.press("Escape")
    assert faded.count() == 0
    assert page.locator("#told").text_content() == ""


def test_hovering_shows_local_times_upstream(opened):
    page = opened(two_neurons())
    pill = page.locator("#stage .pill", has_text="0.45").first
    pill.hover()
    assert (
        page.locator("#tip")
        .text_content()
        .startswith("∂u3/∂a1 = w2 = 0.45; local 0.45 × upstream 0.09476 = 0.0426")
    )
    page.mouse.move(5, 795)
    assert page.locator("#tip").is_hidden()


def test_keys_alone_are_enough(opened):
    page = opened(two_paths())
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert status(page).startswith("Forward 1/7")
    page.keyboard.press("ArrowLeft")
    assert status(page) == "The inputs and parameters are given."
    box(page, "x").focus()
    page.keyboard.press("Enter")
    assert box(page, "x").get_attribute("aria-pressed") == "true"
    assert "2 paths" in page.locator("#told").text_content()
    whole = page.locator("#stage svg").first.get_attribute("viewBox")
    page.keyboard.press("+")
    assert page.locator("#stage svg").first.get_attribute("viewBox") != whole
    page.keyboard.press("0")
    zoomed = page.locator("#stage svg").first.get_attribute("viewBox")
    assert [float(a) for a in zoomed.split()] == [float(a) for a in whole.split()]


def test_search_finds_names_and_what_is_in_groups(opened):
    page = opened(two_paths(), depth=0)
    page.fill("#search", "h2")
    assert page.locator("#hits").text_content() == "1 found"
    assert page.locator("#stage .found").get_attribute("aria-label").startswith("second,")
    page.fill("#search", "nothing")
    assert page.locator("#hits").text_content() == "0 found"


def test_groups_open_on_a_click_and_close_again(opened):
    page = opened(two_paths(), depth=0)
    assert box(page, "h1").count() == 0
    box(page, "first").click()
    assert box(page, "h1").count() == 1
    assert box(page, "second").count() == 1
    page.click("#up")
    assert box(page, "h1").count() == 0


def test_a_group_is_entered_and_left_with_the_keyboard(opened):
    page = opened(two_paths(), depth=0)
    box(page, "first").focus()
    page.keyboard.press("Enter")
    assert page.title() == page.locator("#name").text_content() == "Computation graph of y · first"
    focused = "document.activeElement.closest('section') !== null"
    assert page.evaluate(focused)
    page.keyboard.press("Home")
    page.keyboard.press("Escape")
    assert page.title() == "Computation graph of y"
    assert status(page).startswith("Backward")  # where it was left
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("first,")


def test_the_picture_moves_with_the_keyboard(opened):
    page = opened(two_paths())
    svg = page.locator("#stage svg").first
    before = [float(a) for a in svg.get_attribute("viewBox").split()]
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    after = [float(a) for a in svg.get_attribute("viewBox").split()]
    assert after[0] > before[0]
    assert after[1] > before[1]
    for _ in range(40):
        page.keyboard.press("Shift+ArrowRight")
    after = [float(a) for a in svg.get_attribute("viewBox").split()]
    assert after[0] < before[0] + before[2]  # it never leaves the sight


def test_a_box_half_outside_can_be_clicked(opened):
    page = opened(two_paths())
    page.mouse.move(640, 600)
    page.mouse.down()
    page.mouse.move(640 - 70, 600, steps=4)
    page.mouse.up()
    at = box(page, "x").bounding_box()
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.down()
    page.mouse.up()
    assert box(page, "x").get_attribute("aria-pressed") == "true"


def test_two_fingers_zoom(browser, tmp_path):
    file = cr.render(two_paths(), tmp_path / "page.html")
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto(file.as_uri())
    svg = page.locator("#stage svg").first
    before = [float(a) for a in svg.get_attribute("viewBox").split()]
    devtools = context.new_cdp_session(page)
    for kind, spread in (("touchStart", 20), ("touchMove", 60), ("touchMove", 90)):
        points = [{"x": 195 + side * spread, "y": 400, "id": k} for k, side in enumerate((-1, 1))]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    after = [float(a) for a in svg.get_attribute("viewBox").split()]
    assert after[2] < 0.6 * before[2]
    context.close()


def test_the_paths_asked_for_are_lit_from_the_beginning(opened):
    page = opened(two_paths(), path="x")
    assert box(page, "x").get_attribute("aria-pressed") == "true"
    assert "the sum over 2 paths" in page.locator("#told").text_content()
    box(page, "c").click()
    faded = page.locator("#stage .box.faded")
    names = [faded.nth(i).get_attribute("aria-label").split(",")[0] for i in range(faded.count())]
    assert set(names) == {"w1", "w2", "x", "h1", "h2", "×", "tanh"} & set(names)
    assert "c" not in names
    page.keyboard.press("Escape")
    assert faded.count() == 0


def test_the_paths_of_what_is_in_a_group_are_told(opened):
    page = opened(two_paths(), path="h1", depth=0)
    assert page.locator("#told").text_content().startswith("∂y/∂h1 = +0.7")
    assert box(page, "second").get_attribute("class").endswith("faded")


def test_a_box_tells_the_derivatives_of_its_edges(opened):
    page = opened(two_neurons())
    box(page, "a2").focus()
    page.keyboard.press("Enter")
    assert "∂a2/∂u4 = a2·(1 − a2) = 0.2037; local 0.2037 × upstream" in (
        page.locator("#told").text_content()
    )


def test_labels_follow_the_steps(opened):
    page = opened(two_paths())
    page.keyboard.press("Home")
    label = box(page, "h1").get_attribute("aria-label")
    assert "0.664" not in label
    assert label.endswith("grad ·")
    page.keyboard.press("End")
    assert "grad +0.7" in box(page, "h1").get_attribute("aria-label")


def test_panning_and_zooming(opened):
    page = opened(two_paths())
    svg = page.locator("#stage svg").first
    before = [float(a) for a in svg.get_attribute("viewBox").split()]
    page.mouse.move(640, 600)
    page.mouse.wheel(0, -240)
    zoomed = [float(a) for a in svg.get_attribute("viewBox").split()]
    assert zoomed[2] < before[2]
    page.mouse.down()
    page.mouse.move(700, 640, steps=4)
    page.mouse.up()
    moved = [float(a) for a in svg.get_attribute("viewBox").split()]
    assert moved[0] < zoomed[0]
    assert moved[1] < zoomed[1]
    page.click("#fit")
    assert [float(a) for a in svg.get_attribute("viewBox").split()] == before


def paper(page):
    return page.locator("#stage svg rect").first.evaluate("node => getComputedStyle(node).fill")


def test_dark_mode_follows_the_system_and_the_button(opened):
    page = opened(two_paths())
    assert paper(page) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    page.locator(":root.dark").wait_for(state="attached")
    assert paper(page) == "rgb(18, 23, 31)"
    page.click("#theme")
    assert paper(page) == "rgb(255, 255, 255)"
    fixed = opened(two_paths(), theme="dark")
    assert paper(fixed) == "rgb(18, 23, 31)"


def test_reduced_motion_is_respected(opened):
    page = opened(two_paths())
    moving = "node => getComputedStyle(node).transitionDuration"
    assert page.locator("#stage .box").first.evaluate(moving) != "0s"
    page.emulate_media(reduced_motion="reduce")
    assert page.locator("#stage .box").first.evaluate(moving) == "0s"


def test_playing_goes_on_by_itself(opened):
    page = opened(two_paths())
    page.keyboard.press("Home")
    page.click("#play")
    page.locator("#status", has_text="Forward 2/7").wait_for()
    page.click("#play")
    assert page.locator("#play").text_content() == "Play"


NASTY = '</script><img src=x onerror="alert(1)"><!--</title></style>&quot;\'`${1}'


def test_labels_are_harmless(opened):
    a = cr.Value(2.0, NASTY)
    with cr.scope(NASTY.replace(".", "")):
        y = a * a
    y.label = "<b>" + NASTY
    y.backward()
    page = opened(y)
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    page.locator("#stage .box").first.click()
    page.fill("#search", "onerror")
    assert page.locator("#stage .found").count() == 2
    assert NASTY in page.locator("#told").text_content()
    assert page.evaluate("document.querySelectorAll('b, img').length") == 0


def test_the_data_cannot_end_its_element():
    text = page_module._json({"name": NASTY})
    assert "<" not in text
    assert json.loads(text) == {"name": NASTY}


OVERLAPS = """() => {
  const all = [...document.querySelectorAll('#stage section:not([hidden]) svg text')]
    .filter((node) => node.textContent.trim())
    .map((node) => [node.textContent, node.getBoundingClientRect()]);
  const found = [];
  all.forEach(([text, a], i) => all.slice(i + 1).forEach(([other, b]) => {
    const beside = a.left >= b.right - 1 || b.left >= a.right - 1;
    if (!beside && a.top + 2 < b.bottom - 2 && b.top + 2 < a.bottom - 2)
      found.push(text + ' / ' + other);
  }));
  return found;
}"""
OUTSIDE = """() => {
  const boxes = [...document.querySelectorAll('#stage section:not([hidden]) svg .box')];
  return boxes.flatMap((box) => {
  const rim = box.querySelector('.rim').getBoundingClientRect();
  return [...box.querySelectorAll('text')].filter((node) => {
    const at = node.getBoundingClientRect();
    return at.width && (at.left < rim.left || at.right > rim.right || at.bottom > rim.bottom + 1);
  }).map((node) => node.textContent);
  });
}"""


@pytest.mark.parametrize("engine", ["dot", "built-in"])
def test_no_text_overlaps_another_or_leaves_its_box(opened, graphs, engine):
    if engine == "dot" and shutil.which("dot") is None:
        pytest.skip("dot is not installed")
    for name, make in graphs.items():
        page = opened(make(), engine=engine)
        assert page.evaluate(OVERLAPS) == [], name
        assert page.evaluate(OUTSIDE) == [], name
