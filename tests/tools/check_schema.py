#!/usr/bin/env python3
"""Judges the JSON Schema of tagwarden.toml by an independent validator.

The schema accepts every valid case of tests/vectors/config.toml and the examples of the reference page, and refuses
every wrong case, except for those that are marked: contradictions that no schema can see.
"""

import json
import os
import pathlib
import sys

try:
    import tomllib
except ImportError:
    # In CI nothing is skipped.
    print("skipped: the JSON Schema (tomllib is missing: Python 3.11)")
    sys.exit(1 if os.environ.get("CI") == "true" else 0)

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> int:
    schema = json.loads((ROOT / "docs/reference/tagwarden.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    cases = tomllib.loads((ROOT / "tests/vectors/config.toml").read_text(encoding="utf-8"))["case"]
    wrong = []
    for case in cases:
        accepts = case.get("schema") == "accepts" or "error" not in case
        errors = [error.message for error in validator.iter_errors(tomllib.loads(case["text"]))]
        if accepts == bool(errors):
            wrong.append(f"{case['name']}: {errors or 'accepted'}")
    page = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
    examples = [rest.split("```")[0] for rest in page.split("```toml\n")[1:]]
    for example in examples:
        wrong.extend(f"an example: {error.message}" for error in validator.iter_errors(tomllib.loads(example)))
    print(f"the JSON Schema: {len(cases)} cases, {len(examples)} examples, {len(wrong)} wrong", *wrong, sep="\n  ")
    return 1 if wrong or not examples else 0


if __name__ == "__main__":
    sys.exit(main())
