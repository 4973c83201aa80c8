"""The vectors in tests/vectors, which Rust and Node read too, give the listed results."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import tagwarden
from conftest import ADA, World
from conftest import PROD as WORLD
from tagwarden import (
    Channel,
    ChannelStatus,
    Digest,
    LedgerError,
    MemoryRegistry,
    Promoter,
    RegistryError,
    Repository,
    Tag,
    TagwardenError,
)
from tagwarden.errors import area

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"
PROD = Channel("registry.example.com/acme/shop:prod")
VALUES: list[dict[str, str]] = json.loads((VECTORS / "values.json").read_text())
LOGS: dict[str, dict[str, Any]] = json.loads((VECTORS / "log" / "expected.json").read_text())


@pytest.mark.parametrize("case", VALUES, ids=lambda case: f"{case['kind']}-{case['given']!a}")
def test_values_are_parsed_as_listed(case: dict[str, str]) -> None:
    kind = getattr(tagwarden, case["kind"])
    if "text" in case:
        assert str(kind(case["given"])) == case["text"]
    else:
        with pytest.raises(TagwardenError) as refused:
            kind(case["given"])
        assert refused.value.code == case["code"]


class Lines:
    """A read-only ledger of one log."""

    def __init__(self, log: bytes) -> None:
        # A ledger does not return a torn tail, the bytes after the last line break.
        self.lines = log.split(b"\n")[:-1]

    def size(self, channel: Channel) -> int:
        return len(self.lines) if channel == PROD else 0

    def read(self, channel: Channel, start: int, limit: int) -> list[bytes]:
        return self.lines[start : start + limit]

    def append(self, channel: Channel, seq: int, entry: bytes) -> bool:
        raise AssertionError("verify must not write")

    def channels(self) -> list[Channel]:
        return [PROD]


@pytest.mark.parametrize("name", LOGS)
def test_logs_are_verified_as_listed(name: str) -> None:
    want = LOGS[name]
    log = (VECTORS / "log" / f"{name}.jsonl").read_bytes()
    report = Promoter(MemoryRegistry(), Lines(log)).verify(PROD)
    defects = [{"seq": defect.seq, "code": defect.code} for defect in report.defects]
    assert defects == want["defects"] and report.valid == (defects == [])
    assert report.defect == (report.defects[0] if defects else None)
    assert (list(report.holds), [str(digest) for digest in report.blocked]) == (want["holds"], want["blocked"])
    root = "sha256:" + base64.b64decode(want["root"]).hex()
    seen = report.entries, str(report.root), None if report.live is None else str(report.live), report.open_intent
    assert seen == (want["entries"], root, want["live"], want["open_intent"])


async def _asked(raised: TagwardenError) -> None:
    """Makes a call of which the registry, for a RegistryError, or else the ledger raises this error."""

    class Silent(Lines):
        async def channels(self) -> list[Channel]:  # type: ignore[override]
            raise raised

    class Closed(MemoryRegistry):
        def resolve(self, repository: str | Repository, tag: str | Tag) -> Digest | None:
            raise raised

    promoter = tagwarden.AsyncPromoter(Closed(), Silent(b""))
    if isinstance(raised, RegistryError):
        await promoter.plan(PROD, "bootstrap", provenance=ADA)
    else:
        await promoter.channels()


@pytest.mark.parametrize("kind", tagwarden.error_kinds(), ids=lambda kind: kind["code"])
def test_every_error_code_passes_through_an_async_call(kind: dict[str, str]) -> None:
    raised = TagwardenError.of(kind["code"], "as it was raised")
    with pytest.raises(TagwardenError) as seen:
        asyncio.run(_asked(raised))
    assert (raised.retry, raised.meaning) == (kind["retry"], kind["meaning"]) and type(raised) is area(kind["code"])
    # A ledger may raise only LEDGER codes; another code becomes LEDGER_UNAVAILABLE. The exception is always the cause.
    own = isinstance(raised, RegistryError | LedgerError)
    want = (type(raised), raised.code) if own else (LedgerError, "LEDGER_UNAVAILABLE")
    assert (type(seen.value), seen.value.code) == want
    assert seen.value.__cause__ is raised


def test_record_of_foreign_json_is_parsed_and_copied(world: World) -> None:
    current = world.promoter.current(WORLD)
    json = current.to_dict()
    again = ChannelStatus.from_dict(json)
    assert again == current and again.channel.tag == current.channel.tag
    live = json["live"]
    json["live"] = "sha256:short"
    with pytest.raises(tagwarden.InvalidValueError):
        ChannelStatus.from_dict(json)
    assert again.to_dict() == current.to_dict() != json
    json["live"] = live
    del json["channel"]
    with pytest.raises(KeyError, match="channel"):
        ChannelStatus.from_dict(json)


ROOT = VECTORS.parents[1]


def test_oci_registry_has_the_options_of_the_core() -> None:
    source = (ROOT / "crates/core/src/registry/oci/options.rs").read_text()
    # The options of one registry (`ca_file_on`, `token_server_of`) come from a tagwarden.toml; `insecure` is a scheme.
    core = set(re.findall(r"^    pub fn (\w+)(?<!_on)\((?:mut )?self", source, re.MULTILINE))
    # The callback for requests without an answer is for programs with a terminal.
    core -= {"insecure", "retry_observer", "token_server_of"}
    assert len(core) >= 13
    names = {"scheme": "schemes", "token_server": "token_servers"}
    own = set(inspect.signature(tagwarden.OciRegistry).parameters)
    assert own - {"config"} == {names.get(name, name) for name in core}


def _fields_of(path: str, name: str) -> set[str]:
    (body,) = re.findall(
        rf"pub struct {name}(?:<.*?>)? {{(.*?)\n}}", (ROOT / f"crates/core/src/{path}.rs").read_text(), re.DOTALL
    )
    return set(re.findall(r"^    pub (?:r#)?(\w+):", body, re.MULTILINE))


def _attributes(of: type) -> set[str]:
    """The fields of a record: its attributes but those that are computed of others."""
    return {name for name, value in vars(of).items() if inspect.isgetsetdescriptor(value)} - {"valid"}


def test_terms_options_and_records_have_the_fields_of_the_core() -> None:
    terms, first = _fields_of("promotion/request", "MoveOptions"), _fields_of("promotion/request", "BootstrapOptions")
    assert {"provenance", "idempotency_key", "expected"} < terms and "source" in first
    # `override` is a keyword of Rust. The tag is a part of the source. Only a move that brings a release has an order.
    given = {"self", "channel", "override"} | terms - {"overrides", "tag", "order"}
    for method, more in {
        "promote": {"source", "order"},
        "bootstrap": {"order"} | first,
        "rollback": {"to"},
        "repair": set[str](),
        "adopt": set[str](),
        "plan": {"operation", "to", "order"} | first,
    }.items():
        own = {name.rstrip("_") for name in inspect.signature(getattr(Promoter, method)).parameters}
        assert own == given | more, method
    source = (ROOT / "crates/core/src/promotion/times.rs").read_text()
    times = " ".join(re.findall(r"pub fn (?:new|with_settle)\(((?:ttl|self, settle): [^)]*)\)", source))
    assert _attributes(tagwarden.Times) == set(re.findall(r"(\w+): Duration", times))
    alike: dict[Any, str] = {
        tagwarden.RetentionRule: "retention/rule",
        tagwarden.ChannelStatus: "promotion/query",
        tagwarden.Live: "promotion/receipt",
        tagwarden.HistoryPage: "promotion/past",
        tagwarden.Receipt: "promotion/receipt",
        tagwarden.LogReport: "log/verify",
        tagwarden.Defect: "log/defect",
        tagwarden.TakeoverRecord: "log/move_record",
        tagwarden.Predecessor: "log/intent",
        tagwarden.Decision: "log/intent",
        tagwarden.RecordedPolicy: "log/intent",
        tagwarden.RecordedOverride: "log/intent",
        tagwarden.RecordedCheck: "log/intent",
        tagwarden.ReleaseOrder: "log/intent",
        tagwarden.UpstreamLog: "log/intent",
        tagwarden.MoveSet: "log/intent",
        tagwarden.RecordedError: "log/body",
        tagwarden.ActiveHold: "log/state/hold",
        tagwarden.MigratedTo: "log/state",
        tagwarden.PossiblyOpen: "log/state/open_move",
        tagwarden.Finding: "policy/finding",
    }
    for of, path in alike.items():
        assert _attributes(of) == _fields_of(path, of.__name__), of
    event = _attributes(tagwarden.MoveRecord)
    assert event == _fields_of("log/move_record", "MoveRecord") | {"status"}


def test_scheme_other_than_http_or_https_is_refused() -> None:
    tagwarden.OciRegistry(schemes={"reg.io": "http", "localhost:5000": "https"})
    with pytest.raises(TagwardenError, match="schemes: reg.io: neither http nor https"):
        tagwarden.OciRegistry(schemes={"reg.io": "ftp"})


def test_versions_of_cargo_npm_and_python_are_equal() -> None:
    (cargo,) = re.findall(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    files = (ROOT / "crates/node" / name for name in ("package.json", "package-lock.json"))
    package, lock = (json.loads(file.read_text()) for file in files)
    npm = {package["version"], lock["version"], lock["packages"][""]["version"]}
    assert {cargo} == npm == {tagwarden.__version__}
