"""What each service wants to be sent: JSON bodies and mails, within the limits that the services document.

Pure: one message is one notice or several. Names come from clients and directories, so nothing of them is markup where
the service knows markup. Limits are the services' own, each named with where it is documented.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from fastgate.control.alerts.notice import Notice, Severity
from fastgate.times import NS, rfc3339

Json = dict[str, Any]

SLACK_ALERTS = 24
"""Of one message: two blocks each, and one that says how many more there are, of 50 (Block Kit reference: blocks)."""
DISCORD_TITLE = 256
"""Characters (Discord, channel resource: embed limits)."""
DISCORD_EMBEDS = 10
DISCORD_TOTAL = 6000
"""Characters of all embeds of a message together (embed limits)."""
PAGERDUTY_SUMMARY = 1024
"""Characters (PagerDuty, Events API v2: payload.summary)."""
PAGERDUTY_KEY = 255
"""Characters (dedup_key)."""
TEAMS_BYTES = 28 * 1024
"""Of a message (Microsoft Teams, limits of webhooks)."""

TITLE_CHARS, TEXT_CHARS, FACT_CHARS = 150, 500, 200
"""Of one notice: ids and tags have at most 128. So one always fits, escaped or not: Slack's header takes 150, its
section 3000, ten fields of 2000 (Block Kit reference); Discord's description 4096, a field 1024 (embed limits)."""
FACTS = 9

COLOURS: Mapping[Severity, int] = {"info": 0x2F6FB0, "warning": 0xD98200, "critical": 0xC62828}
TEAMS_COLOURS: Mapping[Severity, str] = {"info": "Accent", "warning": "Warning", "critical": "Attention"}
RANK: Mapping[Severity, int] = {"info": 0, "warning": 1, "critical": 2}

SOURCE = "fastgate"


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def facts_of(notice: Notice) -> list[tuple[str, str]]:
    return [(cut(name, FACT_CHARS), cut(value, FACT_CHARS)) for name, value in notice.facts[:FACTS]]


def heading(notices: Sequence[Notice]) -> str:
    """One line for the whole message."""
    if len(notices) == 1:
        return notices[0].title
    return f"{len(notices)} alerts; the first: {notices[0].title}"


def more(count: int) -> str:
    """What stands for those that a service does not take."""
    return f"and {count} more: fastgate alerts list"


def worst(notices: Sequence[Notice]) -> Severity:
    return max((notice.severity for notice in notices), key=RANK.__getitem__)


def plain(notices: Sequence[Notice]) -> str:
    """The whole message as text."""
    parts = []
    for notice in notices:
        facts = [f"{name}: {value}" for name, value in notice.facts]
        parts.append("\n".join([notice.title, notice.text, *facts, f"At: {rfc3339(notice.at_ns)}"]))
    return "\n\n".join(parts)


def slack(notices: Sequence[Notice]) -> Json:
    """An incoming webhook's body, and with a `channel` that of chat.postMessage."""
    blocks: list[Json] = []
    for notice in notices[:SLACK_ALERTS]:
        title = {"type": "plain_text", "text": cut(notice.title, TITLE_CHARS), "emoji": False}
        blocks.append({"type": "header", "text": title})
        section: Json = {"type": "section", "text": _mrkdwn(cut(notice.text, TEXT_CHARS))}
        if notice.facts:
            section["fields"] = [_mrkdwn(f"{name}: {value}") for name, value in facts_of(notice)]
        blocks.append(section)
    if len(notices) > SLACK_ALERTS:
        blocks.append({"type": "section", "text": _mrkdwn(more(len(notices) - SLACK_ALERTS))})
    return {"text": slack_escape(heading(notices)), "blocks": blocks, "unfurl_links": False}


def _mrkdwn(text: str) -> Json:
    """Escaped after it was cut: half an escape would be one no more. Five times the longest still fits a field."""
    return {"type": "mrkdwn", "text": slack_escape(text), "verbatim": True}


def slack_escape(text: str) -> str:
    """The three characters that Slack asks to escape: links and mentions begin with `<`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(notices: Sequence[Notice]) -> Json:
    """An Adaptive Card, as a webhook of a Teams workflow takes it."""
    body: list[Json] = []
    for n, notice in enumerate(notices):
        if len(json.dumps(body, ensure_ascii=False).encode()) > TEAMS_BYTES // 2:
            body.append(_teams_text(more(len(notices) - n), "Default"))
            break
        body.append(
            {
                **_teams_text(cut(notice.title, TITLE_CHARS), TEAMS_COLOURS[notice.severity]),
                "weight": "Bolder",
                "size": "Medium",
            }
        )
        body.append(_teams_text(cut(notice.text, TEXT_CHARS), "Default"))
        if notice.facts:
            facts = [{"title": name, "value": _teams_escape(value)} for name, value in facts_of(notice)]
            body.append({"type": "FactSet", "facts": facts})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _teams_text(text: str, colour: str) -> Json:
    return {"type": "TextBlock", "text": _teams_escape(text), "color": colour, "wrap": True}


def _teams_escape(text: str) -> str:
    """TextBlocks read a subset of Markdown: links, emphasis, lists."""
    return "".join("\\" + char if char in "\\*_[]()#`~>" else char for char in text)


def discord(notices: Sequence[Notice]) -> Json:
    """A webhook's body. Nobody can be mentioned by it, whatever a name says."""
    embeds: list[Json] = []
    left = DISCORD_TOTAL
    for notice in notices[:DISCORD_EMBEDS]:
        title = cut(_discord_escape(cut(notice.title, TITLE_CHARS)), DISCORD_TITLE)
        text = _discord_escape(cut(notice.text, TEXT_CHARS))
        facts = [(name, _discord_escape(value)) for name, value in facts_of(notice)]
        left -= len(title) + len(text) + sum(len(name) + len(value) for name, value in facts)
        if left < 0 and embeds:
            break
        fields = [{"name": name, "value": value, "inline": True} for name, value in facts]
        embeds.append({"title": title, "description": text, "color": COLOURS[notice.severity], "fields": fields,
                       "timestamp": rfc3339(notice.at_ns)})  # fmt: skip
    rest = len(notices) - len(embeds)
    content = cut(_discord_escape(heading(notices)), 1000) if len(notices) > 1 else ""
    content += f"\n{more(rest)}" if rest else ""
    return {"username": SOURCE, "content": content, "embeds": embeds, "allowed_mentions": {"parse": []}}


def _discord_escape(text: str) -> str:
    return "".join("\\" + char if char in "\\*_~`|>[]()#" else char for char in text)


def pagerduty(notice: Notice, routing_key: str, key: str) -> Json:
    """One event. PagerDuty makes one incident of those with the same `dedup_key`, so a second delivery is none; what
    has cleared resolves it."""
    event = {"routing_key": routing_key, "dedup_key": cut(key, PAGERDUTY_KEY)}
    if notice.kind == "cleared":
        return {**event, "event_action": "resolve"}
    return {
        **event,
        "event_action": "trigger",
        "client": SOURCE,
        "payload": {
            "summary": cut(f"{notice.title}. {notice.text}", PAGERDUTY_SUMMARY),
            "source": SOURCE,
            "severity": notice.severity,
            "timestamp": rfc3339(notice.at_ns),
            "component": cut(notice.topic, PAGERDUTY_SUMMARY),
            "class": notice.kind,
            "custom_details": dict(notice.facts),
        },
    }


def webhook(notices: Sequence[Notice], key: str) -> Json:
    """Our own form: everything, in the names of the API."""
    return {
        "id": key,
        "sent_by": SOURCE,
        "alerts": [
            {
                "key": notice.key,
                "kind": notice.kind,
                "severity": notice.severity,
                "topic": notice.topic,
                "title": notice.title,
                "text": notice.text,
                "facts": dict(notice.facts),
                "at": rfc3339(notice.at_ns),
            }
            for notice in notices
        ],
    }


def email(notices: Sequence[Notice], sender: str, to: Sequence[str], key: str) -> EmailMessage:
    """A mail as plain text. Its Message-ID is the delivery's, so a reader's mailbox can tell a second copy."""
    message = EmailMessage()
    message["Subject"] = cut(_one_line(f"[{SOURCE}] {heading(notices)}"), 200)
    message["From"] = Address("fastgate", addr_spec=sender)
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(datetime.fromtimestamp(notices[0].at_ns // NS, UTC))
    message["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office programs do not answer
    if worst(notices) == "critical":
        message["Importance"] = "high"
    message.set_content(plain(notices))
    return message


def _one_line(text: str) -> str:
    return " ".join(text.split())
