"""Two data sets as one, in memory."""

import numpy as np

from sparring.data import Dataset, Items, Joinable


def joined(first: Dataset, second: Dataset) -> Dataset:
    """The items of both, the second set's behind the first's, with the attributes that both have."""
    shared = [name for name in first.attributes if name in second.attributes]
    return Dataset(
        items=_both(first.items, second.items),
        modality=first.modality,
        names=[*first.names, *second.names],
        digests=np.concatenate([first.digests, second.digests]),
        attributes={name: np.concatenate([first.attributes[name], second.attributes[name]]) for name in shared},
        known={name: value for name, value in first.known.items() if name != "stacked"},
        reading=first.reading,
        given=None if first.given is None or second.given is None else _both(first.given, second.given),
    )


def _both(first: Items, second: Items) -> Items:
    if isinstance(first, Joinable):
        return first.joined(second)
    return np.concatenate([first[np.arange(len(first))], second[np.arange(len(second))]])
