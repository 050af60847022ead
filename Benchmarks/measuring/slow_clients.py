"""Clients that send or read as slowly as they may, thousands of them in a process of their own for each kind."""

import multiprocessing
import select
import socket
import ssl
import time

from .processes import wait_until

KINDS = ("heads", "bodies", "readers")
# Each connection does its little every so many seconds.
INTERVAL_SECONDS = 3.0
TICK_SECONDS = 0.02
VALUE_BYTES = 60_000
# A reader has asked for so many values, and takes so many bytes of them at a time.
READER_REQUESTS, READER_BYTES = 16, 1_024


def begin_of(kind):
    """What a connection sends at once."""
    if kind == "heads":
        return b"GET /api/get?key=slow HTTP/1.1\r\nHost: bench\r\nX-Slow: "
    if kind == "bodies":
        return (b"PUT /api/set?key=slow HTTP/1.1\r\nHost: bench\r\nContent-Type: application/octet-stream\r\n"
                b"Content-Length: %d\r\n\r\n" % VALUE_BYTES)
    return b"GET /api/get?key=large HTTP/1.1\r\nHost: bench\r\nAccept: application/octet-stream\r\n\r\n" * READER_REQUESTS


class Attack:
    """`count` connections of one kind, opened evenly over `seconds`, and opened again whenever the server ends them."""

    def __init__(self, kind, port, count, seconds, tls):
        self.kind, self.port, self.count, self.tls = kind, port, count, tls
        self.opened = multiprocessing.Value("i", 0)
        self.ended = multiprocessing.Value("i", 0)
        self.process = multiprocessing.Process(target=self.run, args=(seconds,), daemon=True)
        self.process.start()

    def wait_until_open(self, seconds):
        wait_until(lambda: self.opened.value >= self.count, seconds, f"{self.count} slow {self.kind}")

    def stop(self):
        self.process.terminate()
        self.process.join()

    def run(self, seconds):
        context = None
        if self.tls is not None:
            context = ssl.create_default_context(cafile=self.tls)
            context.check_hostname = False
        poll, made, begun = select.epoll(), {}, time.monotonic()
        ring, place, due = [], 0, 0.0
        while True:
            now = time.monotonic()
            wanted = min(self.count, int((now - begun) / seconds * self.count) + 1)
            for _ in range(min(50, wanted - len(made))):
                connection = self.connect(context, len(made))
                made[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN if self.kind != "readers" else 0)
                ring.append(connection.fileno())
                self.opened.value = len(made)
            due += TICK_SECONDS / INTERVAL_SECONDS * len(ring)
            while due >= 1 and ring:
                due -= 1
                place = (place + 1) % len(ring)
                connection = made.get(ring[place])
                if connection is None or not self.go_on(connection):
                    self.forget(ring, place, made, poll)
            for descriptor, _ in poll.poll(0):
                if descriptor in made and self.has_ended(made[descriptor]):
                    poll.unregister(descriptor)
                    made.pop(descriptor).close()
                    self.ended.value += 1
            if len(ring) != len(made):
                ring = list(made)
            time.sleep(max(0.0, now + TICK_SECONDS - time.monotonic()))

    def forget(self, ring, place, made, poll):
        connection = made.pop(ring[place], None)
        if connection is not None:
            poll.unregister(connection)
            connection.close()
            self.ended.value += 1

    def connect(self, context, number):
        plain = socket.socket()
        if self.kind == "readers":
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        # There are not enough ports for all connections of one address, with those that have just ended.
        plain.bind((f"127.0.1.{1 + number % 8}", 0))
        plain.settimeout(30)
        plain.connect(("127.0.0.1", self.port))
        connection = plain if context is None else context.wrap_socket(plain)
        connection.sendall(begin_of(self.kind))
        connection.setblocking(False)
        return connection

    def go_on(self, connection):
        """Does a little; false if the server has ended the connection."""
        try:
            if self.kind == "readers":
                return connection.recv(READER_BYTES) != b""
            connection.send(b"y")
            return True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return True
        except OSError:
            return False

    def has_ended(self, connection):
        """Whether there was an answer, or the end."""
        try:
            connection.recv(4_096)
            return True
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True
