"""Callbacks of the user, named on the command line."""

import keras
import pytest

from textapp.errors import InputError
from textapp.training.callbacks import user_callbacks

MODULE = """
import keras


class Mine(keras.callbacks.Callback):
    def __init__(self, folder):
        super().__init__()
        self.folder = folder


def one(folder):
    return Mine(folder)


def several(folder):
    return [Mine(folder), keras.callbacks.LambdaCallback()]


def broken(folder):
    raise RuntimeError("нет сети")


def nothing(folder):
    return None


number = 3
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """The current folder, with a module of its own for each test."""
    (tmp_path / f"mine_{tmp_path.name}.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / f"bad_{tmp_path.name}.py").write_text("import no_such_tracker", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_functions_of_the_current_folder_are_called_with_the_run_folder(beside):
    module = f"mine_{beside.name}"
    made = user_callbacks([f"{module}:one", f"{module}:several"], beside / "прогон")
    assert [type(one).__name__ for one in made] == ["Mine", "Mine", "LambdaCallback"]
    assert made[0].folder == beside / "прогон"
    assert user_callbacks([], beside) == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("mine", "--callbacks 'mine': must be MODULE:FUNCTION"),
        (":one", "must be MODULE:FUNCTION"),
        ("mine_X:a.b", "must be MODULE:FUNCTION"),
        ("no_such_module:one", "cannot be imported \\(ModuleNotFoundError"),
        ("bad_X:one", "cannot be imported \\(ModuleNotFoundError: No module named 'no_such_tracker'"),
        ("mine_X:two", "has no function two"),
        ("mine_X:number", "has no function number"),
        ("mine_X:broken", "the function failed: RuntimeError: нет сети"),
        ("mine_X:nothing", "must return a Keras callback or a list of them. Received: None"),
    ],
)
def test_what_is_wrong_is_one_line(beside, name, rule):
    with pytest.raises(InputError, match=rule) as refused:
        user_callbacks([name.replace("X", beside.name)], beside)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("file", ["json.py", "json/__init__.py", "sys.py"])
def test_a_file_with_the_name_of_another_module_is_refused(beside, file):
    (beside / file).parent.mkdir(exist_ok=True)
    (beside / file).write_text(MODULE, encoding="utf-8")
    module = file.partition("/")[0].removesuffix(".py")
    with pytest.raises(InputError, match=f"{file} has the name of another module, which is imported already; rename"):
        user_callbacks([f"{module}:one"], beside)


def test_keras_callbacks_are_taken_as_they_are(beside):
    [made] = user_callbacks(["keras.callbacks:CSVLogger"], beside / "epochs.csv")
    assert isinstance(made, keras.callbacks.CSVLogger)
