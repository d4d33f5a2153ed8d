from typing import final

@final
class Usage:
    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    web_search: int
    web_fetch: int
    code_execution: int
    fast: bool
    us_geo: bool
    priority: bool
    other_model: bool
    seen: bool
    final: bool
    malformed: bool

    @staticmethod
    def of(
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_write_5m_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        cache_read_tokens: int = 0,
        web_search: int = 0,
        web_fetch: int = 0,
        code_execution: int = 0,
        fast: bool = False,
        us_geo: bool = False,
        priority: bool = False,
        other_model: bool = False,
        seen: bool = True,
        final: bool = True,
        malformed: bool = False,
    ) -> Usage: ...
    def take(self, data: bytes, *, final: bool) -> None:
        """Merge one usage object given as JSON text; what is not JSON is `malformed`."""

    def __eq__(self, other: object) -> bool: ...
