"""Guards: what must not leave the perimeter, and what must not come back. `rule` says what a rule is."""
