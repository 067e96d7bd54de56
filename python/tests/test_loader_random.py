"""Random programs with loaders have the results of a naive model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import asynq
from asynq.loaders import Loader

KEYS = st.integers(0, 5)
KINDS = ("plain", "blocking", "async", "asynq")


@st.composite
def programs(draw):
    """Loaders and trees of tasks. Each task asks for some keys together, then runs its children."""
    loaders = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(KINDS),
                    "size": st.none() | st.integers(1, 3),
                    "cache": st.booleans(),
                    "missing": st.sets(KEYS),
                    "failing": st.sets(KEYS),
                }
            ),
            min_size=1,
            max_size=3,
        )
    )
    asks = st.lists(st.tuples(st.integers(0, len(loaders) - 1), KEYS), max_size=4)
    tree = st.recursive(
        st.tuples(asks, st.just([])),
        lambda children: st.tuples(asks, st.lists(children, max_size=3)),
        max_leaves=8,
    )
    return loaders, draw(tree)


class Failed(Exception):
    pass


def expected(loaders, ask):
    number, key = ask
    if key in loaders[number]["failing"]:
        return ("failed", number, key)
    if key in loaders[number]["missing"]:
        return ("missing", number, key)
    return (number, key)


def expected_tree(loaders, tree):
    asks, children = tree
    return (
        [expected(loaders, ask) for ask in asks],
        [expected_tree(loaders, child) for child in children],
    )


def made(number, spec, batches):
    """Returns a loader of the given kind that records its batches."""

    def answer(keys):
        batches.append(list(keys))
        return {
            key: Failed() if key in spec["failing"] else (number, key)
            for key in keys
            if key not in spec["missing"] or key in spec["failing"]
        }

    async def coroutine(keys):
        return answer(keys)

    @asynq.asynq()
    def ours(keys):
        yield None
        return answer(keys)

    function = {"async": coroutine, "asynq": ours}.get(spec["kind"], answer)
    return Loader(
        function,
        max_batch_size=spec["size"],
        cache=spec["cache"],
        blocking=spec["kind"] == "blocking",
    )


@given(programs())
def test_every_load_comes_to_what_the_model_says(program):
    specs, tree = program
    batches = [[] for _ in specs]
    loaders = [made(number, spec, batches[number]) for number, spec in enumerate(specs)]

    @asynq.asynq()
    def load(ask):
        number, key = ask
        try:
            return (yield loaders[number].asynq(key))
        except Failed:
            return ("failed", number, key)
        except asynq.MissingKeyError as error:
            return ("missing", number, error.key)

    @asynq.asynq()
    def run(tree):
        asks, children = tree
        values = yield [load.asynq(ask) for ask in asks]
        return values, (yield [run.asynq(child) for child in children])

    assert run(tree) == expected_tree(specs, tree)
    for spec, loader, sent in zip(specs, loaders, batches):
        sizes = [len(batch) for batch in sent]
        assert all(len(set(batch)) == len(batch) > 0 for batch in sent)
        assert max(sizes, default=0) <= (spec["size"] or 6)
        assert (loader.stats.batches, loader.stats.keys) == (len(sent), sum(sizes))
        if spec["cache"]:
            # A key that has been answered is never sent again.
            kept = [
                key
                for batch in sent
                for key in batch
                if key not in spec["missing"] and key not in spec["failing"]
            ]
            assert len(set(kept)) == len(kept)
