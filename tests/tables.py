"""Planted tables for tests: what is in them is known."""

import numpy as np
import pandas as pd

ROWS = 3000


def planted(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Two groups with different heights, a mark of 1 %, nulls by the group, an order between two columns."""
    source = np.random.default_rng(seed)
    group = np.where(source.random(rows) < 0.3, "north", "south")
    height = np.where(group == "north", source.normal(180, 4, rows), source.normal(160, 4, rows)).round(1)
    start = source.integers(0, 50, rows)
    lost = np.where(group == "north", source.random(rows) < 0.4, source.random(rows) < 0.05)
    mark = np.where(source.random(rows) < 0.01, "rare", "usual")
    return pd.DataFrame(
        {
            "group": group,
            "height": height,
            "start": start,
            "end": start + source.integers(0, 30, rows),
            "mark": mark,
            "note": np.where(lost, np.nan, source.normal(0, 1, rows).round(2)),
            "warm": np.where(source.random(rows) < 0.9, group == "south", group == "north"),
        }
    )


def every_kind(rows: int = 200) -> pd.DataFrame:
    """A column of each kind, several with nulls."""
    source = np.random.default_rng(1)
    days = pd.Timestamp("2020-02-28") + pd.to_timedelta(source.integers(0, 900, rows), unit="D")
    frame = pd.DataFrame(
        {
            "id": np.arange(1000, 1000 + rows),
            "weight": source.normal(70, 12, rows).round(1),
            "income": np.exp(source.normal(8, 2, rows)),
            "gain": np.where(source.random(rows) < 0.8, 0, source.integers(1, 9999, rows)),
            "rooms": source.integers(1, 6, rows),
            "age": source.integers(18, 90, rows).astype("int8"),
            "town": source.choice(["Ulm", " Bonn", "Zürich", "N/A-ville"], rows),
            "code": source.choice(["007", "010", "100"], rows),
            "member": source.random(rows) < 0.3,
            "joined": days,
            "unit": "cm",
            "empty": np.nan,
        }
    )
    frame["maybe"] = pd.array(source.integers(0, 500, rows), "Int64")
    frame.loc[source.random(rows) < 0.2, "maybe"] = pd.NA
    frame.loc[source.random(rows) < 0.1, "town"] = None
    frame.loc[source.random(rows) < 0.1, "joined"] = pd.NaT
    frame["agreed"] = pd.array(source.random(rows) < 0.5, "boolean")
    frame.loc[source.random(rows) < 0.3, "agreed"] = pd.NA
    frame["size"] = pd.Categorical(source.choice(["s", "m", "l"], rows), ["s", "m", "l"])
    return frame
