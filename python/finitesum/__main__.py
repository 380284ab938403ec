"""``python -m finitesum``: the command line."""

import sys

from finitesum.cli import main

sys.exit(main())
