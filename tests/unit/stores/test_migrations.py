"""Migrations: the tables are the schema's, an old file keeps its data, a newer file is refused."""

import os
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from setuptools import find_packages
from sqlalchemy import text

import fastgate
from fastgate.state import StateDir
from fastgate.stores.embedded import open_directory
from fastgate.stores.engine import HEAD, migrate, open_engine, reading, schema_revision, writing
from fastgate.stores.ports import StoreError
from fastgate.stores.schema import metadata


def test_a_fresh_file_has_exactly_the_schema(tmp_path):
    engine = open_engine(tmp_path / "d.sqlite")
    assert schema_revision(engine) is None
    migrate(engine)
    assert schema_revision(engine) == HEAD
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        made = {
            row[0]: row[1] for row in connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type='table'"))
        }
    assert "CASCADE" in made["key_secrets"]
    assert "CHECK" in made["keys"]
    assert "AUTOINCREMENT" in made["changes"]
    engine.dispose()


def test_head_is_the_newest_revision_and_there_is_one_line_of_them():
    config = Config()
    config.set_main_option("script_location", "fastgate.stores:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_file_of_the_first_revision_keeps_its_data(tmp_path):
    state = StateDir(tmp_path).create()
    state.pepper.write_bytes(os.urandom(32))
    engine = open_engine(state.directory_db)
    migrate(engine, "0001")
    with writing(engine) as connection:
        for statement in (
            "INSERT INTO orgs VALUES ('o', 'Org', 'declared')",
            "INSERT INTO teams VALUES ('t', 'o', 'Team', NULL, '[\"a\"]', 'declared')",
            "INSERT INTO users VALUES ('u', 't', '', '', NULL, 'declared')",
            "INSERT INTO keys VALUES ('k', 'u', NULL, NULL, '{\"x\":\"y\"}', '[]', '[]', 0, 5, 0, 'managed')",
            "INSERT INTO key_secrets VALUES (x'01', 'k', 'sk-fg-abcd', 5, 0)",
        ):
            connection.execute(text(statement))
    engine.dispose()
    store = open_directory(state, "test")
    view = store.keys_show("k")
    assert (view.team, view.org, view.tags, view.open_tags, view.created_ns) == ("t", "o", {"x": "y"}, ["a"], 5)
    store.keys_revoke("k", "t")
    assert [event.change.action for event in store.changes()] == ["revoke"]
    store.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    state = StateDir(tmp_path)
    open_directory(state, "test").close()
    engine = open_engine(state.directory_db)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="written by a newer fastgate"):
        open_directory(state, "test")


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path):
    engine = open_engine(tmp_path / "d.sqlite")
    migrate(engine, "0001")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE changes (x)"))
    with pytest.raises(StoreError, match="already exists"):
        migrate(engine)
    assert schema_revision(engine) == "0001"
    engine.dispose()


def test_migrations_are_shipped():
    packages = find_packages(str(Path(fastgate.__file__).parents[1]), include=["fastgate*"])
    assert {"fastgate.stores.migrations", "fastgate.stores.migrations.versions"} <= set(packages)
