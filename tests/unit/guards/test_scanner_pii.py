"""Personal data: what is somebody's, what only looks like it."""

from __future__ import annotations

import pytest

from fastgate.guards.engine import Engine
from fastgate.guards.scanners import pii
from fastgate.guards.scanners.secrets import SCANNER as SECRETS
from tests.support.rules import found_text


@pytest.mark.parametrize(
    ("rule", "text", "found"),
    [
        ("pii-email", "Kontakt: Jörg <joerg.maier+x" + "@firma-nord.co.uk>, danke", "joerg.maier+x@firma-nord.co.uk"),
        ("pii-card", "card number 5425-" + "2334-3010-9903", "5425-2334-3010-9903"),
        ("pii-card", '"card": "60110009' + '90139424"', ""),
        ("pii-iban", "FR14 2004 1010 0505" + " 0001 3M02 606", "FR14 2004 1010 0505 0001 3M02 606"),
        ("pii-phone", "ruf mich an: +49 171 " + "4938271", "+49 171 4938271"),
        ("pii-birth-date", "geboren am 3.4.1985 in Ulm", "3.4.1985"),
        ("pii-ip-address", "at 8.8.4.4:53", ""),
        ("pii-ip-address", "from 203.0.113.9", ""),
        ("pii-ip-address", "host 151.101.1.69 up", "151.101.1.69"),
        ("pii-address", "ship to 350 Fifth Ave, New York, NY 10118 please", "350 Fifth Ave, New York, NY 10118"),
    ],
)
def test_what_is_found(rule: str, text: str, found: str) -> None:
    assert found_text(rule, text) == ([found] if found else [])


def test_a_card_in_a_long_number_is_none() -> None:
    assert not found_text("pii-card", "card 0.4539578763621486")
    assert not found_text("pii-card", "card 145395787636214861111")


def test_a_lock_file_takes_no_look_at_each_of_its_lines() -> None:
    """`name@1.2.3` is no address to look closer at: what stands behind many of them was not scanned in its time."""
    key, mail = "AKIA" + "Z7QX4MNPL2WVB3TC", "jane.doe" + "@gmail.com"
    text = "".join(f"package-{n}@1.{n % 90}.3:\n" for n in range(20_000)) + f"{key}\n\nwrite to {mail}\n"
    engine = Engine((*SECRETS.rules, *pii.RULES))
    found = engine.examine("tool_result", "user", text.encode())
    assert {text[each.start : each.end] for each in found} == {key, mail}
    assert all(each.rule >= 0 for each in found)
