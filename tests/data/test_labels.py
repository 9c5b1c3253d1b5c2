import string
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.data import room
from sparring.data.labels import CLASS, NamePattern, Question, label, memory_of, read_table
from sparring.data.layout import natural
from sparring.errors import DataError, RequestError


def labelled(*names, tables=(), **asked):
    return label(names, tables, Question("photos", **asked))


def classes(found):
    return dict(zip(found.names, found.attributes[CLASS].tolist(), strict=True))


def test_names_are_in_natural_order():
    names = ["b/10.png", "b/9.png", "a10/1.png", "a2/1.png", "B/1.png", "b/009.png", "c.png"]
    assert sorted(names, key=natural) == [
        "a2/1.png",
        "a10/1.png",
        "B/1.png",
        "b/009.png",
        "b/9.png",
        "b/10.png",
        "c.png",
    ]


@given(st.lists(st.text(string.printable, min_size=1, max_size=8), unique=True), st.randoms())
def test_natural_order_does_not_depend_on_where_it_starts(names, random):
    shuffled = random.sample(names, len(names))
    assert sorted(names, key=natural) == sorted(shuffled, key=natural)


def test_class_folders_give_labels_at_any_depth_below_wrappers():
    found = labelled("photos/all/dog/1.png", "photos/all/cat/small/2.png", "photos/all/cat/1.png")
    assert classes(found) == {
        "photos/all/cat/1.png": "cat", "photos/all/cat/small/2.png": "cat", "photos/all/dog/1.png": "dog",
    }  # fmt: skip
    assert found.test is None


def test_pictures_in_one_folder_have_no_labels():
    assert labelled("wrapper/1.png", "wrapper/2.png").attributes == {}


@pytest.mark.parametrize("wrapper", ["", "data/"])
@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "TEST"), ("train", "val")])
def test_split_folders_give_the_test_split(wrapper, train, test):
    found = labelled(*(f"{wrapper}{split}/{kind}/1.png" for split in (train, test) for kind in ("cat", "dog")))
    assert dict(zip(found.names, found.test.tolist(), strict=True)) == {
        f"{wrapper}{split}/{kind}/1.png": split == test for split in (train, test) for kind in ("cat", "dog")
    }
    assert set(classes(found).values()) == {"cat", "dog"}


def test_a_validation_folder_beside_a_test_folder_is_for_training():
    found = labelled("train/1.png", "val/1.png", "test/1.png")
    assert dict(zip(found.names, found.test.tolist(), strict=True)) == {
        "train/1.png": False, "val/1.png": False, "test/1.png": True,
    }  # fmt: skip
    assert "1 validation pictures" in found.notes[0]


def test_a_test_split_of_one_class_keeps_its_class():
    assert set(classes(labelled("train/cat/1.png", "train/dog/1.png", "test/dog/1.png")).values()) == {"cat", "dog"}


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "cat/1.png", "dog/1.png"],
        ["train/a.png", "train/cat/1.png", "test/cat/1.png"],
        ["trainA/1.png", "trainB/1.png"],
        ["trainA/1.png", "trainB/1.png", "testA/1.png", "testB/1.png"],
        ["train/1.png", "test/1.png", "extra/1.png"],
        ["train/1.png", "val/1.png", "extra/1.png"],
    ],
)
def test_an_ambiguous_folder_names_its_readings_and_the_field_that_chooses(names):
    with pytest.raises(RequestError, match=r"'photos' holds .*data\.labels=folders.*data\.labels=none") as error:
        labelled(*names)
    assert "\n" not in str(error.value)
    assert labelled(*names, labels="none").attributes == {}
    labelled(*names, labels="folders")


def test_labels_from_folders_leave_loose_pictures_out_by_name():
    found = labelled("a.png", "cat/1.png", "dog/1.png", labels="folders")
    assert classes(found) == {"cat/1.png": "cat", "dog/1.png": "dog"}
    assert found.faults == (("a.png", "beside the class folders"),)


def test_archives_with_split_folders_are_merged():
    found = labelled(
        "x-train.tar.gz/x/train/cat/1.png", "x-train.tar.gz/x/train/dog/1.png", "x-test.tar.gz/x/test/cat/1.png",
        several=True,
    )  # fmt: skip
    assert found.test.tolist() == [True, False, False]
    assert set(classes(found).values()) == {"cat", "dog"}


@pytest.mark.parametrize("names", [("train.zip", "test.zip"), ("x-train.zip", "x-test.zip")])
def test_archives_named_as_splits_are_splits(names):
    found = labelled(*(f"{name}/{kind}/1.png" for name in names for kind in ("cat", "dog")), several=True)
    assert found.test.tolist() == ["test" in name for name in found.names]
    assert set(classes(found).values()) == {"cat", "dog"}


def test_other_archives_are_classes():
    assert classes(labelled("cat.zip/x/1.png", "dog.zip/1.png", several=True)) == {
        "cat.zip/x/1.png": "cat", "dog.zip/1.png": "dog",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "name", "values"),
    [
        ("{age}_{gender}_*", "a/18_0_x_y.jpg", ["18", "0"]),
        ("{age}_{gender}_*", "18_0.jpg", None),
        ("*-{year}", "a-b-2007.png", ["2007"]),
        ("{kind}", " cat .png", ["cat"]),
        ("{a}.{b}", "x.y.png", ["x", "y"]),
        ("img({n})", "img(3).png", ["3"]),
        ("{a}__{b}", "x_y__z.png", ["x_y", "z"]),
    ],
)
def test_a_name_pattern_takes_each_value_up_to_the_next_literal(pattern, name, values):
    assert NamePattern(pattern).read(name) == values


WORD = st.text(string.ascii_letters + string.digits + " .()[]+^$é", min_size=1).filter(lambda t: t.strip() == t)


@given(st.lists(WORD, min_size=1, max_size=4))
def test_a_name_pattern_reads_what_was_written(values):
    pattern = NamePattern("_".join(f"{{v{i}}}" for i in range(len(values))) + "_*")
    assert pattern.read("_".join(values) + "_rest.png") == values


@pytest.mark.parametrize("pattern", ["", "*", "abc", "{}", "{a}{b}", "{a}*", "{a}_{a}", "{a", "a}", "{a}_}"])
def test_a_name_pattern_that_cannot_be_read_is_refused(pattern):
    with pytest.raises(RequestError, match="label pattern"):
        NamePattern(pattern)


def test_names_that_do_not_fit_the_pattern_are_faults():
    found = labelled("1_a.png", "2_b.png", "odd.png", pattern="{n}_{letter}")
    assert found.names == ["1_a.png", "2_b.png"]
    assert {name: values.tolist() for name, values in found.attributes.items()} == {
        "n": ["1", "2"],
        "letter": ["a", "b"],
    }
    assert found.faults == (("odd.png", "its name does not fit '{n}_{letter}'"),)


def test_a_pattern_that_fits_no_name_is_one_error():
    with pytest.raises(DataError, match="no picture of 'photos' has a label"):
        labelled("a.png", pattern="{n}_{m}")


TABLE = '\ufefffile, gender ,"hair"\r\na.png, f ,"dark, long"\r\n\r\n./b.png,m,\r\n'


def test_a_table_is_read_with_quotes_byte_order_mark_and_blanks():
    found = labelled("a.png", "b.png", tables=[read_table("labels.csv", TABLE.encode())])
    assert {name: values.tolist() for name, values in found.attributes.items()} == {
        "gender": ["f", "m"], "hair": ["dark, long", ""],
    }  # fmt: skip


@pytest.mark.parametrize("place", ["labels.csv", "images/labels.csv"])
def test_a_table_finds_its_pictures_by_path_or_by_name(place):
    found = labelled("images/a.png", "images/b.png", tables=[read_table(place, b"file;x\na.png;1\nb.png;2\n")])
    assert found.attributes["x"].tolist() == ["1", "2"]
    assert not found.faults


def test_rows_without_a_picture_and_pictures_without_a_row_are_faults():
    table = read_table("labels.csv", b"x,file\n1,a.png\n2,gone.png\n3\n4,a.png\n../z,../a.png\n")
    found = labelled("a.png", "b.png", tables=[table])
    assert found.names == ["a.png"]
    assert dict(found.faults) == {
        "gone.png": "has a row in labels.csv and no picture",
        "../a.png": "has a row in labels.csv and no picture",
        "b.png": "has no row in labels.csv",
        "labels.csv:4": "has 1 columns instead of 2",
        "labels.csv:5": "labels 'a.png' a second time and differently",
    }


@pytest.mark.parametrize(
    "row",
    [
        lambda i: f"{i}.png,a",
        lambda i: f"{i}.png,0{i},1{i}",
        lambda i: f"{i}.png" + ",-1" * 40,
        lambda i: f"{i},,,,,,,,",
    ],
)
def test_a_table_takes_no_more_memory_than_is_said_before_it_is_read(row):
    head = ",".join(["file", *(f"c{i}" for i in range(row(0).count(",")))])
    data = "\n".join([head, *map(row, range(3000))]).encode()
    tracemalloc.start()
    try:
        read = read_table("labels.csv", data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(read.rows) == 3000
    assert most < memory_of(len(data), 3001)


def test_a_table_of_more_rows_than_any_or_more_than_memory_holds_is_refused_before_it_is_read(monkeypatch):
    with pytest.raises(DataError, match=r"'labels.csv' has 4,000,002 rows, more than 4,000,000"):
        read_table("labels.csv", b"file,x\n" + b"\n" * 4_000_000)
    monkeypatch.setattr(room, "available", lambda device: 2**20)
    with pytest.raises(DataError, match=r"'labels.csv' takes .* of memory and .* are free"):
        read_table("labels.csv", b"file,x\n" + b"a,b\n" * 10_000)


def test_of_very_many_rows_without_a_picture_the_first_are_named_and_the_others_counted():
    rows = "".join(f"{i}.png,a\n" for i in range(3000)) + "short\n" * 1500 + f"a.png,{'x' * 1001}\n"
    found = labelled("0.png", tables=[read_table("labels.csv", b"file,x\n" + rows.encode())])
    counted = [reason for file, reason in found.faults if file == "labels.csv"]
    assert counted == ["501 more of its rows cannot be used", "1,999 more of its rows cannot be used"]
    assert len(found.faults) == 2002


def test_a_label_that_is_longer_than_any_is_a_fault():
    read = read_table("labels.csv", f"file,x\na.png,{'x' * 1001}\nb.png,{'x' * 1000}\n".encode())
    assert list(read.rows) == ["b.png"]
    assert [tuple(fault) for fault in read.faults] == [
        ("labels.csv:2", "has a label of 1,001 characters, more than 1,000")
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"name,age\na,1\n", "its columns are name, age"),
        (b"file\na\n", "its columns are file"),
        (b"file,x,x\n", "its columns are file, x, x"),
        (b"", "its columns are none"),
        ("file,x\né,1".encode("latin-1"), "not UTF-8"),
        (b'file,x\n"' + b"a" * 200_000, "is not a table"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_error_with_its_columns(data, message):
    with pytest.raises(DataError, match=message):
        read_table("labels.csv", data)


@given(st.binary(max_size=60))
def test_no_bytes_make_a_table_fail_in_another_way(data):
    try:
        table = read_table("labels.csv", b"file,x\n" + data)
    except DataError:
        return
    assert table.columns == ("x",)


def test_a_table_wins_over_folders_unless_folders_are_asked_for():
    table = read_table("labels.csv", b"file,x\ncat/1.png,5\ndog/1.png,6\n")
    assert list(labelled("cat/1.png", "dog/1.png", tables=[table]).attributes) == ["x"]
    assert list(labelled("cat/1.png", "dog/1.png", tables=[table], labels="folders").attributes) == [CLASS]


@pytest.mark.parametrize("labels", ["csv", "folders"])
def test_labels_that_are_asked_for_and_not_there_are_refused(labels):
    with pytest.raises(RequestError, match=f"data.labels={labels} asks for"):
        labelled("a.png", labels=labels)


def test_everything_is_one_row_an_item():
    found = labelled("train/cat/1.png", "test/dog/1.png", "test/cat/1.png")
    assert len(found.names) == len(found.test) == len(found.attributes[CLASS]) == 3
    assert found.test.dtype == bool
    assert isinstance(found.attributes[CLASS], np.ndarray)
