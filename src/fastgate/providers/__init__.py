"""Providers: what each kind of endpoint wants on the wire, and the credentials it takes."""
