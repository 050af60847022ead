#!/usr/bin/env python3
"""What wrk_figures makes of wrk's reports. Needs wrk; loopback only."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wrk_figures  # noqa: E402

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request, the hundredth after some seconds."""

    def __init__(self, late_seconds):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.late_seconds = late_seconds
        self.answered = 0
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection:
            try:
                while connection.recv(65536):
                    self.answered += 1
                    time.sleep(self.late_seconds if self.answered == 100 else 0.001)
                    connection.sendall(ANSWER)
            except OSError:
                return


def report(late_seconds, seconds):
    server = Server(late_seconds)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script, server.listener:
        script.write(wrk_figures.DONE)
        script.flush()
        command = ["wrk", "-t1", "-c2", f"-d{seconds}s", "-s", script.name, server.address]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


class WrkFigures(unittest.TestCase):
    def test_requests_that_were_never_sent_are_taken_out(self):
        # One of some 1,000 answers is late: wrk's own p99 is of requests that it has added for it.
        figures = wrk_figures.read(report(late_seconds=1, seconds=3), connections=2)
        self.assertGreater(figures.corrected_p99, 0.5)
        self.assertLess(figures.p99, 0.5)
        self.assertLessEqual(figures.p50, figures.p99)

    def test_an_answer_later_than_the_time_out_is_no_figure(self):
        with self.assertRaisesRegex(wrk_figures.NoFigures, "time-out"):
            wrk_figures.read(report(late_seconds=2.5, seconds=4), connections=2)

    def test_quantiles_are_those_of_the_counts(self):
        counts = {100: 50, 200: 48, 5_000: 2}
        self.assertEqual(wrk_figures.quantile(counts, 0.5), 100e-6)
        self.assertEqual(wrk_figures.quantile(counts, 0.98), 200e-6)
        self.assertEqual(wrk_figures.quantile(counts, 0.99), 5_000e-6)


if __name__ == "__main__":
    unittest.main()
