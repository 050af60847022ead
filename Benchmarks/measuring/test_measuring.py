#!/usr/bin/env python3
"""What the bench scripts make of figures: ratios, verdicts, tables, plots, and how they end when a program does."""

import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from measuring import plots, results, rounds, soak, stores  # noqa: E402
from measuring.load import request_parts  # noqa: E402
from measuring.processes import Failure, Process, run, wait_until  # noqa: E402


class Rounds(unittest.TestCase):
    def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians(self):
        found = {name: [{"rate": rate} for rate in rates]
                 for name, rates in (("ours", (10, 100, 30)), ("peer", (10, 50, 60)))}
        row = rounds.ratio("case", found, "ours", "peer", "rate", rounds.at_least(1.0))
        self.assertEqual((row["value"], row["least"], row["most"], row["met"]), (1.0, 0.5, 2.0, True))
        self.assertEqual((row["ours"], row["peer"]), ("30 /s", "50 /s"))

    def test_targets_are_met_at_their_limits(self):
        self.assertTrue(rounds.at_most(1.2).met(1.204))
        self.assertFalse(rounds.at_most(1.2).met(1.21))
        self.assertTrue(rounds.at_least(6).met(6))
        self.assertFalse(rounds.at_least(6).met(5.99))

    def test_contenders_alternate_and_cpu_is_of_their_own_servers(self):
        class Server:
            used = 0.0

            def cpu_seconds(self):
                return self.used

            def check_running(self):
                pass

            forget_output = check_running

        order, server = [], Server()

        def load(name, seconds):
            order.append(name)
            server.used += seconds
            return {"requests": 1_000, "rate": 1.0}

        found = rounds.interleave([rounds.Contender("a", lambda: load("a", 0.01), [server]),
                                   rounds.Contender("b", lambda: load("b", 0.02), [])], 2)
        self.assertEqual(order, ["a", "b", "b", "a"])
        self.assertAlmostEqual(found["a"][0]["cpu"], 10)
        self.assertEqual(found["b"][1]["cpu"], 0)


class Files(unittest.TestCase):
    def test_a_table_says_met_and_missed(self):
        row = rounds.row("set", "rate", 0.5, rounds.at_least(1.0), [0.4, 0.6])
        self.assertIn("| 0.50 (0.40 to 0.60) | ≥ 1.00 | **missed** |", results.table([row]))
        row = rounds.row("set", "rate", 1.5, rounds.at_least(1.0))
        self.assertIn("| 1.50 | ≥ 1.00 | met |", results.table([row]))

    def test_a_group_is_read_as_it_was_written(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = results.Results(folder)
            rows, runs = [rounds.row("set", "rate", 1.0)], {"set kv": [{"rate": 1.25}, {"rate": 2.5}]}
            kept.write_group("requests", {"commit": "abc"}, rows, runs)
            (group,) = kept.groups(["replay", "requests"])
            self.assertEqual((group["commit"], group["rows"], group["runs"]), ("abc", rows, runs))

    def test_a_document_keeps_what_is_outside_the_marks(self):
        with tempfile.NamedTemporaryFile("w+", suffix=".md") as file:
            file.write(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
            file.flush()
            results.put_into(file.name, "new")
            file.seek(0)
            self.assertEqual(file.read(), f"before\n{results.BEGIN}\n\nnew\n{results.END}\nafter\n")
            file.seek(0)
            file.truncate()
            file.write("no marks")
            file.flush()
            with self.assertRaises(Failure):
                results.put_into(file.name, "new")

    def test_a_plot_is_valid_and_within_its_frame(self):
        series = {"a < b": [(1, 10.0, 8.0, 12.0), (1024, 950.0, 900.0, 1_000.0)], "c": [(1, 0.5, 0.4, 0.6)]}
        for logarithmic in (False, True):
            text = plots.plot("Rate & p99", "x", "y", series, {1: "1", 1024: "1024"}, logarithmic)
            circles = [each for each in xml.etree.ElementTree.fromstring(text).iter() if each.tag.endswith("circle")]
            self.assertEqual(len(circles), 3)
            for circle in circles:
                self.assertTrue(plots.LEFT <= float(circle.get("cx")) <= plots.WIDTH - plots.RIGHT)
                self.assertTrue(plots.TOP <= float(circle.get("cy")) <= plots.HEIGHT - plots.BOTTOM)

    def test_ticks_reach_the_top(self):
        for top in (0.003, 0.9, 1, 7, 99, 100, 101, 123_456):
            ticks = plots.ticks_of(top)
            self.assertGreaterEqual(ticks[-1], top * 0.999_999)
            self.assertLessEqual(len(ticks), 8)

    def test_scattered_keys_are_all_keys(self):
        ordered, scattered = list(stores.entries(1_000)), list(stores.entries(1_000, scattered=True))
        self.assertNotEqual(ordered, scattered)
        self.assertEqual(sorted(ordered), sorted(scattered))
        self.assertEqual(len(next(stores.entries(1, value_bytes=5))[1]), 5)

    def test_the_length_of_a_body_is_stated(self):
        for kind in ("set", "put", "webdis-set", "etcd-put"):
            head, tail = request_parts(kind, 100)
            fields, _, body = (head + "0" * 12 + tail).partition("\r\n\r\n")
            self.assertIn(f"Content-Length: {len(body)}", fields)


class Programs(unittest.TestCase):
    def test_a_program_that_ends_early_is_reported_with_its_last_output(self):
        with tempfile.TemporaryDirectory() as folder:
            process = Process("fails", ["sh", "-c", "echo the reason; exit 3"], folder)
            with self.assertRaisesRegex(Failure, "(?s)ended with 3.*the reason"):
                process.wait_until(lambda: False, 10)

    def test_no_wait_is_without_an_end(self):
        with self.assertRaisesRegex(Failure, "not after 0.1 s"):
            wait_until(lambda: False, 0.1, "this")
        with self.assertRaisesRegex(Failure, "did not end within"):
            run(["sleep", "60"], 0.1)

    def test_cpu_time_is_that_of_children_too(self):
        with tempfile.TemporaryDirectory() as folder:
            busy = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done"
            process = Process("busy", ["sh", "-c", f"({busy}; exec sleep 60) & wait"], folder)
            try:
                process.wait_until(lambda: process.cpu_seconds() > 0.02, 30, "busy")
                self.assertEqual(len(process.pids()), 2)
            finally:
                for pid in reversed(process.pids()):
                    os.kill(pid, 9)
                process.stop()


class Soak(unittest.TestCase):
    def test_a_figure_is_flat_unless_it_grows_or_has_a_new_peak(self):
        self.assertTrue(soak.flatness([0] * 10 + [100] * 30, 0)[0])
        self.assertTrue(soak.flatness([100, 140] * 20, 0)[0])
        self.assertFalse(soak.flatness(list(range(100, 140)), 0)[0])
        self.assertTrue(soak.flatness(list(range(100, 140)), 20)[0])
        self.assertFalse(soak.flatness([100] * 30 + [100, 120] + [100] * 8, 1)[0])

    def test_a_transaction_that_is_missing_or_not_whole_is_a_fault(self):
        def changes(*values):
            return [{"key": f"watched/{place}", "value": value} for place, value in enumerate(values)]

        checks = soak.Checks()
        self.assertEqual(soak.check_numbered(checks, "a", changes("7", "7", "7"), None), 7)
        self.assertEqual(soak.check_numbered(checks, "a", changes("8", "8", "8"), 7), 8)
        self.assertEqual(checks.faults, [])
        for wrong in (changes("10", "10", "10"), changes("8", "8", "8"), changes("9", "9"), changes("9", "9", "8")):
            soak.check_numbered(checks, "a", wrong, 8)
        self.assertEqual(len(checks.faults), 4)

    def test_a_client_that_ends_early_is_a_fault(self):
        def broken(_):
            raise RuntimeError("no answer")

        checks = soak.Checks()
        checks.start(broken).join()
        self.assertEqual(checks.faults, ["broken ended: RuntimeError: no answer"])

    def test_revisions_and_the_end_of_a_stream_are_found(self):
        events = b"id: 7\nevent: change\ndata: {}\n\nid: 8\nevent: change\ndata: {\"a\":\"\\nid: 9\"}\n\n"
        self.assertEqual([int(found) for found in soak.ID.findall(b"\n" + events)], [7, 8])
        self.assertIsNone(soak.end_of(events))
        end = b'event: end\ndata: {"code":"lagging","revision":8}\n\n'
        self.assertEqual(soak.end_of(events + end), {"code": "lagging", "revision": 8})


if __name__ == "__main__":
    unittest.main()
