"""The directory's schema, one module a revision. `env` is what Alembic runs; stores/engine.py starts it."""
