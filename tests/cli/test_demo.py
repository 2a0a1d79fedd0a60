"""`textapp demo`: what it refuses. `make demo` runs the whole of it."""


def test_a_folder_with_something_else_is_refused(textapp, tmp_path, snapshot):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "train.tsv").write_text("своё", encoding="utf-8")
    (tmp_path / "диплом.doc").write_text("важно", encoding="utf-8")
    before = snapshot(tmp_path)
    refusal = textapp("demo", "--out", tmp_path).refusal
    assert refusal == f"{tmp_path}: holds диплом.doc, which the demo did not make; choose another --out"
    assert snapshot(tmp_path) == before
