"""Grids of scenarios beyond one machine: labelled axes, evaluated chunk by chunk.

A grid is an `xarray.Dataset` whose coordinates are arguments of `deploy.scenarios`, and rents.
The functions that price one scenario price them all, here or on the workers of a
`dask.distributed` client. Memory hangs on the answer and not on the grid: `cheapest` reduces
every chunk where it is computed, `evaluate` returns all and refuses more than a stated size.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import inspect
import itertools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from costlib import deploy, serve, serving
from costlib._checks import non_negative, positive, whole

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "LIMIT_BYTES",
    "QUANTITIES",
    "cheapest",
    "evaluate",
    "grid",
    "local_client",
    "n_scenarios",
]

Box = dict[str, slice]  # a part of the grid: where it lies on each axis
Client = Any  # of dask.distributed, the address of one, or None for this process

RENT: Final = "rent_usd_per_h"
PRICE: Final = "usd_per_mtok"
NAMED: Final = ("model", "accelerator", "weight_format", "activation_format", "engine")
ARGUMENTS: Final = (*inspect.signature(deploy.scenarios).parameters, RENT)
QUANTITIES: Final = (
    *(name for name in serve.Prediction.__slots__ if name not in {*serve.PARTED, "interval"}),
    PRICE,
)
MISSING: Final = "costlib.cluster needs the extra: pip install 'costlib[cluster]'"
NO_FIT: Final = "does not fit"
UNKNOWN: Final = "unknown"
KEPT: Final = "kept"
LIMIT_BYTES: Final = 1e9  # of an answer, unless the caller says otherwise
TASK: Final = 2**19  # scenarios that a worker is given at a time
PIECE: Final = 2**14  # scenarios in one call: larger arrays cost a worker fresh memory each time
KEEP_BYTES: Final = 2**26  # that a local worker frees and takes again at every piece
TIMEOUT_S: Final = 10  # to reach a scheduler
AHEAD: Final = 2  # tasks under way per thread of the workers: more would only fill memory


# --- the grid ------------------------------------------------------------------------------------


def grid(**arguments: Any) -> xr.Dataset:
    """Every combination of the given arguments, as labels only: nothing is computed.

    Parameters
    ----------
    arguments
        Arguments of `deploy.scenarios`, and `rent_usd_per_h` of one accelerator. One value is
        fixed; several are an axis; an `xarray.DataArray` hangs on axes of the grid, or several of
        them share one of their own; a mapping gives a value to each accelerator.

    Returns
    -------
        Coordinates (axes and fixed values) and, as variables, what hangs on them.

    Raises
    ------
    ValueError
        If an argument is unknown, empty, repeats a value or is out of its range, or a layout of
        the grid does not divide its accelerators.
    UnknownNameError
        If a name stands in no table.

    Examples
    --------
    >>> space = grid(
    ...     model="Llama-3.1-70B",
    ...     accelerator=["H100", "H200"],
    ...     n_accelerators=[1, 2, 4, 8],
    ...     n_clients=range(1, 257),
    ...     rent_usd_per_h={"H100": 2.5, "H200": 3.5},
    ... )
    >>> n_scenarios(space)
    2048
    """
    xarray = _needed("xarray")
    for name in arguments:
        _known("argument", name, ARGUMENTS)
    labels = xarray.DataArray
    tied = {name: v for name, v in arguments.items() if isinstance(v, Mapping | labels)}
    free = {name: v for name, v in arguments.items() if name not in tied and v is not None}
    space = xarray.Dataset(coords={name: _axis(name, value) for name, value in free.items()})
    for name, value in tied.items():
        space[name] = value if isinstance(value, labels) else _each_card(name, value, space)
    _checked(space)
    return space  # type: ignore[no-any-return]


def n_scenarios(space: xr.Dataset) -> int:
    """Scenarios of a grid."""
    return math.prod(space.sizes.values())


def _known(kind: str, name: str, names: Sequence[str]) -> None:
    """Refuse a name that is none of those, and tell the nearest."""
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1) or names
        raise ValueError(f"no {kind} {name!r}; did you mean {', '.join(near)}?")


def _axis(name: str, value: Any) -> Any:
    """One value as it is, several as an axis of floats or names."""
    if name in NAMED:
        labels = np.array(value if isinstance(value, str) else [str(label) for label in value])
    else:
        try:
            labels = np.array(list(value) if np.ndim(value) else value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name}: a number or a row of them, got {value!r}") from None
    if not labels.ndim:
        return labels[()]
    if labels.ndim > 1:
        raise ValueError(f"{name}: one value or a row of them, got {labels.ndim} axes")
    if not labels.size:
        raise ValueError(f"{name}: no values")
    seen, counts = np.unique(labels, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"{name}: {seen[counts.argmax()]} stands there more than once")
    return labels


def _each_card(name: str, values: Mapping[str, float], space: xr.Dataset) -> Any:
    """What a mapping gives to each accelerator of the grid."""
    if "accelerator" not in space.coords:
        raise ValueError(f"{name}: a mapping gives a value to each accelerator; the grid has none")
    cards = space["accelerator"]
    labels = [str(label) for label in np.atleast_1d(cards.values)]
    if lacking := [label for label in labels if label not in values]:
        raise ValueError(f"{name}: no value for accelerator {lacking[0]!r}")
    found = np.array([values[label] for label in labels], dtype=np.float64)
    return (cards.dims, found.reshape(cards.shape))


@dataclass(frozen=True, slots=True)
class _Plan:
    """A grid as plain arrays: what travels to the workers, cut to their part."""

    sizes: dict[str, int]
    arguments: dict[str, tuple[tuple[str, ...], NDArray[Any]]]  # axes of each, and its values
    split: frozenset[str]  # axes that names hang on: one label per part
    start: dict[str, int]  # where it begins in the whole grid

    def cells(self, box: Box) -> dict[str, Any]:
        """Arguments of a part, each on its own axes: they broadcast to all of it."""
        cells: dict[str, Any] = {}
        for name, (dims, values) in self.arguments.items():
            here = _within(values, (box[dim] for dim in dims))
            if name in NAMED:
                cells[name] = str(here.item())
            else:
                cells[name] = here.reshape(
                    [here.shape[dims.index(dim)] if dim in dims else 1 for dim in self.sizes]
                )
        return cells

    def cut(self, box: Box | None = None, limit: int = PIECE) -> Iterator[Box]:
        """Parts of a box of at most `limit` scenarios, one of each label of a name."""
        whole = box or {dim: slice(0, size) for dim, size in self.sizes.items()}
        room, steps = limit, {}
        for dim, span in reversed(whole.items()):
            steps[dim] = 1 if dim in self.split else max(1, min(span.stop - span.start, room))
            room //= steps[dim]
        starts = (range(span.start, span.stop, steps[dim]) for dim, span in whole.items())
        for corner in itertools.product(*starts):
            yield {
                dim: slice(start, min(start + steps[dim], whole[dim].stop))
                for dim, start in zip(whole, corner, strict=True)
            }

    def part(self, box: Box) -> _Plan:
        """The plan of one box, to be sent away."""
        return _Plan(
            {dim: span.stop - span.start for dim, span in box.items()},
            {
                name: (dims, _within(values, (box[dim] for dim in dims)))
                for name, (dims, values) in self.arguments.items()
            },
            self.split,
            {dim: self.start[dim] + span.start for dim, span in box.items()},
        )


def _within(values: NDArray[Any], where: Iterable[slice]) -> NDArray[Any]:
    """A part of an array that may have no axes."""
    return values[(*where, ...)]  # type: ignore[arg-type]


def _checked(space: xr.Dataset) -> _Plan:
    """A grid as a plan, every label and layout of it looked at once."""
    sizes = {str(dim): size for dim, size in space.sizes.items()}
    found = {str(name): space[name] for name in space.variables if str(name) in ARGUMENTS}
    for name in ("model", "accelerator"):
        if name not in found:
            raise ValueError(f"grid: {name} is missing")
    if stray := sorted(dim for dim in sizes if not any(dim in v.dims for v in found.values())):
        raise ValueError(f"grid: no argument lies on the axis {stray[0]!r}")
    arguments = {
        name: (tuple(str(dim) for dim in variable.dims), np.asarray(variable.values))
        for name, variable in found.items()
    }
    split = frozenset(dim for name in NAMED if name in arguments for dim in arguments[name][0])
    plan = _Plan(sizes, arguments, split, dict.fromkeys(sizes, 0))
    if RENT in arguments:
        non_negative(RENT, arguments[RENT][1])
    for box in plan.cut(limit=n_scenarios(space)):  # facts and ranges; nothing is broadcast
        cells = plan.cells(box)
        cells.pop(RENT, None)
        deploy.scenarios(**cells)
    return plan


# --- one piece -----------------------------------------------------------------------------------


def _values(cells: dict[str, Any], quantities: Sequence[str]) -> dict[str, Any]:
    """Quantities of one piece, by the functions that serve one scenario."""
    rent = cells.pop(RENT, None)
    load = deploy.scenarios(**cells)
    done = serve.prediction(load)
    values = {name: getattr(done, name) for name in quantities if name != PRICE}
    if PRICE in quantities:
        values[PRICE] = serving.usd_per_mtok(
            rent_usd_per_h=rent,
            tokens_per_s=done.tokens_per_s,
            n_accelerators=load.n_accelerators,
        )
    return values


def _asked(plan: _Plan, quantities: Iterable[str]) -> None:
    """Refuse what no function gives."""
    for name in quantities:
        _known("quantity", name, QUANTITIES)
        if name == PRICE and RENT not in plan.arguments:
            raise ValueError(f"{PRICE} needs {RENT} in the grid")


def _fitting(n_bytes: float, limit_bytes: float, way_out: str) -> None:
    """Refuse an answer that is larger than the caller's limit."""
    if not n_bytes <= positive("limit_bytes", limit_bytes):
        raise ValueError(
            f"the answer would take {n_bytes / 1e9:,.3g} GB, and limit_bytes allows "
            f"{limit_bytes / 1e9:,.3g} GB: {way_out}, or raise the limit"
        )


# --- all of them ---------------------------------------------------------------------------------


def evaluate(
    space: xr.Dataset,
    quantities: Sequence[str],
    client: Client = None,
    *,
    limit_bytes: float = LIMIT_BYTES,
) -> xr.Dataset:
    """Quantities of every scenario of a grid.

    Parameters
    ----------
    space
        See `grid`.
    quantities
        Of `QUANTITIES`: what `serve.prediction` says of a scenario, and `usd_per_mtok`.
    client
        A `dask.distributed` client, or the address of a scheduler; by default this process.
    limit_bytes
        Largest answer. [bytes]

    Returns
    -------
        The quantities on the axes of the grid.

    Raises
    ------
    ValueError
        If a quantity is unknown or lacks a rent, or the answer is larger than the limit.

    Examples
    --------
    >>> space = grid(model="DeepSeek-V3", accelerator="H200", n_accelerators=[2, 4, 8])
    >>> evaluate(space, ["fits"]).fits.values.tolist()
    [False, False, True]
    """
    xarray = _needed("xarray")
    plan = _checked(space)
    quantities = [quantities] if isinstance(quantities, str) else list(quantities)
    _asked(plan, quantities)
    shape = tuple(plan.sizes.values())
    kinds = {name: np.dtype(bool if name == "fits" else np.float64) for name in quantities}
    needed = math.prod(shape) * sum(kind.itemsize for kind in kinds.values())
    _fitting(needed, limit_bytes, "ask `cheapest`, which keeps the best of each cell")
    whole = {name: np.empty(shape, kind) for name, kind in kinds.items()}
    work = functools.partial(_part_values, quantities=tuple(quantities))
    for box, values in _run(plan, work, client):
        for name, part in values.items():
            whole[name][tuple(box.values())] = part
    return xarray.Dataset(  # type: ignore[no-any-return]
        {name: (tuple(plan.sizes), part) for name, part in whole.items()}, coords=space.coords
    )


def _part_values(plan: _Plan, quantities: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Quantities of a part of the grid."""
    shape = tuple(plan.sizes.values())
    whole: dict[str, NDArray[Any]] = {}
    for box in plan.cut():
        for name, part in _values(plan.cells(box), quantities).items():
            if name not in whole:
                whole[name] = np.empty(shape, np.asarray(part).dtype)
            whole[name][tuple(box.values())] = part
    return whole


# --- the best of each cell -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Best:
    """Least value of each cell, where it lies on the axes it was taken over, and counts."""

    value: NDArray[np.float64]
    index: NDArray[np.int64]  # -1 where no scenario keeps the promises
    counts: NDArray[np.int64]  # by outcome

    @classmethod
    def empty(cls, shape: tuple[int, ...], n_outcomes: int) -> _Best:
        """Of no scenario yet."""
        return cls(
            np.full(shape, np.inf),
            np.full(shape, -1, np.int64),
            np.zeros((n_outcomes, *shape), np.int64),
        )

    def take(self, where: tuple[slice, ...], other: _Best) -> None:
        """Fold in others of the cells at `where`; of equals the first in the grid stays."""
        value, index = _within(self.value, where), _within(self.index, where)
        better = (other.value < value) | ((other.value == value) & (other.index < index))
        np.copyto(value, other.value, where=better)
        np.copyto(index, other.index, where=better)
        _within(self.counts, (slice(None), *where))[...] += other.counts


@dataclass(frozen=True, slots=True)
class _Search:
    """What is sought: the least of what, over which axes, under which promises."""

    by: str
    at_most: dict[str, float]
    at_least: dict[str, float]
    over: dict[str, int]  # size of each axis, in the whole grid

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What may become of a scenario, in the order in which it is asked."""
        return (NO_FIT, *self.at_most, *self.at_least, UNKNOWN, KEPT)

    def found(self, plan: _Plan, box: Box) -> _Best:
        """The best of one piece."""
        names = dict.fromkeys(("fits", self.by, *self.at_most, *self.at_least))
        values = _values(plan.cells(box), tuple(names))
        spans = {dim: span.stop - span.start for dim, span in box.items()}
        value = np.broadcast_to(values[self.by], tuple(spans.values()))
        fails = (
            ~values["fits"],
            *(~(values[name] <= most) for name, most in self.at_most.items()),
            *(~(values[name] >= least) for name, least in self.at_least.items()),
            ~np.isfinite(value),
        )
        outcome = np.select(fails, range(len(fails)), len(fails))
        kept = [dim for dim in spans if dim not in self.over]
        order = [list(spans).index(dim) for dim in (*kept, *self.over)]
        shape = tuple(spans[dim] for dim in kept)

        def rows(part: NDArray[Any]) -> NDArray[Any]:
            return np.transpose(part, order).reshape((*shape, -1))

        outcomes = rows(outcome)
        allowed = np.where(outcomes == len(fails), rows(value), np.inf)
        first = np.argmin(allowed, axis=-1)
        least = np.take_along_axis(allowed, first[..., None], axis=-1)[..., 0]
        inside = np.unravel_index(first, [spans[dim] for dim in self.over])
        starts = [plan.start[dim] + box[dim].start for dim in self.over]
        place = [at + start for at, start in zip(inside, starts, strict=True)]
        index = np.ravel_multi_index(place, tuple(self.over.values()))
        return _Best(
            least,
            np.where(np.isfinite(least), index, -1),
            np.stack([np.sum(outcomes == n, axis=-1) for n in range(len(fails) + 1)]),
        )

    def where(self, box: Box) -> tuple[slice, ...]:
        """Place of a part among the cells."""
        return tuple(span for dim, span in box.items() if dim not in self.over)


def cheapest(
    space: xr.Dataset,
    over: Sequence[str],
    client: Client = None,
    *,
    by: str = PRICE,
    at_most: Mapping[str, float] | None = None,
    at_least: Mapping[str, float] | None = None,
    limit_bytes: float = LIMIT_BYTES,
) -> xr.Dataset:
    """The cheapest scenario that keeps its promises, for each cell of the axes that stay.

    Parameters
    ----------
    space
        See `grid`.
    over
        Axes to choose from; the others stay.
    client
        A `dask.distributed` client, or the address of a scheduler; by default this process.
    by
        What is to be least, of `QUANTITIES`.
    at_most, at_least
        Promises: quantity and bound.
    limit_bytes
        Largest answer. [bytes]

    Returns
    -------
        On the axes that stay: the least value, infinite where nothing keeps the promises; the
        label that it has on each axis of `over`, empty or NaN there; and `count` of scenarios by
        `outcome`: does not fit, the first promise missed, unknown (a value that is not finite),
        kept. Of equals the first in the grid wins.

    Raises
    ------
    ValueError
        If an axis or a quantity is unknown, or the answer is larger than the limit.

    Examples
    --------
    >>> space = grid(
    ...     model="Llama-3.1-70B", accelerator=["H100", "H200"], n_accelerators=[1, 2, 4, 8],
    ...     n_clients=[8, 64], rent_usd_per_h={"H100": 2.5, "H200": 3.5},
    ... )
    >>> best = cheapest(space, ["accelerator", "n_accelerators"], at_most={"tpot_s": 0.02})
    >>> best.sizes
    Frozen({'n_clients': 2, 'outcome': 4})
    >>> int(best["count"].sum()) == n_scenarios(space)
    True
    """
    xarray = _needed("xarray")
    plan = _checked(space)
    over = [over] if isinstance(over, str) else list(over)
    if not over:
        raise ValueError("over: no axis to choose from; `evaluate` gives every scenario")
    for dim in over:
        if dim not in plan.sizes:
            raise ValueError(f"over: the grid has no axis {dim!r}; it has {', '.join(plan.sizes)}")
    chosen = {dim: size for dim, size in plan.sizes.items() if dim in over}
    search = _Search(by, dict(at_most or {}), dict(at_least or {}), chosen)
    _asked(plan, (by, *search.at_most, *search.at_least))
    if both := sorted(set(search.at_most) & set(search.at_least)):
        raise ValueError(f"{both[0]}: a promise of at most or of at least, not both")
    for name, bound in (search.at_most | search.at_least).items():
        if math.isnan(bound):
            raise ValueError(f"{name}: the promise is not a number")
    stay = {dim: size for dim, size in plan.sizes.items() if dim not in over}
    shape = tuple(stay.values())
    each = 8 * (2 + len(search.outcomes) + len(chosen))
    _fitting(each * math.prod(shape), limit_bytes, "choose over more axes")
    best = _Best.empty(shape, len(search.outcomes))
    for box, part in _run(plan, functools.partial(_part_best, search=search), client):
        best.take(search.where(box), part)
    found: dict[str, Any] = {by: (tuple(stay), best.value)}
    inside = np.unravel_index(np.maximum(best.index, 0), tuple(search.over.values()))
    for dim, at in zip(chosen, inside, strict=True):
        labels = space[dim].values[at]
        none = "" if labels.dtype.kind == "U" else np.nan
        found[dim] = (tuple(stay), np.where(best.index >= 0, labels, none))
    found["count"] = (("outcome", *stay), best.counts)
    return xarray.Dataset(  # type: ignore[no-any-return]
        found,
        coords={
            "outcome": list(search.outcomes),
            **{name: c for name, c in space.coords.items() if not set(c.dims) & set(chosen)},
        },
    )


def _part_best(plan: _Plan, search: _Search) -> _Best:
    """The best of a part of the grid."""
    shape = tuple(size for dim, size in plan.sizes.items() if dim not in search.over)
    best = _Best.empty(shape, len(search.outcomes))
    for box in plan.cut():
        best.take(search.where(box), search.found(plan, box))
    return best


# --- here or there -------------------------------------------------------------------------------


def _run(plan: _Plan, work: Callable[[_Plan], Any], client: Client) -> Iterator[tuple[Box, Any]]:
    """Each part of the grid and what `work` makes of it, in the order in which they come."""
    boxes = plan.cut(limit=TASK)
    if client is None:
        for box in boxes:
            yield box, work(plan.part(box))
        return
    distributed = _needed("dask.distributed")
    with contextlib.ExitStack() as stack:
        if isinstance(client, str):
            client = stack.enter_context(_connected(distributed, client))
        n_threads = sum(client.nthreads().values())
        if not n_threads:
            raise ValueError(f"client: no workers at {client.scheduler.address}")
        under_way: dict[Any, Box] = {}

        def send(box: Box) -> Any:
            future = client.submit(work, plan.part(box), pure=False)
            under_way[future] = box
            return future

        first = [send(box) for box in itertools.islice(boxes, AHEAD * n_threads)]
        stack.callback(lambda: under_way and client.cancel(list(under_way)))
        done = distributed.as_completed(first, loop=client.loop, with_results=True)
        del first
        for future, result in done:
            yield under_way.pop(future), result
            for box in itertools.islice(boxes, 1):
                done.add(send(box))


def _connected(distributed: Any, address: str) -> Any:
    """A client of a scheduler elsewhere."""
    try:
        return distributed.Client(address, set_as_default=False, timeout=TIMEOUT_S)
    except (OSError, ValueError):
        raise ValueError(f"client: no scheduler answers at {address!r}") from None


@contextlib.contextmanager
def local_client(n_workers: int = 2) -> Iterator[Client]:
    """A client of worker processes on this machine, closed at the end of the `with`.

    They listen on this machine only and without a dashboard. A script that asks for them needs
    `if __name__ == "__main__":`, as every new process reads the script again.

    Parameters
    ----------
    n_workers
        Processes of one thread each. [-]

    """
    distributed = _needed("dask.distributed")
    trim = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
    with (
        _needed("dask").config.set({trim: KEEP_BYTES}),
        distributed.LocalCluster(
            n_workers=int(whole("n_workers", n_workers)),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # else a port that others use
            silence_logs=logging.ERROR,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _needed(name: str) -> Any:
    """A library of the extra."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(MISSING) from None
