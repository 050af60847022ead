"""Both services, a real Prometheus and load, for the checks beside this file. Loopback only, free ports, one temporary
folder, and every process ends with the check that started it."""

import contextlib
import ctypes
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failure(Exception):
    """A check found something; its text is for a person."""


def wait_until(what, look, seconds=60):
    """Looks until `look` has a true result, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        result = look()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def request(port, method, path, body=None, headers=None, timeout=10):
    """(status, body as bytes)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def end_with_parent():
    """In a child: the kernel kills it when this process dies, however it dies; and strace may attach to it without
    root, where that takes the traced process's leave (PR_SET_PTRACER)."""
    library = ctypes.CDLL(None)
    library.prctl(1, signal.SIGKILL)
    library.prctl(0x59616D61, ctypes.c_ulong(2**64 - 1))


class Process:
    """One program with its output in a file."""

    def __init__(self, command, output, environment=None):
        self.output = output
        with open(output, "ab") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=end_with_parent,
                env={**os.environ, **(environment or {})})

    def text(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_line(self, message):
        """The first JSON log line with that message."""
        def look():
            for line in self.text().splitlines():
                if line.startswith("{") and f'"message":"{message}"' in line:
                    return json.loads(line)
            if self.process.poll() is not None:
                raise Failure(f"ended with {self.process.returncode}:\n{self.text()[-4000:]}")
            return None
        return wait_until(f"the log line '{message}'", look)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)


class Service(Process):
    """kv-service or api-gateway on a port of its own. With a wrapper such as strace, `pid` is still the service's."""

    def __init__(self, system, name, arguments, wrapper=(), listen="127.0.0.1:0"):
        system.starts += 1
        command = [*wrapper, os.path.join(system.programs, name), "--listen", listen, *arguments]
        super().__init__(command, system.file(f"{name}-{system.starts}.log"))
        system.stack.callback(self.end)
        line = self.log_line("listening")
        self.port = int(line["address"].rsplit(":", 1)[1])
        self.pid = int(line["pid"])
        wait_until(f"{name} is ready; its log:\n{self.text()[-2000:]}",
                   lambda: request(self.port, "GET", "/readyz")[0] == 200)

    def end(self):
        """`kill -9` and gone: the service itself, and its wrapper with it."""
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
        self.process.wait(60)


def roomy_memory():
    """/dev/shm, where syncs take no time and nobody else takes the space, if there is enough of it; else None."""
    try:
        state = os.statvfs("/dev/shm")
    except OSError:
        return None
    return "/dev/shm" if state.f_bavail * state.f_frsize > 1 << 29 else None


def attach_strace(system, service, *options):
    """strace on all threads of a service from now on."""
    tracer = Process(["strace", "-f", "-o", "/dev/null", "-p", str(service.pid), *options],
                     system.file(f"strace-{service.pid}.log"))
    def end():
        # A tracee whose call is being delayed can end only once strace is gone.
        if service.process.poll() is None:
            os.kill(service.pid, signal.SIGKILL)
        tracer.stop(signal.SIGKILL)
    system.stack.callback(end)
    wait_until(f"strace is attached: {tracer.text()}", lambda: "attached" in tracer.text())


class System:
    """What a check runs, ended by `with`."""

    def __init__(self, programs):
        self.programs = programs
        self.starts = 0

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.folder = self.stack.enter_context(
            tempfile.TemporaryDirectory(prefix="txlog-kv-observability-", dir=roomy_memory()))
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def file(self, name):
        return os.path.join(self.folder, name)

    def kv_service(self, *arguments, folder="kv", wrapper=(), listen="127.0.0.1:0"):
        return Service(self, "kv-service", ["--data-dir", self.file(folder), *arguments], wrapper, listen)

    def gateway(self, upstream, *arguments):
        return Service(self, "api-gateway", ["--upstream", f"http://127.0.0.1:{upstream.port}", *arguments])

    def prometheus(self, targets, rules, interval="1s", features="exemplar-storage", job_settings=""):
        return Prometheus(self, targets, rules, interval, features, job_settings)

    def load(self, port, prefix, keys=200, threads=4, pause=0.0):
        load = Load(port, prefix, keys, threads, pause)
        self.stack.callback(load.stop)
        return load


class Prometheus(Process):
    """The project's prometheus.yml with other targets and a shorter interval, so that its limits hold here too; with
    further settings of each job, if any."""

    def __init__(self, system, targets, rules, interval, features, job_settings):
        self.port = free_port()
        with open(os.path.join(ROOT, "prometheus.yml"), encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"(scrape|evaluation)_interval: \w+", rf"\1_interval: {interval}", text)
        text = re.sub(r"scrape_timeout: \w+", f"scrape_timeout: {interval}", text)
        text = text.replace("- prometheus.rules.yml", f"- {rules}")
        # The services of the tests have neither TLS nor access keys.
        secure = r"    scheme: https\n    tls_config:\n      .*\n    authorization:\n      .*\n"
        text, count = re.subn(secure, "", text)
        if count != 2:
            raise Failure(f"prometheus.yml has {count} jobs with TLS and an access key")
        if job_settings:
            text = re.sub(r"(  - job_name: .*\n)", rf"\1    {job_settings}\n", text)
        for job, addresses in {**targets, "prometheus": [f"127.0.0.1:{self.port}"]}.items():
            text, count = re.subn(
                rf"(job_name: {job}\n(?:    .*\n)*?      - targets: )\[.*\]", rf"\1{json.dumps(addresses)}", text)
            if count != 1:
                raise Failure(f"prometheus.yml has {count} targets of {job}")
        with open(system.file("prometheus.yml"), "w", encoding="utf-8") as file:
            file.write(text)
        super().__init__(
            ["prometheus", f"--config.file={system.file('prometheus.yml')}",
             f"--storage.tsdb.path={system.file('tsdb')}", f"--web.listen-address=127.0.0.1:{self.port}",
             f"--enable-feature={features}"],
            system.file("prometheus.log"))
        system.stack.callback(self.stop)
        wait_until("Prometheus is ready", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failure(f"Prometheus ended with {self.process.returncode}:\n{self.text()[-3000:]}")
        try:
            return request(self.port, "GET", "/-/ready")[0] == 200
        except OSError:
            return False

    def api(self, path, **parameters):
        status, body = request(
            self.port, "POST" if parameters else "GET", f"/api/v1/{path}",
            body=urllib.parse.urlencode(parameters) if parameters else None,
            headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=30)
        answer = json.loads(body)
        if answer.get("status") != "success":
            raise Failure(f"{path} {parameters}: {status} {answer.get('error')}")
        return answer["data"]

    def query(self, expression):
        """The series of an instant query: (labels, value)."""
        data = self.api("query", query=expression)
        if data["resultType"] != "vector":
            return [({}, float(data["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def firing(self):
        """Names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"}


class Load:
    """Clients that set, get and delete keys of their own until they are stopped. A refusal or a broken connection is
    part of what the checks do; they go on."""

    def __init__(self, port, prefix, keys, threads, pause):
        self.port, self.prefix, self.keys, self.pause = port, prefix, keys, pause
        self.stopping = threading.Event()
        self.answers = {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(index,), daemon=True) for index in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, index):
        connection, number = None, 0
        while not self.stopping.wait(self.pause):
            number += 1
            key = f"{index}-{number % self.keys}"
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                if number % 4 == 3:
                    connection.request("GET", f"/{self.prefix}/get?key={key}")
                elif number % 16 == 0:
                    connection.request("DELETE", f"/{self.prefix}/delete?key={key}")
                else:
                    connection.request("PUT", f"/{self.prefix}/set?key={key}", body=b"v" * 1000,
                                       headers={"Content-Type": "application/octet-stream"})
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection, status = None, 0
                self.stopping.wait(0.05)
            with self.lock:
                self.answers[status] = self.answers.get(status, 0) + 1

    def count(self, status=200):
        with self.lock:
            return self.answers.get(status, 0)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def run(check):
    """Runs a check with the folder of the programs, tells what it found, and ends with 0 or 1."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} FOLDER_WITH_THE_PROGRAMS")
    started = time.monotonic()
    try:
        check(os.path.abspath(sys.argv[1]))
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    print(f"passed in {time.monotonic() - started:.1f} s")
