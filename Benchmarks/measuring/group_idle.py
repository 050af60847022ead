"""What the services use while nobody asks anything: CPU when idle, CPU and memory with many idle connections."""

import resource
import socket
import statistics
import time

from . import servers
from .processes import Failure, Group
from .rounds import at_most, note, row

CONNECTIONS = 10_000
# The clock of CPU time has a tick of 10 ms: 0.05 % of so many seconds.
SECONDS = 20


def raise_limit(wanted):
    """Of open files, for this process and for each server that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    except (ValueError, OSError) as error:
        raise Failure(f"{wanted} open files are needed, and the hard limit is {hard}: raise it (ulimit -Hn)") from error


def cpu_percent(processes, seconds=SECONDS):
    before, began = [process.cpu_seconds() for process in processes], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return [(process.cpu_seconds() - used) / passed * 100 for process, used in zip(processes, before)]


def connect(server, count):
    """Connections that have had one answer each."""
    made = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: bench\r\n\r\n")
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            raise Failure(f"{server.name} refused connection {len(made) + 1}")
        made.append(connection)
    return made


def measure(context):
    raise_limit(CONNECTIONS + 1_000)
    results = {"both idle": []}
    for _ in range(context.rounds):
        with Group() as group:
            folder = context.fresh("idle")
            more = ["--max-connections", str(CONNECTIONS + 100)]
            kv = group.add(servers.kv_service(context.programs, folder, arguments=more))
            gateway = group.add(servers.api_gateway(context.programs, folder, kv, arguments=more))
            time.sleep(2)  # what a start leaves to be done is done
            results["both idle"].append({"cpu_percent": sum(cpu_percent([kv, gateway]))})
            for server in (kv, gateway):
                results.setdefault(f"{server.name} with connections", []).append(measure_connections(server))
            note(f"idle: {results['both idle'][-1]['cpu_percent']:.2f} % of a core, "
                 + ", ".join(f"{name}: {runs[-1]}" for name, runs in list(results.items())[1:]))
    return rows_of(results), results


def measure_connections(server):
    before = server.resident_bytes()[0]
    made = connect(server, CONNECTIONS)
    try:
        time.sleep(1)  # the last answers are done
        memory = server.resident_bytes()[0] - before
        percent = cpu_percent([server])[0]
        return {"cpu_percent": percent, "bytes_per_connection": memory / CONNECTIONS}
    finally:
        for connection in made:
            connection.close()


def rows_of(results):
    def one(case, name, figure, field, target, unit, factor=1.0):
        values = [figures[field] * factor for figures in results[name]]
        return row(case, figure, statistics.median(values), target, values, unit=unit)

    rows = [one("kv-service and api-gateway idle", "both idle", "CPU of both together", "cpu_percent", at_most(0.3),
                "% of a core")]
    for name in ("kv-service", "api-gateway"):
        case, runs = f"{name} with {CONNECTIONS:,} idle connections", f"{name} with connections"
        rows += [one(case, runs, "CPU", "cpu_percent", at_most(1.0), "% of a core"),
                 one(case, runs, "memory per connection", "bytes_per_connection", at_most(12.0), "KiB", 1 / 1024)]
    return rows
