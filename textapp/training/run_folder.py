"""A run's folder: which files it has, and how a command reserves it, starts a training in it, and clears it."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textapp import __version__
from textapp.errors import InputError
from textapp.files import check_writable, delete_leftovers, leftovers, named_errors, read_object, write_json
from textapp.output_files import delete_empty_folders, link_target, locked, real_path
from textapp.task import names, task

MODEL, CONFIG, METRICS = "model.keras", "config.json", "metrics.json"
TOKENIZER, VOCABULARY, CHARACTERS = "tokenizer.json", "vocabulary.txt", "characters.txt"
NGRAMS_OF_TRAIN = ("ngrams_of_train.json", "ngrams_of_train.bin")
CHECKPOINT, LOGS = "checkpoint.npz", "logs"
SOFT_TARGETS, SOFT_TARGETS_PART = "soft_targets.jsonl.gz", "soft_targets.jsonl.part"  # of a distilled student
EARLIER_FILES = (  # files of runs of textapp 0.1
    *("soft_labels.jsonl.gz", "soft_labels.jsonl.part", "teacher_states.npz", "teacher_states.part"),
    *("soft_tags.npz", "soft_tags.part"),
)
FIXED = "fixed"  # key of `config.json`: the settings that the command gave; the others were chosen from the data
CHOSEN = "chosen"  # key of `config.json`: the reason of each setting that was chosen
WAY_TO_CHOOSE = "way to choose settings"  # in messages, the difference between a command with `FIXED` and one without
ROUND = "round"  # key of `config.json`: the round of a training of word vectors in shards
NOT_OF_COMMAND = ("textapp_version", "forced", CHOSEN, ROUND)  # keys that do not tell one command from another


def read_command(folder: Path) -> dict[str, Any]:
    """Reads `config.json`, which holds the command that made a run: `settings` and files.

    Raises:
        InputError: The file cannot be read, or is not from a run.
    """
    command = read_object(folder / CONFIG)
    if not isinstance(command.get("settings"), dict) or "textapp_version" not in command:
        raise InputError(f"{folder / CONFIG}: not the config of a run of textapp: no settings or no textapp_version")
    return command


def read_finished(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of `config.json` and `metrics.json` of a finished run. Raises `InputError` if it is not one."""
    if not folder.exists():
        raise InputError(f"{folder}: no such folder; give the folder that `textapp train` wrote")
    if not (folder / CONFIG).exists():
        raise InputError(f"{folder}: not a run folder (no {CONFIG} in it)")
    command = read_command(folder)
    if not (folder / METRICS).exists():
        raise InputError(f"{folder}: this training is not finished; run its train command again to resume it")
    return command, read_object(folder / METRICS)


def check_place(folder: Path, command: dict[str, Any]) -> None:
    """Refuses a place where no run can be. Raises `InputError` if it is inside the data, or is not writable."""
    for data in (command.get(split) for split in ("train", "valid", "test")):
        if data and Path(data).is_dir() and folder.resolve().is_relative_to(Path(data).resolve()):
            raise InputError(f"{folder}: is inside {data} and would become part of its data; choose another --out")
    check_writable(link_target(folder))


def check_folder(folder: Path, command: dict[str, Any], force: bool) -> None:
    """Refuses a locked folder that holds a finished run, an unfinished run of another command, or other files.

    It deletes what a killed training left in a run, also in one that it refuses.

    Args:
        folder: The new run folder.
        command: Settings and files of the new run, as `config.json` holds them.
        force: Whether an existing run may be deleted.

    Raises:
        InputError: The folder is refused.
    """
    with named_errors(folder):
        if not folder.exists():
            return
        if not (folder / CONFIG).exists():
            if set(folder.iterdir()) <= set(leftovers(folder / CONFIG)):  # only temporary files of a killed process
                return
            raise InputError(f"{folder}: exists and is not a run folder; choose another --out")
    before = read_command(folder)
    clear_abandoned(folder)
    if force:
        return
    if (folder / METRICS).exists():
        raise InputError(f"{folder}: holds a finished run; use --force to train it again, or another --out")
    if differing := differences(before, command):
        if differing == [WAY_TO_CHOOSE]:
            raise InputError(f"{folder}: {_other_way_to_choose(before)}, or --force to start anew, or another --out")
        shown = ", ".join(differing[:8]) + (f" and {len(differing) - 8} more" if len(differing) > 8 else "")
        raise InputError(f"{folder}: holds an unfinished run with other {shown}; use --force, or another --out")


def differences(before: Mapping[str, Any], command: Mapping[str, Any]) -> list[str]:
    """The settings and files in which the command of a run, the content of `config.json`, differs from a new one.

    Of settings that are chosen from the data, only those that the commands give are compared.
    """
    keys = [*command, *(key for key in before if key not in command and key not in NOT_OF_COMMAND)]
    # The source run of `quantize` may have another path now: the checkpoint identifies it by its model.
    differing = [key for key in keys if before.get(key) != command.get(key) and key != "quantized_from"]
    if FIXED in before or FIXED in command:  # the settings then follow from what was given, and from the data
        differing = [key for key in differing if key != "settings"]
    for part in {"settings", FIXED} & {*differing} & before.keys() & command.keys():
        old, new = before[part], command[part]
        differing += [key for key in (new if part == "settings" else {**new, **old}) if old.get(key) != new.get(key)]
        differing.remove(part)
    return [WAY_TO_CHOOSE if key == FIXED else key for key in differing]


def _other_way_to_choose(before: Mapping[str, Any]) -> str:
    """What an unfinished run is whose settings were given in another way than those of the new command."""
    if FIXED in before:
        return (
            "holds an unfinished run whose settings were chosen from its examples; without --preset and --init the run "
            "goes on with them: leave these options out"
        )
    return "holds an unfinished run whose settings were all given; give its --preset to go on with it"


def resumed_settings(folder: Path, command: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]] | None:
    """The settings that an unfinished run of the same command chose from its data, and their reasons.

    Args:
        folder: The run folder, reserved.
        command: The new command, with `FIXED`.

    Returns:
        None if no training of the command was interrupted here.
    """
    if not (folder / CONFIG).exists() or not (folder / CHECKPOINT).exists():
        return None
    before = read_command(folder)
    if FIXED not in before or differences(before, command):  # with `force`, the run is another one
        return None
    return before["settings"], before.get(CHOSEN, {})


@contextlib.contextmanager
def reserved(folder: Path, command: dict[str, Any], force: bool) -> Iterator[None]:
    """Checks and locks a run folder. Raises `InputError` as `check_place`, `locked` and `check_folder` do."""
    check_place(folder, command)
    with locked(folder):
        check_folder(folder, command, force)
        yield


def begin(folder: Path, command: dict[str, Any], force: bool, **more: Any) -> None:
    """Starts or resumes a run in a reserved folder: deletes an old run if `force`, and writes `config.json`.

    Args:
        folder: The run folder.
        command: Settings and files of the run.
        force: Whether an existing run is deleted.
        **more: More entries of `config.json`, of `NOT_OF_COMMAND`.

    Raises:
        InputError: The folder holds something else by now; see `check_folder`.
    """
    check_folder(folder, command, force)  # again: the data took time to read
    clear(folder, keep_progress=not force)
    with named_errors(folder):
        real_path(folder).mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG, {**command, **more, "textapp_version": __version__})


def clear(folder: Path, keep_progress: bool) -> None:
    """Deletes temporary files of a killed training; unless `keep_progress`, also the run's files except its config.

    It deletes only files of a run, by name: other files in the folder stay.
    """
    with named_errors(folder):
        for name in _names():
            delete_leftovers(folder / name)
        if not keep_progress:
            for path in files_of_run(folder):
                if path.name != CONFIG:
                    path.unlink()
            delete_empty_folders(folder / LOGS)


def files_of_run(folder: Path) -> list[Path]:
    """The files in a folder that a training wrote, by their names.

    Returns:
        The paths of existing files. `metrics.json` is the first, so that a run of which files are deleted is no longer
        finished. `config.json`, which marks the folder as a run, is the last.
    """
    from textapp.dashboards.projector import PROJECTOR_FILES  # here: a reader of runs needs no dashboards

    files = [folder / name for name in _names()[:-1]]
    of_logs = ("events.out.tfevents.*", *PROJECTOR_FILES, *(f"{name}.new" for name in PROJECTOR_FILES))
    logs = [path for pattern in of_logs for path in (folder / LOGS).rglob(pattern)]
    return [path for path in (*files, *logs, folder / CONFIG) if path.is_symlink() or path.is_file()]


def clear_abandoned(folder: Path) -> None:
    """Deletes what a killed training left in a locked run: temporary files, and the progress of a finished run.

    Raises:
        InputError: The folder is not one of a run, or a file cannot be deleted.
    """
    with named_errors(folder):
        if not (folder / CONFIG).exists():
            return
        read_command(folder)
        clear(folder, keep_progress=True)
        if (folder / METRICS).exists():
            for name in (CHECKPOINT, SOFT_TARGETS_PART):
                (folder / name).unlink(missing_ok=True)


def _names() -> list[str]:
    """The names of all files of a run, in the order of `files_of_run`."""
    from textapp.runtime.ngram_model import NGRAM_TABLE, NGRAMS  # here: it loads NumPy, and a refusal is to be quick

    text_side = (TOKENIZER, VOCABULARY, CHARACTERS, NGRAMS, NGRAM_TABLE, *NGRAMS_OF_TRAIN)
    common = (*text_side, CHECKPOINT, SOFT_TARGETS, SOFT_TARGETS_PART, *EARLIER_FILES)
    found = (task(name) for name in names())
    of_tasks = [name for one in found for name in (*one.target_files, one.sample_name)]
    return [*dict.fromkeys((METRICS, MODEL, *common, *of_tasks, CONFIG))]
