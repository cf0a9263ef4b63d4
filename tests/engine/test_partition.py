"""Partitioners: every job is in one partition, and how full the fullest may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.engine.partition import KEEPS_STRIPS, PARTITIONERS, by_cost, imbalance, longest_first, rank, strips


@dataclass(frozen=True)
class Stub:
    number: int
    cost: float

    def describe(self) -> str:
        return f"job {self.number}"


costs = st.lists(st.floats(0.1, 100.0), min_size=1, max_size=60)
counts = st.integers(1, 20)


def jobs_of(values: Sequence[float]) -> list[Any]:
    return [Stub(number, cost) for number, cost in enumerate(values)]


@pytest.mark.parametrize("name", list(PARTITIONERS))
@given(values=costs, count=counts)
def test_every_job_has_a_partition_that_exists_and_the_same_each_time(
    name: str, values: list[float], count: int
) -> None:
    found = PARTITIONERS[name](jobs_of(values), count)
    assert len(found) == len(values)
    assert set(found) <= set(range(count))
    assert found == PARTITIONERS[name](jobs_of(values), count)
    assert 1.0 - 1e-9 <= imbalance(jobs_of(values), found, count) <= count + 1e-9


@given(values=costs, count=counts)
def test_ranks_are_dealt_out_so_that_counts_differ_by_one_at_most(values: list[float], count: int) -> None:
    sizes = Counter(rank(jobs_of(values), count))
    assert max(sizes.values()) - min(sizes[number] for number in range(count)) <= 1


@given(values=costs, count=counts)
def test_strips_are_runs_and_no_fuller_than_the_mean_and_a_job(values: list[float], count: int) -> None:
    found = strips(jobs_of(values), count)
    assert found == sorted(found)
    mean = sum(values) / count
    assert imbalance(jobs_of(values), found, count) * mean <= mean + max(values) + 1e-6


@given(values=costs, count=counts)
def test_longest_first_is_within_a_third_of_the_best(values: list[float], count: int) -> None:
    jobs = jobs_of(values)
    fullest = imbalance(jobs, longest_first(jobs, count), count) * sum(values) / count
    largest = sorted(values, reverse=True)
    best = max(sum(values) / count, largest[0], sum(largest[count - 1 : count + 1]) if len(values) > count else 0.0)
    assert fullest <= 4 / 3 * best * (1 + 1e-9) + 1e-6 or fullest <= sum(values) / count + largest[0]


@given(values=costs, count=counts)
def test_cost_keeps_strips_where_that_costs_nothing(values: list[float], count: int) -> None:
    jobs = jobs_of(values)
    fullest = {rule: imbalance(jobs, rule(jobs, count), count) for rule in (strips, longest_first, by_cost)}
    assert fullest[by_cost] <= KEEPS_STRIPS * fullest[longest_first] + 1e-9
    assert by_cost(jobs_of([1.0] * 12), 4) == strips(jobs_of([1.0] * 12), 4) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_by_hand() -> None:
    jobs = jobs_of([1, 1, 1, 9])
    assert rank(jobs, 2) == [0, 1, 0, 1]
    assert strips(jobs, 2) == [0, 0, 0, 1]
    assert imbalance(jobs, [0, 1, 0, 1], 2) == pytest.approx(10 / 6)
    assert imbalance(jobs, [0, 0, 0, 1], 2) == pytest.approx(9 / 6)
    assert by_cost(jobs_of([1, 4, 4, 4, 1, 1, 1]), 2) != strips(jobs_of([1, 4, 4, 4, 1, 1, 1]), 2)
