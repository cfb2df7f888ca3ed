"""Theses on what is kept: reloading, edits, keeping warm (46 to 48)."""

from __future__ import annotations

from typing import Final

from numpy.typing import ArrayLike

from costlib import catalog, pricebook, reloading, reuse, sessions, units
from costlib._thesis import Thesis, cases, flip, verdict
from costlib._words import usd as money

__all__ = ["disk_reload", "edited_contexts", "warm_reads"]

MODEL: Final = "Llama-3.1-70B"
CONTEXT: Final = 96_000.0  # tokens
GPUS: Final = 4  # H100


def disk_reload(bytes_per_s: ArrayLike | None = None) -> Thesis:
    """Thesis 46: tried over the bandwidth to each GPU, by default of the drives and the storage."""
    places = reloading.reloads(
        MODEL, "H100", context_tokens=CONTEXT, rent_usd_per_h=2.5, n_accelerators=GPUS
    ).set_index("tier")
    drive = places.loc["Local NVMe"].to_dict()
    tiers = catalog.tiers()
    rates = [
        tiers[name].bytes_per_s / (1 if tiers[name].per_accelerator else GPUS)
        for name in ("Local NVMe", "Local NVMe, PCIe 5", "Shared storage")
    ]
    at = float(drive["sequence_bytes"] / (drive["prefill_s"] * GPUS))
    small = reloading.parity(["Qwen3-30B-A3B"], "H100", context_tokens=[2e3]).bytes_per_s[0]
    return Thesis(
        number=46,
        words="A prompt that was read before is better brought back from disk than read anew.",
        verdict=verdict(
            lambda rate: rate - at * (1 + 1e-12), cases("bytes_per_s", bytes_per_s, rates)
        ),
        because=f"96K tokens of {MODEL} take {drive['prefill_s']:.1f} s to read on four H100 and "
        f"{drive['reload_s']:.2f} s to bring back from their drives. Short prompts of a model that "
        f"computes little need more: 2K of Qwen3-30B-A3B {small / units.GB:.1f} GB/s, and a drive "
        f"has {rates[0] / units.GB:.0f}.",
        value=float(drive["prefill_s"] / drive["reload_s"]),
        unit="times",
        flip=f"more than {at / units.GB:.2f} GB/s to each GPU, for this model and length",
        anchor="notebooks/prefix_and_tiers#reloading",
        turns=at,
    )


def edited_contexts(edit_fraction: ArrayLike | None = None) -> Thesis:
    """Thesis 47: tried over the share of turns that edit, by default as recorded."""
    edits = catalog.session_growth("edit_position_fraction")
    seen = edits["n"] / catalog.session_growth("later_turns")["total"]
    grown = {name: catalog.session_growth(name)["p50"] for name in ("start_tokens", "turn_tokens")}

    def hits(share: float) -> float:
        """Share of what 200 turns send that is found, with edits at places of chance."""
        kept = sessions.surviving_fraction(
            edit_fraction=share, position_fraction=sessions.first_edit_fraction(1)
        )
        return float(sessions.hit_fraction(200, **grown, surviving_fraction=kept))

    at = flip(lambda share: 0.5 - hits(share), 0, 1)
    sent, found = (
        catalog.session_growth(name)["total"] for name in ("input_tokens", "reused_tokens")
    )
    return Thesis(
        number=47,
        words="Agents change their context so often that a cache finds little of it.",
        verdict=verdict(
            lambda share: 0.5 - hits(share), cases("edit_fraction", edit_fraction, seen)
        ),
        because=f"Recorded agents edit in {seen:.1%} of their turns and append in the others: a "
        f"cache that drops nothing finds {found / sent:.1%} of what they send. An edit in every "
        f"turn would leave {hits(1):.1%}.",
        value=found / sent,
        unit="share found",
        flip=f"an edit in more than {at:.0%} of the turns: only then less than half is found",
        anchor="notebooks/prefix_and_tiers#do-their-contexts-mutate",
        turns=at,
    )


def warm_reads(gap_s: ArrayLike = (600, 1_800, 3_600, 5_400, 14_400)) -> Thesis:
    """Thesis 48: tried over the pause until a prefix is used again, as the chapter has them."""
    tried = cases("gap_s", gap_s)
    price = pricebook.price("claude-sonnet-4-6")
    paid = {
        "cached_input_usd_per_mtok": price.cached_input_usd_per_mtok,
        "cache_life_s": price.cache_life_s,
    }

    def kept(gap: float) -> float:
        return float(reuse.kept_usd_per_mtok(gap, **paid))

    written = price.cache_write_usd_per_mtok
    at = float(reuse.longest_warm_s(cache_write_usd_per_mtok=written, **paid))
    return Thesis(
        number=48,
        words="Reads that only keep a cache warm are money thrown away.",
        verdict=verdict(lambda gap: kept(gap) - written, tried),
        because=f"To write a prefix anew costs {money(written)} a million at {price.name}. Reads "
        f"that bridge half an hour cost {money(kept(1_800))}, an hour {money(kept(3_600))} and "
        f"four hours {money(kept(14_400))}.",
        value=kept(3_600),
        unit="USD/Mtok",
        flip=f"pauses longer than {at / 60:.0f} minutes; up to there they are cheaper than writing "
        "anew",
        anchor="notebooks/prefix_and_tiers#what-a-hit-is-worth-at-list",
        turns=at,
    )
