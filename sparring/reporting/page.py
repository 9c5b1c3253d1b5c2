"""The page: a story laid out as HTML with its style inside."""

from collections.abc import Mapping, Sequence
from html import escape

from sparring.evaluation import Evaluation
from sparring.metrics import Metric
from sparring.reporting import figures
from sparring.reporting.findings import Curve
from sparring.reporting.story import Figure, Story

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; color: #1c2024;
  background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #d4d9de; }
p { max-width: 75ch; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
@media (min-width: 800px) { .broad { grid-column: span 2; } }
@media (max-width: 799px) { .broad .wide img { max-width: 700px; } }
figure { margin: 0; } figcaption { color: #4a545e; font-size: .875rem; }
img { max-width: 100%; height: auto; display: block; image-rendering: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #e3e7ea; vertical-align: top; }
.numbers th { overflow-wrap: normal; } .numbers tr:first-child th:not(:first-child) { text-align: right; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { background: #f3f5f7; padding: .75rem; overflow-x: auto; overflow-wrap: normal; font-size: .8125rem; }
ol { padding-left: 1.5rem; } li.finding { border-left: 4px solid #b0413e; padding-left: .75rem; margin: .5rem 0; max-width: 75ch; }
.fine { border-left: 4px solid #2e7d4f; padding-left: .75rem; }
details summary { cursor: pointer; }
"""  # noqa: E501


def write_page(story: Story) -> str:
    """The page as text."""
    parts = [
        f"<h1>{escape(story.name)}</h1>",
        _table(story.summary),
        _section("What to know", _known(story)),
        _section("Samples beside real data", _figures(story.samples)),
        _section(f"The same {story.fixed} over the run", _figures(story.evolution)),
        _section("Numbers", _numbers(story)),
        _section("Copies and leaks", _audit(story)),
        _section("Numbers over the run", _curves(story)),
        _section("Losses and scores", _losses(story)),
        _section("How to train it again", f"<pre>{escape(story.reproduce)}</pre>"),
        _section("Versions and splits", _table(story.provenance)),
        _section("Settings", f"<details><summary>every field</summary>{_table(story.settings)}</details>"),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(story.name)}: sparring report</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def _table(rows: Mapping[str, str]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f'<div class="wide"><table>{cells}</table></div>'


def _known(story: Story) -> str:
    risks = "".join(f"<p>Its settings: {escape(risk)}.</p>" for risk in story.risks)
    return risks + _findings(story)


def _findings(story: Story) -> str:
    if story.findings:
        told = "".join(f'<li class="finding">{escape(finding.text)}</li>' for finding in story.findings)
        return f"<p>In the order of their steps; the figures below are marked with these numbers.</p><ol>{told}</ol>"
    alarm = "No detector raised an alarm." if story.detectors else "No detector watched it."
    if not story.looked_for:
        why = "the numbers over the run tell of neither" if story.curves else "no numbers were taken while it trained"
        return f"<p>Whether it overfitted or collapsed was not looked at: {why}. {alarm}</p>"
    seen = escape(f"Looked for in the numbers over the run, and not seen: {'; '.join(story.looked_for)}. {alarm}")
    return f'<p class="fine">{seen}</p>'


def _figures(shown: Sequence[Figure]) -> str:
    drawn = "".join(map(_figure, shown))
    return f'<div class="grid">{drawn}</div>' if drawn else ""


def _figure(shown: Figure) -> str:
    said = escape(shown.caption)
    picture = f'<img src="{shown.source}" alt="{said}">'
    if shown.broad:  # whose letters are too small where it does not fit: it is moved beneath the window there
        return f'<figure class="broad"><div class="wide">{picture}</div><figcaption>{said}</figcaption></figure>'
    return f"<figure>{picture}<figcaption>{said}</figcaption></figure>"


def _numbers(story: Story) -> str:
    if story.evaluation is None:
        return f"<p>{escape(story.refusal)}</p>"
    return _rows(story.evaluation, audit=False) + _said(story.evaluation)


def _rows(found: Evaluation, *, audit: bool) -> str:
    named = {name for metric in Metric.parts().values() for name in metric.audited}
    rows = [row for row in found.rows if (row.name.partition("[")[0] in named) == audit]
    baselines = list(dict.fromkeys(name for row in rows for name in row.baselines))
    head = "".join(f"<th>{escape(t)}</th>" for t in ("metric", "value", "95 % interval", "floor", *baselines))
    body = []
    for row in rows:
        interval = "" if row.low is None or row.high is None else f"{row.low:.4g} to {row.high:.4g}"
        told = [f"{row.value:.4g}", interval, "" if row.floor is None else f"{row.floor:.4g}"]
        told += [f"{row.baselines[name]:.4g}" if name in row.baselines else "" for name in baselines]
        cells = "".join(f'<td class="number">{escape(text)}</td>' for text in told)
        body.append(f"<tr><th>{escape(row.name)}</th>{cells}</tr>")
    return f'<div class="wide"><table class="numbers"><tr>{head}</tr>{"".join(body)}</table></div>' if body else ""


def _said(found: Evaluation) -> str:
    refused = "".join(f"<p>{escape(name)}: not taken, {escape(why)}</p>" for name, why in found.refused.items())
    return f"{refused}<p>{escape(found.how())}.</p>{_protocols(found)}"


def _protocols(found: Evaluation) -> str:
    """How each metric was taken, word for word, to be opened."""
    taken = found.protocol.get("metrics")
    told = taken.items() if isinstance(taken, dict) else ()
    rows = {str(name): str(said.get("how", "")) for name, said in told if isinstance(said, dict)}
    return f"<details><summary>how each was taken</summary>{_table(rows)}</details>" if rows else ""


def _audit(story: Story) -> str:
    rows = "" if story.evaluation is None else _rows(story.evaluation, audit=True)
    words = (
        "<p>Copies: the share of samples that equal a training item, or are nearer to one than 99 of 100 held-back "
        "items are; the floor, about .01, is fair. Nearness: the share nearer to a training than to a held-back item; "
        ".5 is fair, and many copies at a nearness of .5 are smooth samples, not copies. Of rows, these are "
        "copied-rows, of equal ones alone, and nearer-to-training. Membership: whether training items can be "
        "told from held-back ones; .5 is fair. What is not found here is no proof of privacy.</p>"
    )
    words += f"<p>{escape(story.promised)}.</p>" if story.promised else ""
    picture = ""
    if story.suspects is not None:
        said = "generated, nearest training and nearest held-back item; the most suspicious first"
        picture = _figures([Figure(story.suspects.source, said)])
    return rows + words + picture if rows or picture or story.promised else ""


def _curves(story: Story) -> str:
    drawn = [figures.curve(c, story.images_per_step, _marks(story)) for c in story.curves]
    shown = _figures([Figure(d, _better(c)) for d, c in zip(drawn, story.curves, strict=True)])
    return shown + (f"<p>{escape(story.measured)}.</p>" if shown else "")


def _marks(story: Story) -> list[figures.Mark]:
    """Where the figures are marked with the numbers of the findings."""
    return [figures.Mark(f.step * story.images_per_step, str(i + 1)) for i, f in enumerate(story.findings)]


def _better(curve: Curve) -> str:
    return f"{curve.name}: {f'{curve.better} is better' if curve.better else 'neither end is better'}"


def _losses(story: Story) -> str:
    lines = [*story.losses, *([story.speed] if story.speed is not None else [])]
    return _figures([Figure(figures.line(drawn, _marks(story)), drawn.title) for drawn in lines if drawn.x])
