"""What the benchmarks share: measuring, one row of the table, and events to work on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Literal

import attrs

from prodigy_storage.model.events import (
    AgentCompleted,
    AgentFailed,
    AgentProgress,
    AgentStarted,
    ClaudeTokenUsage,
    Event,
    QueueDepthChanged,
)
from prodigy_storage.model.values import Duration

JOB = "mapreduce-20250311_060000"


@attrs.frozen(kw_only=True)
class Row:
    """One comparison.

    Args:
        name: Which goal.
        work: What is done.
        ours, peer: Seconds.
        peer_name: Who the peer is.
        limit: For `at least`: the peer takes so many times as long as we do, or more. For `at most`: we take so
            many times as long as the peer, or less.
        sense: Which of the two.
        units: By how many both are divided when they are printed.
    """

    name: str
    work: str
    ours: float
    peer: float
    peer_name: str
    limit: float
    sense: Literal["at least", "at most"] = "at least"
    units: int = 1

    @property
    def ratio(self) -> float:
        """How many times faster we are (at least), or slower (at most)."""
        return self.peer / self.ours if self.sense == "at least" else self.ours / self.peer

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        return self.ratio >= self.limit if self.sense == "at least" else self.ratio <= self.limit


def best(*works: Callable[[], object], rounds: int = 3) -> list[float]:
    """The shortest time of each, in seconds; they take turns, so that a disturbance meets them alike."""
    times = [float("inf")] * len(works)
    for _ in range(rounds):
        for index, work in enumerate(works):
            start = time.perf_counter()
            work()
            times[index] = min(times[index], time.perf_counter() - start)
    return times


def events(count: int, seed: int = 1) -> Iterator[Event]:
    """A mixture as a job makes it; a record has about 360 bytes."""
    chance = random.Random(seed)
    for number in range(count):
        yield event(number, chance)


def event(number: int, chance: random.Random) -> Event:
    """The event with this number: six types take turns."""
    item = f"item_{number % 1000}"
    agent = f"agent-{item}"
    match number % 6:
        case 0:
            return AgentStarted(JOB, agent, item, f"mapreduce-agent-{JOB}_{agent}", 1)
        case 1:
            return AgentProgress(JOB, agent, "running the third step", chance.random() * 100)
        case 2:
            return AgentCompleted(JOB, agent, Duration(1, number), ("0123456789abcdef0123456789abcdef01234567",))
        case 3:
            return AgentFailed(JOB, agent, "the command ended with status 1", retry_eligible=True)
        case 4:
            return ClaudeTokenUsage(agent, number, number, number)
        case _:
            return QueueDepthChanged(JOB, number, number, number)
