import base64
import json
import re
import shutil
import sys
from html import escape
from pathlib import Path

import numpy as np
import pytest

import sparring
from sparring.archive import keep, kept
from sparring.cli import main
from sparring.data.opening import open_data
from sparring.errors import MissingExtra
from sparring.reporting import report
from sparring.reporting.reproducing import reproduce
from sparring.run import Run

pytest.importorskip("matplotlib")
FIXED = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "training.measure=16")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "a & <b>"
    np.save(folder.parent / "digits.npy", open_data("digits").load().items[np.arange(1000)])
    sparring.train(
        folder.parent / "digits.npy", recipe="dense", settings=(*FIXED, "network.hidden=8"), steps=60, out=folder
    )
    return folder


@pytest.fixture(scope="module")
def page(run):
    return report(run)


def text_of(page: Path) -> str:
    return re.sub(r"data:image/[^\"]*", "", page.read_text("utf-8"))


def test_the_page_tells_everything_of_the_run(page, run):
    text = text_of(page)
    assert page == run / "report.html"
    assert "<h1>a &amp; &lt;b&gt;</h1>" in text
    for heading in ("What to know", "Samples beside real data", "The same latents over the run", "Numbers",
                    "Copies and leaks", "Numbers over the run", "Losses and scores", "How to train it again",
                    "Versions and splits", "Settings"):  # fmt: skip
        assert f"<h2>{heading}</h2>" in text
    for word in ("kid[random-conv]", "membership-auc", "pixel-copies", "training-items", "plan.steps",
                 "experiment.task.game.loss.part", "train split", "Experiment.from_json", "step 60"):  # fmt: skip
        assert word in text, word
    over = text.partition("<h2>Numbers over the run</h2>")[2].partition("</section>")[0]
    assert "floor: the same number for " in over
    assert "training items; features random-conv" in over
    numbers = text.partition("<h2>Numbers</h2>")[2].partition("</section>")[0]
    assert "<summary>how each was taken</summary>" in numbers
    for metric in kept(Run(run)).protocol["metrics"].values():
        assert escape(metric["how"]) in numbers
    assert (run / "suspects.png").is_file()


def test_every_loss_and_every_number_over_time_is_a_picture_that_is_named(page, run):
    text = text_of(page)
    assert text.count("<img ") == text.count('src="" alt="')
    captions = re.findall(r"<figcaption>([^<]*)</figcaption>", text)
    assert {"discriminator", "generator", "speed"} <= set(captions)
    assert sum("is better" in caption for caption in captions) >= 6
    assert {"kid[random-conv]: lower is better", "recall[random-conv]: higher is better"} <= set(captions)
    drawn = [base64.b64decode(d).decode() for d in re.findall(r"svg\+xml;base64,([^\"]*)", page.read_text())]
    assert len(drawn) >= 9
    assert all(svg.startswith("<?xml") and "<text" not in svg for svg in drawn)


def test_nothing_is_asked_of_any_other_place(page):
    text = text_of(page)
    assert not re.findall(r"(?:src|href)=\"(?!data:|\")", text)
    assert "<script" not in text
    assert "http" not in text.replace("https://", "http://").split("<pre>")[0]


def test_the_same_run_gives_the_same_page(page, run, tmp_path):
    again = report(run, tmp_path / "again.html")
    assert again.read_bytes() == page.read_bytes()


def test_alarms_and_changes_are_told_with_their_steps_and_mark_the_figures(run, page, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    with (tmp_path / "run" / "log.jsonl").open("a") as log:
        for entry in (
            {"step": 40, "images": 640, "terms": {}, "alarm": "collapsed", "note": "the generator has collapsed"},
            {"step": 20, "terms": {}, "note": "real: not finite", "changes": ["training.clip=1.0"]},
        ):
            log.write(json.dumps(entry) + "\n")
    written = report(tmp_path / "run")
    text = text_of(written)
    told = re.findall(r'<li class="finding">([^<]*)</li>', text)
    assert [item.partition(":")[0] for item in told if item.startswith(("Went back", "Alarm"))] == [
        "Went back to step 20 and on with training.clip=1.0, because", "Alarm at step 40",
    ]  # fmt: skip
    assert any("add a penalty (--set penalties=r1)" in item for item in told)
    svg = [re.findall(r"svg\+xml;base64,([^\"]*)", path.read_text()) for path in (page, written)]
    assert len(svg[0]) == len(svg[1])
    assert all(len(marked) > len(plain) for plain, marked in zip(*svg, strict=True))


def test_where_nothing_is_held_back_no_floor_is_drawn_and_the_page_says_why(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    sparring.train(pictures, recipe="dense", settings=FIXED, steps=2, out=tmp_path / "run")
    (record,) = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert record["metrics"]
    assert all(row["floor"] is None for row in record["metrics"])
    over = text_of(report(tmp_path / "run")).partition("<h2>Numbers over the run</h2>")[2].partition("</section>")[0]
    assert "no floor: no items are held back, and copies of the training items would look best; " in over
    assert "reference 60 of train" in over


SMALL = ("network.width=4", "network.blocks=1", "network.judge.width=4")


def _restoration(folder):
    source = np.random.default_rng(0)
    pictures = np.kron(source.integers(0, 256, (150, 4, 4, 3)), np.ones((1, 4, 4, 1))).astype(np.uint8)
    sparring.train(pictures, task="denoising", settings=(*FIXED, *SMALL), steps=2, out=folder)


def _table(folder):
    source = np.random.default_rng(0)
    rows = [f"{source.integers(20, 60)},{source.choice(['red', 'green'])}" for _ in range(240)]
    (folder.parent / "rows.csv").write_text("\n".join(["age,colour", *rows]) + "\n")
    sparring.train(folder.parent / "rows.csv", settings=("training.batch=20", "network.width=8"), steps=1, out=folder)


def _autoencoder(folder):
    pictures = open_data("digits").load().items[np.arange(240)]
    sparring.train(pictures, recipe="vae", settings=(*FIXED, "generator_width=4"), steps=2, out=folder)


def _series(folder):
    windows = np.random.default_rng(0).normal(size=(240, 12, 2)).cumsum(1).astype(np.float32)
    model = sparring.train(windows, modality="series", settings=("network.width=8", *FIXED), steps=2, out=folder)
    # Some minutes' worth of judges say nothing of the page.
    keep(Run(folder), model.evaluate(metrics=["autocorrelation", "channel-wasserstein", "spectrum", "nearest-window"]))


KINDS = {"restoration": _restoration, "table": _table, "autoencoder": _autoencoder, "series": _series}


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Pages of runs of other kinds."""
    folder = tmp_path_factory.mktemp("others")
    for kind, trained in KINDS.items():
        trained(folder / kind)
    return {kind: report(folder / kind) for kind in KINDS}


def test_a_restoration_shows_its_best_median_and_worst_cases(others):
    text = text_of(others["restoration"])
    for word in ("the best of", "the median of", "the worst of", "what was given, what was made, the truth", "psnr",
                 "The same inputs over the run"):  # fmt: skip
        assert word in text


def test_a_preview_of_rows_is_of_many_and_says_how_it_is_read(others):
    text = text_of(others["table"])
    assert "<figcaption>1,000 generated items, seed 0, not chosen; how often each column holds" in text
    assert text.count('<figure class="broad">') == 3
    copies = text.partition("<h2>Copies and leaks</h2>")[2].partition("</section>")[0]
    assert "<th>copied-rows</th>" in copies
    assert "<th>nearer-to-training</th>" in copies


def test_the_command_writes_the_page_and_names_it(run, tmp_path, capsys):
    assert main(["report", str(run), "-o", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_data_that_hold_nothing_back_are_told_of_without_numbers(tmp_path):
    few = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    sparring.train(few, recipe="vae", settings=("generator_width=4", "beta=0", *FIXED), steps=2, out=tmp_path / "run")
    text = text_of(report(tmp_path / "run"))
    assert "too few to hold any back" in text
    assert "nats an item" not in text  # which stands inside of pictures alone
    assert "Copies and leaks" not in text
    assert "<p>Its settings: beta = 0: codes need not lie" in text


def test_a_missing_plotting_library_is_told_in_one_line(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'sparring\[report\]'"):
        report(run)
    assert main(["report", str(run)]) == 2


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = next(
        (found for n in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(n))), None
    )
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.mark.parametrize("kind", ["picture", *KINDS])
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_shows_the_page_without_a_fault(browser, page, others, width, kind):
    shown = page if kind == "picture" else others[kind]
    complaints, requests = [], []
    view = browser.new_page(viewport={"width": width, "height": 900})
    view.on("console", lambda message: complaints.append(message.text))
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.on("request", lambda request: requests.append(request.url))
    view.goto(shown.as_uri())
    view.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    pictures = view.evaluate(
        "Promise.all([...document.images].map(async i => "
        "{ await i.decode(); return [i.naturalWidth, i.clientWidth, i.closest('.wide') !== null]; }))"
    )
    assert len(pictures) > (12 if kind == "picture" else 6)
    assert all(min(natural, drawn) > 0 and (drawn <= width or moved) for natural, drawn, moved in pictures)
    # What is wider than the window may scroll inside of its own box, and nothing else.
    overflowing = view.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide, pre') &&"
        " e.getBoundingClientRect().right > window.innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert overflowing == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    # A name is broken between its words, not letter by letter, and stands above or beside its numbers.
    tallest = "Math.max(...[...document.querySelectorAll('.numbers tr')].map(e => e.getBoundingClientRect().height))"
    assert 0 < view.evaluate(tallest) < 150
    assert complaints == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    view.close()


def test_what_a_run_is_trained_again_by_names_plugins_and_what_is_not_repeated(tmp_path, monkeypatch):
    (tmp_path / "softly.py").write_text(
        "from sparring.losses import AdversarialLoss, Hinge\n"
        "class Softly(AdversarialLoss):\n"
        "    def discriminator(self, real, fake, target=None): return Hinge().discriminator(real, fake)\n"
        "    def generator(self, real, fake): return Hinge().generator(real, fake)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = (*FIXED, "game.loss=softly")
    run = tmp_path / "run"
    model = sparring.train("digits", recipe="dense", settings=settings, plugin=["softly"], steps=2, out=run)
    code = reproduce(model, model.run.read(model.run.plan), model.run.read(model.run.experiment), [{"step": 2}])
    assert "import json, pathlib, sparring, softly" in code
    assert "#" not in code
    monkeypatch.chdir(tmp_path)
    exec(code.partition("\n")[2], {})
    again = sparring.load(tmp_path / "again")
    np.testing.assert_array_equal(again.sample(4), model.sample(4))
    sparring.train("digits", recipe="dense", settings=settings, steps=4, resume=True, out=run)
    longer = model.run.read(model.run.plan)
    assert "other rates" in reproduce(model, longer, model.run.read(model.run.experiment), [{"step": 4}])
