"""What an upstream may do wrong, and what then happens: one table, read by the tests that prove each row and by
docs/generate.py, which writes docs/reference/failures.md from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.faultproxy import Faults

Client = Literal["529", "502", "as it came", "next endpoint", "whole", "cut", "ends early", "error event"]
Charge = Literal["nothing", "stated", "seen", "estimate"]
Retry = Literal["elsewhere", "client", "never", "none"]

CLIENT: dict[Client, str] = {
    "529": "529 `overloaded_error`",
    "502": "502 `api_error`",
    "as it came": "the provider's answer, byte for byte",
    "next endpoint": "the next endpoint's answer; 529 `overloaded_error` where there is none",
    "whole": "the whole answer",
    "cut": "a stream that is cut, so that no part is taken for the whole",
    "ends early": "the stream as it came, with its early end",
    "error event": "the stream with the provider's `event: error`",
}

CHARGE: dict[Charge, str] = {
    "nothing": "nothing",
    "stated": "the usage that was stated",
    "seen": "at least what was seen",
    "estimate": "an estimate from sizes",
}

RETRY: dict[Retry, str] = {
    "elsewhere": "the gateway, at the next endpoint",
    "client": "the client",
    "never": "nobody",
    "none": "",
}


@dataclass(frozen=True)
class Outcome:
    """How the call ends: the record's kind ("" for none), what the client sees, what is charged."""

    kind: str
    client: Client
    charge: Charge


@dataclass(frozen=True)
class Failure:
    """One row. `do` is the scripted upstream's behaviour, `down` what a proxy before it does to its answer; `address`
    names an upstream of its own. A form that does not exist for a row is None."""

    what: str
    stream: Outcome | None
    whole: Outcome | None
    retry: Retry = "client"
    do: Behaviour = field(default_factory=Behaviour)
    down: Faults | None = None
    address: Literal["", "closed", "silent"] = ""
    slow: bool = False
    """Takes seconds: left to the long form."""


def both(kind: str, client: Client, charge: Charge) -> dict[str, Outcome]:
    return {"stream": Outcome(kind, client, charge), "whole": Outcome(kind, client, charge)}


FINE = both("", "whole", "stated")
LONG = "x" * 400
FACES = "\U0001f600" * 100
"""Four bytes each: a cut falls inside one, three times in four."""

CONNECTING = [
    Failure("the connection is refused", **both("connect", "next endpoint", "nothing"), retry="elsewhere",
            address="closed"),
    Failure("the connection is never accepted", **both("connect_timeout", "next endpoint", "nothing"),
            retry="elsewhere", address="silent"),
]  # fmt: skip

BEFORE_THE_ANSWER = [
    Failure("it resets the connection before it answers", **both("reset", "529", "nothing"),
            do=Behaviour(cut="rst", cut_bytes=0)),
    Failure("it closes the connection before it answers", **both("reset", "529", "nothing"),
            do=Behaviour(cut="fin", cut_bytes=0)),
    Failure("it resets the connection inside the head", **both("reset", "529", "nothing"),
            do=Behaviour(cut="rst", cut_bytes=30)),
    Failure("it never begins to answer", **both("first_byte_timeout", "529", "estimate"),
            do=Behaviour(stall_head_s=30)),
    Failure("its answer vanishes on the way", **both("first_byte_timeout", "529", "estimate"),
            down=Faults(after_bytes=0, then="blackhole")),
    Failure("its head is not HTTP", **both("bad_response", "529", "nothing"), down=Faults(corrupt_at=2)),
    Failure("its head does not end (600 KB)", **both("bad_response", "529", "nothing"),
            do=Behaviour(headers={"x-pad": "v" * 600_000})),
    Failure("it states two lengths", **both("bad_response", "529", "nothing"),
            do=Behaviour(headers={"content-length": "5"}, framing="length")),
    Failure("it sends three interim heads first", **FINE, retry="none", do=Behaviour(interim=3)),
    Failure("it floods with interim heads", **both("bad_response", "529", "nothing"), do=Behaviour(interim=50)),
]  # fmt: skip

REFUSALS = [
    *(
        Failure(f"it answers {status}", **both("upstream_status", "as it came", "nothing"),
                do=Behaviour(status=status, retry_after="7" if status in (429, 529) else ""))
        for status in (400, 404, 413, 429, 500, 503, 529)
    ),
    *(
        Failure(f"it refuses the gateway's own key ({status})", **both("provider_credential", "502", "nothing"),
                retry="never", do=Behaviour(status=status))
        for status in (401, 403)
    ),
    *(
        Failure(f"it redirects ({status})", **both("bad_response", "529", "nothing"),
                do=Behaviour(status=status, location="http://127.0.0.1:1/"))
        for status in (302, 307)
    ),
]  # fmt: skip

INSIDE_THE_ANSWER = [
    Failure("it resets after some events, or half a body", Outcome("truncated", "cut", "seen"),
            Outcome("truncated", "529", "estimate"), do=Behaviour(cut="rst", cut_event=5, tokens=40, gap_ms=5)),
    Failure("it closes after some events, or half a body", Outcome("truncated", "cut", "seen"),
            Outcome("truncated", "529", "estimate"), do=Behaviour(cut="fin", cut_event=5, tokens=40, gap_ms=5)),
    Failure("it closes inside a chunk", Outcome("truncated", "529", "seen"), Outcome("truncated", "529", "estimate"),
            do=Behaviour(cut="fin", cut_bytes=1_333, gap_ms=5, text=LONG, framing="chunked")),
    Failure("it closes inside a character", Outcome("truncated", "cut", "seen"),
            Outcome("truncated", "529", "estimate"),
            do=Behaviour(cut="fin", cut_bytes=1_501, gap_ms=5, text=FACES, delta_chars=50)),
    Failure("it ends the stream properly, but too early", Outcome("truncated", "ends early", "seen"), None,
            do=Behaviour(cut="clean", cut_event=5, tokens=40, gap_ms=5)),
    Failure("it hangs after the head", Outcome("idle_timeout", "529", "estimate"), None,
            do=Behaviour(stall_first_s=30)),
    Failure("it hangs after some events", Outcome("idle_timeout", "cut", "seen"), None,
            do=Behaviour(stall_at=4, stall_s=30, tokens=40)),
    Failure("the rest of its answer vanishes on the way", Outcome("idle_timeout", "529", "seen"),
            Outcome("idle_timeout", "529", "estimate"), down=Faults(after_bytes=1_400, then="blackhole"),
            do=Behaviour(gap_ms=5, text=LONG)),
    Failure("it trickles", Outcome("total_timeout", "cut", "seen"), Outcome("total_timeout", "529", "estimate"),
            do=Behaviour(bytes_per_s=3_000, tokens=20_000), slow=True),
    Failure("it sends comments without end", Outcome("total_timeout", "cut", "seen"), None,
            do=Behaviour(garbage="comments", garbage_at=4), slow=True),
    Failure("it sends comments in place of content", Outcome("total_timeout", "529", "seen"), None,
            do=Behaviour(garbage="comments", garbage_at=1), slow=True),
    Failure("a later chunk has no size", Outcome("bad_response", "cut", "seen"), None,
            do=Behaviour(garbage="chunk", framing="chunked", garbage_at=8, gap_ms=20)),
    Failure("its first chunk has no size", None, Outcome("bad_response", "529", "estimate"),
            do=Behaviour(garbage="chunk", framing="chunked", garbage_at=0)),
    Failure("it compresses, unasked", **both("bad_response", "529", "estimate"), do=Behaviour(gzip=True)),
    Failure("it sends trailers", **FINE, retry="none", do=Behaviour(trailers=True, framing="chunked")),
    Failure("it speaks HTTP/1.0 and closes", **FINE, retry="none", do=Behaviour(http="1.0")),
    Failure("it closes after a whole answer", **FINE, retry="none", do=Behaviour(close=True)),
]  # fmt: skip

WHAT_IT_SAYS = [
    Failure("an error event before any content", Outcome("stream_error", "529", "seen"), None,
            do=Behaviour(error_at=1, error_type="overloaded_error")),
    Failure("an error event inside the content", Outcome("stream_error", "error event", "seen"), None,
            do=Behaviour(error_at=4, error_type="api_error", tokens=40)),
    Failure("a line that is no event", FINE["stream"], None, retry="none", do=Behaviour(garbage="text")),
    Failure("binary between events", FINE["stream"], None, retry="none", do=Behaviour(garbage="binary")),
    Failure("an event that is not JSON", FINE["stream"], None, retry="none", do=Behaviour(garbage="json")),
    Failure("an event that is not UTF-8", FINE["stream"], None, retry="none", do=Behaviour(garbage="utf8")),
    Failure("an event whose blank line never comes", Outcome("truncated", "ends early", "seen"), None,
            do=Behaviour(garbage="unterminated", garbage_at=4)),
    *(
        Failure(f"a body that is {words}", None, Outcome("", "as it came", "estimate"), retry="none",
                do=Behaviour(garbage=kind))
        for words, kind in (("no JSON", "text"), ("cut JSON", "json"), ("not UTF-8", "utf8"), ("binary", "binary"))
    ),
    Failure("a web page with status 200", **both("", "as it came", "estimate"), retry="none",
            do=Behaviour(garbage="html")),
    Failure("a stream that says it is JSON", Outcome("", "as it came", "estimate"), None, retry="none",
            do=Behaviour(content_type="application/json")),
    Failure("one event of 50 MB", FINE["stream"], FINE["whole"], retry="none", do=Behaviour(huge_bytes=50 << 20),
            slow=True),
    Failure("a body over 64 MB", None, Outcome("bad_response", "529", "estimate"), do=Behaviour(huge_bytes=70 << 20),
            slow=True),
    Failure("no usage", **both("", "whole", "estimate"), retry="none", do=Behaviour(usage_form="missing")),
    Failure("usage at the start only", Outcome("", "whole", "seen"), None, retry="none",
            do=Behaviour(usage_form="start-only")),
    Failure("usage at the end only", FINE["stream"], None, retry="none", do=Behaviour(usage_form="delta-only")),
    Failure("usage twice", FINE["stream"], None, retry="none", do=Behaviour(usage_form="twice")),
    Failure("less output at the end than it opened with", FINE["stream"], None, retry="none",
            do=Behaviour(usage_form="decreasing")),
    Failure("less output at its end than just before", Outcome("", "whole", "seen"), None, retry="none",
            do=Behaviour(usage_form="falling")),
    Failure("a smaller prompt at the end than it opened with", Outcome("", "whole", "seen"), None, retry="none",
            do=Behaviour(usage_raw='{"input_tokens":0,"cache_read_input_tokens":0}')),
    *(
        Failure(f"usage {words}", Outcome("", "whole", "seen"), None, retry="none", do=Behaviour(usage_raw=raw))
        for words, raw in (
            ("that is negative", '{"output_tokens":-5}'), ("of 10^30", '{"output_tokens":1e30}'),
            ("that is a text", '"lots"'), ("that is null", '{"output_tokens":null}'),
        )
    ),
]  # fmt: skip

SECTIONS = {
    "Connecting": CONNECTING,
    "Before the answer": BEFORE_THE_ANSWER,
    "Refusals": REFUSALS,
    "Inside the answer": INSIDE_THE_ANSWER,
    "What it says": WHAT_IT_SAYS,
}

FAILURES = [row for rows in SECTIONS.values() for row in rows]
