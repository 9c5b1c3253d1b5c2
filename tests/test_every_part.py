import importlib
import inspect
import json
import pkgutil
from contextlib import suppress
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import sparring
from sparring.errors import (
    RequestError,
)
from sparring.part import Part


def _every_part() -> list[type[Part]]:
    for found in pkgutil.walk_packages(sparring.__path__, "sparring.", onerror=lambda name: None):
        try:
            importlib.import_module(found.name)
        except ImportError:  # test_structure.py says which module cannot be imported, and why
            continue
    classes: list[type[Part]] = [Part]
    for known in classes:
        classes += [c for c in known.__subclasses__() if c not in classes]
    return [c for c in classes if c.__module__.startswith("sparring.") and c is not Part]


def _words(annotation: Any) -> list[str]:
    """The words that a field of this type takes, if it takes words."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    is_kind = inspect.isclass(annotation) and issubclass(annotation, Part) and annotation.is_kind()
    return list(annotation.parts()) if is_kind else []


EVERY = _every_part()
KINDS = [c for c in EVERY if c.is_kind()]
FINAL = [c for c in EVERY if not inspect.isabstract(c)]
REQUIRED: dict[str, dict[str, Any]] = {
    "plan": {"steps": 10, "images_per_step": 64},
    "image": {"height": 8, "width": 8, "channels": 1, "depth": 8},
    "attribute": {"title": "age", "classes": ("young", "old")},
    "points": {"mean": (0.0, 1.0), "scale": 2.0},
    "series": {"titles": ("x",), "kinds": ("float64",), "low": (0.0,), "high": (1.0,), "steps": 3},
    "table": {"columns": ({"part": "constant", "title": "x"},)},
    "category": {"values": ("a", "b"), "counts": (3, 1), "own": 2},
    "number": {"rates": (1.0,)},
}

every_part = pytest.mark.parametrize("part", FINAL, ids=lambda c: c.name)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda c: c.kind)
every_field = pytest.mark.parametrize(
    ("part", "field"),
    [(c, f) for c in FINAL for f in c.model_fields],
    ids=lambda v: v if isinstance(v, str) else v.name,
)
BEYOND = {Ge: lambda b: b.ge - 1, Gt: lambda b: b.gt, Le: lambda b: b.le + 1, Lt: lambda b: b.lt}
OUT_OF_BOUNDS = [
    (c, f, BEYOND[type(b)](b))
    for c in FINAL
    for f, i in c.model_fields.items()
    for b in i.metadata
    if type(b) in BEYOND
]
WORDS = [(c, f, _words(i.annotation)) for c in FINAL for f, i in c.model_fields.items() if _words(i.annotation)]
wrong_values = st.one_of(
    st.none(), st.booleans(), st.text(max_size=20), st.integers(), st.floats(), st.binary(max_size=5),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.just(10**5000), st.just(object()), st.just("x" * 10_000), st.just("two\nlines"), st.just(float("nan")),
    st.just(float("inf")), st.just(-(10**400)), st.just(range), st.just({"part": "r1"}), st.just({"part": ["r1"]}),
)  # fmt: skip


def value_for(annotation: Any) -> Any:
    """Some value of a required field, by its type."""
    if get_origin(annotation) is Annotated:
        return value_for(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return get_args(annotation)[0]
    if inspect.isclass(annotation) and issubclass(annotation, Part):
        return make(next(iter(annotation.parts().values())) if inspect.isabstract(annotation) else annotation)
    return {str: "words", int: 1, float: 1.0, bool: True}.get(annotation, ())


def make(part: type[Part], **fields: Any) -> Part:
    needed = {f: value_for(info.annotation) for f, info in part.model_fields.items() if info.is_required()}
    return part(**{**needed, **REQUIRED.get(part.name, {}), **fields})


def made(part: type[Part]) -> Part:
    try:
        return make(part)
    except RequestError as refusal:
        pytest.skip(f"has required fields of its own kind, name them in REQUIRED: {refusal}")


@st.composite
def some(draw, part: type[Part]):
    """A part with drawn values in those fields of simple types that take them one after the other."""
    other, fields = made(part), {}
    for name, info in part.model_fields.items():
        bounds = {type(m): m for m in info.metadata}
        low = bounds[Ge].ge if Ge in bounds else bounds[Gt].gt if Gt in bounds else None
        high = bounds[Le].le if Le in bounds else bounds[Lt].lt if Lt in bounds else None
        if get_origin(info.annotation) is Literal:
            fields[name] = draw(st.sampled_from(get_args(info.annotation)))
        elif info.annotation is bool:
            fields[name] = draw(st.booleans())
        elif info.annotation is int:
            fields[name] = draw(st.integers(low, high))
        elif info.annotation is float:
            open_ends = {"exclude_min": Gt in bounds, "exclude_max": Lt in bounds}
            fields[name] = draw(st.floats(low, high, allow_nan=False, allow_infinity=False, **open_ends))
    for name, value in fields.items():
        with suppress(RequestError):  # within its own bounds, but not beside the other fields
            other = other.but(**{name: value})
    return other


def one_line(refusal: RequestError) -> str:
    message = str(refusal)
    assert message.splitlines() == [message]
    assert len(message) < 1000
    return message


def test_there_are_kinds_and_each_has_its_own_noun():
    assert {"loss", "penalty", "constraint", "network", "game", "task", "metric", "view"} <= {k.kind for k in KINDS}
    assert len({k.kind for k in KINDS}) == len(KINDS)


@every_kind
def test_a_kind_finds_its_parts_by_name(kind):
    assert importlib.import_module(kind.home)
    for name, part in kind.parts().items():
        assert kind.find(name) is part
        assert issubclass(part, kind)
        assert not part.is_kind()


@every_kind
def test_a_kind_refuses_an_unknown_name_with_its_choices(kind):
    with pytest.raises(RequestError) as refusal:
        kind.find("hing")
    message = one_line(refusal.value)
    assert message.startswith(f"no {kind.kind} is called 'hing'")
    assert all(name in message for name in kind.parts())


@every_part
def test_a_name_is_lower_case_with_hyphens_and_used_once_in_its_kind(part):
    assert part.name == part.name.lower()
    assert all(word.isalnum() for word in part.name.split("-"))
    for kind in [k for k in KINDS if issubclass(part, k)]:
        assert kind.find(part.name) is part


@every_part
def test_a_part_is_read_back_from_its_json(part):
    start = made(part)
    kinds = [kind for kind in KINDS if issubclass(part, kind)] or [part]
    for kind in kinds:
        assert kind.from_json(json.loads(json.dumps(start.to_json(), allow_nan=False))) == start
    assert set(start.to_json()) == {"part", *part.model_fields}


@every_part
@given(data=st.data())
def test_a_part_with_other_values_is_read_back_from_its_json(part, data):
    other = data.draw(some(part))
    again = part.from_json(json.loads(json.dumps(other.to_json())))
    assert again == other
    assert type(again) is part
    assert str(again) == str(other)


@every_part
def test_a_part_is_frozen(part):
    start = made(part)
    for field in part.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(start, field, getattr(start, field))


@every_part
@pytest.mark.parametrize("name", ["no_such_field", "part", "two\nlines"])
def test_a_field_that_is_not_there_is_refused_with_the_fields_that_are(part, name):
    with pytest.raises(RequestError) as refusal:
        made(part).but(**{name: 1})
    assert all(field in one_line(refusal.value) for field in part.model_fields)
    with pytest.raises(RequestError):
        part.from_json({**made(part).to_json(), "no_such_field": 1})


@every_field
def test_a_field_is_described_by_a_phrase_in_lower_case(part, field):
    description = {f.name: f for f in part.describe()}[field]
    assert description.meaning
    assert not description.meaning[0].isupper() or description.meaning.startswith(("MiB ", "Gaussian"))
    assert description.type
    assert "\n" not in description.meaning
    assert not description.meaning.endswith(".")


@every_part
def test_defaults_pass_their_own_bounds_and_stand_in_one_place(part):
    start = made(part)
    assert start.but() == start
    for field, info in part.model_fields.items():
        if not info.is_required() and field not in REQUIRED.get(part.name, {}):
            assert getattr(start, field) == info.get_default(call_default_factory=True)
    inherited = {
        f for k in part.__mro__[1:] if issubclass(k, Part) for f, i in k.model_fields.items() if not i.is_required()
    }
    assert not inherited & set(inspect.get_annotations(part)), "a default is written again"
    for _, method in inspect.getmembers(part, inspect.isfunction):
        if method.__module__.startswith("sparring.") and method.__name__ != "__init__":
            given_again = {n for n, p in inspect.signature(method).parameters.items() if p.default is not p.empty}
            assert not given_again & set(part.model_fields), f"{method.__qualname__} has a default of its own"


@every_part
@settings(max_examples=60)
@given(data=st.data(), value=wrong_values)
def test_a_wrong_value_is_refused_in_one_line_or_taken(part, data, value):
    start = made(part)
    field = data.draw(st.sampled_from([*part.model_fields, "no_such_field"]))
    try:
        taken = start.but(**{field: value})
    except RequestError as refusal:
        one_line(refusal)
    else:
        assert part.from_json(taken.to_json()) == taken


@every_field
def test_a_value_of_no_known_type_is_refused_by_the_name_of_the_field(part, field):
    with pytest.raises(RequestError) as refusal:
        made(part).but(**{field: object()})
    message = one_line(refusal.value)
    assert field in message or "was wished" in message


@pytest.mark.parametrize(("part", "field", "value"), OUT_OF_BOUNDS, ids=str)
def test_a_value_out_of_bounds_is_refused_with_the_bound(part, field, value):
    with pytest.raises(RequestError) as refusal:
        made(part).but(**{field: value})
    assert one_line(refusal.value).startswith(f"{part.name}.{field} = {value}: input should be ")


@pytest.mark.parametrize(("part", "field", "words"), WORDS, ids=str)
def test_a_wrong_word_is_refused_with_the_choices(part, field, words):
    with pytest.raises(RequestError) as refusal:
        made(part).but(**{field: "no-such-word"})
    message = one_line(refusal.value)
    assert all(word in message for word in words)


@every_part
@given(data=st.data(), text=st.text(max_size=10))
def test_any_assignment_is_done_or_refused_in_one_line(part, data, text):
    start = made(part)
    path = data.draw(st.one_of(st.sampled_from([*part.model_fields, "no_such_field"]), st.text(max_size=10)))
    try:
        assert isinstance(start.override(f"{path}={text}"), part)
    except RequestError as refusal:
        one_line(refusal)


@every_field
def test_a_field_takes_its_own_value_as_text(part, field):
    start = made(part)
    value = start.to_json()[field]
    assert start.override(f"{field}={json.dumps(value)}") == start
    if isinstance(value, str | int | float):
        assert start.override(f" {field} = {value} ") == start
