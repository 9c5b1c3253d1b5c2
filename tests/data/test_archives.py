import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sparring.data.files import Files, read, stem
from sparring.data.opening import open_data
from sparring.errors import DataError, RequestError

CONTENT = {"b/2.png": b"two", "a.png": b"one", "b/10.png": b"ten", "notes.txt": b"x"}


def folder(path, content):
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def zipped(path, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def tarred(path, content):
    with tarfile.open(
        path, "w:" + {"gz": "gz", "tgz": "gz", "xz": "xz", "bz2": "bz2"}.get(path.suffix[1:], "")
    ) as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def contents(files):
    return {file.name: read(file, 1000) for file in files}


def attempts(files, limit=10_000):
    """The bytes of each file, or the reason why they cannot be read."""
    found = {}
    for file in files:
        try:
            found[file.name] = read(file, limit)
        except DataError as error:
            found[file.name] = str(error)
    return found


def test_a_folder_and_every_archive_of_it_hold_the_same(tmp_path):
    sources = [folder(tmp_path / "plain", CONTENT), zipped(tmp_path / "a.zip", CONTENT)]
    sources += [tarred(tmp_path / f"a.{end}", CONTENT) for end in ("tar", "tar.gz", "tgz", "tar.xz", "tar.bz2")]
    for source in sources:
        assert contents(Files(str(source))) == CONTENT


@pytest.mark.parametrize("hold", [0, 4, 1000])
def test_a_tar_can_be_visited_again_whatever_is_held(tmp_path, hold):
    files = Files(str(tarred(tmp_path / "a.tar.gz", CONTENT)), hold)
    assert contents(files) == contents(files) == contents(files) == CONTENT


def test_a_held_tar_is_read_once(tmp_path):
    path = tarred(tmp_path / "a.tar.gz", CONTENT)
    files = Files(str(path), 1000)
    contents(files)
    path.unlink()
    assert contents(files) == CONTENT


def test_a_tar_that_exceeds_what_may_be_held_is_not_held(tmp_path):
    path = tarred(tmp_path / "a.tar.gz", CONTENT)
    files = Files(str(path), 4)
    contents(files)
    path.unlink()
    assert contents(files) == {}
    assert "No such file" in files.faults[0].reason


def test_reading_an_archive_writes_nothing(tmp_path):
    zipped(tmp_path / "a.zip", CONTENT)
    contents(Files(str(tmp_path / "a.zip")))
    assert os.listdir(tmp_path) == ["a.zip"]


def test_litter_and_hidden_files_are_passed_over(tmp_path):
    litter = {"__MACOSX/a.png": b"", ".git/a.png": b"", ".DS_Store": b"", "b/Thumbs.db": b"", "b/._x.png": b""}
    for source in (folder(tmp_path / "f", {**CONTENT, **litter}), zipped(tmp_path / "z.zip", {**CONTENT, **litter})):
        files = Files(str(source))
        assert contents(files) == CONTENT
        assert not files.faults


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "b/../../a.png", "C:\\a.png", "..\\a.png"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_lead_out_of_an_archive_are_faults(tmp_path, name, pack):
    path = tmp_path / ("a.zip" if pack is zipped else "a.tar")
    files = Files(str(pack(path, {name: b"x", "good.png": b"y"})))
    assert contents(files) == {"good.png": b"y"}
    assert [fault.reason for fault in files.faults] == ["its name leads out of the archive"]


def test_links_are_followed_only_inside_the_folder(tmp_path):
    folder(tmp_path, {"out/secret.png": b"s"})
    data = folder(tmp_path / "data", {"a.png": b"one", "sub/b.png": b"two"})
    (data / "inside.png").symlink_to(data / "a.png")
    (data / "outside.png").symlink_to(tmp_path / "out" / "secret.png")
    (data / "outside").symlink_to(tmp_path / "out")
    (data / "nowhere.png").symlink_to(data / "gone")
    (data / "loop").symlink_to(data)
    (data / "self.png").symlink_to(data / "self.png")
    files = Files(str(data))
    assert contents(files) == {"a.png": b"one", "inside.png": b"one", "sub/b.png": b"two"}
    assert dict(files.faults) == {
        "outside.png": "a link that leaves the folder",
        "outside": "a link that leaves the folder",
        "nowhere.png": "a link that leads nowhere",
        "self.png": "a link that leads nowhere",
        "loop": "a link to a folder of the same data",
    }


def test_an_archive_that_is_a_link_out_of_the_folder_is_not_read(tmp_path):
    folder(tmp_path, {"data/notes.txt": b"x"})
    outside = zipped(tmp_path / "outside.zip", {"secret.png": b"s"})
    (tmp_path / "data" / "b.zip").symlink_to(outside)
    alone = Files(str(tmp_path / "data"))
    assert set(contents(alone)) == {"notes.txt"}
    assert dict(alone.faults) == {"b.zip": "a link that leaves the folder"}
    zipped(tmp_path / "data" / "a.zip", {"good.png": b"g"})
    files = Files(str(tmp_path / "data"))
    for _ in range(2):
        assert contents(files) == {"a.zip/good.png": b"g"}
        assert dict(files.faults) == {"b.zip": "a link that leaves the folder"}


def test_files_that_vanish_during_a_visit_are_faults(tmp_path):
    data = folder(tmp_path / "data", {"a.png": b"one", "b.png": b"two", "c/d.png": b"three", "e.png": b"four"})
    files, found = Files(str(data)), {}
    for file in files:
        if not found:
            (data / "b.png").unlink()
            shutil.rmtree(data / "c")
        found[file.name] = read(file, 1000)
    assert found == {"a.png": b"one", "e.png": b"four"}
    assert {name: "No such file" in reason for name, reason in files.faults} == {"b.png": True, "c": True}


def test_files_are_found_however_deep_they_lie(tmp_path):
    deep, here = tmp_path / "data", Path.cwd()
    deep.mkdir()
    try:
        os.chdir(deep)
        for _ in range(1010):  # a path of all of them at once would be too long to be made
            os.mkdir("x")
            os.chdir("x")
        Image.new("L", (4, 4)).save("a.png")
        os.chdir(here)
        assert len(list(Files(str(deep)))) == 1
        assert len(open_data(deep).load()) == 1
    finally:
        os.chdir(here)
        subprocess.run(["rm", "-rf", deep], check=True)  # Python's own way ends at its limit of nested calls


def test_links_in_a_tar_are_faults(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    files = Files(str(tmp_path / "a.tar"))
    assert not contents(files)
    assert [tuple(fault) for fault in files.faults] == [("a.png", "a link in an archive")]


def test_a_pipe_named_as_a_picture_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    files = Files(str(tmp_path))
    assert not contents(files)
    assert "not a regular file" in files.faults[0].reason


def test_a_name_that_comes_twice_is_taken_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", b"2")
    files = Files(str(tmp_path / "a.zip"))
    assert contents(files) == {"a.png": b"1"}
    assert files.faults[0].reason == "a second file of this name"


def test_a_folder_of_archives_is_read_as_folders_of_their_names(tmp_path):
    zipped(tmp_path / "one.zip", {"a.png": b"1"})
    tarred(tmp_path / "two.tar.gz", {"a.png": b"2"})
    (tmp_path / "README.md").write_text("x")
    files = Files(str(tmp_path))
    assert files.several
    assert contents(files) == {"one.zip/a.png": b"1", "two.tar.gz/a.png": b"2"}


def test_archives_beside_pictures_stay_closed(tmp_path):
    zipped(tmp_path / "one.zip", {"a.png": b"1"})
    (tmp_path / "b.png").write_bytes(b"2")
    assert [file.name for file in Files(str(tmp_path))] == ["b.png", "one.zip"]


def test_unprintable_names_are_escaped(tmp_path):
    folder(tmp_path, {"a\nb.png": b"1"})
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"2")
    assert contents(Files(str(tmp_path))) == {"a\\nb.png": b"1", "\\udcff.png": b"2"}


@pytest.mark.parametrize(("name", "wish"), [("gone", "there is no file or folder"), ("a.png", "is one file")])
def test_a_path_that_is_no_set_of_files_is_refused(tmp_path, name, wish):
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(RequestError, match=wish):
        Files(str(tmp_path / name))


def test_what_is_called_zip_and_is_none_is_one_error(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    with pytest.raises(DataError, match=r"a\.zip' cannot be read as a zip archive"):
        list(Files(str(tmp_path / "a.zip")))


@pytest.mark.parametrize(("data", "limit", "reason"), [(b"", 10, "empty"), (b"x" * 11, 10, "bomb-sized: 11 bytes")])
def test_empty_and_huge_files_are_refused_unread(tmp_path, data, limit, reason):
    (tmp_path / "a.png").write_bytes(data)
    assert attempts(Files(str(tmp_path)), limit) == {"a.png": reason}


def test_an_encrypted_member_is_refused_with_its_reason(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.png": b"one"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert attempts(Files(str(path))) == {"a.png": "encrypted"}


@settings(max_examples=100)
@given(st.sampled_from(["zip", "tar", "tar.gz"]), st.floats(0, 1), st.binary(max_size=3))
def test_cut_or_damaged_archives_end_in_faults_or_one_error(tmp_path_factory, ending, where, damage):
    path = tmp_path_factory.mktemp("cut") / f"a.{ending}"
    (zipped if ending == "zip" else tarred)(path, {f"{i}.png": os.urandom(700) for i in range(5)})
    data = path.read_bytes()
    place = int(where * len(data))
    path.write_bytes(data[:place] + damage + (data[place + len(damage) :] if damage else b""))
    files = Files(str(path), 10_000)
    refused = ""
    try:
        found = attempts(files)
    except DataError as error:
        refused, found = str(error), {}
    assert not refused or "cannot be read as a zip" in refused
    assert not any("\n" in reason for reason in found.values() if isinstance(reason, str))


def test_a_tar_that_is_cut_off_says_so(tmp_path):
    path = tarred(tmp_path / "a.tar.gz", {f"{i}.png": os.urandom(7000) for i in range(5)})
    path.write_bytes(path.read_bytes()[:20_000])
    files = Files(str(path))
    found = attempts(files)
    assert sorted(found) == ["0.png", "1.png", "2.png"]
    assert found["2.png"] == "truncated in the archive"
    assert files.faults[0].file == "a.tar.gz"
    assert "damaged after" in files.faults[0].reason


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a/b.tar.gz", "b"), ("x.png", "x"), ("a.b.jpg", "a.b"), ("faces.zip", "faces"), (".zip", ".zip")],
)
def test_a_stem_has_no_folders_and_no_ending(name, wanted):
    assert stem(name) == wanted


def test_a_zip_with_a_member_without_a_name_is_read_without_it(tmp_path):
    path = tmp_path / "x.zip"
    zipped(path, {"a.png": b"one", "b.png": b"two"})
    path.write_bytes(path.read_bytes().replace(b"b.png", b"\0.png"))  # a name ends at its first zero
    files = Files(str(path))
    assert [file.name for file in files] == ["a.png"]
    assert [fault.reason for fault in files.faults] == ["a file without a name"]
