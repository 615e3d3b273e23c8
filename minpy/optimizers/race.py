"""Two ways of doing one thing that give the same result: times both, and keeps to the faster one.

Whether a second thread pays depends on the machine, on the size, and on what else runs on it now:
where another process holds a core, a pass that waits for a thread there takes milliseconds.
"""

from __future__ import annotations

__all__ = ["Race"]

# Steps between two trials of the loser; doubled each time that it loses again.
_FIRST_TRIAL = 64
_LONGEST = 4096


class Race:
    """Which of two ways, 0 or 1, to take next.

    Examples
    --------
    >>> race = Race()
    >>> for _ in range(20):
    ...     way = race.next()
    ...     race.took(way, (3e-4, 1e-4)[way])
    >>> race.next()
    1
    """

    def __init__(self) -> None:
        self._seconds: list[float | None] = [None, None]
        self._warm = [0, 0]
        self._leader = 0
        self._wait = self._interval = _FIRST_TRIAL

    def next(self) -> int:
        """Return the way to take."""
        # The first run of each compiles and touches memory; the second and third are timed.
        for way in (0, 1):
            if self._warm[way] < 3:
                return way
        return self._leader if self._wait else 1 - self._leader

    def took(self, way: int, seconds: float) -> None:
        """Record how long it took."""
        self._warm[way] += 1
        if self._warm[way] == 1:
            return
        before = self._seconds[way]
        if before is None:
            self._seconds[way] = seconds
            return
        leader = self._leader
        if way != leader:
            self._seconds[way] = min(before, seconds) if self._warm[way] == 3 else seconds
        elif seconds < 3 * before:
            self._seconds[way] = 0.9 * before + 0.1 * seconds
        else:
            # One slow run may be chance, several in a row are not.
            self._seconds[way] = 0.6 * before + 0.4 * seconds
        self._wait = self._wait - 1 if self._wait else 0
        mine, other = self._seconds[leader], self._seconds[1 - leader]
        if mine is not None and other is not None and other < 0.95 * mine:
            self._leader = 1 - leader
            self._interval = self._wait = _FIRST_TRIAL
        elif way != leader:
            self._interval = min(2 * self._interval, _LONGEST)
            self._wait = self._interval
