"""What the schemas of Docs/openapi.json cannot say of a request: valid parameters that contradict each other.

Requests that must be accepted are made free of the contradiction. Requests that must be refused are sent as they are.
"""

import itertools
import os
import re

import schemathesis

WRITES = ("/set", "/delete", "/incr")
numbers = itertools.count()


def is_positive(case):
    return case.meta is None or case.meta.generation.mode.is_positive


def digits_alone(value):
    """For a schema 5.0 is an integer too; the services take integers as digits alone."""
    if isinstance(value, dict):
        return {name: digits_alone(member) for name, member in value.items()}
    if isinstance(value, list):
        return [digits_alone(element) for element in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def before_call(context, case, kwargs):
    query, headers, path = case.query, case.headers, case.operation.path
    if path == "/watch":
        # A stream does not end, and a poll waits: all of these requests ask for what is there.
        if query.get("mode", "stream") in ("stream", "poll"):
            query["mode"] = "poll"
        if str(query.get("wait_ms", 0)).isdecimal() and int(query.get("wait_ms", 0)) <= 60_000:
            query["wait_ms"] = 0
    if re.fullmatch("[!-~]{1,128}", str(headers.get("Idempotency-Key", ""))):
        # Another request under the same key is 422, also one of the run before.
        headers["Idempotency-Key"] = f"{os.getpid()}-{next(numbers)}"
    if not is_positive(case):
        return
    case.body = digits_alone(case.body)
    if path in WRITES:
        # A write has one condition.
        conditions = [name for name in ("If-Match", "If-None-Match") if name in headers]
        if isinstance(case.body, dict):
            in_body = [name for name in ("if_revision", "if_absent") if name in case.body]
            conditions = conditions if in_body else conditions[1:]
        else:
            conditions = conditions[1:]
        for name in conditions:
            del headers[name]
    if path == "/set" and case.media_type == "application/json":
        # JSON has its key and its expiry time in the body.
        for name in ("key", "ttl_ms", "expires_at"):
            query.pop(name, None)
    elif path == "/set":
        query.setdefault("key", "key")
        if "ttl_ms" in query:
            query.pop("expires_at", None)
    if path == "/txn" and isinstance(case.body, dict) and "checks" in case.body:
        # Up to 128 checks and operations together.
        case.body["checks"] = case.body["checks"][:128 - len(case.body["operations"])]
    if path == "/keys":
        # A cursor is valid for the query that it was an answer to, and a prefix excludes a range.
        query.pop("cursor", None)
        if "prefix" in query:
            query.pop("start", None)
            query.pop("end", None)
    if path == "/watch":
        # The store has no revision that is made up; a key excludes a prefix.
        headers.pop("Last-Event-ID", None)
        if "since" in query:
            query["since"] = 0
        if "key" in query:
            query.pop("prefix", None)
