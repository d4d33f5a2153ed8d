"""Answers that are given again: what a request's key is, what may be kept, where it is kept and how it is replayed.

Used by the room `cache` and by the control plane, which counts and purges. Knows no call, no relay and no HTTP.
"""
