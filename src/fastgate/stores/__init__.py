"""Stores: `ports` says what the gateway needs of one, the other modules are what provides it."""
