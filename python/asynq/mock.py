"""Another name of `asynq.mock_`: the same module, so that `import asynq.mock` works."""

import sys

from . import mock_

sys.modules[__name__] = mock_
