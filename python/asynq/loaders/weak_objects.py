"""`WeakObjects`: objects that are known as long as somebody else holds them."""

import weakref


class WeakObjects:
    """A collection of objects that it does not keep alive.

    It needs no lock, which a fork could leave locked, because each operation on a dict is atomic.
    """

    def __init__(self):
        self._references = {}

    def add(self, object):
        pop = self._references.pop
        self._references[weakref.ref(object, lambda reference: pop(reference, None))] = None

    def __iter__(self):
        objects = [reference() for reference in list(self._references)]
        return iter([object for object in objects if object is not None])

    def __len__(self):
        return len(self._references)
