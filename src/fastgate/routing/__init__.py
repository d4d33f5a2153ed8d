"""Routing: what is known of endpoints beyond one call, and what that says about where the next call goes."""
