"""Recall from smaller memories: limits, a loop as oracle, closed forms of window and state."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import recall

TASK = {"n_pairs": 128, "head_dim": 32}
AWAY = np.arange(1, 129)


def looped(distance, *, n_pairs, head_dim, kept, match, sharpness, seed):
    """Share answered by attention over the places kept, one context and one pair at a time."""
    drawn = np.random.default_rng(seed)
    keys, values = (drawn.standard_normal((recall.N_CONTEXTS, n_pairs, head_dim)) for _ in "kv")
    turns = np.random.default_rng([seed, 1]).standard_normal((recall.N_CONTEXTS, head_dim))
    right = 0
    for key, value, turn in zip(keys, values, turns, strict=True):
        k = [row / np.sqrt(row @ row) for row in key]
        v = [row / np.sqrt(row @ row) for row in value]
        wanted = n_pairs - distance
        across = turn - (turn @ k[wanted]) * k[wanted]
        query = match * k[wanted] + math.sqrt(1 - match**2) * across / np.sqrt(across @ across)
        weights = {i: math.exp(sharpness * (query @ k[i])) for i in kept}
        answer = sum(weight * v[i] for i, weight in weights.items())
        right += max(range(n_pairs), key=lambda i: answer @ v[i]) == wanted
    return right / recall.N_CONTEXTS


@pytest.mark.parametrize("distance", [3, 12, 13, 38, 40])
def test_a_window_is_what_a_loop_over_contexts_finds(distance):
    shape = {"n_pairs": 40, "head_dim": 8}
    kept = [i for i in range(40) if i < 2 or i >= 40 - 12]
    found = recall.window_recall_fraction(
        distance,
        **shape,
        window_tokens=12,
        sink_tokens=2,
        match_fraction=0.6,
        sharpness=5,
        seed=9,
    )
    assert found == looped(distance, **shape, kept=kept, match=0.6, sharpness=5, seed=9)


def test_attention_over_everything_answers_every_query_at_any_distance():
    assert_allclose(recall.window_recall_fraction(AWAY, **TASK), 1)


def test_a_window_answers_its_share_of_evenly_spread_queries():
    found = recall.window_recall_fraction(AWAY, **TASK, window_tokens=28, sink_tokens=4)
    inside = (AWAY <= 28) | (AWAY > 124)
    assert_allclose(found[inside], 1)
    assert found[~inside].mean() < 2 / 128
    assert_allclose(found.mean(), 32 / 128, atol=0.02)


def test_a_wider_window_a_closer_match_and_sharper_attention_never_answer_less():
    def mean(**given):
        return recall.window_recall_fraction(AWAY[::8], **(TASK | given)).mean()

    windows = [mean(window_tokens=w) for w in (1, 16, 64, 128)]
    matches = [mean(match_fraction=c) for c in (0.1, 0.3, 0.6, 1)]
    sharp = [mean(sharpness=s) for s in (0, 4, 16)]
    for shares in (windows, matches, sharp):
        assert (np.diff(shares) >= -0.02).all()
        assert shares[-1] > shares[0] + 0.5


def test_a_query_without_any_likeness_is_answered_by_chance():
    found = recall.window_recall_fraction(AWAY, **TASK, match_fraction=0)
    assert found.mean() < 0.03


def test_eviction_answers_what_the_prompts_end_asked_and_its_budgets_share_of_all_else():
    shares = recall.eviction_recall_fraction(
        [0, 0.2, 0.4, 0.6, 1], n_pairs=512, head_dim=64, budget_tokens=64
    )
    assert (np.diff(shares) >= -0.03).all()
    assert_allclose(shares[0], 64 / 512, atol=0.06)
    assert shares[-1] == 1


def test_eviction_that_keeps_everything_loses_nothing_and_a_budget_buys_recall():
    budgets = recall.eviction_recall_fraction(0, **TASK, budget_tokens=[16, 64, 128])
    assert_allclose(budgets, [16 / 128, 64 / 128, 1], atol=0.1)
    assert budgets[-1] == 1


def test_eviction_keeps_the_pairs_with_the_largest_sum_of_attention():
    # One observed query that is the wanted key: the budget of one goes to its pair.
    found = recall.eviction_recall_fraction(1, **TASK, budget_tokens=1, observed_tokens=1)
    assert found == 1


def test_a_state_holds_a_few_pairs_per_channel_and_then_drowns():
    pairs = np.array([16, 32, 64, 128, 256, 512])
    shares = [
        recall.state_recall_fraction(np.arange(1, n + 1, n // 16), n_pairs=n, head_dim=32).mean()
        for n in pairs
    ]
    assert (np.diff(shares) <= 0.02).all()
    assert shares[0] == 1
    assert shares[1] > 0.9
    assert shares[-1] < 0.1


def test_a_wider_state_answers_more():
    shares = [
        recall.state_recall_fraction(AWAY[::8], n_pairs=128, head_dim=d).mean() for d in (8, 32, 64)
    ]
    assert shares[0] < 0.3 < shares[1] < shares[2]


def test_a_fading_state_answers_the_recent_and_forgets_the_old():
    found = recall.state_recall_fraction([1, 8, 64, 128], **TASK, decay=0.9)
    assert (found[:2] > 0.9).all()
    assert (found[2:] == 0).all()


@pytest.mark.parametrize("decay", [1.0, 0.999, 0.9])
@pytest.mark.parametrize("distance", [1, 5, 40])
def test_interference_is_the_noise_that_a_state_has(decay, distance):
    pairs, dim, contexts, match = 60, 24, 4000, 0.7
    drawn = np.random.default_rng(1)
    keys, values = (drawn.standard_normal((contexts, pairs, dim)) for _ in "kv")
    keys /= np.linalg.norm(keys, axis=-1, keepdims=True)
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    wanted = pairs - distance
    weight = decay ** np.arange(pairs)[::-1]
    mine = match * weight[wanted] * values[:, wanted]
    turn = drawn.standard_normal((contexts, dim))
    turn -= (turn * keys[:, wanted]).sum(-1, keepdims=True) * keys[:, wanted]
    turn /= np.linalg.norm(turn, axis=-1, keepdims=True)
    query = match * keys[:, wanted] + math.sqrt(1 - match**2) * turn
    answer = np.einsum("cn,cnd->cd", np.einsum("cd,cnd->cn", query, keys) * weight, values)
    noise = ((answer - mine) ** 2).sum(-1).mean() / (mine**2).sum(-1).mean()
    found = recall.interference(
        distance, n_pairs=pairs, head_dim=dim, decay=decay, match_fraction=match
    )
    assert_allclose(found, noise, rtol=0.06)


def test_interference_without_decay_is_pairs_per_width_and_one_pair_has_none():
    assert_allclose(recall.interference(5, n_pairs=[129, 513], head_dim=64), [2, 8])
    assert recall.interference(1, n_pairs=1, head_dim=64, decay=0.9) == 0


def test_many_bits_answer_as_full_precision_does_and_fewer_never_more():
    task = TASK | {"match_fraction": 0.45, "residual_tokens": 0}
    full = recall.window_recall_fraction(AWAY, **TASK, match_fraction=0.45)
    assert_allclose(recall.kivi_recall_fraction(AWAY, **task, payload_bits=16), full)
    shares = recall.kivi_recall_fraction(
        AWAY[:, np.newaxis], **task, payload_bits=[1, 2, 3, 4]
    ).mean(axis=0)
    assert (np.diff(shares) > 0).all()
    assert full.mean() - shares[-1] < 0.03


def test_recent_tokens_are_not_rounded():
    hard = TASK | {"match_fraction": 0.45, "payload_bits": 1}
    rounded, left = (
        recall.kivi_recall_fraction(AWAY, **hard, residual_tokens=recent).mean()
        for recent in (0, 256)
    )
    assert rounded < left
    assert left == recall.window_recall_fraction(AWAY, **TASK, match_fraction=0.45).mean()


@pytest.mark.parametrize(
    ("experiment", "given"),
    [
        (recall.window_recall_fraction, {"distance_tokens": AWAY, "match_fraction": 0.3}),
        (recall.kivi_recall_fraction, {"distance_tokens": AWAY, "match_fraction": 0.3}),
        (recall.state_recall_fraction, {"distance_tokens": AWAY, "match_fraction": 0.5}),
        (recall.eviction_recall_fraction, {"resemblance_fraction": 0.3, "budget_tokens": 16}),
    ],
)
def test_the_seed_decides_and_the_same_one_gives_the_same_shares(experiment, given):
    once, again, other = (experiment(**TASK, **given, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"distance_tokens": 129}, "distance_tokens must not exceed n_pairs"),
        ({"distance_tokens": 0}, "distance_tokens must be positive"),
        ({"n_pairs": 10.5}, "n_pairs must be a whole number"),
        ({"head_dim": 1}, "head_dim, less 1, must be positive"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"window_tokens": 0}, "window_tokens must be positive"),
    ],
)
def test_what_no_context_can_be_is_refused_by_name(bad, said):
    with pytest.raises(ValueError, match=said):
        recall.window_recall_fraction(**({"distance_tokens": 4} | TASK | bad))
