"""fastgate.yaml: the contract's example, defaults that the data plane shares, and the mistakes people make."""

import ast
import inspect
import os
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fastgate import config, config_checks, directory, snapshot
from fastgate.config import Config, load_config, worker_count
from fastgate.config_checks import split_address
from fastgate.prices import settings
from fastgate.tree import ConfigErrors

ENVIRON = {"KEY": "sk-ant-abc", "TOKEN": "t" * 32}
LATER = "this version of fastgate does not have {} yet; nearest known key: {}"
MINIMAL = "version: 1\nendpoints: [{name: a, kind: anthropic, api_key: '${KEY}'}]\n"


def load(tmp_path: Path, text: str, environ: dict[str, str] = ENVIRON) -> tuple[Config, list[str]]:
    path = tmp_path / "fastgate.yaml"
    path.write_text(text)
    loaded, warnings = load_config(path, environ)
    return loaded, [str(warning).removeprefix(f"{path}:") for warning in warnings]


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path, text)
    return [str(problem).removeprefix(f"{tmp_path / 'fastgate.yaml'}:") for problem in caught.value.problems]


def test_the_contracts_example_is_read(tmp_path):
    loaded, warnings = load(
        tmp_path,
        """\
version: 1
listen: 127.0.0.1:8080            # data plane
control: {listen: 127.0.0.1:8081, admin_token: ${TOKEN}}
workers: auto
state: ./fastgate-data
headers: {prefix: x-fastgate, also: [x-agentcc]}
directory: directory.yaml
endpoints:
  - {name: anthropic-a, kind: anthropic, base_url: https://api.anthropic.com, api_key: ${KEY}}
limits: {body_bytes: 33554432, drain_s: 600}
prices: {overrides: [{model: claude-x, input: 0.1, output: "0.30"}]}
""",
    )
    assert warnings == []
    assert loaded.state == str(tmp_path / "fastgate-data")
    assert loaded.directory == str(tmp_path / "directory.yaml")
    assert loaded.endpoints[0].api_key is not None
    assert loaded.endpoints[0].api_key.reveal() == "sk-ant-abc"
    assert loaded.endpoints[0].api_key.reference == "${KEY}"
    assert loaded.control.admin_token is not None and loaded.control.admin_token.reveal() == ENVIRON["TOKEN"]
    assert loaded.prices.overrides[0].input == Decimal("0.1")
    assert "sk-ant" not in repr(loaded) and ENVIRON["TOKEN"] not in repr(loaded)
    assert worker_count(loaded) == len(os.sched_getaffinity(0))


def test_little_is_needed(tmp_path):
    loaded, warnings = load(tmp_path, MINIMAL)
    assert warnings == []
    assert loaded.endpoints[0].base_url == "https://api.anthropic.com"
    assert (loaded.limits.body_bytes, loaded.limits.ping_s, loaded.journal.retention_days) == (33554432, 15, 400)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("listen: 8080", "3: listen: must be ADDRESS:PORT, like 127.0.0.1:8080"),
        ("listen: 127.0.0.1:0", "3: listen: must end in a port from 1 to 65535"),
        ("listen: 127.0.0.1:8081", "1: control.listen: is the same address as listen; the two planes need one each"),
        (
            "state: {redis: redis://h, sql: postgresql://h}",
            "3: state: this version of fastgate keeps its state in a directory only; Redis and SQL come later",
        ),
        ("guards: [{use: secrets, rules: [nothing]}]", "3: guards[0]: secrets has no rule nothing"),
        ("guards: [{use: secrets, settings: {a: 1}}]", "3: guards[0]: secrets has no settings"),
        ("cahe: {}", "3: cahe: unknown key; nearest known key: cache"),
        ("limit: {}", "3: limit: unknown key; nearest known key: limits"),
        (
            "routing: {rules: [{when: {stag: alert}, to: m}]}",
            "3: routing.rules[0].when.stag: unknown key; nearest known key: stage",
        ),
        (
            "routing: {rules: [{when: {hours: 9to5}, to: m}]}",
            "3: routing.rules[0].when.hours: is written like 09-17 or 22:30-06:00",
        ),
        ("routing: {rules: [{when: {}}]}", "3: routing.rules[0].to: missing"),
        (
            "routing: {rules: [{when: {tools: yes}, to: 'claude-nobody-*'}]}",
            "3: routing.rules[0].when.tools: expected true or false, got 'yes'",
        ),
        (
            "routing: {rules: [{when: {}, to: 'claude-nobody-*'}]}",
            "3: routing.rules[0].to: no model with a listed price fits claude-nobody-*",
        ),
        ("workers: 0", "3: workers: must be between 1 and 256, not '0'"),
        (
            "prices: {overrides: [{model: a, input: -1, output: 1}]}",
            "3: prices.overrides[0].input: must not be negative",
        ),
        ("prices: {worst: {model: a, input: 1}}", "3: prices.worst: needs multiply, or input and output"),
        ("version: 1", "3: version: given twice; first on line 1"),
    ],
)
def test_one_mistake_is_one_line(tmp_path, added, message):
    assert mistakes(tmp_path, MINIMAL + added) == [message]


def test_all_mistakes_of_endpoints_come_together(tmp_path):
    assert mistakes(
        tmp_path,
        """\
version: 2
endpoints:
  - {name: a, kind: bedrock, project: p}
  - {name: a, kind: anthropic}
  - {name: "b c", kind: compatible}
  - {name: d, kind: compatible, base_url: ftp://x, auth: basic}
  - {name: e, kind: compatible, base_url: "https://u:p@x"}
  - {name: f, kind: anthropic, api_key: "${KEY} "}
  - {name: g, kind: anthropic, api_key: sk-fg-abc}
""",
    ) == [
        "1: version: this version of fastgate reads files of version 1",
        "3: endpoints[0].region: missing; a bedrock endpoint needs one",
        "3: endpoints[0].project: has no meaning for a bedrock endpoint",
        "4: endpoints[1].name: a is also the name of endpoints[0]",
        "4: endpoints[1].api_key: missing; an anthropic endpoint needs one",
        f"5: endpoints[2].name: {config_checks.NAME.test('b c')}",
        "5: endpoints[2].base_url: missing; a compatible endpoint needs one",
        "6: endpoints[3].base_url: must begin with https:// or http://",
        "6: endpoints[3].auth: must be one of x-api-key, bearer; nearest: bearer; got 'basic'",
        "7: endpoints[4].base_url: must not hold a user or password; use api_key",
        "8: endpoints[5].api_key: must be visible ASCII without spaces (is there a line break at its end?)",
        "9: endpoints[6].api_key: is a fastgate key; Anthropic needs one of its own (sk-ant-...)",
    ]


def test_mistakes_of_cloud_endpoints(tmp_path):
    assert mistakes(
        tmp_path,
        """\
version: 1
endpoints:
  - {name: v, kind: vertex, region: us-east5}
  - {name: w, kind: vertex, region: us east5, project: p, credentials: {file: a.json, command: [x]}}
  - {name: f, kind: foundry}
  - {name: g, kind: foundry, resource: r, api_key: k, scope: us, credentials: {file: x}}
  - {name: h, kind: bedrock, region: us-east-1, fields: {speed: ignore}, credentials: {from: x}}
""",
    ) == [
        "3: endpoints[0].project: missing; a vertex endpoint needs one",
        "4: endpoints[1].region: must be letters, digits, dots, colons and dashes",
        "4: endpoints[1].credentials: there is credentials.file already; an endpoint has one of them",
        "5: endpoints[2].resource: missing; a foundry endpoint needs its resource, or a base_url",
        "5: endpoints[2].api_key: missing; a foundry endpoint needs one",
        "6: endpoints[3].scope: has no meaning for a foundry endpoint",
        "6: endpoints[3].credentials: there is api_key already; an endpoint has one of them",
        "6: endpoints[3].credentials.file: has no meaning for a foundry endpoint; use command",
        "7: endpoints[4].fields.speed: must be one of keep, drop, refuse; nearest: refuse; got 'ignore'",
        "7: endpoints[4].credentials.from: unknown key; nearest known key: command",
    ]


def test_mistakes_of_an_endpoints_keys(tmp_path):
    assert mistakes(
        tmp_path,
        """\
version: 1
endpoints:
  - {name: a, kind: anthropic, api_key: k, keys: [{api_key: l}]}
  - {name: b, kind: anthropic, keys: [{api_key: k}, {api_key: sk-fg-abc, name: "1"}]}
  - {name: c, kind: anthropic, keys: [{api_key: k, weight: 0}, {name: x}, {api_key: k, limits: {rpm: 5}}]}
  - {name: d, kind: anthropic, keys: []}
""",
    ) == [
        "3: endpoints[0].keys: there is api_key already; an endpoint has one of them",
        "4: endpoints[1].keys[1]: 1 is also the name of keys[0]",
        "4: endpoints[1].keys[1].api_key: is a fastgate key; Anthropic needs one of its own (sk-ant-...)",
        "5: endpoints[2].keys[0].weight: must be between 1 and 10000, not '0'",
        "5: endpoints[2].keys[1].api_key: missing",
        "5: endpoints[2].keys[2].limits.rpm: unknown key; nearest known key: requests_per_minute",
        "6: endpoints[3].api_key: missing; an anthropic endpoint needs one",
    ]


def test_clouds_have_their_own_addresses(tmp_path):
    (tmp_path / "sa.json").write_text("{}")
    loaded, warnings = load(
        tmp_path,
        """\
version: 1
endpoints:
  - {name: b, kind: bedrock, region: eu-central-1}
  - {name: v, kind: vertex, region: us-east5, project: p, credentials: {file: sa.json}}
  - {name: g, kind: vertex, region: global, project: p}
  - {name: f, kind: foundry, resource: r, api_key: "${KEY}"}
  - {name: l, kind: bedrock, region: us-east-1, base_url: "https://vpce.example/x"}
""",
        {"KEY": "k"},
    )
    assert warnings == []
    assert [endpoint.base_url for endpoint in loaded.endpoints] == [
        "https://bedrock-runtime.eu-central-1.amazonaws.com",
        "https://us-east5-aiplatform.googleapis.com",
        "https://aiplatform.googleapis.com",
        "https://r.services.ai.azure.com/anthropic",
        "https://vpce.example/x",
    ]
    assert loaded.endpoints[1].credentials.file == str(tmp_path / "sa.json")


def test_no_endpoint_is_a_mistake(tmp_path):
    assert mistakes(tmp_path, "version: 1") == ["1: endpoints: missing"]
    assert mistakes(tmp_path, "version: 1\nendpoints: []") == ["2: endpoints: at least one endpoint is needed"]


def test_what_works_but_should_not_stay_is_a_warning(tmp_path):
    loaded, warnings = load(
        tmp_path,
        "version: 1\ncontrol: {listen: '0.0.0.0:9', admin_token: short}\n"
        "endpoints: [{name: a, kind: compatible, base_url: http://x.example/v1/, api_key: abc}]",
    )
    assert loaded.endpoints[0].base_url == "http://x.example"
    assert warnings == [
        "3: endpoints[0].base_url: ends in /v1, which the gateway adds itself; taken without it",
        "3: endpoints[0].base_url: is plain http: the key crosses the network in the clear",
        "3: endpoints[0].api_key: stands in the file; as ${VAR} it would never be written to disk",
        "2: control.admin_token: is shorter than 16 characters",
        "2: control.listen: is not loopback: whoever reaches it can try the admin token",
    ]


def test_a_file_that_is_not_there_is_an_error_too(tmp_path):
    with pytest.raises(ConfigErrors, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml", {})


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:8080", ("::1", 8080)), ("gw.example:1", ("gw.example", 1))],
)
def test_addresses_are_split(address, parts):
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", ":80", "::1:80", "[::1]", "[x]:1", "a:", "a:x", "a:65536", "a b:1", "a:٣"])
def test_wrong_addresses_are_refused(address):
    with pytest.raises(ValueError, match=r"^must "):
        split_address(address)


def test_every_limit_of_the_snapshot_is_configured():
    elsewhere = {"requests_per_minute", "tokens_per_minute", "parallel_calls"}  # a RateRow of every key
    elsewhere |= {"connections"}  # the server's, from its start on
    assert set(snapshot.Limits.__struct_fields__) == set(config.Limits.__struct_fields__) - elsewhere


@pytest.mark.parametrize("module", [config, directory, settings])
def test_every_field_is_documented(module):
    silent = []
    for cls in ast.parse(inspect.getsource(module)).body:
        if not isinstance(cls, ast.ClassDef) or not issubclass(getattr(module, cls.name), msgspec.Struct):
            continue
        for field, after in zip(cls.body, [*cls.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and not ast.unparse(field.annotation).startswith("ClassVar"):
                documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                silent += [] if documented else [f"{cls.name}.{ast.unparse(field.target)}"]
    assert silent == []
