"""The artist of every track of a playlist: the same functions called one by one, and awaited
together. `python -m chinook --help` lists the options.

Read `music.py` first: the three functions, each for one key. `lookup.py` is the batch behind them,
`stores.py` has two stores for it; the rest is a command line.
"""
