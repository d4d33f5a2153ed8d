"""`${VAR}`: only whole, well-formed references are replaced, once; values are never printed."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.refs import RefError, Secret, resolve_refs

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
literals = st.text().filter(lambda text: "${" not in text and not text.endswith("$"))


@given(st.lists(st.tuples(literals, names)), literals, st.dictionaries(names, st.text()))
def test_each_reference_becomes_its_variable_and_all_else_stays(parts, tail, values):
    environ = {name: values.get(name, f"<{name}>") for _, name in parts}
    written = "".join(text + f"${{{name}}}" for text, name in parts) + tail
    assert resolve_refs(written, environ) == "".join(text + environ[name] for text, name in parts) + tail


@given(st.text().filter(lambda text: "${" not in text))
def test_a_value_without_references_is_left_alone(value):
    assert resolve_refs(value, {}) == value


def test_what_is_put_in_is_not_looked_at_again():
    assert resolve_refs("${A}", {"A": "${B}", "B": "no"}) == "${B}"


def test_a_missing_variable_is_named_and_a_value_never_is():
    with pytest.raises(RefError, match=r"^environment variables B, C are not set$") as caught:
        resolve_refs("${A}-${C}-${B}", {"A": "hush"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("value", ["${}", "${A", "${A-B}", "${A:-x}", "${1A}", "a${ A }", "${A}${"])
def test_a_malformed_reference_is_an_error(value):
    with pytest.raises(RefError, match="does not name a variable"):
        resolve_refs(value, {"A": "x"})


def test_a_secret_is_never_printed_nor_copied_out():
    secret = Secret("sk-hush", "${KEY}")
    assert "hush" not in f"{secret!r} {secret} {[secret]} {secret!a}"
    assert (secret.reveal(), secret.reference, Secret("x").reference) == ("sk-hush", "${KEY}", "x")
    with pytest.raises(TypeError):
        pickle.dumps(secret)
