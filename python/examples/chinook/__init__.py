"""Prints the artist of every track of a playlist, unbatched and batched.

Both runs use the same three functions in `music.py`, and each function handles one key. Read that
file first. `lookup.py` has the loaders they use, `stores/` the databases behind the loaders, and
the other files are a command line. `python -m chinook --help` lists the options.
"""
