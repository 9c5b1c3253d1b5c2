import json

from benchmarks import large


def test_the_wide_column_holds_every_word_and_the_common_ones_more_often():
    words, sizes = large.words(200)
    assert len(words) == len(sizes) == 2000
    assert len(set(words)) == 200
    assert (words == "w0").sum() > 10 * (words == "w150").sum()


def test_a_small_table_of_many_words_is_measured_and_no_word_is_made_up(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "many_rows", lambda *_: None)
    words = ["--categories", "60", "--train-steps", "3", "--scratch", str(tmp_path), "--results", str(tmp_path / "r")]
    assert large.main(words) == 0
    found = [json.loads(line) for line in (tmp_path / "r" / "large.jsonl").read_text().splitlines()]
    assert found[-1]["figure"] == "a column of 60 categories: ones that the data do not hold"
    assert found[-1]["value"] == 0
    assert found[-2]["value"] > 1
    assert len(found) == 6
