"""The checker has power: a sample of what `python -m benchmarks.power` counts in full."""

import numpy as np
import pytest

from benchmarks.power import __main__ as power
from benchmarks.power import regimes, trial
from benchmarks.power.cases import cases
from benchmarks.power.mutants import Mutant
from benchmarks.power.regimes import REGIMES, title
from tinygrad_slp.check import Report, Verdict

CASES = cases()
SLOW = (regimes.tiny, regimes.large, regimes.near_a_kink, regimes.single_precision)


@pytest.mark.parametrize("regime", REGIMES, ids=title)
def test_nothing_passes_and_no_alarm_is_false(regime):
    ledger = trial.Ledger()
    r = REGIMES.index(regime)
    for n in range(r, len(CASES), 160 if regime in SLOW else 110):
        ledger.add(trial.trial(CASES[n], regime, [n, r, 0], {}, mutate=True))
    assert not ledger.missed
    assert ledger.of("killed") > 50
    assert ledger.of("right") >= 3


def test_the_command_prints_its_tables(monkeypatch, capsys):
    monkeypatch.setattr(power, "known_cases", lambda: CASES[::60])  # 12, for the control
    code = power.main(["--every", "400", "--pairs", "5", "--no-peers", "--processes", "1"])
    said = capsys.readouterr().out
    assert code == 0
    assert "negative control" in said and "| two slips |" in said and "MISSED" not in said


def test_the_negative_control_stops_a_checker_that_sees_nothing(monkeypatch, capsys):
    blind = lambda *args, **kwargs: Report(Verdict.RIGHT)
    monkeypatch.setattr(trial, "check_gradient", blind)
    assert power.main(["--no-peers", "--processes", "1"]) == 1
    assert "negative control passed" in capsys.readouterr().out


def test_what_passes_in_silence_is_counted_and_shown(monkeypatch):
    blind = lambda *args, **kwargs: Report(Verdict.RIGHT)
    monkeypatch.setattr(trial, "check_gradient", blind)
    ledger = trial.trial(CASES[0], REGIMES[0], [0], {}, mutate=True)
    assert ledger.of("passed in silence") == len(ledger.missed) > 10


def test_a_false_alarm_is_counted_and_shown(monkeypatch):
    nervous = lambda *args, **kwargs: Report(Verdict.WRONG)
    monkeypatch.setattr(trial, "check_gradient", nervous)
    ledger = trial.trial(CASES[0], REGIMES[0], [0], {}, mutate=False)
    assert ledger.of("false alarm, of a right one") == len(ledger.missed) == 1


def test_what_rounding_alone_changes_is_no_mistake():
    case = CASES[0]
    draw = case.draw(np.random.default_rng(0))
    here = trial.Here(case, draw, {}, "", trial.Ledger())
    g = case.gradient(*draw.inputs)
    assert not here.off(g * (1 + 1e-15)).any()
    assert here.off(g * (1 + 1e-6)).all()
    here.wrong(Mutant("nothing", case.gradient))
    assert here.ledger.of("equivalent here") == 1
