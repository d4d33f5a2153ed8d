"""Calls through the `anthropic` SDK that runs this: one JSON line a call with what it got, or how it failed.

Run by the SDK's own interpreter: `python sdk.py URL KEY JOBS`, where JOBS is JSON: [["create"|"stream", prompt], …].
"""

import json
import sys

import anthropic

MODEL = "claude-sonnet-5-5"
TOOL = {"name": "Bash", "description": "Run a command", "input_schema": {"type": "object", "properties": {}}}


def summary(message):
    return {
        "version": anthropic.__version__,
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "tools": [block.name for block in message.content if block.type == "tool_use"],
        "stop_reason": message.stop_reason,
        "input_tokens": message.usage.input_tokens,
        "output_tokens": message.usage.output_tokens,
    }


def ask(client, form, prompt):
    asked = {"model": MODEL, "max_tokens": 1024, "messages": [{"role": "user", "content": prompt}], "tools": [TOOL]}
    try:
        if form == "create":
            return summary(client.messages.create(**asked))
        with client.messages.stream(**asked) as stream:
            pieces = list(stream.text_stream)
            return {**summary(stream.get_final_message()), "pieces": len(pieces)}
    except anthropic.APIStatusError as error:
        fault = error.body.get("error", {}) if isinstance(error.body, dict) else {}
        return {"status": error.status_code, "class": type(error).__name__, "id": error.request_id, **fault}


url, key, jobs = sys.argv[1:]
client = anthropic.Anthropic(base_url=url, api_key=key)
for form, prompt in json.loads(jobs):
    print(json.dumps(ask(client, form, prompt)))
