import hashlib
import re
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sparring.data.download import Remote, cache_folder, fetch, own_folder
from sparring.errors import DataError

CONTENT = bytes(range(256)) * 100
SUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server(BaseHTTPRequestHandler):
    def __init__(self, asked, *args):
        self.asked = asked
        super().__init__(*args)

    def do_GET(self):
        self.asked.append(self.path)
        kind = self.path.split("/")[1]
        self.send_response(404 if kind == "missing" else 200)
        if kind != "unmeasured":
            self.send_header("Content-Length", str(2**31 if kind == "huge" else len(CONTENT)))
        self.end_headers()
        sent = {"good": CONTENT, "unmeasured": CONTENT, "wrong": CONTENT[::-1], "truncated": CONTENT[:999]}
        self.wfile.write(sent.get(kind, b""))

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, asked)) as there:
        thread = threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{there.server_port}", asked
        there.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["good", "unmeasured"])
def test_a_file_is_fetched_once(kind, server, tmp_path):
    address, asked = server
    for _ in range(2):
        folder = fetch([Remote("x.gz", SUM)], tmp_path / "set", [f"{address}/{kind}/"])
    assert (folder / "x.gz").read_bytes() == CONTENT
    assert asked == [f"/{kind}/x.gz"]


def test_an_md5_is_checked_too(server, tmp_path):
    fetch([Remote("x.gz", f"md5:{hashlib.md5(CONTENT).hexdigest()}")], tmp_path, [f"{server[0]}/good/"])
    assert (tmp_path / "x.gz").exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("wrong", "other content"),
        ("truncated", "broke off|IncompleteRead"),
        ("missing", "HTTP 404"),
        ("huge", "promises"),
    ],
)
def test_a_failed_fetch_leaves_nothing_and_names_the_reason_and_the_way_out(kind, said, server, tmp_path):
    with pytest.raises(DataError, match=said) as refused:
        fetch([Remote("x.gz", SUM)], tmp_path / "set", [f"{server[0]}/{kind}/"])
    assert "SPARRING_DATA" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "set").iterdir())


def test_the_next_mirror_is_tried(server, tmp_path):
    address, asked = server
    mirrors = [f"{address}/{kind}/" for kind in ("missing", "wrong", "truncated", "good", "unmeasured")]
    fetch([Remote("x.gz", SUM)], tmp_path, ["http://127.0.0.1:9/", "file:///etc/", *mirrors])
    assert (tmp_path / "x.gz").read_bytes() == CONTENT
    assert [path.split("/")[1] for path in asked] == ["missing", "wrong", "truncated", "good"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(server, tmp_path):
    (tmp_path / "x.gz").write_bytes(b"half")
    fetch([Remote("x.gz", SUM)], tmp_path, [f"{server[0]}/good/"])
    assert (tmp_path / "x.gz").read_bytes() == CONTENT


def test_without_any_mirror_all_reasons_are_named(tmp_path):
    with pytest.raises(DataError, match=re.escape("(127.0.0.1:9: [Errno")):
        fetch([Remote("x.gz", SUM)], tmp_path, ["http://127.0.0.1:9/"])


def test_folders_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARRING_CACHE", str(tmp_path))
    assert cache_folder("mnist") == tmp_path / "mnist"
    monkeypatch.delenv("SPARRING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("mnist") == tmp_path / "sparring" / "mnist"
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    assert own_folder("mnist") is None
    (tmp_path / "mnist").mkdir()
    assert own_folder("mnist") == tmp_path / "mnist"
    monkeypatch.delenv("SPARRING_DATA")
    assert own_folder("mnist") is None
