"""Arguments judged by computed numbers: 41 of the field, and those that the chapters add.

Every thesis is a function of what it hangs on. Called without arguments it tries the cases of the
book's chapters: it holds in all of them, in some ("holds only if") or in none. Called with numbers
of one's own it judges those.

>>> thesis(14).verdict
'fails'
>>> from costlib.theses_ownership import power_above_hardware
>>> power_above_hardware(electricity_usd_per_kwh=2).verdict
'holds'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from costlib import (
    theses_availability,
    theses_demand,
    theses_load,
    theses_ownership,
    theses_physics,
    theses_prices,
    theses_reuse,
    theses_steps,
    theses_training,
)
from costlib._thesis import VERDICTS, Thesis
from costlib.catalog import UnknownNameError

__all__ = ["ARGUMENTS", "VERDICTS", "Thesis", "theses", "thesis"]

ARGUMENTS: Final[Mapping[int, Callable[..., Thesis]]] = {
    1: theses_physics.context_cliff,
    2: theses_physics.bytes_decide,
    3: theses_physics.latent_leader,
    4: theses_physics.cache_quantisation,
    5: theses_physics.architecture_choice,
    6: theses_physics.self_hosting,
    7: theses_physics.user_count,
    8: theses_physics.ring_decode,
    9: theses_steps.expert_saving,
    10: theses_steps.chip_generation,
    11: theses_steps.batch_saving,
    12: theses_ownership.use_over_pue,
    13: theses_ownership.busy_site,
    14: theses_ownership.power_above_hardware,
    15: theses_ownership.use_to_own,
    16: theses_ownership.break_even_volume,
    17: theses_load.peaks_over_volume,
    18: theses_load.clipping_tails,
    19: theses_prices.output_ratio,
    20: theses_prices.expiring_premium,
    21: theses_prices.structural_discount,
    22: theses_prices.caching_agents,
    23: theses_prices.context_tiers,
    24: theses_prices.routing_saving,
    25: theses_prices.cheap_answers,
    26: theses_ownership.cascade_life,
    27: theses_ownership.hidden_impairment,
    28: theses_ownership.book_life,
    29: theses_steps.draft_load,
    30: theses_steps.draft_length,
    31: theses_demand.jevons,
    32: theses_demand.rising_bills,
    33: theses_training.serving_and_training,
    34: theses_training.printed_laws,
    35: theses_availability.nines_cost,
    36: theses_availability.promised_uptime,
    37: theses_availability.egress_share,
    38: theses_ownership.carbon_site,
    39: theses_ownership.compounding,
    40: theses_training.adapter_tenants,
    41: theses_demand.flat_plans,
    # What follows no one had to say: the chapters state and decide it.
    42: theses_steps.draft_acceptance,
    43: theses_steps.active_twin,
    44: theses_steps.slow_links,
    45: theses_steps.idle_hours,
    46: theses_reuse.disk_reload,
    47: theses_reuse.edited_contexts,
    48: theses_reuse.warm_reads,
    49: theses_load.busy_limit,
    50: theses_load.few_agents,
    51: theses_load.predicted_speed,
    52: theses_availability.another_replica,
    53: theses_prices.reserved_throughput,
    54: theses_prices.shorter_answers,
    55: theses_prices.three_points,
    56: theses_ownership.falling_rents,
    57: theses_ownership.evicted_work,
    58: theses_ownership.prices_below_cost,
    59: theses_training.training_bill,
}


def theses() -> list[Thesis]:
    """All of them in order, computed now."""
    return [judged() for judged in ARGUMENTS.values()]


def thesis(number: int) -> Thesis:
    """One of them.

    Raises
    ------
    UnknownNameError
        If there is no such number.
    """
    if not isinstance(number, int | np.integer) or number not in ARGUMENTS:
        raise UnknownNameError(f"no thesis {number!r}; they are numbered 1 to {len(ARGUMENTS)}")
    return ARGUMENTS[number]()
