"""Docs/openapi.json: its layout, its operations and examples, and what is wrong with an answer by it."""

import base64
import json
import pathlib
import re

import jsonschema

DOCS = pathlib.Path(__file__).resolve().parents[2] / "Docs"
FILE = DOCS / "openapi.json"
METHODS = ["get", "head", "post", "put", "delete", "options", "patch", "trace"]
COLUMNS = 120
STREAM = "text/event-stream"
# What HTTP itself says of an answer, and is in none of the lists of header fields.
FRAMING = {"date", "content-length", "content-type", "connection", "transfer-encoding"}


class Document:
    def __init__(self):
        self.text = FILE.read_text(encoding="utf-8")
        self.root = json.loads(self.text)
        self.validators = {}

    def resolved(self, part):
        """The component that a reference names, or the part itself."""
        while isinstance(part, dict) and part.get("$ref", "").startswith("#/"):
            node = self.root
            for name in part["$ref"][2:].split("/"):
                node = node[name.replace("~1", "/").replace("~0", "~")]
            part = node
        return part

    def operations(self):
        """Path, method, operation and the services that have it."""
        for path, item in self.root["paths"].items():
            services = [server["description"] for server in item.get("servers", self.root["servers"])]
            for method in METHODS:
                if method in item:
                    yield path, method, item[method], services

    def find(self, method, target):
        """The operation that a request is for, or None."""
        path = target.split("?")[0]
        for prefix in ("/kv", "/api"):
            if path.startswith(prefix + "/"):
                path = path[len(prefix):]
                item = self.root["paths"].get(path)
                return (item or {}).get(method.lower()) if item and "servers" not in item else None
        item = self.root["paths"].get(path)
        if not item or "servers" not in item:
            return None
        return item.get(method.lower()) or (method == "HEAD" and item.get("get")) or None

    def has_path(self, target):
        return any(self.find(method, target) for method in METHODS)

    def schema(self, part):
        """A schema that stands alone: with the components, and with the files that it names."""
        return {**self.local(part), "components": {"schemas": self.schemas()}, "files": self.all_files()}

    def schemas(self):
        return {name: self.local(part) for name, part in self.root["components"]["schemas"].items()}

    def all_files(self):
        return {path.stem: self.local(json.loads(path.read_text(encoding="utf-8")), path.stem)
                for path in sorted((DOCS / "Schemas").glob("*.json"))}

    def local(self, part, file=None):
        """With references that begin at the root of the schema."""
        if isinstance(part, list):
            return [self.local(element, file) for element in part]
        if not isinstance(part, dict):
            return part
        result = {}
        for name, value in part.items():
            if name == "$ref":
                if value.startswith("Schemas/"):
                    value = f"#/files/{pathlib.Path(value).stem}"
                elif file:
                    value = f"#/files/{file}{value[1:]}"
                result[name] = value
            elif file and name in ("$id", "$schema") and isinstance(value, str):
                continue
            else:
                result[name] = self.local(value, file)
        return result

    def errors(self, part, value):
        """What is wrong with a value by a schema of the document."""
        # By identity: the parts live as long as the document.
        validator = self.validators.get(id(part))
        if validator is None:
            self.validators[id(part)] = validator = jsonschema.Draft202012Validator(self.schema(part))
        for error in validator.iter_errors(value):
            # Of alternatives the one that came nearest says what is wrong.
            best = jsonschema.exceptions.best_match([error])
            yield f"{best.json_path}: {best.message[:300]}"


def laid_out(value, indent=0, before=0):
    """JSON with what fits on a line on one line."""
    text = json.dumps(value, ensure_ascii=False)
    if indent + before + len(text) + 1 <= COLUMNS or not isinstance(value, (dict, list)) or not value:
        return text
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = []
        for name, member in value.items():
            head = json.dumps(name, ensure_ascii=False) + ": "
            lines.append(inner + head + laid_out(member, indent + 2, len(head)))
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
    if all(isinstance(element, str) for element in value):
        lines = [inner.rstrip("\n")]
        for number, element in enumerate(value):
            piece = json.dumps(element, ensure_ascii=False) + ("," if number + 1 < len(value) else "")
            if lines[-1].strip() and len(lines[-1]) + len(piece) + 1 > COLUMNS:
                lines.append(inner)
            lines[-1] += (" " if lines[-1].strip() else "") + piece
        return "[\n" + "\n".join(lines) + "\n" + " " * indent + "]"
    lines = [inner + laid_out(element, indent + 2) for element in value]
    return "[\n" + ",\n".join(lines) + "\n" + " " * indent + "]"


# Examples

def operation_body(document, operation, media):
    return operation["requestBody"]["content"][media]["schema"]


def request_examples(document, operation):
    """By name: the parameters with their values, and the body with its type."""
    found = {}

    def example(name):
        return found.setdefault(name, {"parameters": [], "body": None, "type": None})
    for parameter in operation.get("parameters", []):
        parameter = document.resolved(parameter)
        for name, value in parameter.get("examples", {}).items():
            example(name)["parameters"].append((parameter, value["value"]))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        for name, value in content.get("examples", {}).items():
            example(name).update(body=value["value"], type=media)
    return found


def answer_examples(document, operation):
    """By name: status, media type, body, schema."""
    found = {}
    for status, response in operation["responses"].items():
        for media, content in document.resolved(response).get("content", {}).items():
            for name, value in content.get("examples", {}).items():
                found[name] = (int(status), media, value["value"], content["schema"])
    requests = request_examples(document, operation)
    return {name: answer for name, answer in found.items() if name in requests}


def every_answer_example(document):
    names = set()
    for _, _, operation, _ in document.operations():
        for response in operation["responses"].values():
            for content in document.resolved(response).get("content", {}).values():
                names |= set(content.get("examples", {}))
    return names


# Answers

def check_answer(document, answer):
    method, target, status = answer["method"], answer["target"], answer["status"]
    where = f"{method} {target.split('?')[0][:80]} {status}"
    fields = {}
    for name, value in answer["headers"]:
        if name.lower() in fields:
            yield f"{where}: has {name} twice"
        fields[name.lower()] = value
    body = base64.b64decode(answer["body"])
    request_id = fields.get("x-request-id")
    response = response_for(document, method, target, status, body)
    if response is None:
        yield f"{where}: is not in the document: {body[:300].decode(errors='replace')}"
        return
    for name, field in response.get("headers", {}).items():
        field = document.resolved(field)
        value = fields.pop(name.lower(), None)
        if value is None:
            if field.get("required"):
                yield f"{where}: lacks {name}"
            continue
        schema = document.resolved(field["schema"])
        if schema.get("type") == "integer" and re.fullmatch(r"\d+", value):
            value = int(value)
        for error in document.errors(field["schema"], value):
            yield f"{where}: {name}: {error}"
    for name in sorted(set(fields) - FRAMING):
        yield f"{where}: the field {name} is not in the document"
    if method == "HEAD" or not response.get("content"):
        if body:
            yield f"{where}: has a body"
        return
    media = fields.get("content-type", "").split(";")[0]
    if media not in response["content"]:
        yield f"{where}: the type {media!r} is not in the document"
    elif media == STREAM:
        yield from (f"{where}: {error}" for error in check_stream(document, body.decode()))
    elif media.endswith("json"):
        value = json.loads(body)
        for error in document.errors(response["content"][media]["schema"], value):
            yield f"{where}: {error}: {body[:300].decode(errors='replace')}"
        if not body.endswith(b"\n"):
            yield f"{where}: does not end with a line feed"
        if media == "application/problem+json":
            said = (value["status"], value["type"], value["request_id"])
            if said != (status, f"urn:kv:error:{value['code']}", request_id):
                yield f"{where}: status, type or request_id is another than in the head: {said}"


def check_stream(document, text):
    """The beginning of a stream that was read up to the end of an event: comments, a time for `retry`, and events."""
    begin, *events = text.removesuffix("\n\n").split("\n\n")
    if not re.fullmatch(r": watching from revision \d+\nretry: \d+", begin):
        yield f"begins with {begin!r}"
    for event in events:
        fields = re.fullmatch(r"id: (\d+)\nevent: change\ndata: (.*)", event)
        data = json.loads(fields[2]) if fields else {}
        if fields:
            yield from document.errors(document.root["components"]["schemas"]["Event"], data)
        if not fields or data.get("revision") != int(fields[1]):
            yield f"has the event {event!r}"


def response_for(document, method, target, status, body):
    components = document.root["components"]
    if method == "OPTIONS" and status == 204:
        return components["responses"]["Options"]
    if status == 405 and document.has_path(target):
        return components["responses"]["MethodNotAllowed"]
    operation = document.find(method, target)
    response = document.resolved(operation["responses"].get(str(status))) if operation else None
    problem = (response or {}).get("content", {}).get("application/problem+json", {}).get("schema")
    # The answer to HEAD has no code.
    code = None if method == "HEAD" else code_of(body)
    if problem and (code is None or code in problem["properties"]["code"]["enum"]):
        return response
    general = components["schemas"]["ProblemOfAnyRequest"]
    for row in general["oneOf"]:
        row = row["properties"]
        if row["status"]["const"] == status and (method == "HEAD" or code in row["code"]["enum"]):
            # With Retry-After, which is optional.
            headers = components["responses"]["AdminUnauthorized" if status == 401 else "Stopping"]["headers"]
            return {"headers": headers, "content": {"application/problem+json": {"schema": general}}}
    return response


def code_of(body):
    try:
        return json.loads(body).get("code")
    except (AttributeError, ValueError):
        return None
