r"""Continuous batching, request by request: an exact simulation that jumps from event to event.

One replica serves requests first come, first served, or by class. Every step makes one token for
each sequence that decodes and reads a chunk of the prompts that wait behind each other. A step
with :math:`n` sequences that hold :math:`K` tokens together takes :math:`a_n + c K`, and a chunk
from token :math:`x` to token :math:`y` of a prompt adds :math:`p (y - x) + q (y^2 - x^2) / 2`.
Steps between two events add up in closed form, so nothing is lost against taking them one by
one. A request is let in when a slot is free and the memory of its prompt and whole answer is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from costlib._checks import positive, whole
from costlib.replica import Replica
from costlib.workloads import Requests

__all__ = ["Served", "served"]

PROGRESS_EVERY = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """When each request saw its first and its last token; infinite if it can never fit."""

    requests: Requests
    first_token_s: NDArray[np.float64]  # on the clock of the arrivals
    done_s: NDArray[np.float64]
    output_tokens: NDArray[np.int64]  # after clipping

    @property
    def ttft_s(self) -> NDArray[np.float64]:
        """Time to first token."""
        return self.first_token_s - self.requests.arrival_s

    @property
    def sojourn_s(self) -> NDArray[np.float64]:
        """Time from arrival to last token."""
        return self.done_s - self.requests.arrival_s

    @property
    def tpot_s(self) -> NDArray[np.float64]:
        """Mean time per output token behind the first; NaN for answers of one token."""
        fits = np.isfinite(self.done_s) & (self.output_tokens > 1)
        span = np.where(fits, self.done_s, 0.0) - np.where(fits, self.first_token_s, 0.0)
        return np.where(fits, span / np.maximum(self.output_tokens - 1, 1), np.nan)


def served(
    requests: Requests,
    replica: Replica,
    *,
    most_output_tokens: float = np.inf,
    classes: ArrayLike | None = None,
    progress: bool = False,
) -> Served:
    """Serve requests to the last one.

    Parameters
    ----------
    requests
        Who comes when, with which prompt, cached prefix and answer.
    replica
        Whose steps and memory.
    most_output_tokens
        Answers end there.
    classes
        One number per request; lower ones are let in first, nobody is thrown out. By default
        all are alike.
    progress
        Show a bar.

    Returns
    -------
        First and last token of each request. A prefix found in the cache is not read again and
        still takes its memory; of a prompt at least one token is read.

    Raises
    ------
    ValueError
        If `classes` has another length than the requests, or `most_output_tokens` is below 1.

    Examples
    --------
    Two prompts of 100 tokens at once, chunks of 100, answers of 2 and 3 tokens: the first prompt
    is read, then the second beside the first one's second token, then the last token alone:

    >>> two = Requests(
    ...     arrival_s=np.array([0.0, 0.0]), input_tokens=np.array([100, 100]),
    ...     output_tokens=np.array([2, 3]), cached_tokens=np.array([0, 0]),
    ...     session=np.array([-1, -1]),
    ... )
    >>> steps = Replica(
    ...     step_s=np.array([0.01, 0.01, 0.01]), context_s=0, prompt_s=1e-3, attention_s=0,
    ...     pool_tokens=1000, chunk_tokens=100,
    ... )
    >>> done = served(two, steps)
    >>> done.first_token_s.round(3).tolist(), done.done_s.round(3).tolist()
    ([0.11, 0.22], [0.22, 0.24])
    """
    if positive("most_output_tokens", most_output_tokens) < 1:
        raise ValueError(f"most_output_tokens must be 1 or more, got {most_output_tokens!r}")
    number = requests.arrival_s.size
    ranks = None
    if classes is not None:
        ranks = np.asarray(whole("classes", classes))
        if ranks.shape != (number,):
            raise ValueError(
                f"classes must hold one number for each of {number} requests, "
                f"got the shape {ranks.shape}"
            )
    answers = np.minimum(requests.output_tokens, most_output_tokens).astype(np.int64)
    reserved = requests.input_tokens + answers
    fits = reserved <= replica.pool_tokens
    if replica.most_running < 1:
        fits[:] = False
    skipped = np.minimum(requests.cached_tokens, requests.input_tokens - 1)
    kept = np.flatnonzero(fits)
    first, done = np.full(number, np.inf), np.full(number, np.inf)
    with tqdm(total=kept.size, desc="requests", leave=False, disable=not progress) as bar:
        firsts, lasts = _played(
            replica,
            requests.arrival_s[kept].tolist(),
            requests.input_tokens[kept].tolist(),
            skipped[kept].tolist(),
            answers[kept].tolist(),
            None if ranks is None else ranks[kept].tolist(),
            bar.update,
        )
    half = replica.request_s / 2
    first[kept], done[kept] = np.array(firsts) + half, np.array(lasts) + half
    return Served(requests=requests, first_token_s=first, done_s=done, output_tokens=answers)


def _played(
    replica: Replica,
    arrival: list[float],
    prompt: list[int],
    skip: list[int],
    answer: list[int],
    ranks: list[Any] | None,
    tick: Callable[[int], object],
) -> tuple[list[float], list[float]]:
    """Clock at the first and the last token of each request; every one fits by itself."""
    step, c, chunk = replica.step_s.tolist(), replica.context_s, int(replica.chunk_tokens)
    per_token, per_pair = replica.prompt_s, replica.attention_s / 2
    most, number, inf = replica.most_running, len(arrival), math.inf
    first, done = [inf] * number, [inf] * number
    t, made = 0.0, 0  # the clock, and steps so far
    n, held, free, running = 0, 0, replica.pool_tokens, 0  # decoding, their tokens, slots
    ends: list[int] = []  # step * number + request, of those that decode
    prompts: deque[int] = deque()  # let in, still to be read; `at` is where the first one is
    at, here, left, mark = 0, 0, number, number - PROGRESS_EVERY
    waiting: list[tuple[Any, int]] = []
    while left:
        if ranks is None:
            while here < number and arrival[here] <= t and running < most:
                needed = prompt[here] + answer[here]
                if needed > free:
                    break
                free -= needed
                running += 1
                if not prompts:
                    at = skip[here]
                prompts.append(here)
                here += 1
            # Behind one who waits already, nobody is let in before a sequence ends.
            coming = arrival[here] if here < number and arrival[here] > t else inf
        else:
            while here < number and arrival[here] <= t:
                heappush(waiting, (ranks[here], here))
                here += 1
            while waiting and running < most:
                j = waiting[0][1]
                needed = prompt[j] + answer[j]
                if needed > free:
                    break
                heappop(waiting)
                free -= needed
                running += 1
                if not prompts:
                    at = skip[j]
                prompts.append(j)
            coming = arrival[here] if here < number else inf
        if prompts:
            j = prompts[0]
            k = (prompt[j] - at - 1) // chunk  # steps that read nothing else, and not its end
            if k:
                if n and (until := ends[0] // number - made) < k:
                    k = until
                if ranks is not None:  # who comes meanwhile may overtake those who wait
                    k = 1
                start, at = at, at + k * chunk
                t += k * (step[n] + c * held) + c * n * k * (k - 1) / 2
                t += per_token * k * chunk + per_pair * (at * at - start * start)
                made += k
                held += n * k
            else:
                t += step[n] + c * held
                made += 1
                held += n
                room, ready = chunk, []
                while True:
                    start, at = at, min(at + room, prompt[j])
                    room -= at - start
                    t += per_token * (at - start) + per_pair * (at * at - start * start)
                    if at < prompt[j]:
                        break
                    ready.append(prompts.popleft())
                    if not prompts:
                        break
                    j = prompts[0]
                    at = skip[j]
                    if not room:
                        break
                for j in ready:
                    first[j] = t
                    if answer[j] == 1:
                        done[j] = t
                        free += prompt[j] + 1
                        running -= 1
                        left -= 1
                    else:
                        heappush(ends, (made + answer[j] - 1) * number + j)
                        n += 1
                        held += prompt[j] + 1
        elif n:
            k = ends[0] // number - made
            s, growth = step[n] + c * held, c * n / 2
            if t + k * s + growth * k * (k - 1) > coming:
                gap, plain = coming - t, s - growth
                k = int(2 * gap / (plain + sqrt(plain * plain + 4 * growth * gap))) or 1
                while k * s + growth * k * (k - 1) < gap:
                    k += 1
            t += k * s + growth * k * (k - 1)
            made += k
            held += n * k
        else:
            t = coming
            continue
        limit = (made + 1) * number
        while ends and ends[0] < limit:
            j = heappop(ends) % number
            done[j] = t
            freed = prompt[j] + answer[j]
            n -= 1
            held -= freed
            free += freed
            running -= 1
            left -= 1
        if left < mark:
            tick(mark + PROGRESS_EVERY - left)
            mark = left - PROGRESS_EVERY
    tick(mark + PROGRESS_EVERY)
    return first, done
