from typing import final

from fastgate._core.usage import Usage

MAX_PRICE_PICO: int
MAX_TOOL_NANO: int
MAX_PPM: int
NO_MULTIPLIER_PPM: int
SAME_AS_BASE: int

@final
class PriceRow:
    @property
    def input_pico(self) -> int: ...
    @property
    def output_pico(self) -> int: ...
    @property
    def cache_write_5m_pico(self) -> int: ...
    @property
    def cache_write_1h_pico(self) -> int: ...
    @property
    def cache_read_pico(self) -> int: ...
    @property
    def tier_at(self) -> int: ...
    @property
    def input_above_pico(self) -> int: ...
    @property
    def output_above_pico(self) -> int: ...
    @property
    def cache_write_5m_above_pico(self) -> int: ...
    @property
    def cache_write_1h_above_pico(self) -> int: ...
    @property
    def cache_read_above_pico(self) -> int: ...
    @property
    def web_search_nano(self) -> int: ...
    @property
    def web_fetch_nano(self) -> int: ...
    @property
    def code_execution_nano(self) -> int: ...
    @property
    def fast_ppm(self) -> int: ...
    @property
    def us_geo_ppm(self) -> int: ...
    @staticmethod
    def new(
        *,
        input_pico: int,
        output_pico: int,
        cache_write_5m_pico: int,
        cache_write_1h_pico: int,
        cache_read_pico: int,
        tier_at: int = 0,
        input_above_pico: int = -1,
        output_above_pico: int = -1,
        cache_write_5m_above_pico: int = -1,
        cache_write_1h_above_pico: int = -1,
        cache_read_above_pico: int = -1,
        web_search_nano: int = 0,
        web_fetch_nano: int = 0,
        code_execution_nano: int = 0,
        fast_ppm: int = 1_000_000,
        us_geo_ppm: int = 1_000_000,
    ) -> PriceRow: ...
    @staticmethod
    def of_ints(ints: tuple[int, ...]) -> PriceRow: ...
    def ints(self) -> tuple[int, ...]: ...
    def packed(self) -> bytes:
        """`ints()` in MessagePack; made once."""
    def cost(self, usage: Usage) -> int: ...
    def tokens(
        self, plain: int, output: int, write_5m: int, write_1h: int, read: int, fast: bool, us_geo: bool
    ) -> int: ...
    def bound(
        self,
        input_tokens: int,
        output_tokens: int,
        server_tool_uses: int = 0,
        ttl_1h: bool = True,
        fast: bool = True,
        us_geo: bool = True,
    ) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

def format_usd(nano: int) -> str: ...
def parse_usd(text: str) -> int: ...
