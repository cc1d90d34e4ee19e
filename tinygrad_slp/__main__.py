"""python -m tinygrad_slp: the command line."""

import sys

from .cli import main

sys.exit(main())
