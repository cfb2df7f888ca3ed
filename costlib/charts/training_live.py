"""The live chart of `training_and_tuning`: tokens per parameter against tokens served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from costlib import laws, lifetime, scaling
from costlib.charts.controls import Control, initial, params, slider
from costlib.charts.theme import hue, titled
from costlib.charts.vega import expression

__all__ = ["life", "life_controls", "life_point", "try_life"]

FIRST, LAST = 10, 16  # powers of ten of the served tokens
LOW, HIGH = 5.0, 1e5  # training tokens per parameter
N, SPAN = 281, (-4.0, 3.0)  # points of the line, and powers of ten of the bill's ratio


def life_controls(
    *,
    served_tokens: float,
    n_params: float,
    training_tokens: float,
    training_mfu_fraction: float,
    serving_mfu_fraction: float,
    price_times: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers."""
    power = float(np.log10(served_tokens))
    powers = sorted({power, *(float(np.log10(m * 10**n)) for n in range(FIRST, LAST + 1)
                              for m in (1, 2, 5) if m == 1 or n < LAST)})  # fmt: skip
    return (
        Control(
            parameter="served",
            label="Tokens served",
            unit="trillion",
            value=power,
            options=tuple(powers),
            words=tuple(f"{10 ** (one - 12):,.6g} trillion" for one in powers),
        ),
        slider("size_b", "Loss of", "billion parameters", n_params / 1e9, (1, 500), step=1),
        slider(
            "text_t", "Trained on", "trillion tokens", training_tokens / 1e12, (0.1, 20), step=0.1
        ),
        slider(
            "training_mfu_fraction",
            "Training reaches",
            "% of the peak",
            round(100 * training_mfu_fraction, 1),
            (10, 70),
            step=0.1,
            scale=0.01,
        ),
        slider(
            "serving_mfu_fraction",
            "Serving reaches",
            "% of the peak",
            round(100 * serving_mfu_fraction, 1),
            (0.5, 70),
            step=0.5,
            scale=0.01,
        ),
        slider(
            "price_times",
            "Hour of serving",
            "× training’s",
            price_times,
            (0.2, 5),
            step=0.1,
        ),
    )


def _axes() -> tuple[Any, Any]:
    return (
        alt.X(
            "served_t:Q",
            title="Tokens served (trillion, logarithmic)",
            scale=alt.Scale(type="log", domain=[10.0 ** (FIRST - 12), 10.0 ** (LAST - 12)]),
        ).axis(values=[10.0 ** (n - 12) for n in range(FIRST, LAST + 1)], format=",~g"),
        alt.Y(
            "ratio:Q",
            title="Training tokens per parameter (logarithmic)",
            scale=alt.Scale(type="log", domain=[LOW, HIGH], nice=False),
        ).axis(values=[10, 100, 1_000, 10_000, 100_000], format=",~g"),
    )


def _signals(controls: Sequence[Control]) -> dict[str, str]:
    """The optimum at the reader's tokens, step by step as `lifetime` computes it."""
    moved = {control.parameter: f"({control.expression})" for control in controls}
    law = laws.law()
    alone = law.exponents
    gap = expression(
        scaling.loss,
        n_params="size",
        training_tokens="text",
        floor_loss=0.0,
        **law.constants,
    )
    signals = {
        "size": "size_b * 1e9",
        "text": "text_t * 1e12",
        "served_now": "pow(10, served)",
        "times": expression(
            lifetime.served_times,
            price_times=moved["price_times"],
            training_mfu_fraction=moved["training_mfu_fraction"],
            serving_mfu_fraction=moved["serving_mfu_fraction"],
        ),
        "gap": gap,
        "least_size": expression(
            scaling.loss_params, gap_loss="gap", params_scale=law.params_scale, **alone
        ),
        "least_text": expression(
            scaling.loss_tokens, gap_loss="gap", tokens_scale=law.tokens_scale, **alone
        ),
        "whole": "times * served_now / "
        + expression(
            lifetime.served_tokens,
            serving_ratio=1.0,
            served_times=1.0,
            training_tokens="least_text",
        ),
    }
    share = "1"
    for step in range(1, lifetime.N_STEPS + 1):
        signals[f"share_{step}"] = expression(
            lifetime.serving_step, serving_fraction=share, whole_ratio="whole", **alone
        )
        share = f"share_{step}"
    signals["w"] = f"{share} * whole"
    signals["best_size"] = expression(
        lifetime.optimal_params, serving_ratio="w", cheapest_params="least_size", **alone
    )
    signals["best_text"] = expression(
        lifetime.optimal_tokens, serving_ratio="w", cheapest_tokens="least_text", **alone
    )
    for name in ("best", "least"):
        signals[f"{name}_flop"] = expression(
            lifetime.life_flop,
            n_params=f"{name}_size",
            training_tokens=f"{name}_text",
            served_tokens="served_now",
            served_times="times",
        )
    signals["stated_flop"] = expression(
        lifetime.life_flop,
        n_params="size",
        training_tokens="text",
        served_tokens="served_now",
        served_times="times",
    )
    signals["ratio_now"] = "best_text / best_size"
    signals["saved"] = "1 - best_flop / stated_flop"
    signals["least_saved"] = "1 - best_flop / least_flop"
    return signals


def _told() -> str:
    number = "format({0}, {0} < 10 ? '.2r' : ',.0f')"
    size, text = "(best_size / 1e9)", "(best_text / 1e12)"
    share = "format(100 * max({0}, 0), '.1f') + ' %'"
    return (
        "'Cheapest: ' + "
        + number.format(size)
        + " + 'B on ' + "
        + number.format(text)
        + " + 'T, ' + format(ratio_now, ',.0f') + ' tokens per parameter. It saves ' + "
        + share.format("saved")
        + " + ' against the model you state and ' + "
        + share.format("least_saved")
        + " + ' against the least training; a served FLOP costs ' + format(times, '.3r') + "
        "' times one of training.'"
    )


def try_life(controls: Sequence[Control]) -> Any:
    """The cheapest ratio over what is served, the reader's own point on it."""
    law = laws.law()
    alone = law.exponents
    x, y = _axes()
    bill = f"pow(10, {SPAN[0]} + {(SPAN[1] - SPAN[0]) / (N - 1)} * datum.i)"
    text = expression(
        lifetime.optimal_tokens,
        serving_ratio="datum.bill",
        cheapest_tokens="least_text",
        **alone,
    )
    size = expression(
        lifetime.optimal_params,
        serving_ratio="datum.bill",
        cheapest_params="least_size",
        **alone,
    )
    served = expression(
        lifetime.served_tokens,
        serving_ratio="datum.bill",
        served_times="times",
        training_tokens="datum.text",
    )
    line = (
        alt.Chart(alt.sequence(0, N, 1, as_="i"))
        .transform_calculate(bill=bill)
        .transform_calculate(text=text)
        .transform_calculate(served_t=f"({served}) / 1e12", ratio=f"datum.text / ({size})")
        .transform_filter(
            f"datum.served_t >= {10.0 ** (FIRST - 12)} && datum.served_t <= "
            f"{10.0 ** (LAST - 12)} && datum.ratio >= {LOW} && datum.ratio <= {HIGH}"
        )
        .mark_line(color=hue("ink"), strokeWidth=3)
        .encode(x, y, order="i:Q")
    )
    one = alt.Chart(alt.sequence(0, 1, 1, as_="i")).transform_calculate(
        served_t="served_now / 1e12",
        ratio="ratio_now",
        stated="text / size",
        words="'You: ' + format(ratio_now, ',.0f') + ' : 1'",
    )
    inside = (
        f"datum.ratio >= {LOW} && datum.ratio <= {HIGH} && served >= {FIRST} && served <= {LAST}"
    )
    stated = (
        one.transform_calculate(ratio="datum.stated")
        .transform_filter(inside)
        .mark_rule(strokeDash=[2, 3], color=hue("muted"))
        .encode(y=y)
    )
    dot = (
        one.transform_filter(inside)
        .mark_point(
            size=150, filled=True, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1
        )
        .encode(x, y)
    )
    right = "(served > 13)"
    label = (
        one.transform_filter(inside)
        .mark_text(
            align=alt.ExprRef(f"{right} ? 'right' : 'left'"),
            dx=alt.ExprRef(f"{right} ? -14 : 12"),
            dy=alt.ExprRef(f"{right} ? -8 : 14"),
            color=hue("you"),
            fontWeight=700,
            fontSize=14,
        )
        .encode(x, y, text="words:N")
    )
    signals = _signals(controls) | {"readout": _told()}
    chart = alt.layer(stated, line, dot, label).add_params(
        *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
    )
    here = life(**initial(controls))
    return titled(
        chart,
        title="Your model: how far past the least training?",
        subtitle="Training tokens per parameter of the cheapest model at your loss, over the "
        "tokens that it serves; dotted: the ratio of the model you state",
        description="Interactive line of the cheapest training tokens per parameter over served "
        f"tokens. With the chapter's numbers {here['ratio']:,.1f}, which saves "
        f"{100 * here['saved']:.2f} percent.",
        note="Recomputed in your browser by the library’s own formulas, with the refit of 2024. "
        "What leaves the frame is not drawn.",
        height=360,
    )


def life(
    *,
    served: float,
    size_b: float,
    text_t: float,
    training_mfu_fraction: float,
    serving_mfu_fraction: float,
    price_times: float,
) -> dict[str, float]:
    """What the words of `try_life` say at one setting."""
    of = laws.target(size_b * 1e9, text_t * 1e12)
    times = float(
        lifetime.served_times(
            price_times,
            training_mfu_fraction=training_mfu_fraction,
            serving_mfu_fraction=serving_mfu_fraction,
        )
    )
    row = laws.lives(10**served, of=of, served_times=times).iloc[0]
    return {
        "times": times,
        "size": float(row.n_params),
        "text": float(row.training_tokens),
        "ratio": float(row.tokens_per_param),
        "saved": float(row.saved_fraction),
        "least_saved": float(row.least_saved_fraction),
    }


def life_point(**moved: float) -> Any:
    """The twin of `try_life` for one setting, computed in Python."""
    here = life(**moved)
    of = laws.target(moved["size_b"] * 1e9, moved["text_t"] * 1e12)
    across = np.logspace(FIRST, LAST, 121)
    found = laws.lives(across, of=of, served_times=here["times"])
    rows = pd.DataFrame({"served_t": across / 1e12, "ratio": found["tokens_per_param"].to_numpy()})
    rows = rows[(rows.ratio >= LOW) & (rows.ratio <= HIGH)]
    x, y = _axes()
    mine = pd.DataFrame({"served_t": [10 ** moved["served"] / 1e12], "ratio": [here["ratio"]]})
    dot = (
        alt.Chart(mine[(mine.ratio >= LOW) & (mine.ratio <= HIGH)])
        .mark_point(size=150, filled=True, color=hue("you"), opacity=1)
        .encode(x, y)
    )
    spoken = (
        f"Cheapest: {here['size'] / 1e9:.3g}B on {here['text'] / 1e12:.3g}T, "
        f"{here['ratio']:,.0f} tokens per parameter; it saves {100 * max(here['saved'], 0):.1f} %"
    )
    return titled(
        alt.layer(alt.Chart(rows).mark_line(color=hue("ink")).encode(x, y), dot),
        title=spoken,
        subtitle="Training tokens per parameter over tokens served",
        description=spoken,
        height=320,
    )
