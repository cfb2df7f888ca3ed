"""What a mutation changes, and what it leaves alone."""

import types

import mutate

SOURCE = '''
def reached(*, load: int = 0, **rest) -> int:
    """Docstring 1 + 1."""
    load = fraction("load", load)
    if load > rest:
        raise ValueError(f"message {1 + 1}")
    return np.where(load, np.cumsum(rest, axis=-1), g(a=1, b=rest))
'''


def test_a_function_is_changed_in_one_place_at_a_time(tmp_path):
    module = types.ModuleType("toy")
    module.__file__ = str(tmp_path / "toy.py")
    (tmp_path / "toy.py").write_text(SOURCE, encoding="utf-8")
    call = "np.where(load, np.cumsum(rest, axis=-1), g(a=1, b=rest))"
    assert [mutant.mutation for mutant in mutate.mutants(module)] == [
        "nothing changed",
        "load=0 -> 1",
        "fraction('load', load) -> non_negative('load', load)",
        "fraction('load', load) -> np.float64(load)",
        "if load > rest: -> if not load > rest:",
        "load > rest -> load >= rest",
        "load > rest -> load <= rest",
        "raise ValueError(f'message {1 + 1}') -> pass",
        f"return {call} -> return 2 * {call}",
        f"{call} -> np.where(load, g(a=1, b=rest), np.cumsum(rest, axis=-1))",
        "axis=-1 -> axis=1",
        "-1 -> -2",
        f"{call} -> np.where(load, np.cumsum(rest, axis=-1), g(a=rest, b=1))",
        "a=1 -> a=2",
    ]


def test_a_mutant_is_what_it_says(tmp_path):
    module = types.ModuleType("toy")
    module.__file__ = str(tmp_path / "toy.py")
    source = "def plain(*, load=3):\n    return 7 - load"
    (tmp_path / "toy.py").write_text(source, encoding="utf-8")
    results = {}
    for mutant in mutate.mutants(module):
        exec(mutant.code, namespace := {})
        results[mutant.mutation] = namespace["plain"]()
    assert results == {
        "nothing changed": 4,
        "load=3 -> 6": 1,
        "return 7 - load -> return 2 * (7 - load)": 8,
        "7 - load -> 7 + load": 10,
        "7 - load -> 14 - load": 11,
    }
