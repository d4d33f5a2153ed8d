"""The compiled hot path: loops over bytes live here, decisions and awaits do not. Imports no other fastgate module."""
