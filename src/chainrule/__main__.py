"""`python -m chainrule` is the `chainrule` program."""

import sys

from chainrule.cli import main

sys.exit(main())
