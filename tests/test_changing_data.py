"""Data that change or vanish while they are read or learned from, or that unpack to more than there is memory."""

import gzip
import resource
import shutil
import struct
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet as pq
from toys import contents

from sparring.data import room
from sparring.data.arrays import Arrays, read_arrays
from sparring.data.files import Files
from sparring.data.idx import Idx
from sparring.data.pairs import Pairs
from sparring.data.photos import Photos
from sparring.data.tables import Tables
from sparring.errors import DataError, RunError, SparringError
from sparring.learning import steps
from sparring.limits import Limits
from sparring.proposal import propose

SETTINGS = ("training.precision=fp32", "training.layout=contiguous", "training.batch=8", "training.measure=1000000")
NOISE = np.random.default_rng(0).integers(0, 255, (60, 4, 4, 1), dtype=np.uint8)


def pictures(folder):
    folder.mkdir()
    for number, item in enumerate(NOISE):
        Image.fromarray(item[..., 0]).save(folder / f"{number}.png")
    return folder


def zipped(folder):
    return shutil.make_archive(str(folder), "zip", pictures(folder))


def array(folder):
    np.save(folder.with_suffix(".npy"), NOISE)
    return folder.with_suffix(".npy")


def table(folder):
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame({"size": drawn.normal(0, 1, 60), "kind": drawn.choice(["a", "b"], 60)})
    frame.to_csv(folder.with_suffix(".csv"), index=False)
    return folder.with_suffix(".csv")


def cut_off(path):
    for file in path.iterdir() if path.is_dir() else [path]:
        with file.open("rb+") as opened:
            opened.truncate(file.stat().st_size // 3)


def written_over(path):
    for file in path.iterdir() if path.is_dir() else [path]:
        file.write_bytes(b"\xff" * file.stat().st_size)


def removed(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


DENSE = ("dense", "network.hidden=4")
FORMS = {pictures: DENSE, zipped: DENSE, array: DENSE, table: ("table", "network.width=8")}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_run_ends_the_same_whatever_becomes_of_its_data_and_refuses_to_go_on_with_others(tmp_path, form):
    def going(path, count):
        proposal = propose(str(path), recipe=FORMS[form][0], settings=(*SETTINGS, FORMS[form][1]))
        limits, material = Limits(steps=count), proposal.material
        return steps(proposal.experiment, run, limits=limits, material=material, resume=True)

    ends, run = {}, tmp_path / "run"
    for change in (None, cut_off, written_over, removed):
        path = Path(form(tmp_path / "data"))
        records = going(path, 6)
        list(islice(records, 2))
        if change is not None:
            change(path)
        assert list(records)[-1].step == 6
        ends[change] = contents(run)
        assert ends[change] == ends[None]
        if change is not None:
            with pytest.raises(SparringError) as refusal:
                list(going(path, 9))
            assert len(str(refusal.value).splitlines()) == 1
            assert not isinstance(refusal.value, RunError) or "begun with other data" in str(refusal.value)
        shutil.rmtree(run)
        for left in tmp_path.glob("data*"):
            removed(left)


@pytest.mark.parametrize("source", [Photos, Pairs])
def test_pictures_that_vanish_between_two_visits_are_named(tmp_path, monkeypatch, source):
    for domain in ("A", "B") if source is Pairs else ("",):
        (tmp_path / domain).mkdir(exist_ok=True)
        for number in range(3):
            Image.fromarray(NOISE[number, ..., 0]).save(tmp_path / domain / f"{number}.png")
    visits, visit = [], Files.__iter__

    def vanishing(self):
        visits.append(self)
        if len(visits) == 2:
            next(tmp_path.rglob("1.png")).unlink()
        return visit(self)

    monkeypatch.setattr(Files, "__iter__", vanishing)
    data = source(path=str(tmp_path)).load()
    assert len(data) == 2
    assert next(fault.reason for fault in data.faults if fault.file.endswith("1.png")) == "vanished while it was read"


def test_an_array_that_is_held_is_the_one_that_was_read_in_either_order_of_memory(tmp_path):
    for order in "CF":
        path = tmp_path / f"{order}.npy"
        np.save(path, np.asarray(NOISE, order=order))
        held = read_arrays(path)[0]["arr_0"]
        written_over(path)
        assert np.array_equal(held, NOISE)


def idx(path):
    header = struct.pack(">4B3I", 0, 0, 8, 3, 2**20, 64, 64)
    path.write_bytes(gzip.compress(header + bytes(1000), mtime=0))
    return Idx(path=str(path.parent))


def npz(path):
    np.savez_compressed(path, samples=np.zeros((2**14, 32, 32, 1), np.uint8))
    return Arrays(path=str(path))


def parquet(path):
    pd.DataFrame({"a": np.zeros(10**6), "b": np.zeros(10**6)}).to_parquet(path, index=False)
    return Tables(path=str(path))


def texts(path):
    pd.DataFrame({"a": ["x" * 2**20] * 200, "b": np.zeros(200)}).to_parquet(path, index=False, compression="zstd")
    return Tables(path=str(path))


def lists(path):
    pd.DataFrame({"a": [["x" * 2**18] * 4] * 200, "b": np.zeros(200)}).to_parquet(path, index=False)
    return Tables(path=str(path))


def bytes_of_one_width(path):
    schema = pa.schema({"a": pa.binary(2**20), "b": pa.int64()})
    pq.write_table(pa.table([[b"x" * 2**20] * 200, range(200)], schema=schema), path, compression="zstd")
    return Tables(path=str(path))


def csv(path):
    path.write_bytes(b"a,b\n" + b"1,2\n" * 10**6)
    return Tables(path=str(path))


PARQUET = [parquet, texts, lists, bytes_of_one_width]


@pytest.mark.parametrize("make", [idx, npz, *PARQUET, csv], ids=lambda make: make.__name__)
def test_what_unpacks_to_more_than_there_is_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, make):
    names = {idx: "x-images-idx3-ubyte.gz", **dict.fromkeys(PARQUET, "x.parquet")}
    source = make(tmp_path / names.get(make, f"x.{make.__name__}"))
    monkeypatch.setattr(room, "available", lambda device: 8 * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"takes \d+\.\d GiB of memory and 0\.0 are free"):
        source.load()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 2**10
