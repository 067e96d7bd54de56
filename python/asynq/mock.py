"""Alias of the module `asynq.mock_`, so that `import asynq.mock` works."""

import sys

from . import mock_

sys.modules[__name__] = mock_
