"""A simulated fleet: 200 developers for a working day through three endpoints with outages, in virtual time.

The gateway's own router, warmth table, breakers and ladder decide, as a library; the provider's side is a prompt cache
and a price list. Two simpler policies get the same trace.
"""
