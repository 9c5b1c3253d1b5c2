import os

import numpy as np
import pytest

from sparring import files
from sparring.files import write_atomic, write_npz


def test_a_file_appears_whole_with_its_ending_known_while_it_is_written(tmp_path):
    path = tmp_path / "new" / "x.png"
    with write_atomic(path) as aside:
        assert aside.suffix == ".png"
        assert aside.parent == path.parent
        aside.write_text("new")
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == ["x.png"]
    assert path.read_text() == "new"


def _write_half(path, folder, fault):
    with write_atomic(path) as aside:
        if folder:
            aside.mkdir()
        (aside / "y" if folder else aside).write_text("half")
        raise fault


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("folder", [True, False])
def test_an_interrupted_write_leaves_the_old_file_and_no_debris(fault, folder, tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(fault):
        _write_half(path, folder, fault)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert path.read_text() == "old"


def test_content_is_on_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda number: (done.append(os.readlink(f"/proc/self/fd/{number}")), fsync(number))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("replace"), replace(a, b)))
    with write_atomic(tmp_path / "made") as aside:
        aside.mkdir()
        (aside / "x").write_text("x")
    assert done == [str(aside), str(aside / "x"), "replace", str(tmp_path)]


def test_npz_takes_any_name_and_no_pickle(tmp_path):
    write_npz(tmp_path / "x.npz", {"file": np.arange(3), "a b/c": np.array(["x"])})
    with np.load(tmp_path / "x.npz", allow_pickle=False) as read:
        assert read["file"].tolist() == [0, 1, 2]
        assert read["a b/c"].tolist() == ["x"]
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(tmp_path / "y.npz", {"x": np.array([{}])})
    assert not (tmp_path / "y.npz").exists()


def test_the_names_of_new_folders_are_on_disk_too(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    with write_atomic(tmp_path / "runs" / "mine" / "x") as aside:
        aside.write_text("x")
    assert {tmp_path, tmp_path / "runs", tmp_path / "runs" / "mine"} <= set(synced)
