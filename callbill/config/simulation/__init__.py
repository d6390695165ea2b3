"""A made-up world that lives through months by a moved clock, with faults and kills, seen every evening."""
