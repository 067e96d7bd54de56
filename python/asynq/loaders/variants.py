"""`Variants`: the loaders that stand for one, each for a request or for values of `per`."""

import functools
import weakref

from .._scopes import current_request
from .weak_objects import WeakObjects

# A loader keeps the variants, with their caches, of the values that were used last: so many at
# least, and twice as many at most.
_KEPT = 1000


class Variants(WeakObjects):
    """The variants of a loader.

    A variant has rounds, caches and loads in flight of its own. A request holds its variants, and a
    pending load holds its variant, so no two are ever in use for the same values.
    """

    def __init__(self):
        super().__init__()
        self._by_values = weakref.WeakValueDictionary()
        self._recent = self._before = {}

    def get(self, values):
        """Returns the variant of these values, or None."""
        return self._by_values.get(values)

    def keep(self, core, variant):
        """Keeps a variant of `core`. Returns it, or the one that another thread has made meanwhile.

        The extension finds it in the dict of those that were used last, and otherwise it comes here
        again. So the dict has all that were used since it was made.
        """
        if len(self._recent) >= _KEPT or self._recent is self._before:
            self._before, self._recent = self._recent, {}
            core._set_recent(self._recent)
        kept = self._by_values.setdefault(variant._values, variant)
        self._recent[variant._values] = kept
        if kept._ends is None:
            kept._ends = self._forget_at_end_of(kept._values)
        return kept

    def _forget_at_end_of(self, values):
        """Forgets a variant once the referent of one of its values has ended.

        Returns weak references to the referents, which work as long as somebody holds them.
        """
        forget = functools.partial(_forget, weakref.ref(self), values)
        referents = [value() for value in values if isinstance(value, weakref.ref)]
        return [weakref.ref(one, forget) for one in referents if one is not None]


def _forget(variants, values, _):
    variants = variants()
    if variants is not None:
        for kept in (variants._recent, variants._before):
            kept.pop(values, None)


def find_variant(core):
    """Returns the variant of a loader for the request and the values that the caller sees."""
    values = core.per.values()
    request = None if core.settings.across_requests else current_request()
    if request is not None:
        return request.variant_of(core, values)
    variant = None if core._variants is None else core._variants.get(values)
    if variant is None:
        variant = new_variant(core, values)
    return core._variants.keep(core, variant)


def new_variant(core, values, request=None):
    """Makes a loader like `core`, for a request or values of `per`."""
    variants = core.__dict__.setdefault("_variants", Variants())
    variant = core._copy()
    variant._become_variant(core)
    variant._values = values
    if request is not None:
        variant._request = weakref.ref(request)
        variant._kept_core = core  # The request knows it by its id.
    variant._context, variant._restorers = core.per.context(core._context, values)
    caches = core.settings.cache or (request is not None and core.settings.cache is None)
    variant._cache = {} if caches else None
    variant._set_up_hosts()
    variants.add(variant)
    if core._scope is not None:
        variant._scope = core._scope.of_variant()
    return variant
