r"""Continuous batching as a queue: answers share a machine whose pace hangs on how many there are.

Prompts stand in line and are read in chunks; answers decode together. With :math:`n` of them a
step takes :math:`\tau(n)`, and :math:`\tau(n) + w` while a chunk rides along. So the queue of
prompts and the crowd of answers slow each other: :math:`(k, n)`, prompts in the system and
answers, is a Markov chain if arrivals are Poisson, answers have exponential lengths (processor
sharing hardly asks how lengths are spread) and the time to read a prompt is exponential or, where
it varies more, has two phases with its first two moments. Its levels :math:`k \ge 1` repeat, which
makes it a quasi-birth-death process with :math:`\pi_{k+1} = \pi_k R`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib._checks import Floats, non_negative, positive

__all__ = ["saturation_requests_per_s", "stationary"]

Arrays = NDArray[np.float64]

LEAST_ANSWERS = 16  # tried first above the mean
NEGLIGIBLE = 1e-10  # mass that may be cut off
HALVINGS = 60  # of the logarithmic reduction, each squares what is left


def saturation_requests_per_s(
    *,
    reading_s: ArrayLike,
    step_s: ArrayLike,
    slowed_step_s: ArrayLike,
    answer_tokens: ArrayLike,
    reading_scv: ArrayLike = 1,
) -> Floats:
    r"""Requests per second that are read while prompts never run out: the load of 100 %.

    Parameters
    ----------
    reading_s
        Mean time to read a prompt beside 0, 1, .. B answers. [s]
    step_s
        Step with 0, 1, .. B answers. [s]
    slowed_step_s
        The same while a chunk of a prompt rides along. [s]
    answer_tokens
        Mean tokens of an answer behind its first. [tokens]
    reading_scv
        Squared coefficient of variation of the time to read a prompt; below 1 taken as 1. [-]

    Returns
    -------
        Least arrival rate at which the queue has no limit. [requests/s]

    Raises
    ------
    ValueError
        If an argument is out of its range, or the three tables differ in length.

    Notes
    -----
    Mean drift of a quasi-birth-death process. Source: neuts1981matrix.

    Examples
    --------
    Nothing but prompts of 0.1 s; answers that take all slots for 10 s of every 10.1:

    >>> steps = {"step_s": np.full(2, 0.01), "slowed_step_s": np.full(2, 0.01)}
    >>> reading = np.full(2, 0.1)
    >>> saturation_requests_per_s(reading_s=reading, answer_tokens=1e-9, **steps).round(6)
    np.float64(10.0)
    >>> saturation_requests_per_s(reading_s=reading, answer_tokens=1000, **steps).round(6)
    np.float64(0.09901)
    """
    chain = _Chain(reading_s, step_s, slowed_step_s, answer_tokens, reading_scv)
    return chain.saturation()


def stationary(
    requests_per_s: ArrayLike,
    *,
    reading_s: ArrayLike,
    step_s: ArrayLike,
    slowed_step_s: ArrayLike,
    answer_tokens: ArrayLike,
    reading_scv: ArrayLike = 1,
) -> tuple[Arrays, Arrays, Floats, Floats]:
    r"""How often so many answers decode, and how many prompts stand in line.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals: one number. [requests/s]
    reading_s
        Mean time to read a prompt beside 0, 1, .. B answers. [s]
    step_s
        Step with 0, 1, .. B answers. [s]
    slowed_step_s
        The same while a chunk of a prompt rides along. [s]
    answer_tokens
        Mean tokens of an answer behind its first. [tokens]
    reading_scv
        Squared coefficient of variation of the time to read a prompt; below 1 taken as 1. [-]

    Returns
    -------
        Probability of 0, 1, .. answers without and with a prompt in the system, mean of the
        prompts there and of their pairs :math:`k (k - 1)`. At saturation and above both
        probabilities are 0 and both means infinite. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or the three tables differ in length.

    Notes
    -----
    Logarithmic reduction; the numbers of answers that are looked at grow from those about the
    mean until the rest is negligible. Source: latouche1993logarithmic.

    Examples
    --------
    Without answers it is an M/M/1 queue, at half load with one prompt on average:

    >>> steps = {"step_s": np.full(2, 0.01), "slowed_step_s": np.full(2, 0.01)}
    >>> quiet, busy, prompts, pairs = stationary(
    ...     5, reading_s=np.full(2, 0.1), answer_tokens=1e-9, **steps
    ... )
    >>> busy.sum().round(6), prompts.round(6), pairs.round(6)
    (np.float64(0.5), np.float64(1.0), np.float64(2.0))
    """
    arriving = np.float64(positive("requests_per_s", requests_per_s))
    whole = _Chain(reading_s, step_s, slowed_step_s, answer_tokens, reading_scv)
    load = arriving / whole.saturation()
    if load >= 1:
        nothing = np.zeros(whole.most + 1)
        return nothing, nothing, np.float64(np.inf), np.float64(np.inf)
    settled = whole.settled(float(arriving))
    spread = np.sqrt(settled)  # of Poisson; it is wider at high load, above more than below
    below, above = 7 * (1 + load**8) * spread, 9 * (1 + load**4) * spread + LEAST_ANSWERS
    while True:
        part = whole.cut(int(max(settled - below, 0)), int(min(settled + above, whole.most)))
        least, most = part.least == 0, part.most == whole.most
        if (least and most) or arriving < part.saturation():
            quiet, busy, prompts, pairs = part.solved(float(arriving))
            ends = quiet + busy
            least, most = least or ends[0] < NEGLIGIBLE, most or ends[-1] < NEGLIGIBLE
            if least and most:
                unseen = np.zeros(part.least)
                quiet, busy = (np.concatenate([unseen, state]) for state in (quiet, busy))
                return quiet, busy, prompts, pairs
        below, above = below if least else 2 * below + 1, above if most else 2 * above


class _Chain:
    """The chain between two bounds of answers: at the lower none ends, at the upper none begins."""

    def __init__(
        self,
        reading_s: ArrayLike,
        step_s: ArrayLike,
        slowed_step_s: ArrayLike,
        answer_tokens: ArrayLike,
        reading_scv: ArrayLike,
        least: int = 0,
    ) -> None:
        self.tables: tuple[Arrays, ...] = tuple(
            np.atleast_1d(positive(name, value))
            for name, value in (
                ("reading_s", reading_s),
                ("step_s", step_s),
                ("slowed_step_s", slowed_step_s),
            )
        )
        sizes = {table.shape for table in self.tables}
        if len(sizes) > 1 or self.tables[0].ndim != 1 or self.tables[0].size < 2:
            raise ValueError(
                "reading_s, step_s and slowed_step_s must each hold a number for 0, 1, .. answers, "
                f"got the shapes {', '.join(str(table.shape) for table in self.tables)}"
            )
        self.answer = np.float64(positive("answer_tokens", answer_tokens))
        self.scv = np.float64(non_negative("reading_scv", reading_scv))
        self.least, self.size = least, self.tables[0].size
        self.most = least + self.size - 1
        self._rates()

    def cut(self, least: int, most: int) -> _Chain:
        """The same with so many answers at least and at most."""
        reading, step, slowed = (table[least : most + 1] for table in self.tables)
        return _Chain(reading, step, slowed, self.answer, self.scv, least)

    def settled(self, arriving: float) -> int:
        """Number of answers of which as many end, on average, as prompts arrive."""
        busy = np.minimum(arriving * self.tables[0], 1.0)
        ending = (1.0 - busy) * self.leave_quiet + busy * self.leave_busy
        return int(np.argmax(ending > arriving)) if (ending > arriving).any() else self.most

    def _rates(self) -> None:
        reading, step, slowed = self.tables
        answers = np.arange(self.least, self.most + 1)
        slowed = np.where(answers < self.most, slowed, step)
        ending = np.where(answers > self.least, answers, 0)
        self.leave_quiet = ending / step / self.answer
        self.leave_busy = ending / slowed / self.answer
        # One phase, or two with the mean and the variation of a prompt (Marie 1980).
        self.phases, self.go_on = (2, 0.5 / self.scv) if self.scv > 1 else (1, 0.0)
        self.first = np.where(answers < self.most, self.phases / reading, 0.0)
        self.second = self.first * self.go_on

    def _local(self, leave: Arrays) -> Arrays:
        """Answers that end: from n to n - 1."""
        return np.diag(leave[1:], -1) - np.diag(leave)

    def _blocks(self) -> tuple[Arrays, Arrays]:
        """Rates within a level with prompts (arrivals left out) and to the level below."""
        local, done = self._local(self.leave_busy), (1.0 - self.go_on) * self.first
        within, below = local - np.diag(self.first), np.diag(done[:-1], 1)
        if self.phases == 1:
            return within, below
        none, later = np.zeros_like(local), local - np.diag(self.second)
        within = np.block([[within, np.diag(self.go_on * self.first)], [none, later]])
        return within, np.block([[below, none], [np.diag(self.second[:-1], 1), none]])

    def saturation(self) -> np.float64:
        """Rate at which prompts are done if they never run out."""
        within, below = self._blocks()
        flow = (within + below).T
        flow[-1] = 1.0  # probabilities sum to one
        state = np.linalg.solve(flow, np.eye(flow.shape[0])[-1])
        return np.float64(state @ below.sum(axis=1))

    def solved(self, arriving: float) -> tuple[Arrays, Arrays, Floats, Floats]:
        """Stationary probabilities and moments of the prompts."""
        size = self.size
        within, below = self._blocks()
        unit = np.eye(self.phases * size)
        within -= arriving * unit
        inverse = np.linalg.inv(-within)
        # A level is left downwards into the first phase only: the other columns are nothing.
        up, down = arriving * inverse, inverse @ below[:, :size]
        first_passage, reach = down.copy(), up.copy()
        for _ in range(HALVINGS):
            both = down @ up[:size]
            both[:, :size] += up @ down
            inverse = np.linalg.inv(unit - both)
            up, down = inverse @ (up @ up), inverse @ (down @ down[:size])
            first_passage += reach @ down
            reach = reach @ up
            if reach.max() < 1e-14:
                break
        within[:, :size] += arriving * first_passage
        ratio = arriving * np.linalg.inv(-within)
        within[:, :size] -= arriving * first_passage
        quiet = self._local(self.leave_quiet) - arriving * np.eye(size)
        balance = np.block(
            [[quiet, arriving * unit[:size]], [below[:, :size], within + ratio @ below]]
        ).T
        levels = np.linalg.inv(unit - ratio)  # sum of all powers of the ratio
        balance[-1] = np.concatenate([np.ones(size), levels.sum(axis=1)])
        state = np.linalg.solve(balance, np.eye(balance.shape[0])[-1])
        alone, one = state[:size], state[size:]
        busy = one @ levels
        prompts = busy @ levels
        pairs = 2.0 * (prompts @ levels @ ratio).sum()
        folded = busy.reshape(self.phases, size).sum(axis=0)
        return alone, folded, np.float64(prompts.sum()), np.float64(pairs)
