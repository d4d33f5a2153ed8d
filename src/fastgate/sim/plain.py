"""The fixed answer of the scenario `plain`: prebuilt pieces around the few numbers that differ, for load tests.

Usage: input = ceil(body bytes / 4), output = 64; prompt caching, directives and the conversation are not looked at.
"""

from __future__ import annotations

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.conversation import Brief
from fastgate.sim.render import encode, sse
from fastgate.sim.scenario import DEFAULT_TOKENS, DELTA_CHARS, filler
from fastgate.sim.usage import Usage, tokens_of
from fastgate.sim.wire import PROVIDER_HEADERS, chunk, head

PLAIN = Behaviour(scenario="plain")


class PlainAnswers:
    """Both forms of the fixed answer, cut at the places where number, model and input tokens go."""

    TOKENS = DEFAULT_TOKENS

    def __init__(self, tokens: int = TOKENS) -> None:
        self.output_tokens = tokens
        text = filler(tokens)
        headers = [("request-id", "@"), *PROVIDER_HEADERS]
        whole = head(200, [("content-type", "application/json"), *headers, ("content-length", "#")])
        stream = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]
        chunked = head(200, [*stream, *headers, ("transfer-encoding", "chunked")])
        self.whole_head = whole.replace(b"@", b"req_sim%b").replace(b"#", b"%d")
        self.whole_body = b'{"model":"%b","id":"msg_sim%b",' + (
            b'"type":"message","role":"assistant","content":[{"type":"text","text":'
            + encode(text)
            + b'}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":%d,'
            + b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
            + b'"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},'
            + b'"output_tokens":%d,"service_tier":"standard","inference_geo":"not_available"}}' % tokens
        )
        self.stream_head = chunked.replace(b"@", b"req_sim%b")
        self.start = (
            b'event: message_start\ndata: {"type":"message_start","message":{"model":"%b","id":"msg_sim%b",'
            b'"type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,'
            b'"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
            b'"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},'
            b'"output_tokens":1,"service_tier":"standard","inference_geo":"not_available"}}}\n\n'
        )
        self.middle = b"".join(chunk(event) for event in _middle(text))
        self.delta = (
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
            b'"stop_sequence":null},"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,'
            b'"cache_read_input_tokens":0,"output_tokens":' + b"%d}}\n\n" % tokens
        )
        self.last = chunk(sse("message_stop", {})) + b"0\r\n\r\n"

    def usage(self, body_bytes: int) -> Usage:
        return Usage(input_tokens=tokens_of(body_bytes), output_tokens=self.output_tokens)

    def answer(self, brief: Brief, body_bytes: int, number: bytes) -> bytes:
        """The whole response, head and body, in one piece."""
        model, tokens = brief.model.encode(), tokens_of(body_bytes)
        if not brief.stream:
            body = self.whole_body % (model, number, tokens)
            return self.whole_head % (number, len(body)) + body
        start = chunk(self.start % (model, number, tokens))
        return b"".join((self.stream_head % number, start, self.middle, chunk(self.delta % tokens), self.last))


def _middle(text: str) -> list[bytes]:
    deltas = [text[at : at + DELTA_CHARS] for at in range(0, len(text), DELTA_CHARS)]
    events = [sse("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}), sse("ping", {})]
    shown = ({"index": 0, "delta": {"type": "text_delta", "text": delta}} for delta in deltas)
    return [*events, *(sse("content_block_delta", fields) for fields in shown), sse("content_block_stop", {"index": 0})]
