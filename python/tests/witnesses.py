"""Objects whose death shows that their owners have died."""

import weakref


class Witness:
    """An object that allows weak references. Its death shows that its owner has died."""


class Witnesses:
    """Creates witnesses, and knows the ones that are alive."""

    def __init__(self):
        self.references = []

    def new(self):
        witness = Witness()
        self.references.append(weakref.ref(witness))
        return witness

    @property
    def alive(self):
        return sum(reference() is not None for reference in self.references)

    def all_died(self):
        """Returns whether there were any witnesses, and none of them is alive."""
        return bool(self.references) and self.alive == 0
