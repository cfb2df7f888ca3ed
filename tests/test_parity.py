"""Charts with sliders, as committed, plot what the library computes, wherever the sliders stand."""

import ast
import html
import inspect
import itertools
import json
import re
from pathlib import Path

import numpy as np
import numpy_financial
import pytest
import vl_convert
from numpy.testing import assert_allclose
from scipy import integrate, special, stats
from scipy.optimize import brentq

from costlib import (
    booktools,
    calibration,
    catalog,
    deploy,
    drafts,
    frontier,
    impairment,
    indices,
    kv,
    laws,
    machines,
    mixtures,
    ownership,
    pricebook,
    pricing,
    response,
    serve,
    serving,
    shrinking,
    staffing,
    units,
    validate,
    work,
    workloads,
)
from costlib.charts import bill_live, queue_live, sizing, validation
from costlib.charts import margins as host_charts
from costlib.charts.speculative import CONTEXTS_K
from costlib.charts.theme import usd
from costlib.replica import replica

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
NUMBER = r"-?(?:[\d.]+(?:e[+-]?\d+)?|Infinity)"


def live_charts(path):
    """Specs in a notebook's outputs that have bound parameters, in the order of the page."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    specs = [
        output["data"][booktools.MIME]
        for cell in cells
        for output in cell.get("outputs", [])
        if booktools.MIME in output.get("data", {})
    ]
    return [spec for spec in specs if any("bind" in p for p in spec.get("params", []))]


def parameters_of(name):
    """Values of a chapter's parameters cell."""
    (path,) = [path for path in NOTEBOOKS if path.stem == name]
    (source,) = [
        "".join(cell["source"])
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(source).body}


def inputs(spec):
    """Bound parameters by name."""
    return {p["name"]: p for p in spec["params"] if "bind" in p}


def settings(spec, n_random=24):
    """Both ends and every option of each input, alone; then all of them at random."""
    bound = inputs(spec)
    ends = {
        name: p["bind"].get("options") or [p["bind"]["min"], p["bind"]["max"]]
        for name, p in bound.items()
    }
    first = {name: p["value"] for name, p in bound.items()}
    alone = [first | {name: value} for name, values in ends.items() for value in values]
    rng = np.random.default_rng(0)

    def anywhere(bind):
        if "options" in bind:
            return bind["options"][rng.integers(len(bind["options"]))]
        steps = round((bind["max"] - bind["min"]) / bind["step"])
        return float(bind["min"] + bind["step"] * rng.integers(steps + 1))

    mixed = [{name: anywhere(p["bind"]) for name, p in bound.items()} for _ in range(n_random)]
    return [first, *alone, *mixed]


def drawn(spec, setting, *words, rewritten):
    """A chart rewritten to tell these words, drawn at a setting; compiled once for all of them."""
    key = (rewritten.__name__, id(spec), words)
    if key not in COMPILED:
        told = rewritten(json.loads(json.dumps(spec)), *words)
        for parameter in told["params"]:
            if parameter.pop("bind", None):
                parameter["value"] = None
        COMPILED[key] = vl_convert.vegalite_to_vega(told)
    vega = COMPILED[key]
    for signal in vega["signals"]:
        if signal["name"] in setting:
            signal["value"] = setting[signal["name"]]
    return vl_convert.vega_to_svg(vega)


COMPILED = {}


def plotted(spec, setting, *fields):
    """What every layer with transforms plots at a setting: rows of the fields, with every digit.

    Marks become points whose description comes back as the aria-label of the drawing.
    """
    svg = html.unescape(drawn(spec, setting, *fields, rewritten=as_points))
    found = re.findall(rf'aria-label="layer (\d+)((?:\|{NUMBER})+)"', svg)
    rows = [[] for layer in spec["layer"] if "transform" in layer]
    for number, values in found:
        rows[int(number)].append([float(value) for value in values[1:].split("|")])
    return [np.array(layer).reshape(-1, len(fields)) for layer in rows]


def as_points(told, *fields):
    """The chart whose marks are points that tell the fields."""
    told["layer"] = [layer for layer in told["layer"] if "transform" in layer]
    for number, layer in enumerate(told["layer"]):
        layer["mark"] = "point"
        told_here = [f"toString({field})" for field in fields]
        text = " + '|' + ".join([f"'layer {number}'", *told_here])
        layer["transform"].append({"calculate": text, "as": "told"})
        layer["encoding"] = {
            "x": {"value": 1},
            "y": {"value": 1},
            "description": {"field": "told", "type": "nominal"},
        }
    return told


def told_by(spec, setting, expression):
    """Text of an expression over a chart's parameters, whether or not anything is drawn there."""
    svg = drawn(spec, setting, expression, rewritten=as_words)
    (told,) = re.findall(r"<text[^>]*>(.*?)</text>", svg)
    return html.unescape(told)


def as_words(told, expression):
    """A chart of the same parameters with nothing but the text of an expression."""
    return {
        "params": told["params"],
        "data": {"values": [{}]},
        "transform": [{"calculate": expression, "as": "told"}],
        "mark": "text",
        "encoding": {"text": {"field": "told", "type": "nominal"}},
    }


def steady(formula, context, **given):
    """Where a whole number does not hang on the last digit of the context."""
    near = [formula(context * (1 + error), **given) for error in (-1e-9, 0, 1e-9)]
    return (near[0] == near[1]) & (near[1] == near[2])


# --- the comparisons -------------------------------------------------------------------------


def compare_cliff(spec):
    """The curve, the reader's point, their users and their cost; how many points it compared."""
    h100 = catalog.accelerator("H100")
    shape = {"n_params": 70e9, "n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
    speed = {
        "n_heads": 64,
        "attended_dim": 256,
        "memory_bytes_per_s": h100.memory_bytes_per_s,
        "peak_flop_per_s": h100.peak_flop_per_s["bf16"],
    }
    scales = {"memory_bytes": units.GB, "reserved_bytes": units.GB}
    n_points = 0
    for setting in settings(spec):
        given = {
            name: value * scales.get(name, 1)
            for name, value in setting.items()
            if name != "context_tokens"
        }
        rent = {"rent_usd_per_h": given.pop("rent_usd_per_h")}
        mine = setting["context_tokens"] * units.TOKENS_PER_KTOK
        users = serving.capacity_users(mine, **shape, **given)
        usd = serving.capacity_usd_per_mtok(mine, **shape, **speed, **given, **rent)
        if steady(serving.capacity_users, mine, **shape, **given):
            told = told_by(spec, setting, "my_users + '|' + my_usd")
            my_users, my_usd = (float(value) for value in told.split("|"))
            assert my_users == users, setting
            assert_allclose(my_usd, usd, rtol=1e-12, err_msg=str(setting))

        curve, *own = plotted(spec, setting, "datum.context_k", "datum.usd")
        context = np.geomspace(4, 256, 161) * units.TOKENS_PER_KTOK
        fits = np.isfinite(
            serving.capacity_usd_per_mtok(context, **shape, **speed, **given, **rent)
        )
        assert len(curve) == pytest.approx(fits.sum(), abs=1), setting
        assert_allclose(curve[:, 0] * 1e3, context[: len(curve)], rtol=1e-9)
        at = curve[:, 0] * units.TOKENS_PER_KTOK
        safe = steady(serving.capacity_users, at, **shape, **given)
        wanted = serving.capacity_usd_per_mtok(at[safe], **shape, **speed, **given, **rent)
        assert_allclose(curve[safe, 1], wanted, rtol=1e-12, err_msg=str(setting))
        if steady(serving.capacity_users, mine, **shape, **given):
            for layer in own:  # the dot and its words
                assert len(layer) == bool(users), setting
                for point in layer:
                    assert_allclose(point, [setting["context_tokens"], usd], rtol=1e-12)
        n_points += safe.sum()
    return n_points


def compare_within(spec):
    """The share of rows within the error, and the band around equality; how many points."""
    rows = validate.errors(validate.compare(validate.read(catalog.data_path("measured.csv"))))
    n_points, seen = 0, set()
    for setting in settings(spec, n_random=60):
        metric = list(validation.METRIC_WORDS)[int(setting["metric_number"])]
        allowed = setting["error_fraction"] / 100
        ape = rows.loc[rows["metric"] == metric, "ape"]
        band = plotted(spec, setting, "datum.measured", "datum.low")[0]
        assert_allclose(band[:, 1], band[:, 0] * max(1 - allowed, 0.01), err_msg=str(setting))
        ((share,),) = plotted(spec, setting, "datum.share")[-1]
        assert_allclose(share, (ape <= allowed + 1e-12).mean(), atol=5e-5, err_msg=str(setting))
        n_points += len(ape) + len(band)
        if metric not in seen:  # no input but this one moves them
            seen.add(metric)
            here = rows.loc[rows["metric"] == metric, ["measured", "predicted"]].to_numpy()
            dots = plotted(spec, setting, "datum.measured", "datum.predicted")[2]
            assert len(dots) > 3, setting
            assert np.isclose(dots[:, None], here, rtol=5e-3).all(-1).any(-1).all(), setting
    return n_points


def compare_frontier(spec):
    """Lines, bands, light and the reader's rings against `frontier.curves`; how many points."""
    rent = frontier.rents("on demand")
    machines = {
        "gpt-oss-120b": ("mxfp4", 2, 2, 1),
        "Llama-3.1-70B": ("fp8", 4, 2, 1),
    }
    bound = inputs(spec)
    assert bound["model_number"]["bind"]["labels"] == list(machines)
    found = [
        frontier.curves(
            model,
            [
                frontier.Offer(
                    accelerator=name,
                    n_accelerators=n,
                    weight_format=weights,
                    rent_usd_per_h=rent[name],
                )
                for name, n in zip(("H100", "H200", "B200"), numbers, strict=True)
            ],
            n_clients=bound["n_clients"]["bind"]["options"],
            input_tokens=bound["input_tokens"]["bind"]["options"],
            output_tokens=1_024,
        )
        for model, (weights, *numbers) in machines.items()
    ]
    n_points = 0
    for setting in settings(spec):
        rows = found[int(setting["model_number"])]
        here = rows[rows["input_tokens"] == setting["input_tokens"]]
        mine = here[here["n_clients"] == setting["n_clients"]]
        times = setting["rent_times"]
        fields = "datum.user_tokens_per_s", "datum.usd"
        layers = plotted(spec, setting, *fields)
        wanted = [
            (here, ["user_tokens_per_s", "usd_per_mtok"]),
            (here, ["user_tokens_per_s", "usd_per_mtok"]),
            (here, ["light_user_tokens_per_s", "light_usd_per_mtok"]),
            (mine, ["user_tokens_per_s", "usd_per_mtok"]),
        ]
        band, line, light, _, *_, ring = layers
        for layer, (frame, names) in zip((band, line, light, ring), wanted, strict=True):
            expected = frame[names].to_numpy() * [1, times]
            assert_allclose(layer, expected, rtol=6e-5, err_msg=str(setting))
            n_points += len(layer)
        edges = plotted(spec, setting, "datum.low", "datum.high")[0]
        assert_allclose(edges, here[["usd_low", "usd_high"]] * times, rtol=6e-5)
    return n_points


def compare_drafts(spec):
    """The gain at every load, from steps that are predicted anew; how many points."""
    grid = np.meshgrid(CONTEXTS_K, range(1, 9), np.arange(1, 513))
    prompt, draft, users = (axis.ravel() for axis in grid)
    drawn = np.isin(users, np.round(2 ** np.arange(0, 9.5, 0.5)))
    load = {
        "weight_format": "fp8",
        "n_accelerators": 8,
        "n_clients": users,
        "input_tokens": prompt * units.TOKENS_PER_KTOK,
        "output_tokens": 1_000,
    }
    plain = serve.prediction(deploy.scenarios("Llama-3.1-70B", "H200", **load))
    checked = serve.prediction(
        deploy.scenarios("Llama-3.1-70B", "H200", draft_tokens=draft, **load)
    )
    n_points = 0
    for setting in settings(spec, n_random=80):
        here = (prompt == setting["prompt_tokens"]) & (draft == setting["draft_tokens"])
        here &= plain.n_running == users
        wanted = plain.step_s / drafts.token_s(
            pass_s=checked.step_s,
            draft_s=plain.step_s * setting["draft_step_fraction"] / 100,
            acceptance_fraction=setting["acceptance_fraction"] / 100,
            draft_tokens=draft,
        )
        line, told = plotted(spec, setting, "datum.n_clients", "datum.gain")
        shown = here & drawn
        assert_allclose(line[:, 0], users[shown], err_msg=str(setting))
        assert_allclose(line[:, 1], wanted[shown], rtol=1e-6, err_msg=str(setting))
        assert not len(told)  # the words have neither
        paying, best = plotted(spec, setting, "datum.paying", "datum.best")[1][0]
        most = users[here & (wanted > 1) & (users <= users[shown].max())].max(initial=0)
        assert abs(paying - most) <= 1, setting  # between two loads, along a straight line
        assert_allclose(best, wanted[shown].max(), rtol=1e-6, err_msg=str(setting))
        n_points += len(line)
    return n_points


def compare_mixture(spec):
    """Both curves, the reader's point and their costs; how many points it compared."""
    split = mixtures.split_params("Qwen3.5-397B-A17B")
    h200 = catalog.accelerator("H200")
    fixed = {
        "shared_params": split["shared_params"],
        "routed_params": split["routed_params"],
        "weight_bits": 8,
        "memory_bytes_per_s": h200.memory_bytes_per_s,
        "peak_flop_per_s": h200.peak_flop_per_s["fp8"],
        "rent_usd_per_h": 2.5,
        "n_accelerators": 8,
    }
    n_points = 0
    for setting in settings(spec):
        given = {name: setting[name] for name in ("n_experts", "top_k")} | fixed
        given["traffic_bytes"] = setting["traffic_bytes"] * units.MB
        mine = mixtures.light_usd(setting["clients"], **given)
        told = told_by(spec, setting, "my_usd + '|' + my_total + '|' + my_times")
        wanted = [mine["mixture"], mine["total"], mine["mixture"] / mine["active"]]
        found = [float(value) for value in told.split("|")]
        assert_allclose(found, wanted, rtol=1e-9, err_msg=str(setting))

        whole, named, mixture, *here = plotted(spec, setting, "datum.clients", "datum.times")
        assert_allclose(named, whole[6:7], rtol=1e-12)
        for name, curve in (("total", whole), ("mixture", mixture)):
            assert_allclose(curve[:, 0], np.geomspace(1, 1024, 81), rtol=1e-9)
            usd = mixtures.light_usd(curve[:, 0], **given)
            assert_allclose(curve[:, 1], usd[name] / usd["active"], rtol=1e-9, err_msg=str(setting))
            n_points += len(curve)
        for layer in here:  # the dot and its words
            assert_allclose(layer, [[setting["clients"], wanted[2]]], rtol=1e-9)
    return n_points


def compare_group(spec):
    """Speed and cost of every group that holds the load, and their words; how many points."""
    models = ("Llama-3.1-8B", "Qwen3-32B", "Llama-3.1-70B", "Llama-3.1-405B")
    used, h100 = calibration.constants(), catalog.accelerator("H100")
    n_points = 0
    for setting in settings(spec, n_random=200):
        of = catalog.model(models[int(setting["model"])])
        (group,) = of.layers
        read = work.active_params(
            **catalog.weight_layers(of, active=True), embedding_params=of.head_params
        )
        held = setting["context_tokens"] * units.TOKENS_PER_KTOK * group.n_layers
        held *= group.n_kv_heads * group.cached_dim
        gpus = 2.0 ** np.arange(7)
        found = machines.tensor_parallel(
            gpus,
            weight_bytes=read,
            sequence_bytes=held,
            token_flop=2 * read,
            hidden_size=of.hidden_size,
            n_layers=group.n_layers,
            n_kv_heads=group.n_kv_heads,
            n_clients=setting["n_clients"],
            memory_bytes_per_s=h100.memory_bytes_per_s,
            peak_flop_per_s=h100.peak_flop_per_s["fp8"],
            link_bytes_per_s=setting["link_bytes_per_s"] * units.GB,
            latency_s=setting["latency_s"] * 1e-6,
            fixed_s=group.n_layers * used.layer_s,
            rent_usd_per_h=2.5,
            bandwidth_fraction=used.bandwidth_fraction,
            compute_fraction=used.compute_fraction,
            link_fraction=used.link_fraction,
        )
        share = read / gpus
        share = share + setting["n_clients"] * held / np.minimum(gpus, group.n_kv_heads)
        fits = share <= h100.memory_bytes
        wanted = np.column_stack([found["user_tokens_per_s"], found["usd_per_mtok"]])[fits]
        line, names, told = plotted(spec, setting, "datum.speed", "datum.usd")
        assert_allclose(line, wanted, rtol=1e-9, err_msg=str(setting))
        assert_allclose(names, line)
        assert not len(told)  # the words have neither
        if fits.any():
            spoken = plotted(spec, setting, "datum.fastest", "datum.cheapest")[2][0]
            assert_allclose(spoken, [wanted[:, 0].max(), wanted[:, 1].min()], rtol=1e-9)
        n_points += len(line)
    return n_points


def compare_cache(spec):
    """The reader's curve, the plain one, and the point between them; how many points."""
    h100 = catalog.accelerator("H100")
    names = ("Llama-2-7B", "Llama-3.1-8B", "Qwen3-32B", "Llama-3.1-70B", "Llama-3.1-405B")
    fixed = {
        "memory_bytes": h100.memory_bytes,
        "memory_bytes_per_s": h100.memory_bytes_per_s,
        "peak_flop_per_s": h100.peak_flop_per_s["bf16"],
        "reserved_bytes": 6e9,
        "sink_tokens": 4,
    }
    whole = {"cache_bits": 16, "window_tokens": np.inf, "layers_sharing": 1}
    n_points = 0
    for setting in settings(spec, n_random=60):
        of = catalog.model(names[int(setting["model"])])
        (group,) = of.layers
        shape = {
            name: getattr(group, name)
            for name in ("n_layers", "n_heads", "n_kv_heads", "cached_dim", "attended_dim")
        }
        params = work.total_params(
            **catalog.weight_layers(of), embedding_params=of.embedding_params
        )
        given = {
            name: setting[name]
            for name in (
                "weight_bits",
                "cache_bits",
                "layers_sharing",
                "n_accelerators",
                "rent_usd_per_h",
            )
        }
        given |= fixed | shape | {"n_params": params}
        given["window_tokens"] = setting["window_tokens"] * units.TOKENS_PER_KTOK
        crowd = {
            name: value
            for name, value in given.items()
            if name in inspect.signature(shrinking.held_users).parameters
        }
        mine = setting["context_tokens"] * units.TOKENS_PER_KTOK
        if steady(shrinking.held_users, mine, **crowd) and steady(
            shrinking.held_users, mine, **(crowd | whole)
        ):
            told = told_by(spec, setting, "my_users + '|' + my_usd + '|' + plain_usd")
            wanted = [
                shrinking.held_users(mine, **crowd),
                shrinking.held_usd_per_mtok(mine, **given),
                shrinking.held_usd_per_mtok(mine, **(given | whole)),
            ]
            found = [float(value) for value in told.split("|")]
            assert_allclose(found, wanted, rtol=1e-9, err_msg=str(setting))
        plain, own, *_ = plotted(spec, setting, "datum.context_k", "datum.usd")
        for curve, changed in ((plain, whole), (own, {})):
            at = curve[:, 0] * units.TOKENS_PER_KTOK
            safe = steady(shrinking.held_users, at, **(crowd | changed))
            usd = shrinking.held_usd_per_mtok(at[safe], **(given | changed))
            assert_allclose(curve[safe, 1], usd, rtol=1e-9, err_msg=str(setting))
            n_points += safe.sum()
    return n_points


def compare_prompt(spec):
    """Both lines, the reader's point, the list and the seconds; how many points it compared."""
    models = ("Llama-3.1-8B", "Qwen3-32B", "Llama-3.1-70B", "Llama-3.1-405B", "DeepSeek-V3")
    h100 = catalog.accelerator("H100")
    links = {"HBM": h100.memory_bytes_per_s} | {
        place.name: place.bytes_per_s for place in catalog.tiers().values() if place.bytes_per_s > 0
    }
    bound = inputs(spec)
    assert bound["model"]["bind"]["labels"] == list(models)
    assert bound["link"]["bind"]["labels"] == [
        f"{name}, {rate / units.GB:g} GB/s" for name, rate in links.items()
    ]

    def wanted(setting, prompt, hit):
        of = catalog.model(models[int(setting["model"])])
        read = work.active_params(
            **catalog.weight_layers(of, active=True), embedding_params=of.head_params
        )
        flop = work.prefill_flop(
            prompt, active_params=read, reused_tokens=hit * prompt, **catalog.prefill_layers(of)
        )
        moved = kv.sequence_bytes(
            hit * prompt, **catalog.cache_layers(of), bytes_per_value=setting["cache_bits"] / 8
        )
        seconds = moved / list(links.values())[int(setting["link"])]
        seconds = seconds + flop / (0.5 * h100.peak_flop_per_s["bf16"])
        return seconds, seconds * setting["rent_usd_per_h"] / 3600 / prompt * 1e6

    n_points = 0
    for setting in settings(spec):
        hit, mine = setting["hit_fraction"] / 100, setting["context_tokens"] * 1e3
        here = [wanted(setting, mine, share) for share in (0, hit)]
        mean = hit * setting["read_times"] + (1 - hit) * setting["write_times"]
        told = told_by(spec, setting, "all_s + '|' + my_s + '|' + my_usd + '|' + my_list")
        assert_allclose(
            [float(value) for value in told.split("|")],
            [here[0][0], *here[1], mean * setting["input_usd_per_mtok"]],
            rtol=1e-9,
            err_msg=str(setting),
        )
        curves = plotted(spec, setting, "datum.context_k", "datum.usd")
        _, listed, anew, named, back, *own = curves
        assert_allclose(listed[0, 1], mean * setting["input_usd_per_mtok"], rtol=1e-9)
        assert len(named) == 1
        for curve, share in ((anew, 0), (back, hit)):
            assert_allclose(curve[:, 0], np.geomspace(4, 256, 49), rtol=1e-9)
            expected = wanted(setting, curve[:, 0] * 1e3, share)[1]
            assert_allclose(curve[:, 1], expected, rtol=1e-9, err_msg=str(setting))
            n_points += len(curve)
        for layer in own:  # the dot and its words
            assert_allclose(layer, [[setting["context_tokens"], here[1][1]]], rtol=1e-9)
    return n_points


def compare_sizing(spec):
    """The curve, the replicas, their load and both prices; how many points it compared."""
    names = ("chat", "code", "long-context", "reasoning")
    assert tuple(inputs(spec)["workload"]["bind"]["labels"]) == names
    committed = next(p for p in spec["params"] if p["name"] == "knots")["expr"]
    knots_s = np.array(json.loads(committed.removesuffix("[workload]")))
    loads = -np.expm1(-sizing.KNOTS)
    tops, answers = [], []
    for row, name in enumerate(names):
        table = workloads.length_table(name)
        means = {field: table[field].mean() for field in ("input_tokens", "output_tokens")}
        on = replica("Llama-3.1-70B", "H100", n_accelerators=4, **means)
        top = response.under_load(on, 1e-6, **table).saturation_requests_per_s
        few = [0, 4, 8]  # of the knots, as the library computes them
        found = response.under_load(on, loads[few] * top, quantiles=(0.95,), **table)
        assert_allclose(knots_s[row][few], found.ttft_quantiles_s[:, 0], rtol=1e-5)
        tops.append(top)
        answers.append(means["output_tokens"])
    n_points = 0
    for setting in settings(spec, n_random=80):
        row = int(setting["workload"])
        peak = setting["requests_per_s"] * setting["peak_times"]
        promise = setting["promised_ttft_s"]
        most = 0.0
        if promise >= knots_s[row][0]:
            most = np.interp(np.log(promise), np.log(knots_s[row]), sizing.KNOTS)
            most = -np.expm1(-most)
        needed = peak / (tops[row] * most) if most else 0.0
        told = told_by(
            spec, setting, "my_replicas + '|' + my_load + '|' + my_usd + '|' + floor_usd"
        )
        mine, load, paid, floor = (float(value) for value in told.split("|"))
        if abs(needed - round(needed)) > 1e-4 or not most:
            assert mine == (max(np.ceil(needed), 1) if most else 0), setting
        rent = {"rent_usd_per_h": setting["rent_usd_per_h"]}
        if mine:
            assert_allclose(load, peak / (tops[row] * mine), rtol=1e-5)
        assert_allclose(
            [paid, floor],
            [
                serving.usd_per_mtok(
                    tokens_per_s=setting["requests_per_s"] * answers[row] if mine else 0,
                    n_accelerators=4 * mine,
                    **rent,
                ),
                serving.usd_per_mtok(
                    tokens_per_s=tops[row] * answers[row], n_accelerators=4, **rent
                ),
            ],
            rtol=1e-5,
            err_msg=str(setting),
        )
        rule, words, curve, dot, *said = plotted(spec, setting, "datum.replicas", "datum.seconds")
        assert_allclose(rule[0, 1], promise)
        assert len(words) == 1
        held = peak / (tops[row] * curve[:, 0])
        wanted = np.exp(np.interp(-np.log1p(-held), sizing.KNOTS, np.log(knots_s[row])))
        assert_allclose(curve[:, 1], wanted, rtol=1e-4, err_msg=str(setting))
        assert (held <= sizing.TOP_LOAD + 1e-6).all()
        assert len(dot) == sum(map(len, said)) == bool(mine)  # said on one side of it
        n_points += len(curve)
    return n_points


def compare_queue(spec):
    """Both curves, the reader's point, the limit and what is left; how many points it compared."""
    bound = inputs(spec)
    pools = [float(words) for words in bound["pool"]["bind"]["labels"]]
    error = queue_live.interpolation_error(pools)
    assert error < 0.005
    n_points = 0
    for setting in settings(spec):
        n = pools[int(setting["pool"])]
        share, law = setting["clipped_fraction"] / 100, (setting["mean_tokens"], setting["sigma"])
        limit = law[0] * np.exp(law[1] * -special.ndtri(share) - law[1] ** 2 / 2)
        place = np.log(limit / law[0]) / law[1] + law[1] / 2
        powers = [
            law[0] ** k * np.exp(k * (k - 1) / 2 * law[1] ** 2) * special.ndtr(place - k * law[1])
            + (limit**k * special.ndtr(-place) if share else 0)
            for k in (1, 2)
        ]
        cases = {
            "plain": (law[0], np.expm1(law[1] ** 2)),
            "cut": (powers[0], powers[1] / powers[0] ** 2 - 1),
        }

        def wanted(load, mean, scv, n=n, whole=law[0]):
            rate = load * n / (whole * 0.03)
            return staffing.pool_wait_s(
                n, requests_per_s=rate, service_s=mean * 0.03, service_scv=max(scv, 0)
            )

        told = told_by(spec, setting, "plain_wait + '|' + my_wait + '|' + limit + '|' + left")
        found = [float(value.replace("Infinity", "inf")) for value in told.split("|")]
        here = [wanted(setting["load"] / 100, *case) for case in cases.values()]
        close = {"rtol": 1.01 * error, "atol": 2e-3 * law[0] * 0.03, "err_msg": str(setting)}
        assert_allclose(found[:2], here, **close)
        assert_allclose(found[2:], [limit, powers[0] / law[0]], rtol=1e-8)
        if n == 1:  # Erlang C of one server is its load: nothing is interpolated
            assert_allclose(found[:2], here, rtol=1e-6)
        curves = plotted(spec, setting, "datum.load", "datum.wait")
        for curve, case in zip(curves[2:4], cases.values(), strict=True):
            exact = wanted(np.arange(5, 100) / 100, *case)
            drawn = (exact > 1.02e-2) & (exact < 980)  # a point at the edge may fall either way
            assert set(np.arange(5, 100)[drawn]) <= set(curve[:, 0])
            assert_allclose(curve[:, 1], wanted(curve[:, 0] / 100, *case), **close)
            n_points += len(curve)
        kept = plotted(spec, setting, "datum.most", "datum.load")[4:6]
        for layer, case in zip(kept, cases.values(), strict=True):
            exact = wanted(np.arange(5, 100) / 100, *case)
            low, high = ((exact <= setting["promise"] * (1 + e)).sum() for e in (-error, error))
            assert (layer[0][0] if len(layer) else 4) - 4 in range(low, high + 1)
    return n_points


def compare_mix(spec):
    """Every bar of the mix, and what is said of its tokens, bill and long prompts."""
    caps = [np.inf, 4096, 2048, 1024, 512, 256, 128]
    from costlib.charts.workloads import LISTED

    prices, names = list(map(pricebook.price, LISTED)), list(workloads.workloads())
    tables = [workloads.length_table(name) for name in names]
    limits = (8_000, 32_000, 128_000)
    assert inputs(spec)["price"]["bind"]["labels"] == list(LISTED)
    n_points = 0
    for setting in settings(spec):
        price, cap = prices[int(setting["price"])], caps[int(setting["cap"])]
        weights = np.array([setting[f"share_{place}"] for place in range(len(names))])
        read = price.cached_input_usd_per_mtok
        bills = [
            pricing.request_usd(
                input_tokens=table["input_tokens"],
                output_tokens=np.minimum(table["output_tokens"], cap),
                input_usd_per_mtok=price.input_usd_per_mtok,
                output_usd_per_mtok=price.output_usd_per_mtok,
                cached_input_usd_per_mtok=price.input_usd_per_mtok if np.isnan(read) else read,
                cached_tokens=setting["cached"] * table["cached_tokens"],
            ).mean()
            for table in tables
        ]
        measures = [
            np.ones(len(names)),
            [table["input_tokens"].mean() for table in tables],
            [np.minimum(table["output_tokens"], cap).mean() for table in tables],
            bills,
        ]
        means = [np.average(each, weights=weights) for each in measures]
        day = 1000 * setting["requests_per_day"]
        above = [[(table["input_tokens"] > k).mean() for table in tables] for k in limits]
        told = told_by(
            spec,
            setting,
            " + '|' + ".join(["day_in", "day_out", "month_usd", "above_0", "above_1", "above_2"]),
        )
        assert_allclose(
            [float(value) for value in told.split("|")],
            [day * means[1], day * means[2], 730 / 24 * day * means[3]]
            + [np.average(over, weights=weights) for over in above],
            rtol=1e-9,
            err_msg=str(setting),
        )
        bars, labels, _ = plotted(spec, setting, "datum.measure", "datum.place", "datum.share")
        assert len(bars) == 4 * len(names)
        for measure, each in enumerate(measures):
            parts = 100 * weights * each / (weights @ each)
            drawn = bars[bars[:, 0] == measure]
            places = drawn[:, 1].astype(int)
            assert_allclose(drawn[:, 2], parts[places], rtol=1e-9, atol=1e-9, err_msg=str(setting))
        assert (labels[:, 2] > 6).all()
        n_points += len(bars)
    return n_points


def compare_router(spec):
    """Three curves, the reader's point, the best share, and what is said; how many points."""
    bound = inputs(spec)
    assert {p["bind"]["max"] for p in bound.values() if "max" in p["bind"]} >= {100}
    share, n_points = np.arange(101) / 100, 0
    for setting in settings(spec):
        right, skill = (
            {name: setting[f"{name}_quality"] / 100 for name in ("weak", "strong")},
            setting["skill_fraction"] / 100,
        )
        low = max(right["weak"] - right["strong"], 0)
        high = min(right["weak"], 1 - right["strong"])
        worse = low + setting["apart_fraction"] / 100 * (high - low)
        better = right["strong"] - right["weak"] + worse
        dear = setting["strong_usd"] / 1000
        cheap, deciding = dear / setting["cheaper"], setting["router_usd"] * 1e-6

        def paid(
            p, k, right=right, better=better, worse=worse, d=dear, c=cheap, o=deciding, s=setting
        ):
            oracle = np.minimum(p, better) - np.maximum(p - 1 + worse, 0)
            quality = right["weak"] + (1 - k) * p * (better - worse) + k * oracle
            return p * d + (1 - p) * c + o + (1 - quality) * s["loss_usd"], quality

        alone = [
            cost + (1 - right[name]) * setting["loss_usd"]
            for cost, name in ((cheap, "weak"), (dear, "strong"))
        ]
        curves = plotted(spec, setting, "datum.share", "datum.cost")
        for curve, k in zip(curves[2:5], (0, 1, skill), strict=True):
            exact = 100 * paid(share, k)[0] / alone[1]
            seen = exact < 199.999
            assert set(np.flatnonzero(seen)) <= set(curve[:, 0])
            assert_allclose(
                curve[:, 1], exact[curve[:, 0].astype(int)], rtol=1e-9, err_msg=str(setting)
            )
            n_points += len(curve)
        kinks = np.array([0, better, 1 - worse, 1])
        costs = paid(kinks, skill)[0]
        mine, quality = paid(setting["strong_fraction"] / 100, skill)
        told = told_by(spec, setting, "best_paid + '|' + my_paid + '|' + my_quality + '|' + best")
        found = [float(value) for value in told.split("|")]
        assert_allclose(found[:3], [costs.min(), mine, quality], rtol=1e-9, atol=1e-15)
        best_cost = paid(np.array(found[3]), skill)[0]
        assert_allclose(best_cost, costs.min(), rtol=1e-9, err_msg=str(setting))
        assert paid(share, skill)[0].min() >= costs.min() * (1 - 1e-9)
        words = told_by(spec, setting, "readout")
        routed = costs.min() < min(alone) * (1 - 1e-9)
        if routed or costs.min() > min(alone) * (1 + 1e-9):
            assert ("Best is" in words) == routed, setting
    return n_points


def compare_timeline(spec):
    """Every price of the vendor that is chosen, and the cheapest so far."""
    steps, vendors, n_points = indices.steps(), indices.vendors(), 0
    assert inputs(spec)["vendor"]["bind"]["labels"] == ["all vendors", *vendors]
    for setting in settings(spec):
        column = ("input_usd_per_mtok", "output_usd_per_mtok")[int(setting["kind"])]
        place = int(setting["vendor"])
        mine = steps if place == 0 else steps[steps["provider"] == vendors[place - 1]]
        mine = mine[mine["day"].dt.year > 2026 - setting["years"]]
        every, chosen, _ = plotted(spec, setting, "datum.price")
        lowest = plotted(spec, setting, "datum.price", "datum.low")[2]
        assert_allclose(np.sort(every[:, 0]), np.sort(steps[column]))
        assert_allclose(np.sort(chosen[:, 0]), np.sort(mine[column]))
        in_order = mine.assign(price=mine[column]).sort_values(["day", "price"])
        assert_allclose(np.sort(lowest[:, 1]), np.sort(in_order["price"].cummin()))
        told = told_by(spec, setting, "readout")
        assert told.startswith(f"{len(mine)} dated prices of")
        if len(mine):
            assert f"{usd(mine[column].min())} to {usd(mine[column].max())}" in told
        n_points += len(every) + len(chosen)
    return n_points


def compare_bill(spec):
    """Every part of the bill, the whole and its share of list."""
    models = inputs(spec)["model"]["bind"]["labels"]
    rates, n_points = bill_live.card(models), 0
    scales = {"input_tokens": 1e3, "hit_fraction": 0.01, "discount_fraction": 0.01}
    scales["n_requests"] = 1e3
    for setting in settings(spec, n_random=150):
        moved = {name: value * scales.get(name, 1) for name, value in setting.items()}
        model, service = models[int(moved["model"])], ("standard", "batch")[int(moved["batch"])]
        tokens = moved["tokenizer_times"] * moved["input_tokens"]
        sold = {row.service for row in pricebook.book() if row.name == model}
        prices = pricebook.request_prices(
            model, tokens, service=service if service in sold else "standard"
        )
        read = moved["hit_fraction"] * moved["input_tokens"]
        request = {
            "input_tokens": moved["input_tokens"],
            "output_tokens": moved["output_tokens"],
            "reasoning_tokens": moved["reasoning_tokens"],
            "tokenizer_times": moved["tokenizer_times"],
        }
        whole = moved["n_requests"] * pricing.request_usd(
            **request,
            **prices,
            cached_tokens=read,
            written_tokens=(moved["input_tokens"] - read) * (read > 0),
            discount_fraction=moved["discount_fraction"],
        )
        listed = moved["n_requests"] * pricing.request_usd(
            **request, **pricebook.request_prices(model, tokens)
        )
        bars, _ = plotted(spec, setting, "datum.usd", "list_usd", "month_usd")
        assert_allclose(bars[:, 0].sum(), whole, rtol=1e-9, atol=1e-9)
        assert_allclose(bars[0, 1:], [listed, whole], rtol=1e-9, atol=1e-9)
        mine = bill_live.bill(rates, **moved)
        assert_allclose(bars[:, 0], list(mine.values())[:-1], rtol=1e-9, atol=1e-9)
        assert_allclose(mine["list"], listed, rtol=1e-9)
        n_points += len(bars) + 2
    return n_points


def compare_margin(spec):
    """Margin, losses, top, cap and every bar; how many points it compared."""
    words = inputs(spec)["cap"]["bind"]["labels"]
    n_points = 0
    for setting in settings(spec):
        price, mean, sigma = (setting[name] for name in ("price_usd", "mean_usd", "sigma"))
        word = words[int(setting["cap"])]
        cap = np.inf if word == "none" else float(word.split()[0]) * price
        more = (setting["overage_times"], setting["bought_fraction"] / 100)

        def part(low, high, power, mean=mean, sigma=sigma):
            """Share of the users between two costs, or what they would cost."""
            low, high = (
                (np.log(np.maximum(edge, 1e-300) / mean) + sigma**2 / 2) / sigma - power * sigma
                for edge in (low, high)
            )
            return mean**power * (special.ndtr(high) - special.ndtr(low))

        def beyond(low, high, cap=cap, part=part):
            low, high = np.maximum(low, cap), np.maximum(high, cap)
            over = part(low, high, 1) - (0 if np.isinf(cap) else cap) * part(low, high, 0)
            return np.where(np.isinf(low), 0, over)

        def profit(low, high, price=price, more=more, part=part, beyond=beyond):
            sold = (more[0] - 1) * more[1] * beyond(low, high)
            return price * part(low, high, 0) - part(low, high, 1) + beyond(low, high) + sold

        paid = price + more[0] * more[1] * beyond(0, np.inf)
        costs = (
            np.exp(sigma * special.ndtri((np.arange(400_000) + 0.5) / 4e5) - sigma**2 / 2) * mean
        )
        over = np.maximum(costs - min(cap, 1e300), 0)
        at_a_loss = price - (costs - over) + (more[0] - 1) * more[1] * over < -1e-9 * price
        told = told_by(spec, setting, "margin + '|' + lost + '|' + top + '|' + stopped")
        found = [float(value) for value in told.split("|")]
        wanted = [
            profit(0, np.inf) / paid,
            at_a_loss.mean(),
            special.ndtr(sigma + special.ndtri(0.01)),
            0 if np.isinf(cap) else part(cap, np.inf, 0),
        ]
        # the margin is a small number beside its parts where use costs far more than the price
        assert_allclose(found, wanted, atol=1e-5, rtol=1e-5, err_msg=str(setting))
        ((_, bars),) = [
            (number, layer)
            for number, layer in enumerate(plotted(spec, setting, "datum.i", "datum.profit"))
            if len(layer) > 1
        ]
        edges = 0.1 * 10 ** (np.arange(33) / 8)
        edges[0], edges[-1] = 1e-9, np.inf
        exact = 100 * profit(edges[:-1], edges[1:])
        assert_allclose(bars[:, 1], exact, atol=1e-4 * (price + mean), err_msg=str(setting))
        n_points += len(found) + len(bars)
    return n_points


def compare_host(spec):
    """Margin along the load, the reader's point, and the load of zero margin."""
    n_points = 0
    for setting in settings(spec):
        scales = dict.fromkeys(
            ("load", "hit_fraction", "cached_price_fraction", "discount_fraction"), 0.01
        )
        moved = {name: value * scales.get(name, 1) for name, value in setting.items()}
        found = host_charts.host(**moved)
        line, *_ = plotted(spec, setting, "datum.load", "datum.margin")
        wanted = 100 * pricing.gross_margin_fraction(
            bill_usd=found["bill_usd"], full_usd=found["full_usd"], load=np.arange(1, 101) / 100
        )
        kept = wanted >= -100
        assert_allclose(line[:, 0], np.arange(1, 101)[kept], atol=1e-9)
        assert_allclose(line[:, 1], wanted[kept], rtol=1e-6, atol=1e-6)
        told = told_by(
            spec,
            setting,
            "toString(bill_usd) + '|' + toString(margin_here) + '|' + toString(zero_load)",
        )
        values = [float(value) for value in told.replace("Infinity", "inf").split("|")]
        assert_allclose(values, [found[k] for k in ("bill_usd", "margin", "zero_load")], rtol=1e-9)
        n_points += len(line) + 3
    return n_points


def compare_site(spec):
    """Lines of equal cost and all that is said of the site; how many points it compared."""
    levels = [0.7, 0.85, 1.0, 1.3, 2.0]
    n_points = 0
    for setting in settings(spec):
        pue, busy = setting["pue"], setting["busy_fraction"] / 100
        idle = setting["idle_fraction"] / 100
        capital = setting["accelerator_usd"] / (setting["years"] * 8760)
        hour = setting["power_w"] / 1e3 * setting["electricity_usd_per_kwh"] / 100
        made = setting["tokens_per_s"] * 3600 / 1e6

        def cost(pue, busy, capital=capital, hour=hour, idle=idle, made=made):
            return (capital + hour * pue * (idle + (1 - idle) * busy)) / busy / made

        mine = cost(pue, busy)
        told = told_by(spec, setting, "[cost, busier, leaner, energy, even_cents] + ''")
        found = [float(value) for value in told.split(",")]
        follows = setting["power_w"] / 1e3 * pue * (1 - idle) * busy
        wanted = [
            mine,
            1 - cost(pue, min(1, 1.1 * busy)) / mine,
            1 - cost(max(1, pue / 1.1), busy) / mine,
            hour * pue * (idle + (1 - idle) * busy) / busy / made / mine,
            100 * capital / follows if follows else np.inf,
        ]
        assert_allclose(found, wanted, rtol=1e-9, atol=1e-12, err_msg=str(setting))
        layers = plotted(spec, setting, "datum.busy", "datum.pue")
        n_points += len(found)
        for level, line in zip(levels, layers[0:10:2], strict=True):
            at = cost(line[:, 1], line[:, 0] / 100)
            assert_allclose(at, level * mine, rtol=1e-9, err_msg=str(setting))
            ends = [cost(1, share) for share in (0.1, 1)]
            inside = ends[1] <= level * mine * (1 - 1e-9) and level * mine * (1 + 1e-9) <= ends[0]
            assert len(line) > 0 or not inside, setting  # a line that belongs is drawn
            n_points += len(line)
        for point in (layers[10], layers[11]):
            assert_allclose(point, [[100 * busy, pue]], rtol=1e-12)
    return n_points


def compare_plan(spec):
    """Three costs over volume and at the reader's own, by sums that are written out here."""
    n_points = 0
    start = {name: p["value"] for name, p in inputs(spec).items()}
    named = ("owned_usd_per_h", "API_usd", "rent_usd", "own_usd", "mtok_per_month")
    given = parameters_of("own_rent_api")
    rate, _, _ = ownership.speed(
        given["model"],
        given["accelerator"],
        **{
            name: given[name]
            for name in (
                "weight_format",
                "n_accelerators",
                "n_clients",
                "input_tokens",
                "output_tokens",
            )
        },
    )
    cost = given["machine_usd"] * (1 + given["network_fraction"] + given["installation_fraction"])
    cost *= 1 + given["spare_fraction"]
    yearly = sum(given[f"{name}_fraction"] for name in ("insurance", "tax", "repair"))
    fixed = cost * yearly / 8760 + given["staff_usd_per_h"] + given["software_usd_per_h"]
    fixed += given["provisioned_w"] / 1e3 * given["colocation_usd_per_kw_month"] / 730
    drawn = given["power_w"] / 1e3 * given["pue"]
    month, whole, each = (
        given["interest_fraction"] / 12,
        given["node_accelerators"],
        given["n_accelerators"],
    )
    assert set(start) == {
        "mtok_per_month",
        "load_fraction",
        "electricity_usd_per_kwh",
        "years",
        "rent_usd_per_h",
        "api_usd_per_mtok",
    }
    for setting in settings(spec):
        paid = -numpy_financial.pmt(
            month, 12 * setting["years"], cost, -cost * given["salvage_fraction"]
        )
        owned = paid / 730 + fixed + drawn * setting["electricity_usd_per_kwh"] / 100
        owned /= whole

        def costs(mtok, owned=owned, setting=setting):
            demand = mtok * 1e6 / (730 * 3600) / (rate * setting["load_fraction"] / 100)
            rented, bought = (
                np.maximum(np.ceil(given[peak] * demand), 1) + given["n_spares"]
                for peak in ("rent_peak_times", "peak_times")
            )
            nodes = np.ceil(bought * each / whole) * whole
            return (
                np.full(np.shape(mtok), setting["api_usd_per_mtok"]),
                setting["rent_usd_per_h"] * rented * each * 730 / mtok,
                owned * nodes * 730 / mtok,
            )

        mine = setting["mtok_per_month"]
        found = [float(told_by(spec, setting, f"toString({name})")) for name in named]
        assert_allclose(found, [owned, *np.ravel(costs(mine)), mine], rtol=1e-9)
        n_points += len(found)
        for layer in plotted(spec, setting, "datum.mtok", "datum.usd"):
            drawn_at = [pair for pair in layer if np.isfinite(pair).all()]
            if len(drawn_at) < 2:
                continue
            mtok, usd = np.transpose(drawn_at)
            near = [np.isclose(usd, one, rtol=1e-9).all() for one in costs(mtok)]
            assert any(near), setting
            n_points += len(mtok)
    return n_points


def compare_asset(spec):
    """Book value and value in use by month, by sums written out here; the reader's month."""
    n_points = 0
    service = parameters_of("depreciation")["service_years"]
    for setting in settings(spec):
        fall, left, busy, interest = (
            setting[f"{name}_fraction"] / 100 for name in ("decline", "salvage", "busy", "interest")
        )
        cost, life, opex = setting["cost_usd"], setting["life_years"], setting["opex_usd_per_h"]
        earned = busy * setting["rent_usd_per_h"]
        grown, discount = np.log(1 - fall), np.log(1 + interest)
        needed = opex + discount * left * cost / 8760
        retired = service
        if fall > 0:
            retired = min(max(np.log(earned / max(needed, 1e-12)) / -grown, 0), service)
        elif earned < needed:
            retired = 0

        def values(month, cost=cost, left=left, life=life, end=retired, at=setting, opex=opex):
            age = month / 12
            book = cost * (1 - (1 - left) * min(age / life, 1))
            end = max(end, age)
            fall, interest = at["decline_fraction"] / 100, at["interest_fraction"] / 100

            def margin(t):
                hour = at["busy_fraction"] / 100 * at["rent_usd_per_h"] * (1 - fall) ** t - opex
                return 8760 * hour * (1 + interest) ** (age - t)

            come, _ = integrate.quad(margin, age, end, epsabs=1e-7, epsrel=1e-11)
            return book, come + left * cost * (1 + interest) ** (age - end)

        months = np.arange(0, 12 * life + 1e-9)
        wanted = np.array([values(month) for month in months])
        for name, column in (("datum.book", 0), ("datum.use", 1)):
            drawn = [
                layer
                for layer in plotted(spec, setting, "datum.month", name)
                if len(layer) == len(months) and np.isfinite(layer).all()
            ]
            assert drawn, setting
            assert_allclose(drawn[0][:, 0], months, atol=1e-9)
            assert_allclose(
                drawn[0][:, 1], wanted[:, column], rtol=1e-6, atol=1e-6 * cost, err_msg=str(setting)
            )
            n_points += len(months)
        counted = [layer for layer in plotted(spec, setting, "datum.n") if len(layer)]
        n_under = impairment.n_months_under_water(
            life,
            cost_usd=cost,
            salvage_fraction=left,
            rent_usd_per_h=setting["rent_usd_per_h"],
            yearly_times=1 - fall,
            busy_fraction=busy,
            opex_usd_per_h=opex,
            interest_fraction=interest,
            service_years=service,
        )
        assert counted[0].tolist() == [[n_under]], setting
        told = told_by(spec, setting, "[book_usd, use_usd, retired] + ''")
        found = [float(value) for value in told.split(",")]
        assert_allclose(found, [*values(setting["month"]), retired], rtol=1e-6, atol=1e-6 * cost)
        n_points += len(found)
    return n_points


def compare_life(spec):
    """The optimum and what it saves, with the root that scipy finds; the line point by point."""
    law = laws.law()
    a, b = law.params_exponent, law.tokens_exponent
    names = ("times", "best_size", "best_text", "ratio_now", "saved", "least_saved")
    n_points = 0
    for setting in settings(spec):
        size, text = setting["size_b"] * 1e9, setting["text_t"] * 1e12
        gap = law.params_scale * size**-a + law.tokens_scale * text**-b
        least = ((a + b) * law.params_scale / (b * gap)) ** (1 / a)
        short = ((a + b) * law.tokens_scale / (a * gap)) ** (1 / b)
        times = setting["price_times"] * setting["training_mfu_fraction"]
        times /= setting["serving_mfu_fraction"]

        def cheapest(served, least=least, short=short, times=times):
            wanted = np.log(times * served / (3 * short))
            log = brentq(
                lambda log: log + np.log1p(b * np.exp(log) / (a + b)) / b - wanted,
                -60,
                60,
                xtol=1e-14,
            )
            w = np.exp(log)
            shrunk = (a + b + b * w) / ((a + b) * (1 + w))
            return least * shrunk ** (1 / a), short * (1 + b * w / (a + b)) ** (1 / b)

        served = 10 ** setting["served"]
        best = cheapest(served)

        def life(size, text, served=served, times=times):
            return 6 * size * text + 2 * times * size * served

        wanted = [
            times,
            *best,
            best[1] / best[0],
            1 - life(*best) / life(size, text),
            1 - life(*best) / life(least, short),
        ]
        told = told_by(spec, setting, f"[{', '.join(names)}] + ''")
        found = [float(value) for value in told.split(",")]
        assert_allclose(found, wanted, rtol=1e-8, atol=1e-11, err_msg=str(setting))
        stated, line, dot, label = plotted(spec, setting, "datum.served_t", "datum.ratio")
        mine = np.array([[served / 1e12, wanted[3]]])
        for one in (dot, label):
            assert len(one) == (5 <= wanted[3] <= 1e5), setting
            assert_allclose(one, mine[: len(one)], rtol=1e-8)
        assert_allclose(stated[:, 1], [text / size][: len(stated)], rtol=1e-12)
        assert len(line) > 50, setting
        for served_t, ratio in line[::5]:
            n, d = cheapest(served_t * 1e12)
            assert_allclose(ratio, d / n, rtol=1e-8, err_msg=str(setting))
            n_points += 1
        n_points += len(found)
    return n_points


def compare_pool(spec):
    """What spares cost and outages lose, by the binomial of another library; and what is said."""
    spares, n_points = np.arange(9), 0
    for setting in settings(spec):
        down, common = 1 - setting["availability_fraction"] / 100, setting["common_fraction"] / 100
        needed = setting["n_needed"]
        alone = (1 - common) * down / (1 - common * down)
        enough = stats.binom.cdf(spares, needed + spares, alone)  # no more failed than are spare
        lost = (1 - (1 - common * down) * enough) * setting["loss_usd_per_h"] * 8760
        cost = spares * setting["replica_usd_per_h"] * 8760
        told = told_by(spec, setting, f"[{', '.join(f'usd_{n}' for n in spares)}] + ''")
        found = [float(value) for value in told.split(",")]
        assert_allclose(found, cost + lost, rtol=1e-9, atol=1e-3, err_msg=str(setting))
        best = float(told_by(spec, setting, "best"))
        assert (cost + lost)[int(best)] <= (cost + lost).min() + 1e-3, setting
        floor = float(told_by(spec, setting, "toString(floor)"))
        assert_allclose(floor, common * down, atol=1e-15)
        layers = plotted(spec, setting, "datum.spares", "datum.usd")
        for layer, wanted in zip(layers[0:6:2], (cost, lost, cost + lost), strict=True):
            drawn = (wanted >= 1e2 + 1e-3) & (wanted <= 1e9 - 1e-3)
            assert set(spares[drawn]) <= set(layer[:, 0]), setting
            at = wanted[layer[:, 0].astype(int)]
            assert_allclose(layer[:, 1], at, rtol=1e-9, atol=1e-3, err_msg=str(setting))
            n_points += len(layer)
        (dot,) = layers[6:]
        assert len(dot) == 0 or dot[0][0] == best
        n_points += len(found)
    return n_points


# A chapter with sliders registers here, chart by chart in the order of its page.
COMPARISONS = {
    "api_prices": [compare_timeline, compare_bill],
    "availability": [compare_pool],
    "demand": [compare_margin],
    "depreciation": [compare_asset],
    "long_context_cliff": [compare_cliff],
    "margins": [compare_host],
    "moe": [compare_mixture],
    "own_rent_api": [compare_plan],
    "parallelism": [compare_group],
    "prefix_and_tiers": [compare_prompt],
    "pue": [compare_site],
    "queueing": [compare_queue],
    "roofline": [compare_frontier],
    "routing": [compare_router],
    "serving_at_load": [compare_sizing],
    "shrinking_the_cache": [compare_cache],
    "speculative": [compare_drafts],
    "training_and_tuning": [compare_life],
    "validation": [compare_within],
    "workloads": [compare_mix],
}

LIVE = {path.stem: live_charts(path) for path in NOTEBOOKS}


def test_every_chart_with_sliders_has_a_comparison_and_every_comparison_a_chart():
    charts = {name: len(specs) for name, specs in LIVE.items() if specs}
    assert charts == {name: len(comparisons) for name, comparisons in COMPARISONS.items()}


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_slider_is_the_library(name):
    for spec, compare in zip(LIVE[name], COMPARISONS[name], strict=True):
        assert len(settings(spec)) >= 30
        assert compare(spec) > 1000


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_setting_can_be_spoken(name):
    for spec in LIVE[name]:
        if not any(p["name"] == "readout" for p in spec["params"]):
            continue
        for setting in itertools.islice(settings(spec), 0, None, 2):
            told = told_by(spec, setting, "readout")
            assert told.endswith("."), setting
            assert not re.search("NaN|Infinity|undefined|null", told), (setting, told)
