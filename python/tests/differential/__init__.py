"""Runs one program on this package and on the reference, and compares the results.

A program is data (`programs`). `interpreter` runs it through the public API of a package, and
`model` computes its outcome without any package. ../test_random_programs.py compares this package
with the model; test_differential.py compares it with the reference.
"""
