"""The loaders that own mappings given as caches: two loaders must not mix their values in one."""

import weakref

_claims = {}  # By the id of the mapping.


class _Claim:
    """The claim of a loader to a mapping.

    `alive` is a weak reference to the mapping, or to the loader if the mapping has no room for one.
    The claim ends with its referent, before another mapping can have the same id.
    """

    def __init__(self, loader):
        cache = loader.settings.cache
        self.name = loader.name
        self.values = _values_of(loader)
        self._id = id(cache)
        try:
            self.alive = weakref.ref(cache, self._end)
        except TypeError:
            self.alive = weakref.ref(loader, self._end)

    def _end(self, _):
        if _claims.get(self._id) is self:
            del _claims[self._id]


def claim_cache(loader):
    """Claims the mapping that is the cache of a new loader.

    Raises `ValueError` if it belongs to another loader, unless both load the same values: they have
    the same `name=`, or the function is a new version of the same one, as after a reload.
    """
    cache = loader.settings.cache
    claim = _claims.get(id(cache))
    values = _values_of(loader)
    if (
        claim is not None
        and claim.alive() is not None
        and (values is None or values != claim.values)
    ):
        raise ValueError(
            f"the cache of the loader {loader.name} belongs to the loader {claim.name}: their"
            " values would mix. Give each loader a cache of its own, or, if both load the same"
            " values, the same name="
        )
    _claims[id(cache)] = _Claim(loader)


def _values_of(loader):
    """Returns what identifies the values of a loader, or None if only the loader itself does."""
    if loader.settings.name is not None:
        return loader.settings.name
    name = getattr(loader.fn, "__qualname__", "<unknown>")
    if "<" in name:
        return None  # A function inside another one may load other values each time.
    return getattr(loader.fn, "__module__", None), name
