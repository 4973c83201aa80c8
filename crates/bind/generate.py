"""Writes records/generated.rs: the records and words of the bindings, with the names, fields and docs of the core.

usage: generate.py [--check]

A struct of the core is a record. In a record a flattened struct is its fields; an enum with fields is a field for its
word and every field of its variants, each optional; or, if it has no word, a field for each variant. The few records
of another shape are in records/mod.rs. With --check nothing is written: it fails if the file is not up to date.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
CORE = HERE.parent / "core/src"

# The structs and enums, by the module that exports them.
STRUCTS = {
    "diff": "FileDiff Layer MadeLive MoveBetween MovesBetween ReleaseDiff ReleaseFacts",
    "drift": "ChannelAudit",
    "log": """ActiveHold Deadlines Decision Defect Intent LogReport MigratedTo MoveRecord MoveSet OpenMove OutcomeRecord
        PossiblyOpen Predecessor RecordedCheck RecordedError RecordedOverride RecordedPolicy ReleaseOrder TakeoverRecord
        TargetManifest UpstreamLog""",
    "policy": "BlockedOn Facts Finding LeftBy LiveMove Tagged Upstream",
    "promotion": "ChannelStatus DeadMove DriftSeen HistoryPage Live LiveAt Receipt",
    "retention": "DigestRetention",
}
WORDS = {
    "": "ActorKind ErrorClass Retry",
    "diff": "FactsFrom FileChange",
    "drift": "Landing",
    "ledger": "OpenMode",
    "log": "HoldScope MoveStatus OnFailure Op PutStatus RolledBackCause Status TakeoverOp Verdict",
    "policy": "LiveHistory Mode OrderBy",
    "promotion": "AfterRollback DeadMoveEnd MoveResult OnConflict",
    "registry::oci": "CredentialSource Scheme TokenScope",
    "retention": "Pin",
}
# The records that are enums with fields, or the variants of several.
ENUMS = {
    "Because": ("retention", "KeepReason DeleteReason", "The reason why a digest must stay, or may go."),
    "MayDelete": ("retention", "MayDelete", "The permission to delete a digest, or the refusal."),
    "RecoveryResult": ("promotion", "RecoveryResult", "The result of a recovery."),
    "Source": ("log", "Source", "The source of the target: a reference, or another channel."),
}
# The field for the word of an enum with fields, its type, and the word for a variant of a later version.
TAGS = {
    "Drift": ("state", "DriftState", "Unknown"),
    "KeepReason": ("reason", "RetentionReason", "NotUnderstood"),
    "DeleteReason": ("reason", "RetentionReason", "Past"),
    "RecoveryResult": ("result", "RecoveryStatus", ""),
}
# The records of a variant's fields.
VARIANTS = {("MayDelete", "Yes"): "DeleteAllowed", ("MayDelete", "No"): "DeleteRefused"}
# A field that a method of the core gives.
METHODS = {"MoveRecord": ("status", "MoveStatus", "The status of the move.")}
# The flattened struct that is a record of its own.
NESTED = ["Deadlines"]
# The flattened struct of another module that is no record.
FLAT = {"ActiveBlock": "log"}
# The records of Node alone: a provenance is a plain object there, and a class in Python.
NODE = "Actor Identity Job Provenance Run"
# The types of fields in a binding, where they have another name.
TYPES = {
    "Commit": "String",
    "DefectCode": "String",
    "DeleteReason": "Because",
    "Expected": "String",
    "ExpectedDigest": "String",
    "IdempotencyKey": "String",
    "KeepReason": "Because",
    "Line": "String",
    "OutcomeRecord": "Outcome",
    "RecordedFinding": "Finding",
    "ReleaseExpression": "String",
    "ReleaseLabel": "String",
    "Timestamp": "Time",
    "Vec": "List",
    "u64": "Count",
}
# The records of generic structs, and the types that a binding cannot have.
SHAPES = {
    "&'static str": "String",
    "Difference<Layer>": "LayerDifference",
    "Difference<String>": "PlatformDifference",
}
SOURCE = "\n".join(path.read_text() for path in sorted(CORE.rglob("*.rs"))).split("\n")


class Part(NamedTuple):
    """A field, or a variant with its fields; its type is that of a binding, or of what a variant holds.

    ``of`` is the word of the variant that has the field.
    """

    name: str
    type: str
    docs: list[str]
    attributes: str = ""
    fields: tuple[Part, ...] = ()
    of: str = ""


def item(kind: str, name: str) -> tuple[Part, list[str]]:
    """A struct or an enum without its fields, and the lines of its body."""
    start = next(at for at, line in enumerate(SOURCE) if line.strip() == f"pub {kind} {name} {{")
    indent = SOURCE[start].index("pub")
    end = next(at for at in range(start, len(SOURCE)) if SOURCE[at] == " " * indent + "}")
    first = start
    while SOURCE[first - 1].lstrip().startswith(("///", "#[")):
        first -= 1
    about = [line.strip() for line in SOURCE[first:start]]
    return Part(name, "", docs(about), "".join(line for line in about if line[0] == "#")), [
        line[indent + 4 :] for line in SOURCE[start + 1 : end]
    ]


def docs(lines: list[str]) -> list[str]:
    """The lines of documentation up to the first heading, without links."""
    found = []
    for line in lines:
        if line.startswith(("/// #", "/// ```")):
            break
        if line.startswith("///"):
            found.append(re.sub(r"\[(`[^`]*`)\](\([^)]*\))?", r"\1", line[3:].strip()))
    while found and not found[-1]:
        found.pop()
    return found


def parts(lines: list[str]) -> list[Part]:
    """The public fields, or the variants, of these lines."""
    found, about = [], []
    for at, line in enumerate(lines):
        if line.startswith((" ", "}")):
            continue
        if line.startswith(("///", "#[")):
            about.append(line)
            continue
        said, attributes = docs(about), "".join(line for line in about if line[0] == "#")
        about = []
        if field := re.fullmatch(r"(?:pub )?((?:r#)?[a-z]\w*): (.*),", line):
            kind = re.sub(r"Box<(\w+)>", r"\1", re.sub(r"\w+::", "", field[2]))
            kind = re.sub(r"\w+", lambda word: TYPES.get(word[0], word[0]), kind)
            for shape, own in SHAPES.items():
                kind = kind.replace(shape, own)
            found.append(Part(field[1], kind, said, attributes))
        elif variant := re.fullmatch(r'([A-Z]\w+)(?: => "([\w-]+)"(?: default)?|\((?:\w+::)*(\w+)\))?(,| \{)', line):
            end = next((later for later in range(at, len(lines)) if lines[later] == "},"), at)
            fields = parts([line[4:] for line in lines[at + 1 : end]]) if variant[4] == " {" else []
            found.append(Part(variant[1], variant[3] or variant[2] or "", said, "", tuple(fields)))
    return found


def snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


def enum(name: str) -> list[Part]:
    return parts(item("enum", name)[1])


KNOWN = {name: [one.type or snake(one.name) for one in enum(name)] for names in WORDS.values() for name in names.split()}


def commented(lines: list[str], indent: int) -> str:
    return "".join(f"{' ' * indent}/// {line}".rstrip() + "\n" for line in lines)


def record(name: str, about: list[str], fields: list[Part], core: str = "") -> str:
    text = f"{commented(about, 4)}    pub struct {name}{core} {{\n"
    for field in fields:
        text += commented(field.docs, 8)
        if values := KNOWN.get(re.sub(r"Option<(\w+)>", r"\1", field.type)):
            text += f"        ///\n        /// One of {', '.join(f'`{value}`' for value in values)}.\n"
        if field.type.startswith(("List", "BTreeMap")) and "is_empty" in field.attributes:
            text += f'        #[serde(default, skip_serializing_if = "{field.type.split("<")[0]}::is_empty")]\n'
        if "flatten" in field.attributes:
            text += "        #[serde(flatten)]\n"
        text += f"        pub {field.name}: {field.type},\n"
    return text + "    }\n"


def optional(kind: str) -> str:
    return kind if kind.startswith(("Option<", "List<")) else f"Option<{kind}>"


def given(field: Part) -> str:
    """The value of a field of a variant in a record."""
    return f"to({field.name})" if optional(field.type) == field.type else f"Some(to({field.name}))"


class Choice(NamedTuple):
    """The fields of an enum in a record, and for each variant its pattern and the fields that it gives."""

    fields: list[Part]
    arms: list[tuple[str, dict[str, str]]]


def choice(path: str, name: str) -> Choice:
    variants, about = enum(name), item("enum", name)[0]
    if name not in TAGS:
        fields = [Part(snake(one.name), f"Option<{held(name, one)}>", one.docs) for one in variants]
        arms = []
        for one in variants:
            names = ", ".join(field.name for field in one.fields)
            own = f"{held(name, one)} {{ {', '.join(f'{field.name}: to({field.name})' for field in one.fields)} }}"
            pattern = f"{path}::{one.name} {{ {names} }}" if one.fields else f"{path}::{one.name}(held)"
            arms.append((pattern, {snake(one.name): f"Some({own if one.fields else 'to(held)'})"}))
        return Choice(fields, arms)
    tag, words, later = TAGS[name]
    fields, arms = [Part(tag, words, one.docs, of=snake(one.name)) for one in variants], []
    for one in variants:
        pattern = ", ".join(field.name for field in one.fields)
        gives = {tag: f"{words}::{one.name}", **{field.name: given(field) for field in one.fields}}
        arms.append((f"{path}::{one.name}" + (f" {{ {pattern} }}" if pattern else ""), gives))
        fields += [field._replace(type=optional(field.type), of=snake(one.name)) for field in one.fields]
    if "non_exhaustive" in about.attributes:
        arms.append(("later", {tag: f"{words}::{later}", "why": "Some(later.to_string())"}))
    return Choice(fields, arms)


def held(name: str, variant: Part) -> str:
    return VARIANTS.get((name, variant.name)) or TYPES.get(variant.type, variant.type)


def merged(fields: list[Part]) -> list[Part]:
    """The fields, each once. Its documentation is a list if it differs between the variants that have it."""
    found = []
    for name in dict.fromkeys(field.name for field in fields):
        same = [field for field in fields if field.name == name]
        said: dict[str, list[str]] = {}
        for field in same:
            said.setdefault(" ".join(field.docs), []).append(f"`{field.of}`")
        lines = [f"- {', '.join(of)}: {text}" for text, of in said.items()] if len(said) > 1 else list(said)
        docs = [part for line in lines for part in textwrap.wrap(line, 108, subsequent_indent="  " * (len(said) > 1))]
        found.append(same[0]._replace(docs=docs))
    return found


def conversion(name: str, path: str, setup: str, matched: str, plain: dict[str, str], chosen: Choice | None) -> str:
    text = f"impl FromCore<{path}> for {name} {{ fn from_core(core: {path}) -> {name} {{ {setup}"
    if chosen is None:
        return text + f"{name} {{ {', '.join(f'{field}: {value}' for field, value in plain.items())} }} }} }}\n"
    absent = {one.name: "List::default()" if one.type.startswith("List<") else "None" for one in chosen.fields}
    arms = []
    for pattern, gives in chosen.arms:
        values = {**plain, **absent, **gives}
        arms.append(f"{pattern} => {name} {{ {', '.join(f'{field}: {value}' for field, value in values.items())} }},")
    return text + f"match {matched} {{ {' '.join(arms)} }} }} }}\n"


class Struct(NamedTuple):
    """The fields of a struct in a record, its pattern, what is read before it is taken apart, and its enum."""

    fields: list[Part]
    pattern: str
    before: str
    chosen: tuple[str, Choice] | None


def struct(path: str, name: str, place: str = "core") -> Struct:
    about, body = item("struct", name)
    own, names, before, chosen = [], [], "", None
    for field in parts(body):
        names.append(field.name)
        if "flatten" not in field.attributes or field.type in NESTED:
            own.append(field)
        elif f"pub enum {field.type} {{" in SOURCE:
            chosen = (field.name, choice(f"tagwarden::{path}::{field.type}", field.type))
            own += chosen[1].fields
        else:
            listed = (module for module, known in STRUCTS.items() if field.type in known.split())
            module = FLAT.get(field.type) or next(listed, path)
            kind = "Outcome" if name == "OutcomeRecord" else field.type
            inner = struct(module, kind, f"{place}.{field.name}")
            names[-1], before = f"{field.name}: {inner.pattern}", before + inner.before
            own += inner.fields
    if name in METHODS:
        method, kind, said = METHODS[name]
        own.append(Part(method, kind, [said]))
        before += f"let {method} = {place}.{method}();"
    rest = [".."] if "non_exhaustive" in about.attributes or name == "DigestRetention" else []
    return Struct(own, f"tagwarden::{path}::{name} {{ {', '.join(names + rest)} }}", before, chosen)


def generated() -> str:
    records, conversions, tags = [], [], {}
    for module, names in STRUCTS.items():
        for name in names.split():
            made, own = struct(module, name), TYPES.get(name, name)
            about = item("struct", name)[0]
            if made.pattern.count("{") == 1 and not made.before and not made.chosen:
                rest = ", .." if made.pattern.endswith(".. }") else ""
                records.append(record(own, about.docs, made.fields, f" = tagwarden::{module}::{name}{rest}"))
                continue
            chosen = made.chosen[1] if made.chosen else None
            variable = {field.name for field in chosen.fields} if chosen else set()
            plain = {field.name: f"to({field.name})" for field in made.fields if field.name not in variable}
            records.append(record(own, about.docs, merged(made.fields)))
            setup = f"{made.before} let {made.pattern} = core;"
            matched = made.chosen[0] if made.chosen else ""
            conversions.append(conversion(own, f"tagwarden::{module}::{name}", setup, matched, plain, chosen))
    for name, (module, names, said) in ENUMS.items():
        choices = {core: choice(f"tagwarden::{module}::{core}", core) for core in names.split()}
        fields = [field for made in choices.values() for field in made.fields]
        records.append(record(name, [said], merged(fields)))
        for core, made in choices.items():
            whole = Choice(fields, made.arms)
            conversions.append(conversion(name, f"tagwarden::{module}::{core}", "", "core", {}, whole))
    for (core, variant), name in VARIANTS.items():
        one = next(one for one in enum(core) if one.name == variant)
        records.append(record(name, one.docs, list(one.fields)))
    words = []
    for module, names in WORDS.items():
        for name in names.split():
            core = f"tagwarden::{module}::{name}" if module else f"tagwarden::{name}"
            pairs = zip((one.name for one in enum(name)), KNOWN[name], strict=True)
            words.append(word(f"{name} = {core}", item("enum", name)[0].docs, list(pairs)))
    for core, (field, name, _) in TAGS.items():
        tags.setdefault(name, {}).update({one.name: snake(one.name) for one in enum(core)})
    words += [word(name, [f"The words of {name}."], list(pairs.items())) for name, pairs in tags.items()]
    text = f"""// Generated by crates/bind/generate.py from the structs and enums of the core: do not edit.
//! The records and words that have the fields and variants of structs and enums of the core.

use std::collections::BTreeMap;

use tagwarden_bind::convert::{{FromCore, to}};
use tagwarden_bind::{{records, words}};

use super::{{LayerDifference, Order, PlatformDifference}};
use crate::host::{{Channel, Count, Digest, Environment, List, OrderValue, Provenance, Reference, Repository, Tag, Time}};

records! {{
{chr(10).join(records)}}}

words! {{
{chr(10).join(words)}}}

{chr(10).join(conversions)}"""
    return formatted(text)


def of_node() -> str:
    records = []
    for name in NODE.split():
        about, body = item("struct", name)
        records.append(record(name, about.docs, parts(body), f" = tagwarden::{name}"))
    return formatted(f"""// Generated by crates/bind/generate.py from the structs of the core: do not edit.
//! The records that only Node has.

use std::collections::BTreeMap;

use tagwarden_bind::records;

use crate::host::Digest;
use crate::records::ActorKind;

records! {{
{chr(10).join(records)}}}
""")


def formatted(text: str) -> str:
    command = ["rustfmt", "--edition", "2024"]
    return subprocess.run(command, input=text, text=True, cwd=HERE, check=True, stdout=subprocess.PIPE).stdout


def word(name: str, about: list[str], pairs: list[tuple[str, str]]) -> str:
    variants = "".join(f'        {variant} = "{value}",\n' for variant, value in pairs)
    return f"{commented(about, 4)}    pub enum {name} {{\n{variants}    }}\n"


def main() -> None:
    for path, text in {"records/generated.rs": generated(), "../node/src/generated.rs": of_node()}.items():
        file = HERE / path
        if "--check" not in sys.argv:
            file.write_text(text)
        elif file.read_text() != text:
            sys.exit(f"{file} is not up to date: run {Path(__file__).name}")


main()
