"""The guard: what makes two texts the same request, and every kind of near miss that must not pass."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.caching.semantic.agreement import are_opposites, disagreement, root
from fastgate.caching.semantic.lexicon import words
from fastgate.caching.semantic.reading import TEXT_CHARS, read
from fastgate.caching.semantic.words import Words

WORDS = Words()


def told(one: str, other: str) -> str:
    return disagreement(read(one), read(other), WORDS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Delete the old branch", "please remove the old branch"),
        ("Delete the old branch", "Hi! Could you delete the old branch? Thanks"),
        ("Explain the function foo_bar in a.py", "please describe the method foo_bar in a.py"),
        ("What are your delivery options?", "WHAT ARE YOUR DELIVERY OPTIONS?"),
        ("How do I reset my Gmail password?", "how can i reset my gmail password"),
        ("Run three tests", "run 3 tests"),
        ("Begin the job", "Start the task"),
        ("Don't push it", "Do not push it"),
        ("", ""),
    ],
)
def test_rewordings_agree(one: str, other: str) -> None:
    assert told(one, other) == told(other, one) == ""


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Raise it from 10 to 20", "Raise it from 20 to 10", "names"),
        ("Fix line 42", "Fix line 24", "names"),
        ("Open src/a.ts", "Open src/b.ts", "names"),
        ("Call `get_user`", "Call `get_users`", "names"),
        ('Say "yes"', 'Say "no"', "names"),
        ("Rename UserService", "Rename OrderService", "names"),
        ("Use --force", "Use --force-with-lease", "names"),
        ("Push it", "Don't push it", "names"),
        ("Push it", "Never push it", "names"),
        ("Build it with tests", "Build it without tests", "names"),
        ("Wait five minutes", "Wait six minutes", "names"),
        ("Ship v1.2.3", "Ship v1.2.4", "names"),
        ("Is a < b?", "Is a > b?", "names"),
        ("Mail a@x.example", "Mail b@x.example", "names"),
        ("Add a column", "Remove a column", "words"),
        ("Enable caching", "Disable caching", "words"),
        ("Convert it to JSON", "Convert it to XML", "words"),
        ("Send the invoice to Sarah", "Send the invoice to Sam", "words"),
        ("Is it safe?", "Is it unsafe?", "words"),
        ("Delete the branch", "Delete the remote branch", "words"),
        ("Move apples to pears", "Move pears to apples", "order"),
        ("rename foo to bar", "rename bar to foo", "order"),
        ("Delete the branch", "How do I delete the branch?", "kind"),
        ("Delete the branch", "Should I delete the branch?", "kind"),
        ("When does it close?", "Where does it close?", "kind"),
        ("How many tests are there?", "Why are there tests?", "kind"),
        ("Test all files", "Test some files", "words"),
        ("Run it before the deploy", "Run it after the deploy", "words"),
    ],
)
def test_near_misses_do_not(one: str, other: str, why: str) -> None:
    assert told(one, other) == told(other, one) == why


TEXTS = st.lists(
    st.sampled_from(
        sorted(
            words(
                "delete the file src/a.py not 42 `x` Berlin berlin add remove 'q' enable from to how why please HTTP "
                "don't in userName a-b x_y ? . , 3.5% -v https://x.example/a"
            )
        )
    ),
    max_size=8,
).map(" ".join)


@given(TEXTS)
def test_a_text_agrees_with_itself(text: str) -> None:
    assert told(text, text) == ""


@given(TEXTS, TEXTS)
def test_agreement_has_no_direction(one: str, other: str) -> None:
    assert bool(told(one, other)) == bool(told(other, one))


@given(TEXTS, st.sampled_from(["7", "src/z.py", "`z`", '"z"', "zName", "not", "--zed", "z_z", "never"]))
def test_a_name_more_is_another_request(text: str, name: str) -> None:
    assert told(text, f"{text} {name}") != ""
    assert told(f"{name} {text}", text) != ""


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert told(text, text) == ""


def test_no_text_takes_long_to_read() -> None:
    """Two milliseconds for a text of the usual kind; whatever a client writes, not a hundred times that."""
    for motif in (
        "a",
        "a.",
        "a+",
        "\u201c",
        "'a",
        "a/",
        "/.",
        "``",
        "a@",
        "--a",
        "a-",
        "1,",
        "\u00ab ",
        "a'",
        "..",
        ": ",
    ):
        text = (motif * TEXT_CHARS)[:TEXT_CHARS]
        begun = time.process_time()
        read(text)
        assert time.process_time() - begun < 0.2, motif


def test_opposites_are_found_in_every_form() -> None:
    for one, other in (("adding", "removes"), ("enabled", "disables"), ("uploads", "downloading"), ("lock", "unlock")):
        assert are_opposites(root(one), root(other)), (one, other)


SWAPS = (
    ("Don't delete the users table, drop the orders table", "Delete the users table, don't drop the orders table"),
    ("Delete a.py and keep b.py", "Keep a.py and delete b.py"),
    ("Explain `foo` and delete `bar`", "Delete `foo` and explain `bar`"),
    ("Set timeout 10 and retries 20", "Set retries 10 and timeout 20"),
    ("Use tabs and do not use spaces in this file", "Do not use tabs and use spaces in this file"),
    ("Can a user delete an admin?", "Can an admin delete a user?"),
    ("Does the client call the server?", "Does the server call the client?"),
    ("Summarise the tax rules for freelancers in the US", "Summarise the tax rules for freelancers"),
    ("Translate to French: I love you", "Translate to French: they love her"),
    ("Should I take this pill in the morning?", "Should I take this pill in the evening?"),
)


@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_the_same_words_in_another_order_are_another_request(one: str, other: str) -> None:
    assert disagreement(read(one), read(other), None)
    assert disagreement(read(other), read(one), None)
