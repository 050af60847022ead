"""The services and their peers as a bench starts them: on free ports of the loopback interface, data in its folder."""

import http.client
import json
import os
import pwd
import socket
import ssl
import urllib.error
import urllib.request

from .processes import Failure, Process, free_port
from .stores import append_only_file, import_log

# Debian's nginx is not on everybody's path.
PATH = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def status_of(port, path, secure=False):
    """The status of a GET, or None while nothing listens. Over TLS any certificate is good."""
    if secure:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Server(Process):
    """A server that is ready when its constructor returns."""

    def __init__(self, name, command, folder, port, environment=None, ready_seconds=60, secure=False):
        super().__init__(name, command, folder, {**PATH, **(environment or {})})
        self.port, self.secure = port, secure
        try:
            self.wait_until(self.is_ready, ready_seconds)
        except BaseException:
            self.stop()
            raise

    @property
    def address(self):
        return f"http{'s' if self.secure else ''}://127.0.0.1:{self.port}"

    def is_ready(self):
        return status_of(self.port, "/readyz", self.secure) == 200

    def document(self, path, body=None):
        """The JSON document of a GET, or of a POST with a body."""
        request = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def kv_service(programs, folder, name="kv-service", arguments=(), wrapper=(), environment=None, data=None):
    """kv-service, on the log in `data`, or on an empty one."""
    port = free_port()
    data = data or os.path.join(folder, f"{name}-empty")
    command = [*wrapper, f"{programs}/kv-service", "--listen", f"127.0.0.1:{port}", "--data-dir", data, *arguments]
    return Server(name, command, folder, port, environment, ready_seconds=300)


def filled_kv_service(programs, folder, made, name="kv-service", **options):
    """kv-service with these entries."""
    data = import_log(programs, os.path.join(folder, f"{name}-data"), made)
    return kv_service(programs, folder, name, data=data, **options)


def api_gateway(programs, folder, upstream, name="api-gateway", arguments=(), wrapper=(), secure=False):
    port = free_port()
    command = [*wrapper, f"{programs}/api-gateway", "--listen", f"127.0.0.1:{port}", "--upstream", upstream.address]
    return Server(name, [*command, *arguments], folder, port, secure=secure)


class Redis(Server):
    """Redis that syncs each write before it answers. It never rewrites its append-only file."""

    def __init__(self, folder, data, environment=None):
        port = free_port()
        super().__init__("redis", [
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", data, "--save", "",
            "--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no",
            "--auto-aof-rewrite-percentage", "0"], folder, port, environment, ready_seconds=300)

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def filled_redis(folder, made, environment=None):
    """Redis with these entries."""
    return Redis(folder, append_only_file(os.path.join(folder, "redis-data"), made), environment)


class Nginx(Server):
    """nginx with one worker and no access log: a static answer, or a proxy that keeps its connections."""

    def __init__(self, folder, name, location, upstream=None, zones="", tls=None):
        port = free_port()
        home = os.path.abspath(os.path.join(folder, name))
        os.makedirs(home, exist_ok=True)
        user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        pool = "" if upstream is None else f"""
    upstream kv {{ server 127.0.0.1:{upstream.port}; keepalive 1024; keepalive_requests 1000000000; }}"""
        certificate = "" if tls is None else f" ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};"
        temporary = " ".join(
            f"{kind}_temp_path {home};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(f"{home}/nginx.conf", "w", encoding="utf-8") as configuration:
            configuration.write(f"""{user} daemon off; worker_processes 1; pid {home}/pid; error_log stderr;
events {{ worker_connections 16384; }}
http {{
    access_log off; {temporary}
    keepalive_requests 1000000000; client_max_body_size 8m; client_body_buffer_size 128k;{pool}
    {zones}
    server {{
        listen 127.0.0.1:{port} {"ssl" if tls else ""} backlog=4096;{certificate}
        location = /readyz {{ return 204; }}
        location / {{ {location} }}
    }}
}}
""")
        super().__init__(name, ["nginx", "-e", "stderr", "-p", home, "-c", f"{home}/nginx.conf"], folder, port,
                         secure=tls is not None)

    def is_ready(self):
        return status_of(self.port, "/readyz", self.secure) == 204


def nginx_static(folder, value_bytes, name="nginx-static"):
    value = "x" * value_bytes
    if value_bytes <= 2_000:
        return Nginx(folder, name, f'default_type text/plain; return 200 "{value}";')
    # A longer text does not fit into the configuration: a file, whose descriptor nginx keeps.
    home = os.path.abspath(os.path.join(folder, name))
    os.makedirs(home, exist_ok=True)
    with open(f"{home}/value", "w", encoding="ascii") as file:
        file.write(value)
    return Nginx(folder, name, f"root {home}; rewrite ^ /value break; open_file_cache max=8; sendfile on;")


PROXY = """rewrite ^/api(/.*)$ /kv$1 break; proxy_pass http://kv;
            proxy_http_version 1.1; proxy_set_header Connection ""; """


def nginx_proxy(folder, upstream):
    """The services' paths: `/api` is the gateway's, `/kv` kv-service's."""
    return Nginx(folder, "nginx-proxy", PROXY, upstream)


def nginx_limiting_proxy(folder, upstream, name, rate, connections):
    """The same, with at most so many requests per second, and so many at a time; the others are answered 503."""
    return Nginx(folder, name, f"""limit_req zone=requests burst={connections} nodelay; limit_req_log_level info;
            limit_conn connections {connections}; limit_conn_log_level info; {PROXY}""", upstream, f"""
    limit_req_zone $server_port zone=requests:1m rate={rate}r/s; limit_conn_zone $server_port zone=connections:1m;""")


class Webdis(Server):
    """HTTP in front of Redis."""

    def __init__(self, folder, redis):
        port = free_port()
        path = os.path.abspath(os.path.join(folder, "webdis.json"))
        with open(path, "w", encoding="utf-8") as configuration:
            json.dump({
                "redis_host": "127.0.0.1", "redis_port": redis.port, "http_host": "127.0.0.1", "http_port": port,
                "threads": 2, "pool_size": 20, "daemonize": False, "websockets": False, "database": 0,
                "acl": [{"disabled": ["DEBUG"]}], "verbosity": 0,
                "logfile": os.path.abspath(os.path.join(folder, "webdis.log"))}, configuration)
        super().__init__("webdis", ["webdis", path], folder, port)

    def is_ready(self):
        return status_of(self.port, "/PING") == 200


class Etcd(Server):
    """One node of etcd, which syncs each write too."""

    def __init__(self, folder):
        port, peer = free_port(), free_port()
        client, other = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
        super().__init__("etcd", [
            "etcd", "--name", "bench", "--data-dir", os.path.join(folder, "etcd-data"), "--log-level", "error",
            "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", other,
            "--initial-advertise-peer-urls", other, "--initial-cluster", f"bench={other}"], folder, port)

    def is_ready(self):
        return status_of(self.port, "/health") == 200


def metric(server, name):
    """The value of a metric that has no labels."""
    try:
        with urllib.request.urlopen(f"{server.address}/metrics", timeout=30) as answer:
            for line in answer:
                if line.startswith(name.encode() + b" "):
                    return float(line.split()[1])
    except (OSError, urllib.error.URLError) as error:
        raise Failure(f"{server.name} does not answer /metrics: {error}") from error
    raise Failure(f"{server.name} has no metric {name}")
