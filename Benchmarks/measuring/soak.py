"""Clients of a soak run: writers, watchers and scanners, each of which checks what it sees; and when a figure is flat.

Whatever is wrong is noted in `Checks.faults` as a text; what is allowed and was told is counted in `Checks.counts`.
"""

import collections
import http.client
import json
import re
import socket
import statistics
import threading
import time
import urllib.parse

FIXED = 2_000
HEARTBEAT_SECONDS = 15
ID = re.compile(rb"\nid: (\d+)\n")
TOLD = {"lagging", "draining"}


class Checks:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.faults = []
        self.is_over = threading.Event()

    def count(self, name, number=1):
        with self.lock:
            self.counts[name] += number

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def start(self, function, *arguments):
        def run():
            try:
                function(self, *arguments)
            except Exception as error:  # pylint: disable=broad-except
                # A thread that ends early would check nothing.
                self.fault(f"{function.__name__} ended: {type(error).__name__}: {error}")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread


class Front:
    """One of the two services, as clients use it."""

    def __init__(self, name, port, prefix):
        self.name, self.port, self.prefix = name, port, prefix

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, connection, path, **query):
        connection.request("GET", f"{self.prefix}/{path}?{urllib.parse.urlencode(query)}")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def post(self, connection, path, document):
        connection.request("POST", f"{self.prefix}/{path}", json.dumps(document), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def flatness(series, slack):
    """Whether a figure is flat, and the medians and highest values that decide it."""
    quarter, half = len(series) // 4, len(series) // 2
    second, last = statistics.median(series[quarter:half]), statistics.median(series[-quarter:])
    first_most, last_most = max(series[:half]), max(series[half:])
    is_flat = last <= 1.05 * second + slack and last_most <= 1.1 * first_most + 2 * slack
    return is_flat, second, last, first_most, last_most


# Writers

def write_fixed(front):
    """Keys that nobody changes: each scan has to find them."""
    connection = front.connect()
    for start in range(0, FIXED, 100):
        operations = [{"op": "set", "key": f"fixed/{number:06}", "value": f"value {number}"}
                      for number in range(start, start + 100)]
        status, answer = front.post(connection, "txn", {"operations": operations})
        if status != 200:
            raise RuntimeError(f"the fixed keys were answered {status}: {answer}")


def write_numbered(checks, fronts, per_second):
    """Transactions with three keys and a number each, for watchers that check that none is missing."""
    connections = [front.connect() for front in fronts]
    number, due = 0, time.monotonic()
    while not checks.is_over.is_set():
        number += 1
        front = number % len(fronts)
        operations = [{"op": "set", "key": f"watched/{place}", "value": str(number)} for place in range(3)]
        status, answer = fronts[front].post(connections[front], "txn", {"operations": operations})
        if status != 200:
            return checks.fault(f"transaction {number} was answered {status}: {answer}")
        checks.count("numbered transactions")
        due += 1 / per_second
        checks.is_over.wait(max(0.0, due - time.monotonic()))
    return None


# Watchers

class Stream:
    """A watch as bytes: `read` gives whole events, in one piece."""

    def __init__(self, front, query, since=None, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(3 * HEARTBEAT_SECONDS)
        self.socket.connect(("127.0.0.1", front.port))
        resume = "" if since is None else f"Last-Event-ID: {since}\r\n"
        # With HTTP/1.0 there are no chunks.
        self.socket.sendall(f"GET {front.prefix}/watch?{query} HTTP/1.0\r\nHost: a\r\n{resume}\r\n".encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            if not (more := self.socket.recv(65_536)):
                raise RuntimeError(f"a watch has no head: {self.rest!r}")
            self.rest += more
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.status = int(head.split(b" ")[1])

    def document(self):
        """Of an answer that is no stream."""
        while more := self.socket.recv(65_536):
            self.rest += more
        return json.loads(self.rest)

    def read(self):
        """What has arrived up to the end of an event; None at the end of the connection."""
        while True:
            end = self.rest.rfind(b"\n\n")
            if end >= 0:
                events, self.rest = self.rest[:end + 2], self.rest[end + 2:]
                return events
            try:
                more = self.socket.recv(1 << 18)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.rest += more

    def close(self):
        self.socket.close()


def begun_at(events):
    return int(re.match(rb": watching from revision (\d+)", events)[1])


def end_of(events):
    """Why a stream ends, if it does."""
    found = re.search(rb"event: end\ndata: (.*)\n", events)
    return json.loads(found[1]) if found else None


def resume(checks, front, query, last, name, receive_bytes=None):
    """Continues behind `last`. If that is gone, the service has to say so, and the client begins anew.

    Returns the stream and the revision from which it goes on."""
    stream = Stream(front, query, last, receive_bytes)
    if stream.status == 410:
        document = stream.document()
        stream.close()
        if document["code"] != "revision_compacted" or document["oldest_revision"] <= last:
            checks.fault(f"{name} was refused to continue behind {last}: {document}")
        checks.count(f"{name}: told that changes are gone (410)")
        stream, last = Stream(front, query, None, receive_bytes), None
    if stream.status != 200:
        checks.fault(f"{name} was answered {stream.status}")
    return stream, last


def watch_all(checks, front):
    """Every revision of the store, one after the other."""
    name = f"all changes through {front.name}"
    stream = Stream(front, "prefix=")
    last = None
    while not checks.is_over.is_set():
        if (events := stream.read()) is None:
            checks.fault(f"{name}: ended behind {last} without a word")
            stream, last = resume(checks, front, "prefix=", last, name)
            continue
        if last is None:
            last = begun_at(events)
        ids = [int(found) for found in ID.findall(b"\n" + events)]
        if ids and (ids[0] != last + 1 or ids != list(range(ids[0], ids[0] + len(ids)))):
            checks.fault(f"{name}: after {last} came {ids[:3]} … {ids[-1]}, {len(ids)} events")
        if ids:
            last = ids[-1]
            checks.count(f"{name}: events", len(ids))
        if end := end_of(events):
            checks.count(f"{name}: ended as {end['code']}")
            if end["code"] not in TOLD or end["revision"] != last:
                checks.fault(f"{name}: ended behind {last} with {end}")
            stream.close()
            stream, last = resume(checks, front, "prefix=", last, name)
    stream.close()


def check_numbered(checks, name, changes, last):
    """Returns the number of a transaction, all of which has to be there."""
    values = {change["value"] for change in changes}
    keys = [change["key"] for change in changes]
    if len(values) != 1 or keys != ["watched/0", "watched/1", "watched/2"]:
        checks.fault(f"{name}: a transaction is not whole: {changes}")
    number = int(changes[0]["value"])
    if last is not None and number != last + 1:
        checks.fault(f"{name}: {number} follows {last}")
    return number


def watch_numbered(checks, front, number_of_watcher):
    """The numbered transactions; connects again every few seconds, where it was."""
    name = f"numbered transactions through {front.name}"
    revision = number = None
    while not checks.is_over.is_set():
        if revision is None:
            stream = Stream(front, "prefix=watched/")
        else:
            stream, revision = resume(checks, front, "prefix=watched/", revision, name)
        until = time.monotonic() + 5 + 7 * number_of_watcher
        while time.monotonic() < until and not checks.is_over.is_set():
            if (events := stream.read()) is None:
                checks.fault(f"{name}: ended without a word behind {revision}")
                break
            for event in events.split(b"\n\n"):
                found = re.search(rb"id: (\d+)\nevent: change\ndata: (.*)", event)
                if found:
                    number = check_numbered(checks, name, json.loads(found[2])["changes"], number)
                    revision = int(found[1])
                    checks.count(f"{name}: events")
                elif revision is None and event.startswith(b": watching"):
                    revision = begun_at(event)
            if end_of(events):
                checks.fault(f"{name}: was ended: {end_of(events)}")
        stream.close()
        checks.count(f"{name}: connections")


def poll_numbered(checks, front):
    name = f"numbered transactions by polls through {front.name}"
    connection = front.connect()
    _, page = front.get(connection, "keys", limit=1)
    revision, number = page["revision"], None
    while not checks.is_over.is_set():
        status, answer = front.get(
            connection, "watch", mode="poll", prefix="watched/", since=revision, wait_ms=2000, limit=50)
        if status != 200:
            return checks.fault(f"{name}: {status}: {answer}")
        for event in answer["events"]:
            number = check_numbered(checks, name, event["changes"], number)
            checks.count(f"{name}: events")
        revision = answer["revision"]
        # The poll has closed the connection if it was the last of it.
        if connection.sock is None:
            connection = front.connect()
    return None


def watch_slowly(checks, front, stall_seconds):
    """Reads nothing for a while: it has to be told, or to miss nothing."""
    name = f"slow watchers through {front.name}"
    last = None
    while not checks.is_over.is_set():
        if last is None:
            stream = Stream(front, "prefix=", None, 4_096)
        else:
            stream, last = resume(checks, front, "prefix=", last, name, 4_096)
        checks.is_over.wait(stall_seconds)
        until, end, events = time.monotonic() + stall_seconds, None, b""
        while end is None and time.monotonic() < until and not checks.is_over.is_set():
            if (events := stream.read()) is None:
                checks.count(f"{name}: cut without an end")
                break
            if last is None:
                last = begun_at(events)
            for found in ID.findall(b"\n" + events):
                if int(found) != last + 1:
                    checks.fault(f"{name}: {int(found)} follows {last}")
                last = int(found)
                checks.count(f"{name}: events")
            end = end_of(events)
        if end is not None:
            checks.count(f"{name}: told that they are {end['code']}")
            if end["code"] not in TOLD or end["revision"] != last:
                checks.fault(f"{name}: ended behind {last} with {end}")
        elif events is not None:
            checks.count(f"{name}: left")
        stream.close()


# Scans

def scan(checks, front, limit, pause_seconds, prefix="", is_reversed=False):
    """From the first key to the last, again and again. Every fixed key is there once, in order, with its value."""
    name = f"scans of {limit} through {front.name}"
    connection = front.connect()
    while not checks.is_over.is_set():
        fixed, before, revision, cursor = 0, None, 0, None
        while not checks.is_over.is_set():
            query = {"limit": limit, "values": "true", "prefix": prefix}
            if is_reversed:
                query["reverse"] = "true"
            if cursor:
                query["cursor"] = cursor
            status, page = front.get(connection, "keys", **query)
            if status != 200:
                return checks.fault(f"{name}: {status}: {page}")
            if page["revision"] < revision:
                checks.fault(f"{name}: a page is of revision {page['revision']} after one of {revision}")
            revision = page["revision"]
            for item in page["keys"]:
                if before is not None and (item["key"] >= before if is_reversed else item["key"] <= before):
                    checks.fault(f"{name}: {item['key']} comes after {before}")
                before = item["key"]
                if before.startswith("fixed/"):
                    expected = FIXED - 1 - fixed if is_reversed else fixed
                    if before != f"fixed/{expected:06}" or item["value"] != f"value {expected}":
                        checks.fault(f"{name}: {item} in place of fixed key {expected}")
                    fixed += 1
            checks.count(f"{name}: pages")
            checks.count(f"{name}: keys", len(page["keys"]))
            cursor = page.get("cursor")
            if not cursor:
                if fixed != FIXED:
                    checks.fault(f"{name}: {fixed} of {FIXED} fixed keys were found")
                checks.count(f"{name}: whole scans")
                break
            checks.is_over.wait(pause_seconds)
    return None
