"""`costlib`: the library's facts and the cliff, from a shell.

costlib models [NAME]         the models, or one with its memory per token
costlib accelerators [NAME]   the accelerators, or one with its ridge points
costlib cliff MODEL ACCELERATOR --rent 2.5 [--gpus 8] [--weight-bits 8] [--cache-bits 8]
costlib predict MODEL ACCELERATOR [--gpus 8] [--format fp8] [--clients 1 32 256]
costlib claims [TOPIC]        what sources say and what we get
costlib validate FILE.csv     how wrong the serving model is on measurements of yours
costlib profile LOG           what a log of requests of yours says, and where to begin
costlib plan FILE.yml         the cheapest way to serve a scenario, and what would change that
costlib plan FILE.yml --report PAGE.html   the same as a page with charts and sensitivity
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pandas as pd

from costlib import (
    catalog,
    claims,
    deploy,
    kv,
    plans,
    plantext,
    pricebook,
    profile,
    requestlog,
    serve,
    serving,
    study,
    units,
    validate,
    work,
)
from costlib._files import printable

__all__ = ["main"]

SHOWN_CHARS: Final = 1000  # of a complaint
SMALLEST, MOST = 1e-12, 1e15  # beyond these a number is a slip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake ends in one line on standard error and exit code 2."""
    parser = argparse.ArgumentParser(prog="costlib", description="What a token costs.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("models", "accelerators"):
        listing = commands.add_parser(name, help=f"list the {name}, or show one")
        listing.add_argument("name", nargs="?")
    cliff = commands.add_parser("cliff", help="users and cost over context, speed of light")
    cliff.add_argument("model")
    cliff.add_argument("accelerator")
    cliff.add_argument("--rent", type=_number, required=True, help="USD per accelerator and hour")
    cliff.add_argument("--gpus", type=int, default=1, help="accelerators that share the weights")
    cliff.add_argument(
        "--weight-bits", type=_number, help="bits per weight; as released by default"
    )
    cliff.add_argument("--cache-bits", type=_number, default=16, help="bits per cached value")
    cliff.add_argument("--activations", default="bf16", help="their format: bf16, fp8, fp4")
    cliff.add_argument(
        "--reserve-gb", type=_number, default=6, help="kept free on each accelerator"
    )
    cliff.add_argument(
        "--context", type=_number, nargs="+", default=[4e3, 8e3, 16e3, 32e3, 64e3, 128e3]
    )
    speed = commands.add_parser("predict", help="speed, latency and energy under a load")
    speed.add_argument("model")
    speed.add_argument("accelerator")
    speed.add_argument("--gpus", type=_number, default=1, help="accelerators that serve one copy")
    speed.add_argument("--stages", type=_number, default=1, help="pipeline stages")
    speed.add_argument(
        "--replicas", type=_number, default=1, help="copies of the attention weights"
    )
    speed.add_argument("--expert-groups", type=_number, default=1, help="experts dealt out whole")
    speed.add_argument("--format", default="fp8", help="of the weights: fp8, bf16, nvfp4, int4")
    speed.add_argument("--engine", default="vLLM")
    speed.add_argument("--clients", type=_number, nargs="+", default=[1, 8, 32, 128])
    speed.add_argument("--input", type=_number, default=1024, help="tokens of a prompt")
    speed.add_argument("--output", type=_number, default=1024, help="tokens of an answer")
    speed.add_argument("--reused", type=_number, default=0, help="share of the prompt in the cache")
    ledger = commands.add_parser("claims", help="the ledger, recomputed")
    ledger.add_argument("topic", nargs="?")
    scored = commands.add_parser("validate", help="predictions against a file of measurements")
    validate.arguments(scored)
    described = commands.add_parser("profile", help="what a log of requests says")
    described.add_argument("log", help="CSV or JSON lines: time, input and output tokens, ids")
    described.add_argument("--json", action="store_true", help="for machines; null: unknown")
    described.add_argument("--fatal", action="store_true", help="stop at the first bad row")
    described.add_argument("--price", default="claude-sonnet-4-6", help="list price of the bill")
    described.add_argument(
        "--time-unit", default="", help="of times that are numbers: s, ms, us, ns"
    )
    planned = commands.add_parser("plan", help="the cheapest way to serve a scenario")
    planned.add_argument("scenario", help="YAML: workload, promises, candidates, prices")
    told = planned.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true", help="for machines; null: unknown")
    told.add_argument("--report", metavar="PAGE.html", help="one page; nothing is overwritten")
    chosen = parser.parse_args(arguments)
    try:
        print(_text(chosen), flush=True)
    except OSError as why:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(why, BrokenPipeError):  # the reader, such as `head`, has seen enough
            return _refused(chosen.command, f"cannot be written ({why.strerror})")
    except KeyboardInterrupt:
        _refused(chosen.command, "interrupted")
        return 130
    except MemoryError:
        return _refused(chosen.command, "more memory is needed than there is")
    except (LookupError, ValueError) as why:
        return _refused(chosen.command, str(why))
    return 0


def _refused(command: str, why: str) -> int:
    line = printable(why)
    told = line if len(line) <= SHOWN_CHARS else f"{line[: SHOWN_CHARS // 2]} .. {line[-200:]}"
    print(f"costlib {command}: {told}", file=sys.stderr)
    return 2


def _number(given: str) -> float:
    """A number as it stands on the command line."""
    value = float(given)
    if not (value == 0 or SMALLEST <= abs(value) <= MOST):
        raise argparse.ArgumentTypeError(f"expected a number up to {MOST:g}, got {given!r}")
    return value


def _text(chosen: argparse.Namespace) -> str:
    if chosen.command == "models":
        return _models(chosen.name)
    if chosen.command == "accelerators":
        return _accelerators(chosen.name)
    if chosen.command == "cliff":
        return _cliff(chosen).to_string(index=False)
    if chosen.command == "predict":
        return _predict(chosen).to_string(index=False)
    if chosen.command == "validate":
        return validate.text(chosen)
    if chosen.command == "profile":
        return _profile(chosen)
    if chosen.command == "plan":
        if chosen.report is not None:
            from costlib import report  # charts are an extra

            return f"wrote {report.report(chosen.scenario, chosen.report)}"
        made = plans.plan(chosen.scenario, progress=True)
        return _json(plantext.plain(made)) if chosen.json else plantext.text(made)
    found = claims.compare(topic=chosen.topic)
    shown = found[["id", "statement", "printed", "ours", "unit", "verdict", "because"]]
    return shown.to_string(index=False)


def _models(name: str | None) -> str:
    chosen = [catalog.model(name)] if name else list(catalog.models().values())
    table = pd.DataFrame(
        {
            "model": [model.name for model in chosen],
            "params_b": [_params(model) / 1e9 for model in chosen],
            "kv_kib_per_token_bf16": [
                _bytes_per_token(model, bytes_per_value=2) / units.KIB for model in chosen
            ],
            "state_mb_fp32": [
                float(kv.sequence_bytes(0, **catalog.cache_layers(model), bytes_per_value=2))
                / units.MB
                for model in chosen
            ],
            "source": [model.source for model in chosen],
        }
    ).round(2)
    return _facts(chosen[0], table) if name else table.to_string(index=False)


def _accelerators(name: str | None) -> str:
    chosen = [catalog.accelerator(name)] if name else list(catalog.accelerators().values())
    table = pd.DataFrame(
        {
            "accelerator": [device.name for device in chosen],
            "memory_gb": [device.memory_bytes / units.GB for device in chosen],
            "tb_per_s": [device.memory_bytes_per_s / units.TB for device in chosen],
            **{
                f"ridge_{name}_flop_per_byte": [
                    device.peak_flop_per_s[name] / device.memory_bytes_per_s for device in chosen
                ]
                for name in ("bf16", "fp8", "fp4")
            },
            "source": [device.source for device in chosen],
        }
    ).round(2)
    return _facts(chosen[0], table) if name else table.to_string(index=False)


def _facts(record: catalog.Model | catalog.Accelerator, table: pd.DataFrame) -> str:
    """One record, a field to a line, with what the table computes of it."""
    fields = {name: value for name, value in asdict(record).items() if name != "layers"}
    fields |= {str(name): value for name, value in table.iloc[0].items()}
    width = max(map(len, fields))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in fields.items())


def _params(model: catalog.Model, *, active: bool = False) -> float:
    count = work.active_params if active else work.total_params
    return float(
        count(
            **catalog.weight_layers(model, active=active), embedding_params=model.embedding_params
        )
    )


def _bytes_per_token(model: catalog.Model, *, bytes_per_value: float) -> float:
    """Growth per token while every window still fills."""
    cache = catalog.cache_layers(model)
    grown = {key: cache[key] for key in ("n_layers", "n_kv_heads", "cached_dim")}
    return float(np.sum(kv.bytes_per_token(**grown, bytes_per_value=bytes_per_value)))


def _cliff(chosen: argparse.Namespace) -> pd.DataFrame:
    model = catalog.model(chosen.model)
    bits = model.native_bits if chosen.weight_bits is None else chosen.weight_bits
    rig = study.card(
        catalog.accelerator(chosen.accelerator),
        activations=chosen.activations,
        weight_bits=bits,
        cache_bits=chosen.cache_bits,
        rent_usd_per_h=chosen.rent,
        reserved_bytes=chosen.reserve_gb * units.GB,
        n_accelerators=chosen.gpus,
    )
    context = np.asarray(chosen.context, dtype=np.float64)
    weights = work.weight_bytes(n_params=_params(model), weight_bits=bits)
    cache, width = catalog.cache_layers(model), rig.cache_bits / units.BITS_PER_BYTE
    each = kv.sequence_bytes(context, **cache, bytes_per_value=width)
    state = kv.sequence_bytes(0, **cache, bytes_per_value=width)
    pool = serving.pool_bytes(
        memory_bytes=rig.memory_bytes,
        weight_bytes=weights,
        reserved_bytes=rig.reserved_bytes,
        n_accelerators=rig.n_accelerators,
    )
    users = serving.n_users(pool_bytes=pool, sequence_bytes=each)
    cost = serving.token_usd_per_mtok(
        n_users=users,
        weight_bytes=weights,
        traffic_bytes=kv.traffic_bytes(sequence_bytes=each, state_bytes=state),
        token_flop=work.token_flop(
            active_params=_params(model, active=True),
            attention_flop=work.attention_flop(context, **catalog.attention_layers(model)),
            state_flop=work.state_flop(**catalog.state_layers(model)),
        ),
        **rig.speed,
        **rig.rent,
    )
    return pd.DataFrame(
        {
            "context_tokens": context.astype(int),
            "gb_per_user": np.asarray(each) / units.GB,
            "users": np.asarray(users),
            "usd_per_mtok": np.asarray(cost),
        }
    ).round(4)


def _predict(chosen: argparse.Namespace) -> pd.DataFrame:
    """One row for each load: what clients see, with its interval, and the speed of light."""
    load = deploy.scenarios(
        chosen.model,
        chosen.accelerator,
        weight_format=chosen.format,
        engine=chosen.engine,
        n_accelerators=chosen.gpus,
        pipeline_stages=chosen.stages,
        attention_replicas=chosen.replicas,
        expert_groups=chosen.expert_groups,
        n_clients=np.asarray(chosen.clients, dtype=np.float64),
        input_tokens=chosen.input,
        output_tokens=chosen.output,
        reused_fraction=chosen.reused,
    )
    done = serve.prediction(load)
    if not np.any(done.fits):
        weights, each = (
            float(np.max(b)) / units.GB for b in (done.weight_bytes, done.sequence_bytes)
        )
        held = chosen.gpus * catalog.accelerator(chosen.accelerator).memory_bytes / units.GB
        raise ValueError(
            f"nothing fits: the weights take {weights:,.0f} GB and a sequence {each:,.2f} GB, and "
            f"{chosen.gpus:g} {chosen.accelerator} hold {held:,.0f} GB"
        )
    low, high = (units.MS_PER_S * end for end in done.interval["tpot_s"])
    return pd.DataFrame(
        {
            "clients": np.asarray(chosen.clients),
            "running": done.n_running,
            "ms_per_token": units.MS_PER_S * done.tpot_s,
            "from": low,
            "to": high,
            "light": units.MS_PER_S * done.light_tpot_s,
            "ms_to_first_token": units.MS_PER_S * done.ttft_s,
            "tokens_per_s": done.tokens_per_s,
            "j_per_token": done.output_token_j,
        }
    ).round(2)


def _profile(chosen: argparse.Namespace) -> str:
    price = pricebook.price(chosen.price)
    log = requestlog.read(chosen.log, fatal=chosen.fatal, time_unit=chosen.time_unit)
    for row in log.bad:
        print(f"{log.name}, {row}", file=sys.stderr)
    if more := log.n_bad - len(log.bad):
        print(f"{log.name}: {more:,} more bad rows", file=sys.stderr)
    found = profile.profile(log, price=price)
    return _json(profile.plain(found)) if chosen.json else profile.text(found)


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, allow_nan=False)


if __name__ == "__main__":
    sys.exit(main())
