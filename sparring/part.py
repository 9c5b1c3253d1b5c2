"""Part: a frozen, validated value whose fields are its hyperparameters and whose methods are pure.

A *kind* is an abstract part (``AdversarialLoss``, ``Game``, …); a *part* of it is a final class below it. A part is
found by its kind and its name, which is its class's name with hyphens. Nothing is registered: a kind knows the module
or package in which its parts live, and a user's own module joins by being imported (``--plugin MODULE``).

The fields make the options of the command line, ``experiment.json`` and the contract tests, so that a default stands
in exactly one place.
"""

import importlib
import inspect
import json
import pkgutil
import re
from typing import Any, ClassVar, NamedTuple, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, core_schema

from sparring.errors import RequestError, choices


class FieldDescription(NamedTuple):
    """One hyperparameter as ``sparring list`` shows it."""

    name: str
    type: str
    default: str
    meaning: str


class Part(BaseModel):
    """A frozen value found by kind and name.

    Attributes:
        kind: the noun of an abstract part, ``"loss"``; set on kinds only.
        home: the module or package in which a kind's parts are looked for; set on kinds only.
        name: how a final part is called; made from the class's name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)
    kind: ClassVar[str] = "part"
    home: ClassVar[str] = ""
    name: ClassVar[str] = "part"

    def __init__(self, /, **fields: Any):
        if "part" in fields:  # the mark of the JSON form is no field
            raise RequestError(f"{type(self).name}: {choices('part', 'field', list(type(self).model_fields))}")
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise RequestError(_one_line(type(self), error)) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", cls.__name__).lower()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(cls._read, handler(source))

    @classmethod
    def _read(cls, value: Any, handler: Any) -> Any:
        """A part from itself, from its name, or from its JSON form."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.find(value)()
        if isinstance(value, dict) and ("part" in value or inspect.isabstract(cls)):
            rest = {str(key): item for key, item in value.items()}
            found = cls.find(str(rest.pop("part", "(none given)")))
            return found(**rest)
        if isinstance(value, dict):
            return handler(value)
        raise RequestError(f"a {cls.kind} was wished, not {_brief(value)}; there are {', '.join(sorted(cls.parts()))}")

    @classmethod
    def is_kind(cls) -> bool:
        """Whether this is an abstract kind rather than a final part."""
        return "kind" in cls.__dict__ and inspect.isabstract(cls)

    @classmethod
    def parts(cls) -> dict[str, type[Self]]:
        """All final parts of this kind that can be seen, by name."""
        if cls.home:
            module = importlib.import_module(cls.home)
            for found in pkgutil.iter_modules(getattr(module, "__path__", [])):
                importlib.import_module(f"{cls.home}.{found.name}")
        classes: list[type[Self]] = [cls]
        for known in classes:
            classes.extend(known.__subclasses__())
        return {c.name: c for c in classes if not inspect.isabstract(c)}

    @classmethod
    def find(cls, name: str) -> type[Self]:
        """The part of this kind with that name.

        Raises:
            RequestError: there is none; the message names the choices.
        """
        there = cls.parts()
        if name not in there:
            raise RequestError(choices(name, cls.kind, list(there)))
        return there[name]

    def to_json(self) -> dict[str, Any]:
        """The part as plain values, every field included; ``Kind.from_json`` reads it back."""
        return {"part": self.name, **{field: _plain(getattr(self, field)) for field in type(self).model_fields}}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """A part of this kind from its JSON form; all else, and unknown names and fields, are refused."""
        return cast(Self, cls._read(value, lambda fields: cls(**fields)))

    def but(self, **fields: Any) -> Self:
        """The same part with other values in the named fields, validated."""
        return type(self)(**{**{f: getattr(self, f) for f in type(self).model_fields}, **fields})

    def override(self, assignment: str) -> Self:
        """The part with one field changed, ``"game.loss=hinge"`` or, where that is unique, ``"loss=hinge"``.

        Elements of a tuple of parts are addressed by name or number: ``"penalties.r1.gamma=2"``. The value is read as
        JSON where the field takes that, else as the text itself; a tuple may be given as ``a,b``.
        """
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise RequestError(f"'{assignment}' is not of the form part.field=value")
        full = _resolve(self, path.strip())
        refusals = []
        for value in _readings(text.strip(), dict(walk(self)).get(full)):
            try:
                return _set(self, full, value)
            except RequestError as refusal:
                refusals.append(refusal)
        raise refusals[0]

    @classmethod
    def describe(cls) -> list[FieldDescription]:
        """Each field with its type, default and meaning."""
        return [
            FieldDescription(
                name,
                _type_name(info.annotation),
                "" if default is PydanticUndefined else _show(default),
                info.description or "",
            )
            for name, info in cls.model_fields.items()
            for default in [_default(info)]
        ]

    def __str__(self) -> str:
        return _show(self)


def walk(part: Part) -> list[tuple[tuple[str, ...], Any]]:
    """Every field below a part with its path, shallow before deep."""
    return [(tuple(keys[0] for keys in path), value) for path, value in _below(part)]


Keys = tuple[str, ...]
"""The spellings of one step of a path, the shown one first."""


def _below(part: Part) -> list[tuple[tuple[Keys, ...], Any]]:
    level: list[tuple[tuple[Keys, ...], Any]] = [((), part)]
    found: list[tuple[tuple[Keys, ...], Any]] = []
    while level:
        children = [((*path, keys), value) for path, holder in level for keys, value in _children(holder)]
        found += children
        level = [(path, value) for path, value in children if isinstance(value, Part | tuple | dict)]
    return found


def _children(holder: Any) -> list[tuple[Keys, Any]]:
    if isinstance(holder, Part):
        return [((field,), getattr(holder, field)) for field in type(holder).model_fields]
    if isinstance(holder, dict):
        return [((key,), value) for key, value in holder.items()]
    names = [value.name if isinstance(value, Part) else "" for value in holder]
    keys = [(n, str(i)) if n and names.count(n) == 1 else (str(i),) for i, n in enumerate(names)]
    return list(zip(keys, holder, strict=True))


def _resolve(part: Part, path: str) -> tuple[str, ...]:
    """The full path that a written path means: itself, or the shallowest that ends with it."""
    wanted = tuple(path.split("."))
    shown = {known: tuple(keys[0] for keys in known) for known, _ in _below(part)}
    found = [known for known in shown if _ends_with(known, wanted)]
    for known, value in _below(part):
        if len(known) == len(wanted) and known in found:
            return shown[known]
        if isinstance(value, dict) and len(known) == len(wanted) - 1 and _ends_with(known, wanted[:-1]):
            return (*shown[known], wanted[-1])
    shallow = [shown[known] for known in found if len(known) == min(map(len, found))]
    if len(shallow) == 1:
        return shallow[0]
    if shallow:
        raise RequestError(f"'{path}' could mean {' or '.join('.'.join(p) for p in shallow)}; give the whole path")
    # Names of columns may hold points: what follows a field of values by name is one of them. Parts have fields below.
    for known, value in _below(part):
        at = next((n for n in range(1, len(wanted)) if _ends_with(known, wanted[:n])), 0)
        if at and isinstance(value, dict) and not _holds_parts(part, shown[known]):
            return (*shown[known], ".".join(wanted[at:]))
    raise RequestError(choices(path, "field", sorted({full[-1] for full in shown.values()})))


def _holds_parts(part: Part, path: tuple[str, ...]) -> bool:
    """Whether the field of this path is one of parts by name."""
    holder = dict(walk(part)).get(path[:-1], part)
    kinds = get_args(type(holder).model_fields[path[-1]].annotation) if isinstance(holder, Part) else ()
    return any(isinstance(kind, type) and issubclass(kind, Part) for kind in kinds)


def _ends_with(path: tuple[Keys, ...], wanted: tuple[str, ...]) -> bool:
    ending = path[-len(wanted) :]
    return len(ending) == len(wanted) and all(key in keys for keys, key in zip(ending, wanted, strict=True))


def _set(part: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    if isinstance(part, tuple):
        return tuple(_set(old, path[1:], value) if keys[0] == path[0] else old for keys, old in _children(part))
    if isinstance(part, dict):
        return {**part, path[0]: _set(part.get(path[0]), path[1:], value)}
    return part.but(**{path[0]: _set(getattr(part, path[0]), path[1:], value)})


def _readings(text: str, old: Any) -> list[Any]:
    """What a written value may mean in the place of ``old``, the likeliest first."""
    items = [item.strip() for item in text.split(",")] if text else []
    try:
        literal = json.loads(text)
    except (ValueError, RecursionError):
        literal = None if text == "none" else text
    if isinstance(old, tuple) and not isinstance(literal, list):
        return [items, literal]
    return [literal, text, items]


def _default(info: FieldInfo) -> Any:
    return info.get_default(call_default_factory=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.to_json()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


_LONG = 7
"""Signs of a number from which it is shown rounded: 4.800000000000001."""


def _show(value: Any) -> str:
    if isinstance(value, Part):
        known = type(value).model_fields.items()
        changed = [f"{f}={_show(getattr(value, f))}" for f, info in known if getattr(value, f) != _default(info)]
        return f"{value.name}({', '.join(changed)})" if changed else value.name
    if isinstance(value, tuple | list):
        return "(" + ", ".join(_show(item) for item in value) + ")"
    if isinstance(value, float) and len(str(value)) > _LONG:
        return f"{value:.4g}"
    return "none" if value is None else str(value)


def _type_name(annotation: Any) -> str:
    if inspect.isclass(annotation):
        return annotation.kind if issubclass(annotation, Part) else annotation.__name__
    text = re.sub(r"(typing\.|sparring\.[\w.]+\.|Literal|NoneType)", "", str(annotation))
    return text.replace("None", "none")


def _one_line(cls: type[Part], error: ValidationError) -> str:
    """The first fault of a validation as one line with field, value and wish."""
    fault = error.errors()[0]
    place = ".".join(str(key) for key in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{cls.name}: {choices(place, 'field', list(cls.model_fields))}"
    if fault["type"] == "missing":
        return f"{cls.name}.{place} must be given"
    message = fault["msg"].removeprefix("Value error, ")
    value = fault["input"]
    said = f" = {_brief(value)}" if place and not isinstance(value, dict) else ""
    return f"{cls.name}{'.' if place else ''}{place}{said}: {message[0].lower()}{message[1:]}"


def _brief(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of too many digits, a list of too many floors
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
