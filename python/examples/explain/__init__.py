"""Programs with one fault each, in `faulty`, and the same programs without it, in `clean`.

    python -m asynq explain python/examples/explain/faulty/loop_of_awaits.py

Each has a function `page`, which returns the same in both. `docs/explain.md` walks through one.
"""
