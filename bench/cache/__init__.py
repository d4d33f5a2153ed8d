"""How fast an exact hit is, beside a static answer of the same server."""
