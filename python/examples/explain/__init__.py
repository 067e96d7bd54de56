"""Programs with one fault each, in `faulty`, and the same programs without it, in `clean`.

    cd python/examples && python -m asynq explain -m explain.faulty.loop_of_awaits

Each has a function `page`, which returns the same in both. `docs/explain.md` walks through one.
"""
