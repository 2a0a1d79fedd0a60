"""The limit of requests a second."""

import math

import pytest

from textapp.errors import InputError
from textapp.serve import limits
from textapp.serve.limits import Limits, RateLimit


def test_a_bucket_holds_a_second_and_fills_again():
    now = 0.0
    rate = RateLimit(2, lambda: now)
    assert [rate.wait("a") for _ in range(3)] == [0, 0, 0.5]
    assert rate.wait("b") == 0  # of another client
    now = 0.5
    assert [rate.wait("a"), rate.wait("a")] == [0, 0.5]
    now = 100.0
    assert [rate.wait("a") for _ in range(3)] == [0, 0, 0.5]  # it holds no more than a second


def test_few_clients_are_remembered(monkeypatch):
    monkeypatch.setattr(limits, "_CLIENTS", 2)
    rate = RateLimit(1, lambda: 0.0)
    for client in "abc":
        rate.wait(client)
    assert set(rate._buckets) == {"b", "c"}


@pytest.mark.parametrize("values", [{"body": 0}, {"texts": 0}, {"rate": 0}, {"rate": math.nan}, {"queue": -1}])
def test_a_limit_that_lets_nothing_through_is_refused(values):
    with pytest.raises(InputError, match="must be"):
        Limits(**values)
