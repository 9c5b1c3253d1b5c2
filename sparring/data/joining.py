"""Two data sets as one, in memory."""

import numpy as np

from sparring.data import Dataset, Items, Joinable

UNKNOWN = "\x1a"
"""An attribute's value of an item whose data do not have that attribute."""


def joined(first: Dataset, second: Dataset) -> Dataset:
    """The items of both, the second set's behind the first's, with the attributes of the first."""
    bare = np.full(len(second), UNKNOWN)
    return Dataset(
        items=_both(first.items, second.items),
        modality=first.modality,
        names=[*first.names, *second.names],
        digests=np.concatenate([first.digests, second.digests]),
        attributes={
            name: np.concatenate([values, second.attributes.get(name, bare)])
            for name, values in first.attributes.items()
        },
        known=first.known | _stacked(first, second),
        reading=first.reading,
        resizing="; ".join(dict.fromkeys(filter(None, (first.resizing, second.resizing)))),
        given=None if first.given is None or second.given is None else _both(first.given, second.given),
    )


def _stacked(first: Dataset, second: Dataset) -> dict[str, np.ndarray]:
    """The classes of each channel, those of the second set where it has them, else none: -1."""
    if "stacked" not in first.known:
        return {}
    classes = first.known["stacked"]
    none = np.full((len(second), classes.shape[1]), -1, classes.dtype)
    return {"stacked": np.concatenate([classes, second.known.get("stacked", none)])}


def _both(first: Items, second: Items) -> Items:
    if isinstance(first, Joinable):
        return first.joined(second)
    return np.concatenate([first[np.arange(len(first))], second[np.arange(len(second))]])
