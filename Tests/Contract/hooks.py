"""What the schemas of Docs/openapi.json cannot say of a request: valid parameters that contradict each other.

Requests that must be accepted are made free of the contradiction. Requests that must be refused are sent as they are.
"""

import schemathesis


def is_positive(case):
    return case.meta is None or case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    if not is_positive(case):
        return
    query, headers, path = case.query, case.headers, case.operation.path
    if path in ("/set", "/delete"):
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
        # JSON has its key in the body.
        query.pop("key", None)
    elif path == "/set":
        query.setdefault("key", "key")
    if path == "/set" and isinstance(case.body, dict) and "if_revision" in case.body:
        # For a schema 5.0 is an integer too; a revision is digits alone.
        case.body["if_revision"] = int(case.body["if_revision"])
    if path == "/keys":
        # A cursor is valid for the query that it was an answer to, and a prefix excludes a range.
        query.pop("cursor", None)
        if "prefix" in query:
            query.pop("start", None)
            query.pop("end", None)
