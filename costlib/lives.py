"""Lives: one machine in the books and at work, a token under each life, and who books which.

Formulas are those of `depreciation`, `charges`, `holding` and `impairment`; this module puts one
asset's terms to them and reads `data/depreciation_schedules.csv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib import charges, depreciation, holding, impairment, serving, tables
from costlib._checks import fraction, non_negative, positive
from costlib.units import MONTHS_PER_YEAR

__all__ = [
    "METHODS",
    "Asset",
    "books",
    "earning_years",
    "first_month",
    "held_values",
    "months",
    "schedules",
    "stages",
    "token_costs",
    "under_water",
]

METHODS: Final = ("straight line", "double declining", "sum of digits", "by use", "tax (MACRS)")
TAX_YEARS: Final = 5.0  # class life of computers


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One machine: what the books say of it, what it earns and what it takes.

    Its rent is that of an hour in use; it is multiplied by `yearly_times` from year to year.
    """

    cost_usd: float
    salvage_fraction: float
    life_years: float
    rent_usd_per_h: float
    yearly_times: float
    busy_fraction: float
    opex_usd_per_h: float
    interest_fraction: float
    service_years: float

    @property
    def earning(self) -> dict[str, Any]:
        """What it earns and takes, as the formulas of `holding` ask for it."""
        names = ("rent_usd_per_h", "yearly_times", "busy_fraction", "opex_usd_per_h")
        return {name: getattr(self, name) for name in names}

    @property
    def resale_usd(self) -> float:
        """What it sells for when it retires: the salvage value of the books."""
        return self.cost_usd * self.salvage_fraction

    def falling(self, decline_fraction: float) -> Asset:
        """The same machine with rents that fall by so much a year."""
        return replace(self, yearly_times=1 - decline_fraction)


# --- the books ---------------------------------------------------------------------------------


def books(
    asset: Asset, years: Sequence[float], *, edges_years: Sequence[float], busy: Sequence[float]
) -> pd.DataFrame:
    """Book value by year under each of `METHODS`; columns year, method, book_usd.

    By use, the charge follows the hours worked: the shares of time `busy` between the ages
    `edges_years`. The tax basis takes five years, whatever the books do.
    """
    age = np.atleast_1d(non_negative("years", years))
    edges, shares = _stages(edges_years, busy)
    worked = np.interp(age, edges, np.append(0.0, np.cumsum(np.diff(edges) * shares)))
    lifetime = float(np.sum(np.diff(edges) * shares))
    plain = {"cost_usd": asset.cost_usd, "salvage_fraction": asset.salvage_fraction}
    aged = {**plain, "life_years": asset.life_years}
    found = {
        "straight line": depreciation.straight_book_usd(age, **aged),
        "double declining": depreciation.declining_book_usd(age, rate_times=2, **aged),
        "sum of digits": depreciation.digits_book_usd(age, **aged),
        "by use": depreciation.units_book_usd(worked, n_lifetime=lifetime, **plain),
        "tax (MACRS)": depreciation.macrs_book_usd(
            age, cost_usd=asset.cost_usd, life_years=TAX_YEARS
        ),
    }
    return pd.concat(
        [pd.DataFrame({"year": age, "method": name, "book_usd": found[name]}) for name in METHODS],
        ignore_index=True,
    )


def _stages(
    edges_years: ArrayLike, busy: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ages between which a machine works, and the share of the time that it does."""
    edges = np.atleast_1d(non_negative("edges_years", edges_years, finite=True))
    shares = np.atleast_1d(fraction("busy", busy))
    if shares.size != edges.size - 1:
        raise ValueError(
            f"busy must hold a share for each of the {edges.size - 1} spans between edges_years, "
            f"got {shares.size}"
        )
    return edges, shares


def months(asset: Asset) -> pd.DataFrame:
    """A row per month of the life in the books, 0 to its end.

    Returns
    -------
        `book_usd`, `in_use_usd` (discounted), `undiscounted_usd`, and the loss that a first test
        in this month would find: `two_step_usd` under ASC 360, `one_step_usd` under IAS 36.
    """
    month = np.arange(round(MONTHS_PER_YEAR * asset.life_years) + 1)
    age = month / MONTHS_PER_YEAR
    book = depreciation.straight_book_usd(
        age,
        cost_usd=asset.cost_usd,
        salvage_fraction=asset.salvage_fraction,
        life_years=asset.life_years,
    )

    def worth(interest_fraction: float) -> Any:
        return holding.value_in_use_usd(
            age,
            **asset.earning,
            resale_usd=asset.resale_usd,
            service_years=asset.service_years,
            interest_fraction=interest_fraction,
        )

    use, plain = worth(asset.interest_fraction), worth(0)
    return pd.DataFrame(
        {
            "month": month,
            "book_usd": book,
            "in_use_usd": use,
            "undiscounted_usd": plain,
            "two_step_usd": impairment.two_step_loss_usd(
                book, undiscounted_usd=plain, fair_usd=use
            ),
            "one_step_usd": impairment.one_step_loss_usd(book, in_use_usd=use, fair_usd=0),
        }
    )


def first_month(table: pd.DataFrame, loss: str) -> float:
    """First month of `months` with a loss of more than a dollar; infinite: never."""
    found = table.month[table[loss] > 1]
    return float(found.iloc[0]) if len(found) else float("inf")


def under_water(
    asset: Asset, lives: Sequence[float], declines_fraction: Sequence[float]
) -> pd.DataFrame:
    """Months under water and the first of them, by life in the books and yearly fall of rents."""
    life, decline = np.meshgrid(
        positive("lives", lives), fraction("declines_fraction", declines_fraction), indexing="ij"
    )
    terms = {
        "cost_usd": asset.cost_usd,
        "salvage_fraction": asset.salvage_fraction,
        **asset.earning,
        "yearly_times": 1 - decline,
        "interest_fraction": asset.interest_fraction,
        "service_years": asset.service_years,
    }
    return pd.DataFrame(
        {
            "life_years": life.ravel(),
            "decline_fraction": decline.ravel(),
            "n_months": impairment.n_months_under_water(life, **terms).ravel(),
            "first_month": impairment.under_water_month(life, **terms).ravel(),
        }
    )


# --- the token ---------------------------------------------------------------------------------


def token_costs(
    asset: Asset,
    lives: Sequence[float],
    *,
    tokens_per_s: float,
    gpu_fraction: float,
    gpu_salvage_fraction: float,
    gpu_years: float,
    rest_years: float,
) -> pd.DataFrame:
    """USD per million tokens by life, and by component in the last row.

    Parameters
    ----------
    asset
        The machine; its own life counts for nothing here.
    lives
        Lives in the books, in years.
    tokens_per_s
        What it makes while it is in use, prompt and answer together.
    gpu_fraction, gpu_salvage_fraction, gpu_years, rest_years
        The row by component: GPUs' share of the cost, what is left of them, the two lives.

    Returns
    -------
        `words`, `life_years` (of the straight line without salvage that charges as much),
        `charge_usd` a year, `charge_usd_per_mtok`, `rest_usd_per_mtok` (operation), their sum
        `usd_per_mtok` and `share_fraction`, the charge in it.
    """
    each = np.atleast_1d(positive("lives", lives, finite=True))
    fraction("gpu_salvage_fraction", gpu_salvage_fraction)
    positive("gpu_years", gpu_years, finite=True)
    positive("rest_years", rest_years, finite=True)
    yearly = depreciation.straight_charge_usd(
        each,
        cost_usd=asset.cost_usd,
        salvage_fraction=asset.salvage_fraction,
    )
    parts = charges.component_charge_usd(
        gpu_fraction,
        cost_usd=asset.cost_usd,
        salvage_fraction=gpu_salvage_fraction,
        life_years=gpu_years,
        rest_life_years=rest_years,
    )
    charge = np.append(yearly, parts)
    hour = charges.charge_usd_per_h(charge, busy_fraction=asset.busy_fraction)
    held = serving.usd_per_mtok(rent_usd_per_h=hour, tokens_per_s=tokens_per_s)
    rest = serving.usd_per_mtok(
        rent_usd_per_h=asset.opex_usd_per_h / asset.busy_fraction, tokens_per_s=tokens_per_s
    )
    return pd.DataFrame(
        {
            "words": [*(f"{life:g} years" for life in each), "by component"],
            "life_years": charges.equivalent_life_years(charge, cost_usd=asset.cost_usd),
            "charge_usd": charge,
            "charge_usd_per_mtok": held,
            "rest_usd_per_mtok": rest,
            "usd_per_mtok": held + rest,
            "share_fraction": held / (held + rest),
        }
    )


# --- at work -----------------------------------------------------------------------------------


def held_values(
    asset: Asset, years: Sequence[float], declines_fraction: Sequence[float]
) -> pd.DataFrame:
    """Present value of buying, holding and selling by years held, a block per fall of rents.

    Its price in the market falls with the rent it earns.
    """
    decline, held = np.meshgrid(
        fraction("declines_fraction", declines_fraction),
        non_negative("years", years),
        indexing="ij",
    )
    value = holding.holding_npv_usd(
        held,
        cost_usd=asset.cost_usd,
        **asset.earning | {"yearly_times": 1 - decline},
        resale_times=1 - decline,
        interest_fraction=asset.interest_fraction,
    )
    return pd.DataFrame(
        {
            "decline_fraction": decline.ravel(),
            "years": held.ravel(),
            "npv_usd": value.ravel(),
        }
    )


def stages(
    asset: Asset,
    declines_fraction: Sequence[float],
    *,
    edges_years: Sequence[float],
    busy: Sequence[float],
    rent_times: Sequence[float],
) -> pd.DataFrame:
    """Margin of each tier that a machine falls to, discounted to the purchase.

    Parameters
    ----------
    asset
        The machine; in place of its own use stands that of each tier.
    declines_fraction
        Yearly falls of the rent.
    edges_years
        Ages at which tiers begin and end: training, real time, batch.
    busy, rent_times
        Share of the time that each tier works, and what it pays of the rent of its day.

    Returns
    -------
        A row per fall: `decline_fraction`, `stage_1` and so on in USD, and their sum `total_usd`.
    """
    edges, shares = _stages(edges_years, busy)
    decline = np.atleast_1d(fraction("declines_fraction", declines_fraction))
    value = np.atleast_2d(
        holding.stage_value_usd(
            edges[:-1],
            until_years=edges[1:],
            rent_usd_per_h=asset.rent_usd_per_h * non_negative("rent_times", rent_times),
            yearly_times=(1 - decline)[:, None],
            busy_fraction=shares,
            opex_usd_per_h=asset.opex_usd_per_h,
            interest_fraction=asset.interest_fraction,
        )
    )
    named = {f"stage_{n + 1}": value[:, n] for n in range(value.shape[1])}
    return pd.DataFrame({"decline_fraction": decline, **named, "total_usd": value.sum(axis=1)})


def earning_years(asset: Asset, declines_fraction: ArrayLike) -> Any:
    """Age at which an hour costs more to run than it earns, by yearly fall of the rent."""
    return holding.retirement_years(
        asset.service_years,
        **asset.earning | {"yearly_times": 1 - fraction("declines_fraction", declines_fraction)},
        resale_usd=0,
        interest_fraction=asset.interest_fraction,
    )


# --- who books what ----------------------------------------------------------------------------


def schedules(path: Path | None = None) -> pd.DataFrame:
    """Rows of `depreciation_schedules.csv`, and `base_usd`, the cost that explains each effect.

    >>> schedules().query("company == 'Alphabet'").base_usd.max().round(-8) / 1e9
    np.float64(46.8)
    """
    table = pd.DataFrame(tables.rows("depreciation_schedules.csv", path))
    known = table.charge_usd.notna() & table.life_from_years.notna()
    lives = np.sort(table.loc[known, ["life_from_years", "life_to_years"]].to_numpy(), axis=1)
    table.loc[known, "base_usd"] = charges.implied_base_usd(
        table.loc[known, "charge_usd"].to_numpy(),
        shorter_years=lives[:, 0],
        life_years=lives[:, 1],
    )
    return table
