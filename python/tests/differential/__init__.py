"""One program run by this package and by the reference, and compared.

A program is data (`programs`), run by an interpreter that only knows the public API of the package
(`interpreter`), and by a naive one that knows none (`model`). ../test_random_programs.py holds this
package against the model; test_differential.py holds it against the reference.
"""
