"""The study of a search, restored from a journal as a kill leaves it."""

import os

import pytest
from optuna.trial import TrialState

from textapp.errors import InputError
from textapp.search.space import search_space
from textapp.search.study import FEWEST_FOR_IMPORTANCE, distributions, importances, open_study, parameters, settings
from textapp.task import task

START = task("classification").config()
SPACE = search_space(START)


@pytest.fixture(name="journal")
def _journal(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of these tests
    return tmp_path / "журнал.jsonl"


def test_a_study_is_restored_without_a_last_line_that_a_kill_cut_off(journal):
    study = open_study(journal, seed=1)
    study.set_user_attr("名", [0.5])
    for score in (0.25, 0.75):
        study.tell(study.ask(distributions(SPACE)), score)
    running = study.ask(distributions(SPACE))
    whole = journal.read_bytes()
    for cut in (1, 2, *range(3, len(whole.splitlines()[-1]), 9)):
        journal.write_bytes(whole[:-cut])
        again = open_study(journal, seed=1)
        kept = whole[: whole[:-cut].rfind(b"\n") + 1]
        assert journal.read_bytes()[: len(kept) + 1] == kept + b"{"  # what follows is a line of the new process
        assert again.user_attrs["名"] == [0.5]
        assert [trial.value for trial in again.trials] == [0.25, 0.75, None]
        assert again.trials[2].state == TrialState.RUNNING
    assert again.trials[1].params == study.trials[1].params
    again.tell(running.number, state=TrialState.FAIL)
    assert open_study(journal, seed=1).trials[2].state == TrialState.FAIL


def test_two_processes_see_each_others_lines_and_propose_other_settings(journal):
    first, second = open_study(journal, seed=1), open_study(journal, seed=1)
    asked = [study.ask(distributions(SPACE)) for study in (first, second, first, second)]
    assert [trial.number for trial in asked] == [0, 1, 2, 3]
    assert len({str(trial.params) for trial in asked}) == 4
    second.tell(asked[0].number, 0.5)
    assert first.trials[0].value == 0.5
    assert [trial.state for trial in first.trials] == [trial.state for trial in second.trials]
    assert [trial.params for trial in open_study(journal, seed=1).trials] == [trial.params for trial in asked]


def test_a_restored_study_proposes_other_settings_than_before(journal):
    proposals = []
    for _ in range(3):
        study = open_study(journal, seed=1)
        proposals.append(study.ask(distributions(SPACE)).params)
    assert proposals[0] != proposals[1] != proposals[2] != proposals[0]


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[]", b"{}", b'{"op_code": 4, "worker_id": "x"}', b"3"])
def test_a_journal_that_was_changed_is_refused(journal, line):
    open_study(journal, seed=1)
    journal.write_bytes(journal.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match=r"журнал\.jsonl.*(is not JSON|is no journal of `textapp tune`).*--force"):
        open_study(journal, seed=1)


def test_settings_come_back_from_parameters_and_the_start_point_unrounded(journal):
    start = START.override(["learning_rate=0.00123456", "units=100"])
    space = search_space(start)
    values = settings(space, start, parameters(space, start))
    assert values == {name: start.get(name) for name in space}
    study = open_study(journal, seed=1)
    study.enqueue_trial(parameters(space, start))
    assert settings(space, start, study.ask(distributions(space)).params) == values
    proposed = settings(space, start, study.ask(distributions(space)).params)
    assert len(f"{proposed['learning_rate']:g}".replace(".", "").strip("0")) <= 2
    start.replaced(**proposed)


def test_importances_name_the_setting_that_decides_the_score(journal):
    study = open_study(journal, seed=1)
    for number in range(12):
        trial = study.ask(distributions(SPACE))
        study.tell(trial, trial.params["units"] * 0.1)
        if number + 1 < FEWEST_FOR_IMPORTANCE:
            assert importances(study, SPACE) == {}
    found = importances(study, SPACE)
    assert next(iter(found)) == "units"
    assert found["units"] > 0.5
    assert found.keys() == SPACE.keys()


def test_equal_scores_have_no_importances(journal):
    study = open_study(journal, seed=1)
    for _ in range(FEWEST_FOR_IMPORTANCE):
        study.tell(study.ask(distributions(SPACE)), 0.5)
    assert importances(study, SPACE) == {}
