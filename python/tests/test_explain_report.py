"""report.html does what a person who opens it expects, in a browser."""

import itertools
import shutil

import pytest
from recordings import Recorded, early_await, many_tasks
from servers import NotInstalled

from asynq import explain

pytest.importorskip("selenium", reason="selenium is not installed: it is in the extra `report`")

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


def program(name):
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"{name} is not installed: make services")
    return path


@pytest.fixture(scope="module")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    # A sandbox needs privileges that containers do not have. Only our own page is opened.
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
        options.add_argument(f"--{argument}")
    options.add_argument("--disable-background-networking")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def browser(chromium):
    desktop(chromium)
    yield chromium
    assert chromium.get_log("browser") == []


def emulate(browser, **features):
    features = [
        {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def size(browser, width, height, mobile=False):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def desktop(browser):
    size(browser, 1280, 900)
    emulate(browser, prefers_color_scheme="light")


loads = itertools.count()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Saves reports, each recording once."""
    folder = tmp_path_factory.mktemp("reports")
    urls = {}

    def page(make, *args):
        if (make, args) not in urls:
            name = f"{make.__name__}-{len(urls)}"
            report = folder / f"{name}.html"
            explain.load(make(*args).write(folder / f"{name}.jsonl")).save(report)
            urls[make, args] = report.as_uri()
        return urls[make, args]

    return page


@pytest.fixture
def report(browser, pages):
    """Opens the report of a recording, from the beginning."""

    def open_report(make=early_await, *args, fragment=""):
        # Another query, because the same page with another fragment would not be loaded again.
        browser.get(f"{pages(make, *args)}?{next(loads)}{fragment}")
        return browser

    return open_report


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser, selector):
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]


def rows(browser, grid):
    """Returns the names of the rows in view."""
    return browser.execute_script(
        """return [...document.querySelectorAll(`#${arguments[0]} .room > [role=row]`)]
            .sort((a, b) => a.dataset.index - b.dataset.index)
            .map((row) => [...row.querySelectorAll('.name .text')][0].textContent)""",
        grid,
    )


def press(browser, *keys):
    ActionChains(browser).send_keys(*keys).perform()


def said(browser):
    return find(browser, "#live").get_attribute("textContent")


def active_row(browser):
    """Returns the row that a screen reader reads: the active descendant of what has the focus."""
    return browser.execute_script(
        """const id = document.activeElement.getAttribute('aria-activedescendant');
        return document.getElementById(id).textContent"""
    )


def test_the_first_finding_names_the_file_and_the_line(report):
    browser = report()
    assert texts(browser, "#findings .place")[0].startswith("page.py:1")


def test_the_summary_counts_rounds(report):
    assert "8 rounds" in find(report(), "#summary").text


def test_each_source_has_its_bars(report):
    browser = report()
    assert rows(browser, "waterfall")[:2] == ["author", "round 1"]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#waterfall .mark")) == 8


def test_rounds_can_be_grouped_by_round(report):
    browser = report()
    find(browser, "[value=round]").click()
    assert rows(browser, "waterfall")[:4] == ["round 1", "author", "round 2", "albums"]


def test_a_click_on_a_finding_marks_its_bars(report):
    browser = report()
    link = browser.find_elements(By.CSS_SELECTOR, "#findings .links a")[0]
    bars = int(link.text.split()[1])
    link.click()
    assert len(browser.find_elements(By.CSS_SELECTOR, "#waterfall .mark.found")) == bars


def test_a_click_on_the_lane_of_a_source_chooses_the_nearest_bar(report):
    browser = report()
    lane = find(browser, "#row-source-2 canvas")
    near_its_end = int(0.45 * lane.size["width"])
    ActionChains(browser).move_to_element_with_offset(lane, near_its_end, 0).click().perform()
    assert find(browser, "#details-title").text == "album, round 8"


def test_a_bar_leads_to_the_line_that_asked(report):
    browser = report()
    find(browser, "#row-batch-1").click()
    assert find(browser, "#details-title").text == "albums, round 2"
    assert "page.py:12" in texts(browser, "#details-body code")


def test_the_pointer_over_a_bar_shows_keys_waiters_and_stack(report):
    browser = report()
    ActionChains(browser).move_to_element(find(browser, "#row-batch-2 .mark")).perform()
    shown = texts(browser, "#tip p")
    assert "Keys: 'album 0'" in shown
    assert "Waiting: album_title" in shown
    assert "Stack: album_title (page.py:5) ← page (page.py:14)" in shown


def test_the_filter_finds_a_key(report):
    browser = report()
    press(browser, "/", "'album 3'")
    assert find(browser, "#matches").text.startswith("1 of 8 batches")


def test_the_filter_finds_a_function_and_its_callers(report):
    browser = report()
    press(browser, "/", "album_title")
    assert rows(browser, "tasks")[0] == "page"
    assert find(browser, "#matches").text.endswith("6 of 7 tasks")


def test_escape_clears_the_filter(report):
    browser = report()
    press(browser, "/", "nothing like this")
    assert rows(browser, "waterfall") == []
    press(browser, Keys.ESCAPE)
    assert len(rows(browser, "waterfall")) == 11


def test_calls_of_one_function_are_one_row_until_it_is_opened(report):
    browser = report()
    find(browser, "#tasks .scroll").send_keys(Keys.HOME, Keys.DOWN)
    assert "album_title× 6" in active_row(browser)
    before = len(rows(browser, "tasks"))
    press(browser, Keys.LEFT)
    assert len(rows(browser, "tasks")) == before - 6


def test_the_keyboard_leads_to_details_and_back(report):
    browser = report()
    find(browser, "#waterfall .scroll").send_keys(Keys.DOWN, Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "details"
    assert find(browser, "#details-title").text == "author, round 1"
    press(browser, Keys.ESCAPE)
    assert "round 1" in active_row(browser)


def test_arrow_keys_show_the_details_of_each_row(report):
    browser = report()
    find(browser, "#waterfall .scroll").send_keys(Keys.DOWN)
    assert find(browser, "#details-title").text == "author, round 1"


def test_n_goes_to_the_next_bar_of_a_finding(report):
    browser = report(fragment="#finding-0")
    first = find(browser, "#waterfall [aria-selected=true]").get_attribute("id")
    press(browser, "n")
    assert find(browser, "#waterfall [aria-selected=true]").get_attribute("id") != first


def test_the_focus_is_visible(report):
    browser = report()
    press(browser, Keys.TAB)
    style = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.execute_script(style) == "solid"


def test_a_link_to_a_bar_can_be_shared(report):
    assert find(report(fragment="#batch-1"), "#details-title").text == "albums, round 2"


def test_back_returns_to_the_bar_before(report):
    browser = report(fragment="#batch-1")
    find(browser, "#row-batch-0").click()
    browser.back()
    assert find(browser, "#details-title").text == "albums, round 2"


def test_a_zoomed_bar_is_wider(report):
    browser = report(fragment="#batch-0")
    bar = "return document.querySelector('#row-batch-0 .mark').offsetWidth"
    before = browser.execute_script(bar)
    find(browser, "#zoom-in").click()
    find(browser, "#earlier").click()
    assert browser.execute_script(bar) > 1.5 * before


def luminance(colour):
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def colours(browser, selector):
    script = """const style = getComputedStyle(document.querySelector(arguments[0]));
        return [style.color, getComputedStyle(document.body).backgroundColor]"""
    return map(luminance, browser.execute_script(script, selector))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_in_both_schemes(report, scheme):
    browser = report()
    emulate(browser, prefers_color_scheme=scheme)
    for selector in ("h1", "#findings .place", ".grid .quiet", "#findings .tag"):
        text, page = colours(browser, selector)
        assert (page < 0.1) == (scheme == "dark")
        assert (max(text, page) + 0.05) / (min(text, page) + 0.05) >= 4.5, selector


def test_nothing_is_wider_than_a_phone(report):
    browser = report()
    size(browser, 360, 740, mobile=True)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360


def test_details_on_a_phone_are_in_view(report):
    browser = report()
    size(browser, 360, 740, mobile=True)
    find(browser, "#row-batch-1").click()
    box = find(browser, "#details-title").rect
    top = browser.execute_script(
        "return document.getElementById('details-title').getBoundingClientRect().top"
    )
    assert 0 < top < 740 - box["height"]


def test_the_live_region_says_what_was_found(report):
    browser = report()
    press(browser, "/", "author")
    assert said(browser) == "1 of 8 batches, 1 of 7 tasks"


def accessible(browser, role):
    """Returns the names of the elements of a role, as a screen reader gets them."""
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    of_role = [node for node in nodes if node.get("role", {}).get("value") == role]
    return [node.get("name", {}).get("value", "") for node in of_role if not node.get("ignored")]


def test_a_screen_reader_reads_the_source_the_keys_and_the_time_of_a_row(report):
    names = accessible(report(), "row")
    assert any(name.startswith("author 1 round 1 1 1.0 ms") for name in names), names


def test_each_control_has_a_name(report):
    browser = report()
    for role in ("button", "treegrid", "link", "radio", "searchbox"):
        names = accessible(browser, role)
        assert names, role
        assert all(names), names


def hostile():
    evil = "</script><img src=x onerror='window.owned=1'><!--"
    made = Recorded(program=evil)
    at = made.site(evil, f"{evil}:3")
    page = made.task(evil, f"{evil}:2")
    made.request(evil, [made.ask(page, at, evil, evil)], error=evil)
    made.event("run", task=page)
    made.event("end", task=page, error=evil)
    return made


def test_html_in_names_and_keys_is_text(report):
    browser = report(hostile, fragment="#batch-0")
    assert find(browser, "h1").text.startswith("</script><img")
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert browser.execute_script("return window.owned") is None


def test_the_page_loads_nothing(report):
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert report().execute_script(script) == []


def empty():
    return Recorded()


def test_a_recording_of_nothing_has_no_finding(report):
    assert texts(report(empty), "#findings li") == ["Nothing to change: no finding."]


LARGE = 100_000


def test_a_page_of_100_000_tasks_has_elements_for_what_is_in_view(report):
    browser = report(many_tasks, LARGE)
    assert browser.execute_script("return document.getElementsByTagName('*').length") < 1500


def test_the_last_of_100_000_tasks_can_be_reached(report):
    browser = report(many_tasks, LARGE, fragment=f"#task-{LARGE}")
    assert find(browser, "#tasks [aria-selected=true]").get_attribute("aria-posinset") == str(LARGE)


def test_one_of_100_000_keys_can_be_found(report):
    browser = report(many_tasks, LARGE)
    press(browser, "/", "key 99123")
    assert find(browser, "#matches").text.startswith("1 of 1 batch,")
