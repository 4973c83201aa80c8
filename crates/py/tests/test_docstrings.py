"""Docstrings name every argument and error, with the defaults of the core."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tagwarden
from tagwarden import AsyncPromoter, OciRegistry, Promoter, RetentionRule, Times
from tagwarden.errors import _KINDS

CORE = Path(__file__).parents[3] / "crates/core/src"
MODULES = [importlib.import_module(f"tagwarden.{module.name}") for module in pkgutil.iter_modules(tagwarden.__path__)]


def methods(of: type) -> dict[str, Any]:
    return {name: method for name, method in inspect.getmembers(of, inspect.isroutine) if not name.startswith("_")}


def public() -> Iterator[tuple[str, Any]]:
    """Every public function, class and method, by its full name."""
    for module in [tagwarden, *MODULES]:
        names = getattr(module, "__all__", [])
        for name in names:
            thing = getattr(module, name)
            if name.startswith("_") or not inspect.isclass(thing) and not inspect.isroutine(thing):
                continue
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for of, method in vars(thing).items():
                    method = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
                    if not of.startswith("_") and (inspect.isroutine(method) or inspect.isgetsetdescriptor(method)):
                        yield f"{module.__name__}.{name}.{of}", method


PUBLIC = dict(public())


def test_public_names_include_methods_of_classes() -> None:
    assert {
        "tagwarden.Promoter.promote",
        "tagwarden.NativeRegistry.put",
        "tagwarden.Live.digest",
        "tagwarden.errors.TagwardenError",
    } <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name: str) -> None:
    said = PUBLIC[name].__doc__
    assert said and said.strip() and not said.startswith(f"{name.rsplit('.', 1)[1]}("), name


@pytest.mark.parametrize("name", methods(Promoter))
def test_both_promoters_have_the_same_docstrings_and_signatures(name: str) -> None:
    one, other = getattr(Promoter, name), getattr(AsyncPromoter, name)
    assert inspect.getdoc(one) == inspect.getdoc(other)
    assert inspect.signature(one) == inspect.signature(other)


@pytest.mark.parametrize("name", methods(Promoter))
def test_docstring_of_a_method_names_every_argument_and_error(name: str) -> None:
    said = inspect.getdoc(getattr(Promoter, name)) or ""
    elsewhere = [of for of in methods(Promoter) if of != name and f"``{of}``" in said]
    said += "".join(inspect.getdoc(getattr(Promoter, of)) or "" for of in elsewhere)
    # The class documents `channel`.
    missing = [
        of
        for of in inspect.signature(getattr(Promoter, name)).parameters
        if of not in {"self", "channel"} and f"``{of}``" not in said
    ]
    assert not missing and ("Error" in said or "no error" in said), (name, missing)


@pytest.mark.parametrize("of", [Promoter, OciRegistry], ids=lambda of: of.__name__)
def test_docstring_of_a_class_lists_its_parameters(of: type) -> None:
    said = inspect.getdoc(of) or ""
    assert [name for name in inspect.signature(of).parameters if f"- ``{name}``: " not in said] == []


def test_codes_in_docstrings_exist() -> None:
    errors = (CORE.parents[2] / "docs/reference/errors.md").read_text()
    findings = set(re.findall(r"^\| `([A-Z_]+)` \| [a-z-]+ \|", errors, re.M))
    assert "TARGET_ABSENT" in findings
    areas = "|".join({code.split("_")[0] for code in _KINDS})
    for name, thing in PUBLIC.items():
        said = set(re.findall(rf"\b((?:{areas}|TARGET|GUARDRAIL)_[A-Z_]+)\b", inspect.getdoc(thing) or ""))
        said.discard("SOURCE_DATE_EPOCH")  # a variable of the environment
        assert said <= {*_KINDS, *findings, "GUARDRAIL_FAILED", *{of for of in said if of.startswith("AREA_")}}, name


def default_of(said: str, name: str) -> str:
    """The sentence about an option that ends in `by default`."""
    (option,) = re.findall(rf"^- ``{name}``: (.*?)(?=^- |^\S|\Z)", said, re.M | re.S)
    return " ".join(str(option).split())


def test_defaults_in_docstrings_are_those_of_the_core() -> None:
    options = (CORE / "registry/oci/options.rs").read_text()
    said = inspect.getdoc(OciRegistry) or ""
    times = dict(re.findall(r"^            (\w+): Duration::from_secs\((\d+)\),", options, re.M))
    assert len(times) == 4
    for name, seconds in times.items():
        assert f"{seconds} s by default" in default_of(said, name), name
    assert "retry_for: None," in options and "By default the time of the call" in default_of(said, "retry_for")
    assert "access: TokenScope::Pull," in options and "``pull``, the default" in default_of(said, "access")
    assert "CredentialSource::EnvironmentThenDocker," in options
    assert "``environment_then_docker``, the default" in default_of(said, "lookup")

    deadlines = re.findall(
        r"Deadlines \{ ttl_ms: (\S+), grace_ms: (\S+), quiet_ms: (\S+), settle_ms: \S+ \}",
        (CORE / "log/intent.rs").read_text(),
    )
    terms, given = ((CORE / f"promotion/{name}.rs").read_text() for name in ("request", "times"))
    (put,) = re.findall(r"\(Deadlines::default\(\), Duration::from_secs\((\d+)\)\)", given)
    for name, ms in zip(("ttl", "grace", "quiet"), deadlines[-1], strict=True):
        assert f"{int(ms.replace('_', '')) // 1000} s by default" in default_of(inspect.getdoc(Times) or "", name)
    assert f"{put} s by default" in default_of(inspect.getdoc(Times) or "", "put")
    (timeout,) = re.findall(r"TIMEOUT: Duration = Duration::from_secs\((\d+)\)", terms)
    for move in (Promoter.promote, Promoter.recover):
        assert f"{timeout} s by default" in default_of(inspect.getdoc(move) or "", "timeout")

    rule = (CORE / "retention/rule.rs").read_text()
    assert "saturating_add(9)" in rule and "10 by default" in default_of(
        inspect.getdoc(RetentionRule) or "", "keep_last"
    )
    assert "from_secs(30 * 24 * 60 * 60)" in rule
    assert "30 days by default" in default_of(inspect.getdoc(RetentionRule) or "", "keep_for")
