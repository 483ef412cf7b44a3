"""From a commit of the fleet repository to what is desired."""

import os

# A missing git is told by the first call of it, not by the import of GitPython; so this comes before any of them.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
