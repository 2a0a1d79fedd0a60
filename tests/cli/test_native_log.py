"""What libraries print is kept off the terminal until a defect makes it worth reading."""

import logging
import os
import sys
import tempfile
import warnings

import pytest

from textapp.cli.native_log import native_log_hidden
from textapp.errors import InputError


def chatter():
    os.write(2, "из глубины\n".encode())
    warnings.warn("softmax over axis -1 警告", UserWarning, stacklevel=1)
    logging.getLogger("tensorflow").error("журнал")
    print("людям 给人", file=sys.stderr)


def test_people_see_what_is_for_them(capfd):
    with native_log_hidden():
        chatter()
    print("после", file=sys.stderr)
    assert capfd.readouterr() == ("", "людям 给人\nпосле\n")
    with pytest.warns(UserWarning, match="опять"):
        warnings.warn("опять", UserWarning, stacklevel=1)


@pytest.mark.parametrize("error", [InputError("файл: правило"), SystemExit(2), KeyboardInterrupt()])
def test_expected_ends_show_nothing_more(capfd, error):
    with pytest.raises(type(error)), native_log_hidden():
        chatter_and_raise(error)
    assert capfd.readouterr().err == "людям 给人\n"


def test_a_defect_shows_the_log(capfd):
    with pytest.raises(ZeroDivisionError), native_log_hidden():
        chatter_and_raise(ZeroDivisionError())
    shown = capfd.readouterr().err
    assert "из глубины\n" in shown
    assert "softmax over axis -1 警告" in shown


def test_inside_itself_people_still_see_what_is_for_them(capfd):
    with native_log_hidden():
        with native_log_hidden():
            chatter()
        with pytest.raises(InputError), native_log_hidden():
            chatter_and_raise(InputError("файл: правило"))
        chatter()
    assert capfd.readouterr().err == "людям 给人\n" * 3
    with pytest.warns(UserWarning, match="опять"):
        warnings.warn("опять", UserWarning, stacklevel=1)


def test_a_defect_inside_itself_shows_the_log_once(capfd):
    with pytest.raises(ZeroDivisionError), native_log_hidden(), native_log_hidden():
        chatter_and_raise(ZeroDivisionError())
    assert capfd.readouterr().err.count("из глубины\n") == 1


def test_without_a_temporary_folder_only_the_log_is_lost(capfd, monkeypatch):
    def refuse():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with native_log_hidden():
        chatter()
    assert capfd.readouterr().err == "людям 给人\n"


def chatter_and_raise(error):
    chatter()
    raise error
