"""Checks reports in a headless Chromium: look.py FOLDER NAME...

Opens each FOLDER/NAME.html 1280 and 390 pixels wide, light and dark, with the tables folded and unfolded, and checks:
the console is empty and no script runs or request is made; nothing is wider than the screen unless it scrolls; text in
charts is large enough, inside the chart, and does not overlap; a chart has no more curves than can be told apart; text
has enough contrast; the verdict is on the first screen; and no printed page but the last is half empty. Leaves
screenshots and PDFs beside the page.
"""

import base64
import json
import os
import pathlib
import re
import subprocess
import sys

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

WIDTHS = (1280, 390)
LEAST_TEXT = 9.0  # least height of text in a chart, in pixels
LEAST_CONTRAST = 4.5  # WCAG 2, level AA
MOST_CURVES = 6  # in the legend of a chart
LEAST_PRINTED = 0.6  # of the height of a printed page, down to its last ink

# Returns the faults as a list of texts, and the numbers of elements checked.
LOOK = """
const wrong = [], seen = {texts: 0, grounds: 0, charts: 0, cells: 0, terms: 0};
const about = e => e.tagName + ' "' + e.textContent.trim().slice(0, 40) + '"';
const page = document.scrollingElement;
if (page.scrollWidth > innerWidth) wrong.push('the page is ' + page.scrollWidth + ' pixels wide');

// Nothing reaches beyond the screen unless it scrolls in a box of its own.
const scrolls = e => e && (['auto', 'scroll'].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
for (const e of document.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect();
    if (box.width && box.right > innerWidth + 0.5 && !scrolls(e.parentElement)) wrong.push('too wide: ' + about(e));
}

// Without long names, tables show all their columns on a desktop.
if (TABLES_FIT) {
    for (const e of document.querySelectorAll('.wide')) {
        if (e.closest('details:not([open])')) continue;
        if (e.scrollWidth > e.clientWidth + 1) wrong.push('columns are cut off: ' + about(e));
    }
}

// What was gained comes first, then how to use it.
const verdict = document.querySelectorAll('#verdict');
if (verdict.length !== 1) wrong.push(verdict.length + ' verdicts');
else if (verdict[0].getBoundingClientRect().bottom > innerHeight) wrong.push('the verdict is below the first screen');
if (document.querySelector('section').id !== 'use') wrong.push('the first section is not how to use it');
seen.terms = document.querySelectorAll('#terms dt').length;
if (seen.terms !== 6) wrong.push(seen.terms + ' terms are explained, not six');

// Curves of a chart differ in colour or dashes, and are few.
for (const legend of document.querySelectorAll('.legend')) {
    const keys = [...legend.querySelectorAll('svg')].map(e => e.innerHTML);
    if (keys.length > MOST_CURVES) wrong.push(keys.length + ' curves: ' + about(legend));
    if (new Set(keys).size !== keys.length) wrong.push('curves that look the same: ' + about(legend));
}

// Words in charts.
for (const chart of document.querySelectorAll('svg.chart')) {
    seen.charts++;
    const frame = chart.getBoundingClientRect(), scale = frame.width / chart.viewBox.baseVal.width;
    const boxes = [...chart.querySelectorAll('text')].map(e => [e, e.getBoundingClientRect()]);
    for (const [e, box] of boxes) {
        seen.texts++;
        const size = parseFloat(getComputedStyle(e).fontSize) * scale;
        if (!(size >= LEAST_TEXT)) wrong.push('text of ' + size.toFixed(1) + ' pixels: ' + about(e));
        if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
            box.bottom > frame.bottom + 1) wrong.push('outside its chart: ' + about(e));
    }
    boxes.forEach(([a, x], i) => boxes.slice(i + 1).forEach(([b, y]) => {
        // glyphs are less high than their boxes
        if (x.left < y.right && y.left < x.right && x.top + 3 < y.bottom && y.top + 3 < x.bottom) {
            wrong.push('on top of each other: ' + about(a) + ' and ' + about(b));
        }
    }));
}

// Cells of heat maps hold their numbers.
for (const e of document.querySelectorAll('.heat td data')) {
    seen.cells++;
    if (e.getBoundingClientRect().width > e.parentElement.getBoundingClientRect().width + 1) {
        wrong.push('wider than its cell: ' + about(e));
    }
}

// Text stands out from its ground.
const channels = c => c.match(/[0-9.]+/g).map(Number);
const light = c => channels(c).slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const opaque = c => channels(c).length < 4 || channels(c)[3] === 1;
const ground = e => e && !opaque(getComputedStyle(e).backgroundColor) ? ground(e.parentElement)
    : e ? getComputedStyle(e).backgroundColor : 'rgb(255,255,255)';
for (const e of document.querySelectorAll('h1,h2,h3,p,dt,dd,th,td,li,a,code,pre,small,figcaption,summary,.state,.none')) {
    if (!e.textContent.trim() || !e.getClientRects().length) continue;
    seen.grounds++;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < LEAST_CONTRAST) wrong.push('contrast of ' + contrast.toFixed(2) + ': ' + about(e));
}
return {wrong, seen};
"""


def open_browser():
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    if os.getuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def load(browser, url, width, scheme):
    phone = width < 500
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844 if phone else 900, "deviceScaleFactor": 2 if phone else 1, "mobile": phone},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.get(url)


def fetched(browser):
    """The URLs requested since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def screenshot(browser, path, width):
    height = browser.execute_script("return document.scrollingElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 8000), "scale": 1}
    shot = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip}
    )
    path.write_bytes(base64.b64decode(shot["data"]))


def script_for(width, name):
    """LOOK with its constants. Names of the page "hostile" are longer than any screen is wide."""
    constants = {
        "LEAST_TEXT": LEAST_TEXT,
        "LEAST_CONTRAST": LEAST_CONTRAST,
        "MOST_CURVES": MOST_CURVES,
        "TABLES_FIT": str(width >= 1280 and name != "hostile").lower(),
    }
    script = LOOK
    for constant, value in constants.items():
        script = script.replace(constant, str(value))
    return script


def look(browser, page, width, scheme):
    """The faults of the page at this width and scheme, and the number of elements checked."""
    url = page.resolve().as_uri()
    fetched(browser)  # clears the log of earlier pages
    load(browser, url, width, scheme)
    title = browser.title
    script = script_for(width, page.stem)
    found = browser.execute_script(script)
    screenshot(browser, page.with_name(f"{page.stem}-{width}-{scheme}.png"), width)
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    unfolded = browser.execute_script(script)
    screenshot(browser, page.with_name(f"{page.stem}-{width}-{scheme}-unfolded.png"), width)
    wrong = sorted(set(found["wrong"])) + ["unfolded: " + text for text in sorted(set(unfolded["wrong"]))]
    wrong += [f"on the console: {entry['message']}" for entry in browser.get_log("browser")]
    wrong += [f"fetches {other[:100]}" for other in fetched(browser) if other != url]
    if browser.title != title or re.fullmatch("[0-9]", title):
        wrong.append("a script has run")
    return wrong, unfolded["seen"]


def ink(pdf):
    """How far down each page of the PDF the last ink is, from 0 to 1, within margins of 15 mm."""
    images = subprocess.run(["pdftoppm", "-r", "25", "-gray", pdf], check=True, capture_output=True).stdout
    heights = []
    while images:
        head = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", images)
        width, height = int(head[1]), int(head[2])
        pixels = images[head.end() : head.end() + width * height]
        images = images[head.end() + width * height :]
        inked = [y for y in range(height) if min(pixels[y * width : (y + 1) * width]) < 200]
        margin = 15 / 25.4 * 25
        heights.append((max(inked, default=0) - margin) / (height - 2 * margin))
    return heights


# Tables that are wider than their boxes would cover what is printed beside them.
COVERS = """
return [...document.querySelectorAll('.wide')].filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
    .map(e => 'printed over its edge: ' + e.textContent.trim().slice(0, 40));
"""
PAPER = 680  # pixels of an A4 page's width without its margins


def print_page(browser, page):
    load(browser, page.resolve().as_uri(), PAPER, "light")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    wrong = browser.execute_script(COVERS) if page.stem != "hostile" else []
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    load(browser, page.resolve().as_uri(), WIDTHS[0], "dark")
    options = {"printBackground": True, "paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", options)["data"])
    page.with_suffix(".pdf").write_bytes(pdf)
    heights = ink(page.with_suffix(".pdf"))
    wrong += [] if len(heights) >= 2 else [f"prints to {len(heights)} pages"]
    for number, height in enumerate(heights[:-1], start=1):
        if height < LEAST_PRINTED and page.stem != "hostile":  # whose names are as long as paragraphs
            wrong.append(f"page {number} of {len(heights)} is printed down to {height:.0%} only")
    return wrong


def main():
    folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    browser = open_browser()
    faults = 0
    try:
        for name in names:
            page = folder / f"{name}.html"
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    wrong, seen = look(browser, page, width, scheme)
                    if seen["charts"] < 2 or seen["texts"] < 20 or seen["grounds"] < 50:
                        wrong.append("hardly anything is there to look at")
                    if name != "running" and seen["cells"] < 30:
                        wrong.append("there is no heat map to look at")
                    for text in wrong:
                        print(f"{name}, {width} pixels, {scheme}: {text}")
                    faults += len(wrong)
                    print(f"{name}, {width} pixels, {scheme}: looked at {seen}, {len(wrong)} wrong")
            wrong = print_page(browser, page)
            for text in wrong:
                print(f"{name}: {text}")
            faults += len(wrong)
    finally:
        browser.quit()
    if faults:
        sys.exit(f"browser: {faults} faults; screenshots are in {folder}")
    print(f"browser: passed; screenshots are in {folder}")


main()
