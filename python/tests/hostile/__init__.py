"""Programs of a hostile user: random calls of everything that asynq has, each from a seed.

`python -X dev -m hostile --seed 7 --trace`, run in the folder above, shows one of them.
`test_hostile_calls.py` runs many, and shortens those that fail.
"""
