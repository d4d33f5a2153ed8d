"""What a response used, slowly: the same merge as fastgate._core.usage over parsed values."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from tests.model.json_text import Node

COUNT_LIMIT = 2**53
NAMES = ["input", "output", "write_5m", "write_1h", "read"]
TOOLS = {
    b"web_search_requests": "web_search",
    b"web_fetch_requests": "web_fetch",
    b"code_execution_requests": "code_execution",
}
WORDS = {b"speed": ("fast", b"fast"), b"inference_geo": ("us_geo", b"us"), b"service_tier": ("priority", b"priority")}


@dataclass
class Counts:
    """Token classes of one object as stated; None where it is silent."""

    input: int | None = None
    output: int | None = None
    read: int | None = None
    written: int | None = None
    split_5m: int | None = None
    split_1h: int | None = None


COUNT_FIELDS = {
    b"input_tokens": "input",
    b"output_tokens": "output",
    b"cache_read_input_tokens": "read",
    b"cache_creation_input_tokens": "written",
}
SPLIT_FIELDS = {b"ephemeral_5m_input_tokens": "split_5m", b"ephemeral_1h_input_tokens": "split_1h"}


@dataclass
class Usage:
    base: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    extra: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    web_search: int = 0
    web_fetch: int = 0
    code_execution: int = 0
    fast: bool = False
    us_geo: bool = False
    priority: bool = False
    other_model: bool = False
    seen: bool = False
    final: bool = False
    malformed: bool = False

    def shown(self) -> dict[str, int | bool]:
        """The fields under the compiled Usage's names."""
        total = {name: self.base[name] + self.extra[name] for name in NAMES}
        flags = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("base", "extra")}
        return {
            "input_tokens": total["input"],
            "output_tokens": total["output"],
            "cache_write_5m_tokens": total["write_5m"],
            "cache_write_1h_tokens": total["write_1h"],
            "cache_read_tokens": total["read"],
            **flags,
        }

    def merge(self, node: Node | None, *, final: bool) -> None:
        if node is None or node.kind == "null":
            return
        self.seen = True
        base, extra, was_final = dict(self.base), dict(self.extra), self.final
        self.take(node, final=final)
        prompt = ["input", "write_5m", "write_1h", "read"]
        for names in (prompt, ["output"]) if was_final else (prompt,):
            if sum(self.base[n] + self.extra[n] for n in names) < sum(base[n] + extra[n] for n in names):
                self.base |= {name: base[name] for name in names}
                self.extra |= {name: extra[name] for name in names}
                self.malformed = True

    def take(self, node: Node, *, final: bool) -> None:
        stated = self.counts(node)
        apply(stated, self.base)
        self.final |= final and stated.output is not None
        for name, value in node.members:
            if value.kind == "null":
                continue
            if name == b"server_tool_use":
                self.malformed |= value.kind != "object"
                for tool, count in value.members:
                    if tool in TOOLS and (taken := self.count(count)) is not None:
                        self.malformed |= taken < getattr(self, TOOLS[tool])
                        setattr(self, TOOLS[tool], max(taken, getattr(self, TOOLS[tool])))
            elif name == b"iterations":
                self.iterations(value)
            elif name in WORDS:
                flag, word = WORDS[name]
                said, before = value.kind == "string" and value.text == word, getattr(self, flag)
                self.malformed |= value.kind != "string" or (before and not said)
                setattr(self, flag, said or before)

    def count(self, value: Node) -> int | None:
        """A whole number written plainly; None for null, and for what cannot be one, which is marked."""
        if value.kind == "null":
            return None
        if value.kind == "number" and value.text.isdigit() and int(value.text) <= COUNT_LIMIT:
            return int(value.text)
        self.malformed = True
        return None

    def counts(self, node: Node) -> Counts:
        stated = Counts()
        self.malformed |= node.kind != "object"
        for name, value in node.members:
            if name in COUNT_FIELDS and (taken := self.count(value)) is not None:
                setattr(stated, COUNT_FIELDS[name], taken)
            if name == b"cache_creation" and value.kind != "null":
                self.malformed |= value.kind != "object"
                for part, count in value.members:
                    if part in SPLIT_FIELDS and (taken := self.count(count)) is not None:
                        setattr(stated, SPLIT_FIELDS[part], taken)
        return stated

    def iterations(self, value: Node) -> None:
        if value.kind != "array":
            self.malformed = True
            return
        self.extra = dict.fromkeys(NAMES, 0)
        self.other_model = False
        for item in value.items:
            kind = item.get(b"type")
            if kind is None or kind.kind != "string":
                self.malformed = True
            elif kind.text in (b"compaction", b"advisor_message"):
                self.other_model |= kind.text == b"advisor_message"
                classes = dict.fromkeys(NAMES, 0)
                apply(self.counts(item), classes)
                for name, count in classes.items():
                    if self.extra[name] + count > COUNT_LIMIT:
                        self.malformed = True
                    else:
                        self.extra[name] += count


def apply(stated: Counts, classes: dict[str, int]) -> None:
    for name in ("input", "output", "read"):
        if (value := getattr(stated, name)) is not None:
            classes[name] = value
    split = stated.split_5m is not None or stated.split_1h is not None
    if stated.split_5m is not None:
        classes["write_5m"] = stated.split_5m
    if stated.split_1h is not None:
        classes["write_1h"] = stated.split_1h
    if stated.written is None:
        return
    if split:
        classes["write_5m"] = max(classes["write_5m"], stated.written - classes["write_1h"])
    else:
        classes["write_1h"] = min(classes["write_1h"], stated.written)
        classes["write_5m"] = stated.written - classes["write_1h"]
