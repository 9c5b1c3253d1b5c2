"""How to train a run again."""

from typing import Any

from sparring.model import Model
from sparring.part import Part


def reproduce(model: Model, plan: dict[str, Any], described: dict[str, Any], log: list[dict[str, Any]]) -> str:
    """What to type, beside the run's folder, and what of the run that does not repeat."""
    versions, folder = described.get("versions", {}), model.run.folder
    steps = log[-1]["step"] if log else 1
    computed = {name: plan[name] for name in ("precision", "layout")}
    lines = [
        f"pip install sparring=={versions.get('sparring')} torch=={versions.get('torch')}",
        "",
        f"import {', '.join(['json', 'pathlib', 'sparring', *_plugins(model.experiment)])}",
        f"described = json.loads(pathlib.Path({str(folder / 'experiment.json')!r}).read_text('utf-8'))",
        f"described['experiment']['training'] |= {computed!r}",
        "experiment = sparring.Experiment.from_json(described['experiment'])",
        f"for record in sparring.steps(experiment, 'again', limits=sparring.Limits(steps={steps})):",
        "    print(record.step, record.terms)",
    ]
    if any(amendment.get("changes") for amendment in plan["amendments"]):
        lines.append("# The run was rolled back and its settings were changed on the way: this is not repeated.")
    elif plan["amendments"]:
        lines.append("# The length of the run was changed on the way, and with it rates: the same steps, other rates.")
    return "\n".join(lines)


def _plugins(part: Any) -> list[str]:
    """Modules of parts that are not the package's own, in the order in which they stand in a part."""
    found = [] if type(part).__module__.partition(".")[0] == "sparring" else [type(part).__module__]
    for value in (getattr(part, name) for name in type(part).model_fields):
        for inner in value if isinstance(value, tuple) else (value,):
            found += _plugins(inner) if isinstance(inner, Part) else []
    return list(dict.fromkeys(found))
