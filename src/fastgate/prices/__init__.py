"""Prices: `book` is what the data plane looks up, `catalog` is how the control plane fills it."""
