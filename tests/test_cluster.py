"""Grids on a cluster: the same numbers as the direct call, in bounded memory, and no trace left."""

import ast
import itertools
import multiprocessing
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import costlib
from costlib import catalog, cluster, deploy, serve, serving

xr = pytest.importorskip("xarray", reason="needs costlib[cluster]")
distributed = pytest.importorskip("dask.distributed", reason="needs costlib[cluster]")

RENTS = {"H100": 2.5, "B200": 5.0, "A100": 1.5}
AXES = {
    "model": ["Llama-3.1-70B", "DeepSeek-V3"],
    "accelerator": ["H100", "B200", "A100"],
    "weight_format": ["fp8", "bf16"],
    "n_accelerators": [1, 4, 8, 16],
    "n_clients": [float(n) for n in range(1, 25)],
    "input_tokens": [200.0, 3_000.0, 50_000.0, 128_000.0],
    "output_tokens": [float(n) for n in range(20, 1_860, 60)],
}
LEAST = ["n_clients", "accelerator", "n_accelerators", "weight_format"]  # in an order of its own
PROMISES = {"at_most": {"ttft_s": 3.0, "tpot_s": 0.05}, "at_least": {"light_tokens_per_s": 50.0}}


@pytest.fixture(scope="module")
def local():
    with cluster.local_client(2) as client:
        yield client


@pytest.fixture(scope="module", params=["here", "client", "address"])
def client(request):
    """This process, a client of two others, and their scheduler's address."""
    if request.param == "here":
        return None
    found = request.getfixturevalue("local")
    return found if request.param == "client" else found.scheduler.address


@pytest.fixture(scope="module")
def space():
    return cluster.grid(**AXES, rent_usd_per_h=RENTS)


@pytest.fixture(scope="module")
def direct():
    """Every scenario written out as a row of its own, in one call."""
    names, values = list(AXES), [np.array(axis) for axis in AXES.values()]
    rows = np.meshgrid(*(np.arange(len(axis)) for axis in values), indexing="ij")
    columns = {n: v[r.ravel()] for n, v, r in zip(names, values, rows, strict=True)}
    load = deploy.scenarios(**columns)
    done = serve.prediction(load)
    price = serving.usd_per_mtok(
        rent_usd_per_h=[RENTS[name] for name in columns["accelerator"]],
        tokens_per_s=done.tokens_per_s,
        n_accelerators=columns["n_accelerators"],
    )
    plain = {name: getattr(done, name) for name in cluster.QUANTITIES if name != "usd_per_mtok"}
    return {**plain, "usd_per_mtok": price}


def shaped(column):
    return np.reshape(column, [len(axis) for axis in AXES.values()])


# --- the same numbers ----------------------------------------------------------------------------


def test_a_grid_is_labels_and_nothing_else(space):
    assert cluster.n_scenarios(space) == 2 * 3 * 2 * 4 * 24 * 4 * 31 == 142_848
    assert {name: space[name].values.tolist() for name in AXES} == AXES
    assert space.rent_usd_per_h.dims == ("accelerator",)
    assert space.nbytes < 10_000


def test_every_quantity_is_to_the_bit_that_of_the_direct_call(space, direct, client):
    found = cluster.evaluate(space, cluster.QUANTITIES, client)
    assert set(found) == set(direct)
    assert 0.2 < found.fits.mean() < 0.95
    for name, column in direct.items():
        assert found[name].dims == tuple(AXES)
        np.testing.assert_array_equal(found[name], shaped(column), err_msg=name)


def test_the_cheapest_of_each_cell_is_that_of_the_whole_table(space, direct, client):
    best = cluster.cheapest(space, LEAST, client, **PROMISES)
    whole = xr.Dataset({n: (list(AXES), shaped(c)) for n, c in direct.items()}, coords=AXES)
    late, slow = whole.ttft_s > 3, whole.tpot_s > 0.05
    dark = whole.light_tokens_per_s < 50
    price = whole.usd_per_mtok.where(whole.fits & ~late & ~slow & ~dark, np.inf)
    np.testing.assert_array_equal(best.usd_per_mtok, price.min(LEAST))
    counts = {
        "does not fit": ~whole.fits,
        "ttft_s": whole.fits & late,
        "tpot_s": whole.fits & ~late & slow,
        "light_tokens_per_s": whole.fits & ~late & ~slow & dark,
        "unknown": whole.fits & False,
        "kept": np.isfinite(price),
    }
    assert best.outcome.values.tolist() == list(counts)
    for outcome, fate in counts.items():
        np.testing.assert_array_equal(best["count"].sel(outcome=outcome), fate.sum(LEAST))
    assert (best["count"].sum(["model", "input_tokens", "output_tokens"]) > 0).sum() == 5
    assert int(best["count"].sum()) == cluster.n_scenarios(space)
    assert 0 < np.isinf(best.usd_per_mtok).sum() < best.usd_per_mtok.size
    for cell in itertools.product(*(best[dim].values for dim in best.usd_per_mtok.dims)):
        at = dict(zip(best.usd_per_mtok.dims, cell, strict=True))
        here, options = best.sel(at), price.sel(at)
        if np.isinf(here.usd_per_mtok):
            assert here.accelerator == ""
            assert np.isnan(here.n_clients)
        else:
            first = np.unravel_index(
                np.argmin(options.values), options.shape
            )  # of equals the first
            for dim, place in zip(options.dims, first, strict=True):
                assert here[dim] == options[dim].values[place]


@pytest.mark.parametrize("limit", [1, 7, 100, 10**6])
def test_neither_the_size_of_a_part_nor_its_order_moves_the_answer(
    space, direct, monkeypatch, limit
):
    part = space.isel(n_clients=slice(0, 2), output_tokens=slice(0, 2))
    over = ["n_accelerators", "n_clients"]
    plain = cluster.cheapest(part, over, **PROMISES)
    monkeypatch.setattr(cluster, "TASK", limit)
    run = cluster._run
    monkeypatch.setattr(cluster, "_run", lambda *given: reversed(list(run(*given))))
    assert cluster.cheapest(part, over, **PROMISES).identical(plain)
    found = cluster.evaluate(part, ["usd_per_mtok"]).usd_per_mtok
    np.testing.assert_array_equal(found, shaped(direct["usd_per_mtok"])[..., :2, :, :2])


def test_of_equals_the_first_stays_whatever_comes_first(monkeypatch):
    same = cluster.grid(  # a batch takes none beyond the limit of the engine, so all cost the same
        model="Llama-3.1-8B", accelerator="H200", weight_format="fp8", input_tokens=10,
        output_tokens=10, rent_usd_per_h=[3, 2], expert_skew=[0, 1, 2],
    )  # fmt: skip
    monkeypatch.setattr(cluster, "TASK", 1)
    run = cluster._run
    for order in (list, lambda parts: reversed(list(parts))):
        monkeypatch.setattr(cluster, "_run", lambda *given, order=order: order(run(*given)))
        best = cluster.cheapest(same, ["expert_skew", "rent_usd_per_h"])
        assert (best.rent_usd_per_h, best.expert_skew) == (2, 0)
        assert best.usd_per_mtok.shape == ()


def test_layouts_that_share_an_axis_go_together(client):
    layouts = {"n_accelerators": [4, 8, 16], "attention_replicas": [1, 8, 4]}
    space = cluster.grid(
        model="DeepSeek-V3",
        accelerator="H200",
        n_clients=[16, 256],
        rent_usd_per_h=3,
        **{name: xr.DataArray(values, dims="layout") for name, values in layouts.items()},
    )
    found = cluster.evaluate(space, ["usd_per_mtok", "tpot_s"], client)
    for at in range(3):
        layout = {name: values[at] for name, values in layouts.items()}
        done = serve.prediction(
            deploy.scenarios("DeepSeek-V3", "H200", n_clients=[16, 256], **layout)
        )
        np.testing.assert_array_equal(found.tpot_s.isel(layout=at), done.tpot_s)
    best = cluster.cheapest(space, ["layout"], client)
    np.testing.assert_array_equal(best.layout, found.usd_per_mtok.argmin("layout"))


def test_a_rent_is_an_axis_that_the_machine_does_not_see(monkeypatch):
    sizes = []
    real = serve.prediction

    def watched(load):
        done = real(load)
        sizes.append(np.size(done.fits))
        return done

    monkeypatch.setattr(serve, "prediction", watched)
    space = cluster.grid(
        model="Llama-3.1-8B", accelerator="H100", n_clients=[1, 2], rent_usd_per_h=[1, 2, 4]
    )
    price = cluster.evaluate(space, ["usd_per_mtok"]).usd_per_mtok
    assert sizes == [2]
    np.testing.assert_array_equal(price.sel(rent_usd_per_h=4), 4 * price.sel(rent_usd_per_h=1))


# --- bounded memory ------------------------------------------------------------------------------


def test_no_part_is_larger_than_its_limit_and_together_they_are_the_grid(space):
    plan = cluster._checked(space)
    seen = np.zeros(tuple(plan.sizes.values()), int)
    for box in plan.cut(limit=500):
        spans = [span.stop - span.start for span in box.values()]
        assert np.prod(spans) <= 500
        assert spans[:3] == [1, 1, 1]
        seen[tuple(box.values())] += 1
    assert (seen == 1).all()


def test_few_parts_are_under_way_at_a_time(local, space, monkeypatch):
    monkeypatch.setattr(cluster, "TASK", 100)
    many = space.isel(n_clients=slice(0, 2))
    ahead, sent = [], 0
    real = local.submit

    def counted(*given, **options):
        nonlocal sent
        sent += 1
        return real(*given, **options)

    monkeypatch.setattr(local, "submit", counted)
    plan = cluster._checked(many)
    for done, _ in enumerate(cluster._run(plan, lambda part: part.sizes, local)):
        ahead.append(sent - done)
    assert sent > 100
    assert max(ahead) <= cluster.AHEAD * 2 + 1


def test_memory_does_not_grow_with_the_grid():
    def peak_bytes(n_rows):
        space = cluster.grid(
            model="Llama-3.1-8B",
            accelerator="H100",
            n_clients=np.arange(1, n_rows + 1),
            input_tokens=np.linspace(100, 30_000, 200),
            rent_usd_per_h=2,
        )
        tracemalloc.start()
        best = cluster.cheapest(space, ["n_clients"], at_most=PROMISES["at_most"])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert best["count"].sum() == 200 * n_rows
        return peak

    peak_bytes(100)  # tables are read once
    assert peak_bytes(4_000) < 1.1 * peak_bytes(400)


def test_an_answer_above_the_limit_is_refused_before_anything_is_computed(space, monkeypatch):
    monkeypatch.setattr(serve, "prediction", None)
    with pytest.raises(ValueError, match=r"0\.00114 GB.*limit_bytes allows 0\.001 GB.*cheapest"):
        cluster.evaluate(space, ["usd_per_mtok"], limit_bytes=1e6)
    with pytest.raises(ValueError, match=r"GB.*choose over more axes, or raise the limit"):
        cluster.cheapest(space, ["model"], limit_bytes=1e6)
    huge = cluster.grid(model="GLM-5", accelerator="H200", rent_usd_per_h=range(10**5),
                        n_clients=range(1, 10**5 + 1))  # fmt: skip
    with pytest.raises(ValueError, match=r"80 GB"):
        cluster.evaluate(huge, ["usd_per_mtok"])


# --- what a user may get wrong -------------------------------------------------------------------

BASE = {"model": "Llama-3.1-8B", "accelerator": ["H100", "H200"], "n_clients": [1, 2]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_client": 3}, "no argument 'n_client'; did you mean n_clients?"),
        ({"n_clients": []}, "n_clients: no values"),
        ({"n_clients": [1, 2, 2]}, r"n_clients: 2\.0 stands there more than once"),
        ({"n_clients": [[1], [2]]}, "n_clients: one value or a row of them"),
        ({"n_clients": "many"}, "n_clients: a number or a row of them, got 'many'"),
        ({"n_clients": [1, 0]}, "n_clients must be positive"),
        ({"n_clients": [1, np.nan]}, "n_clients"),
        ({"rent_usd_per_h": {"H100": 2}}, "rent_usd_per_h: no value for accelerator 'H200'"),
        ({"rent_usd_per_h": [-1, 2]}, "rent_usd_per_h must not be negative"),
        ({"n_accelerators": [1, 8], "attention_replicas": [1, 8]}, "attention_replicas"),
        ({"accelerator": None}, "accelerator is missing"),
    ],
)
def test_a_wrong_grid_is_refused_in_one_line(wrong, message):
    with pytest.raises(ValueError, match=message) as caught:
        cluster.grid(**BASE | wrong)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_told_its_nearest():
    with pytest.raises(catalog.UnknownNameError, match=r"H1OO.*H100"):
        cluster.grid(**BASE | {"accelerator": ["H200", "H1OO"]})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: cluster.evaluate(g, ["ttft"]), "no quantity 'ttft'; did you mean ttft_s?"),
        (lambda g: cluster.evaluate(g, ["usd_per_mtok"]), "usd_per_mtok needs rent_usd_per_h"),
        (lambda g: cluster.cheapest(g, ["gpu"], by="tpot_s"), "the grid has no axis 'gpu'"),
        (lambda g: cluster.cheapest(g, [], by="tpot_s"), "over: no axis to choose from"),
        (
            lambda g: cluster.cheapest(
                g, ["n_clients"], by="tpot_s", at_most={"ttft_s": 1}, at_least={"ttft_s": 1}
            ),
            "ttft_s: a promise of at most or of at least",
        ),
        (
            lambda g: cluster.cheapest(g, ["n_clients"], by="tpot_s", at_most={"ttft_s": np.nan}),
            "ttft_s: the promise is not a number",
        ),
    ],
)
def test_a_wrong_question_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(cluster.grid(**BASE))


def test_an_axis_without_an_argument_is_refused():
    with pytest.raises(ValueError, match="no argument lies on the axis 'spare'"):
        cluster.evaluate(cluster.grid(**BASE).expand_dims(spare=[1, 2]), ["fits"])


def test_a_value_that_no_source_states_is_counted_and_never_the_cheapest():
    unknown = [c for c in catalog.accelerators() if np.isnan(catalog.accelerator(c).tdp_w)]
    space = cluster.grid(**BASE | {"accelerator": [*unknown[:1], "H200"]})
    best = cluster.cheapest(space, ["accelerator"], by="output_token_j")
    assert unknown
    assert best["count"].sel(outcome="unknown").values.tolist() == [1, 1]
    assert best.accelerator.values.tolist() == ["H200", "H200"]


# --- processes -----------------------------------------------------------------------------------


def test_an_address_where_nobody_answers_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT_S", 0.5)
    with pytest.raises(ValueError, match=r"no scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        cluster.evaluate(cluster.grid(**BASE), ["fits"], "tcp://127.0.0.1:9")


def test_a_client_opened_for_an_address_is_closed(local):
    def others():
        return local.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.clients))

    before = others()
    opened = []
    real = distributed.Client
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            distributed, "Client", lambda *a, **k: opened.append(real(*a, **k)) or opened[0]
        )
        cluster.evaluate(cluster.grid(**BASE), ["fits"], local.scheduler.address)
    assert [client.status for client in opened] == ["closed"]
    assert others() == before
    assert local.status == "running"


def test_a_scheduler_without_workers_is_not_waited_for():
    with (
        cluster.local_client(0) as client,
        pytest.raises(ValueError, match="client: no workers at tcp://127"),
    ):
        cluster.evaluate(cluster.grid(**BASE), ["fits"], client)


def test_a_local_client_listens_here_only_and_leaves_no_process():
    before = set(multiprocessing.active_children())
    with cluster.local_client(1) as client:
        known = client.scheduler_info()
        services = client.run_on_scheduler(
            lambda dask_scheduler: dask_scheduler.http_server.address
        )
        assert known["address"].startswith("tcp://127.0.0.1:")
        assert all(address.startswith("tcp://127.0.0.1:") for address in known["workers"])
        assert services == "127.0.0.1"
        started = set(multiprocessing.active_children()) - before
        assert started
    assert not any(process.is_alive() for process in started)


# --- the extra -----------------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("xarray", "dask", "dask.distributed")))
from costlib import cluster
try:
    {call}
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "call",
    ["cluster.grid(model='GLM-5', accelerator='H200')", "cluster.local_client().__enter__()"],
)
def test_without_the_extra_one_line_says_what_to_install(call):
    code = WITHOUT.format(call=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "costlib.cluster needs the extra: pip install 'costlib[cluster]'\n"


def test_no_other_module_asks_for_the_extra():
    asking = set()
    for path in Path(costlib.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                if any(name.split(".")[0] in {"xarray", "dask", "distributed"} for name in names):
                    asking.add(path.stem)
    assert asking == {"cluster"}
