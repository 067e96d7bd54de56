"""`Variants`: the loaders that stand for one, each for a request or for values of `per`."""

import weakref

from .._lru import Lru
from .weak_objects import WeakObjects

# The variants that a loader keeps, with their caches: those of the values that were used last.
_KEPT = 1000


class Variants(WeakObjects):
    """The variants of a loader.

    A variant has rounds, caches and loads in flight of its own. A request holds its variants, and a
    pending load holds its variant, so no two are ever in use for the same values.
    """

    def __init__(self):
        super().__init__()
        self._by_values = weakref.WeakValueDictionary()
        self._recent = Lru(_KEPT)

    def get(self, values):
        """Returns the variant of these values, or None."""
        variant = self._by_values.get(values)
        if variant is not None:
            self._recent[values] = variant
        return variant

    def keep(self, variant):
        """Keeps a new variant. Returns it, or the one that another thread has made meanwhile."""
        kept = self._by_values.setdefault(variant._values, variant)
        self._recent[variant._values] = kept
        return kept
