"""Which installed fonts draw a text."""

from textapp import fonts


def test_fonts_are_added_until_every_character_has_one(monkeypatch):
    entries = [
        fonts.font_manager.FontEntry(name=name, fname=name) for name in ("Greek only", "Han", "Han too", "Emoji")
    ]
    drawn = {"Greek only": "α", "Han": "好", "Han too": "好电", "Emoji": "😀"}
    real = fonts._characters
    monkeypatch.setattr(fonts, "_installed", lambda: entries)
    monkeypatch.setattr(
        fonts, "_characters", lambda path: {ord(c) for c in drawn[path]} if path in drawn else real(path)
    )
    default = fonts.families("plain text")
    assert default is not None
    assert fonts.families("好 film") == [*default, "Han"]
    assert fonts.families("好电 film") == [*default, "Han", "Han too"]
    assert fonts.families("\U00020000") is None


def test_installed_fonts_leave_out_placeholders():
    names = {font.name for font in fonts._installed()}
    assert "DejaVu Sans" in names
    assert not any(name.startswith("Last Resort") for name in names)
