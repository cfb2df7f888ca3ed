"""One 70B model, several ways to remember: users, cost, requests, and who wins where.

The architectures are rows of `data/architectures.csv`: the same 80 layers with full, latent or
windowed attention, a 2-bit cache, a hybrid, or a state. What is compared is only that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib import catalog, kv, pricing, roofline, serving, work
from costlib._checks import fraction, non_negative, positive
from costlib.pricebook import Price
from costlib.study import Rig
from costlib.units import BITS_PER_BYTE, GB, TOKENS_PER_MTOK

__all__ = [
    "check_room",
    "cliff_ratio",
    "decision_map",
    "decode_costs",
    "never_cheapest",
    "request_break_even",
    "request_costs",
    "rig_costs",
]

Array = NDArray[np.float64]


def _decode(
    architecture: catalog.Architecture, context_tokens: ArrayLike, rig: Rig
) -> dict[str, Array]:
    """Memory, traffic and arithmetic of a user, and how many fit, over contexts."""
    cache = catalog.cache_layers(architecture)
    own_bits = architecture.cache_bits
    bits = {
        "bytes_per_value": (rig.cache_bits if np.isnan(own_bits) else own_bits) / BITS_PER_BYTE,
        "bytes_per_state_value": architecture.state_bits / BITS_PER_BYTE,
    }
    weights = work.weight_bytes(n_params=architecture.n_params, weight_bits=rig.weight_bits)
    memory = kv.sequence_bytes(context_tokens, **cache, **bits)
    state = kv.sequence_bytes(0, **cache, **bits)
    pool = serving.pool_bytes(
        memory_bytes=rig.memory_bytes,
        weight_bytes=weights,
        reserved_bytes=rig.reserved_bytes,
        n_accelerators=rig.n_accelerators,
    )
    flop = work.token_flop(
        active_params=architecture.n_params,
        attention_flop=work.attention_flop(
            context_tokens, **catalog.attention_layers(architecture)
        ),
        state_flop=work.state_flop(**catalog.state_layers(architecture)),
    )
    return {
        "sequence_bytes": np.asarray(memory),
        "traffic_bytes": np.asarray(kv.traffic_bytes(sequence_bytes=memory, state_bytes=state)),
        "token_flop": np.asarray(flop),
        "n_users": np.asarray(serving.n_users(pool_bytes=pool, sequence_bytes=memory)),
        "weight_bytes": np.asarray(weights),
    }


def decode_costs(
    context_tokens: Sequence[float],
    rig: Rig,
    *,
    names: Iterable[str] | None = None,
    user_tokens_per_s: float = 35.0,
) -> pd.DataFrame:
    """Users and cost of each architecture over contexts, at a fixed speed and by the roofline.

    Parameters
    ----------
    context_tokens
        Tokens that each user holds. [tokens]
    rig
        Accelerators, weights and rent.
    names
        Architectures of `data/architectures.csv`; all by default.
    user_tokens_per_s
        Speed that the fixed-speed cost gives to every user. [tokens/s]

    Returns
    -------
        Rows (architecture, context_tokens) with sequence_bytes, n_users, step_s, bound,
        flat_usd_per_mtok and usd_per_mtok; where nobody fits the costs are infinite.
    """
    positive("context_tokens", context_tokens, finite=True)
    positive("user_tokens_per_s", user_tokens_per_s, finite=True)
    context = np.asarray(context_tokens, dtype=np.float64)
    devices = rig.n_accelerators
    frames = []
    for name in names or catalog.architectures():
        user = _decode(catalog.architecture(name), context, rig)
        users, moved = (
            user["n_users"],
            {key: user[key] for key in ("weight_bytes", "traffic_bytes")},
        )
        moving = roofline.transfer_s(
            moved_bytes=roofline.step_bytes(n_users=users, **moved),
            bytes_per_s=devices * rig.memory_bytes_per_s,
        )
        computing = roofline.flop_s(
            flop=roofline.step_flop(n_users=users, token_flop=user["token_flop"]),
            peak_flop_per_s=devices * rig.peak_flop_per_s,
        )
        flat = serving.usd_per_mtok(tokens_per_s=users * user_tokens_per_s, **rig.rent)
        light = serving.token_usd_per_mtok(
            n_users=users, token_flop=user["token_flop"], **moved, **rig.speed, **rig.rent
        )
        columns: dict[str, Any] = {
            "sequence_bytes": user["sequence_bytes"],
            "n_users": users,
            "step_s": np.maximum(moving, computing),
            "bound": np.where(moving >= computing, "memory", "compute"),
            "flat_usd_per_mtok": flat,
            "usd_per_mtok": light,
        }
        frames.append(
            pd.DataFrame(
                {
                    "architecture": name,
                    "context_tokens": context,
                    **{
                        key: np.broadcast_to(found, context.shape) for key, found in columns.items()
                    },
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def check_room(rig: Rig, context_tokens: float, name: str = "full attention") -> None:
    """Refuse a rig on which not one user fits: a chapter has nothing to say about it.

    Raises
    ------
    ValueError
        With what the user needs, what the rig leaves, and what may be changed.

    Examples
    --------
    >>> from costlib import study
    >>> h100 = catalog.accelerator("H100")
    >>> rig = study.card(
    ...     h100, activations="bf16", weight_bits=16, cache_bits=16, rent_usd_per_h=2.5,
    ...     reserved_bytes=6e9,
    ... )
    >>> check_room(rig, 4_000)
    Traceback (most recent call last):
    ValueError: nobody fits: 4,000 tokens need 1.3 GB of cache, and the weights leave 0.0 GB; \
change memory_gb, reserve_gb, weight_bits, cache_bits or long_tokens
    """
    user = _decode(catalog.architecture(name), context_tokens, rig)
    if not user["n_users"] >= 1:
        room = serving.pool_bytes(
            memory_bytes=rig.memory_bytes,
            weight_bytes=user["weight_bytes"],
            reserved_bytes=rig.reserved_bytes,
            n_accelerators=rig.n_accelerators,
        )
        raise ValueError(
            f"nobody fits: {context_tokens:,.0f} tokens need {user['sequence_bytes'] / GB:.1f} GB "
            f"of cache, and the weights leave {room / GB:.1f} GB; change memory_gb, reserve_gb, "
            "weight_bits, cache_bits or long_tokens"
        )


def rig_costs(
    rigs: Mapping[str, Rig],
    *,
    short_tokens: float,
    long_tokens: float,
    name: str = "full attention",
) -> pd.DataFrame:
    """Users and roofline cost of one architecture on several rigs, at two contexts.

    Parameters
    ----------
    rigs
        Rigs by name.
    short_tokens, long_tokens
        The two contexts. [tokens]
    name
        Architecture of `data/architectures.csv`.

    Returns
    -------
        One row per rig: short_users, long_users, short_usd, long_usd and their ratio.
    """
    positive("short_tokens", short_tokens, finite=True)
    positive("long_tokens", long_tokens, finite=True)
    frames = [decode_costs([short_tokens, long_tokens], rig, names=[name]) for rig in rigs.values()]
    users = np.array([frame["n_users"] for frame in frames])
    cost = np.array([frame["usd_per_mtok"] for frame in frames])
    return pd.DataFrame(
        {
            "rig": list(rigs),
            "short_users": users[:, 0],
            "long_users": users[:, 1],
            "short_usd": cost[:, 0],
            "long_usd": cost[:, 1],
            "ratio": cost[:, 1] / cost[:, 0],
        }
    )


def request_costs(
    context_tokens: ArrayLike,
    output_fraction: ArrayLike,
    rig: Rig,
    *,
    compute_fraction: float,
    names: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Cost of one request of each architecture: its prefill alone, its decode among users.

    A request fills its context with a prompt and an answer. It holds memory for all of it,
    decodes at the mean of its lengths, and shares the step with every user that fits.

    Parameters
    ----------
    context_tokens
        Prompt plus answer. [tokens]
    output_fraction
        Share of the context that is the answer. [-]
    rig
        Accelerators, weights and rent.
    compute_fraction
        Share of the peak that prefill reaches. [-]
    names
        Architectures of `data/architectures.csv`; all by default.

    Returns
    -------
        Rows (architecture, context_tokens, output_fraction) with n_users, prefill_usd,
        decode_usd and usd.
    """
    context, share = np.broadcast_arrays(
        positive("context_tokens", context_tokens, finite=True),
        fraction("output_fraction", output_fraction),
    )
    answer = context * share
    frames = []
    for name in names or catalog.architectures():
        columns = _request(
            catalog.architecture(name),
            context - answer,
            answer,
            rig,
            compute_fraction=compute_fraction,
        )
        frames.append(
            pd.DataFrame(
                {
                    "architecture": name,
                    "context_tokens": context.ravel(),
                    "output_fraction": share.ravel(),
                    **{
                        column: np.broadcast_to(values, context.shape).ravel()
                        for column, values in columns.items()
                    },
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _request(
    architecture: catalog.Architecture,
    prompt_tokens: ArrayLike,
    answer_tokens: ArrayLike,
    rig: Rig,
    *,
    compute_fraction: float,
    reused_tokens: ArrayLike = 0.0,
) -> dict[str, Array]:
    """Users, prefill, decode and total cost of requests; infinite where not one fits."""
    prompt, answer = np.asarray(prompt_tokens), np.asarray(answer_tokens)
    users = _decode(architecture, prompt + answer, rig)["n_users"]
    mean = _decode(architecture, prompt + answer / 2, rig)
    flop = work.prefill_flop(
        prompt,
        active_params=architecture.n_params,
        reused_tokens=reused_tokens,
        **catalog.prefill_layers(architecture),
    )
    reading = roofline.flop_s(
        flop=flop,
        peak_flop_per_s=rig.n_accelerators * rig.peak_flop_per_s,
        compute_fraction=compute_fraction,
    )
    prefill = np.where(users > 0, serving.rent_usd(held_s=reading, **rig.rent), np.inf)
    decode = (
        answer
        / TOKENS_PER_MTOK
        * serving.token_usd_per_mtok(
            n_users=users,
            weight_bytes=mean["weight_bytes"],
            traffic_bytes=mean["traffic_bytes"],
            token_flop=mean["token_flop"],
            **rig.speed,
            **rig.rent,
        )
    )
    return {
        "n_users": users,
        "prefill_usd": prefill,
        "decode_usd": np.asarray(decode),
        "usd": prefill + decode,
    }


def request_break_even(
    hit_fraction: ArrayLike,
    rig: Rig,
    price: Price,
    *,
    prompt_tokens: float,
    answer_tokens: float,
    compute_fraction: float,
    name: str = "full attention",
) -> pd.DataFrame:
    """Busy share of an owned rig at which its requests cost what the list price asks.

    Parameters
    ----------
    hit_fraction
        Share of the prompt that the vendor reads from its cache. [-]
    rig
        Accelerators, weights and rent.
    price
        List price of the vendor.
    prompt_tokens, answer_tokens
        One request. [tokens]
    compute_fraction
        Share of the peak that prefill reaches. [-]
    name
        Architecture that the rig serves.

    Returns
    -------
        Rows (case, hit_fraction) with own_usd, api_usd and busy_fraction. The case "reuses"
        finds the same prefix in its own cache, "recomputes" reads every prompt anew. Above 1
        not even a rig that is never idle pays.
    """
    fraction("hit_fraction", hit_fraction)
    positive("prompt_tokens", prompt_tokens, finite=True)
    non_negative("answer_tokens", answer_tokens, finite=True)
    hit = np.asarray(hit_fraction, dtype=np.float64)
    architecture = catalog.architecture(name)
    api_usd = pricing.request_usd(
        input_tokens=prompt_tokens,
        output_tokens=answer_tokens,
        input_usd_per_mtok=price.input_usd_per_mtok,
        cached_input_usd_per_mtok=price.cached_input_usd_per_mtok,
        output_usd_per_mtok=price.output_usd_per_mtok,
        cached_tokens=prompt_tokens * hit,
    )
    frames = []
    for case, reused in (("recomputes", 0 * hit), ("reuses", hit)):
        own_usd = _request(
            architecture,
            prompt_tokens,
            answer_tokens,
            rig,
            compute_fraction=compute_fraction,
            reused_tokens=reused * prompt_tokens,
        )["usd"]
        frames.append(
            pd.DataFrame(
                {
                    "case": case,
                    "hit_fraction": hit,
                    "own_usd": own_usd,
                    "api_usd": api_usd,
                    "busy_fraction": own_usd / api_usd,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def decision_map(costs: pd.DataFrame) -> pd.DataFrame:
    """Cheapest architecture of every cell of `request_costs`, with and without exact recall.

    Returns
    -------
        Rows (recall, context_tokens, output_fraction) with the cheapest architecture, its
        usd, and `saving_fraction`, what it saves against full attention. Cells in which
        nothing fits are left out.
    """
    exact = {name for name, found in catalog.architectures().items() if found.exact_recall}
    cell = ["context_tokens", "output_fraction"]
    full = costs[costs["architecture"] == "full attention"].set_index(cell)["usd"]
    frames = []
    for recall, rows in (
        ("exact recall", costs[costs["architecture"].isin(exact)]),
        ("any recall", costs),
    ):
        finite = rows[np.isfinite(rows["usd"])]
        best = finite.loc[finite.groupby(cell)["usd"].idxmin()]
        saving = 1 - best["usd"].to_numpy() / full.loc[pd.MultiIndex.from_frame(best[cell])]
        frames.append(
            best[["architecture", *cell, "usd"]].assign(
                recall=recall, saving_fraction=saving.to_numpy()
            )
        )
    cells: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return cells


def never_cheapest(cells: pd.DataFrame, recall: str) -> list[str]:
    """Architectures that win no cell of a `decision_map`: branches that no tree needs."""
    winners = set(cells.loc[cells["recall"] == recall, "architecture"])
    allowed = (
        name
        for name, found in catalog.architectures().items()
        if found.exact_recall or recall != "exact recall"
    )
    return [name for name in allowed if name not in winners]


def cliff_ratio(*, short_tokens: float, long_tokens: float, **serving_arguments: Any) -> float:
    """Cost of output at a long context over that at a short one, by the roofline at capacity.

    Parameters
    ----------
    short_tokens, long_tokens
        The two contexts. [tokens]
    serving_arguments
        Arguments of `serving.capacity_usd_per_mtok`.

    Returns
    -------
        The ratio; infinite where nobody fits at the long context.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    contexts = [positive("short_tokens", short_tokens), positive("long_tokens", long_tokens)]
    short, long = np.asarray(
        serving.capacity_usd_per_mtok(np.array(contexts), **serving_arguments), dtype=np.float64
    )
    return float(long / short) if np.isfinite(short) else np.inf
