"""Which installed fonts draw a text, and figures as pixels."""

from textapp import figures


def test_fonts_are_added_until_every_character_has_one(monkeypatch):
    entries = [
        figures.font_manager.FontEntry(name=name, fname=name) for name in ("Greek only", "Han", "Han too", "Emoji")
    ]
    drawn = {"Greek only": "α", "Han": "好", "Han too": "好电", "Emoji": "😀"}
    real = figures._characters
    monkeypatch.setattr(figures, "_installed", lambda: entries)
    monkeypatch.setattr(
        figures, "_characters", lambda path: {ord(c) for c in drawn[path]} if path in drawn else real(path)
    )
    default = figures.font_families("plain text")
    assert default is not None
    assert figures.font_families("好 film") == [*default, "Han"]
    assert figures.font_families("好电 film") == [*default, "Han", "Han too"]
    assert figures.font_families("\U00020000") is None


def test_installed_fonts_leave_out_placeholders():
    names = {font.name for font in figures._installed()}
    assert "DejaVu Sans" in names
    assert not any(name.startswith("Last Resort") for name in names)
