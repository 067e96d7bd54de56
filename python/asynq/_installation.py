"""A check for files of another distribution in the folder of this package.

The original asynq installs its files into the same folder, and pip does not notice. Its compiled
modules hide ours of the same name. Uninstalling it then removes the files that both have.

This module is imported first, and raises `ImportError` if the folder is such a mixture.
"""

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES

__traceback_hide__ = True


def check_folder(folder):
    """Raises `ImportError` if a package folder has extension modules of another distribution.

    Also if it has no `__init__.py`: both distributions have one, so pip removes it with either.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return  # The package is in a zip file.
    foreign = sorted(
        name
        for name in names
        if name.endswith(tuple(EXTENSION_SUFFIXES)) and not name.startswith("_asynq.")
    )
    if foreign:
        what = f"has files of another distribution, such as {foreign[0]}"
    elif "__init__.py" not in names:
        what = "has lost files of asynq-rs, because another distribution was uninstalled"
    else:
        return
    pip = f"{sys.executable} -m pip"
    raise ImportError(
        f"the folder {folder} {what}: the original asynq and asynq-rs install into the same folder."
        f" To use asynq-rs, run:\n"
        f"    {pip} uninstall -y asynq asynq-rs && {pip} install --force-reinstall asynq-rs",
        name="asynq",
        path=folder,
    )


check_folder(os.path.dirname(__file__))
