"""Calls through the Bedrock and Vertex AI clients of the `anthropic` SDK that runs this: one JSON line a call.

Run by the SDK's own interpreter: `python clouds.py bedrock|vertex URL KEY JOBS`, where JOBS is JSON:
[["create"|"stream", prompt], …].
"""

import json
import sys

import anthropic

MODELS = {"bedrock": "us.anthropic.claude-sonnet-5-5", "vertex": "claude-sonnet-5-5"}
TOOL = {"name": "Bash", "description": "Run a command", "input_schema": {"type": "object", "properties": {}}}


def summary(message):
    return {
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "tools": [block.name for block in message.content if block.type == "tool_use"],
        "stop_reason": message.stop_reason,
        "input_tokens": message.usage.input_tokens,
        "output_tokens": message.usage.output_tokens,
    }


def ask(client, model, form, prompt):
    asked = {"model": model, "max_tokens": 1024, "messages": [{"role": "user", "content": prompt}], "tools": [TOOL]}
    try:
        if form == "create":
            return summary(client.messages.create(**asked))
        with client.messages.stream(**asked) as stream:
            pieces = list(stream.text_stream)
            return {**summary(stream.get_final_message()), "pieces": len(pieces)}
    except anthropic.APIStatusError as error:
        return {"status": error.status_code, "class": type(error).__name__, "body": error.body}


dialect, url, key, jobs = sys.argv[1:]
if dialect == "bedrock":
    client = anthropic.AnthropicBedrock(base_url=url, api_key=key, aws_region="us-east-1")
else:
    client = anthropic.AnthropicVertex(base_url=url + "/v1", access_token=key, region="us-east5", project_id="p")
for form, prompt in json.loads(jobs):
    print(json.dumps(ask(client, MODELS[dialect], form, prompt)), flush=True)
