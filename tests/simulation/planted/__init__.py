"""Bugs that are planted on purpose, to see that the simulation finds them: the test of the test.

Each is a mistake that a billing system could make, put into the running process (or its database) here and
never into the product. `python -m tests.simulation.finding` lives stories with them.
"""

from tests.simulation.planted import books, charging
from tests.simulation.planted.bugs import BUGS

__all__ = ["BUGS", "books", "charging"]
