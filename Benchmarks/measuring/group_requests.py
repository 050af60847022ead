"""Requests beside the programs that people use instead: CPU, rate and tail of sets and gets, directly and in front."""

from . import servers
from .processes import Group
from .rounds import Contender, at_least, at_most, interleave, ratio
from .stores import entries


class Peers:
    """All servers that this group compares, filled with the same keys."""

    def __init__(self, context, group):
        folder = context.fresh("requests")
        self.kv = group.add(servers.filled_kv_service(context.programs, folder, entries()))
        self.gateway = group.add(servers.api_gateway(context.programs, folder, self.kv))
        self.redis = group.add(servers.filled_redis(folder, entries()))
        self.static = group.add(servers.nginx_static(folder, 100))
        self.proxy = group.add(servers.nginx_proxy(folder, self.kv))
        if context.before:
            self.old_kv = group.add(
                servers.filled_kv_service(context.before, folder, entries(), "kv-service-before"))
            self.old_gateway = group.add(
                servers.api_gateway(context.before, folder, self.old_kv, "api-gateway-before"))
        if not context.quick:
            self.webdis = group.add(servers.Webdis(folder, self.redis))
            self.etcd = group.add(servers.Etcd(folder))


def contenders(context, peers):
    wrk, redis_benchmark = context.wrk, context.redis_benchmark
    cases = []

    def add(name, server, kind, connections=64, counted=None, others=(), pipeline=1):
        cases.append(Contender(name, lambda: wrk.run(server.port, kind, connections, pipeline=pipeline),
                               counted or [server], others))

    def add_redis(name, connections, pipeline=1):
        cases.append(Contender(
            name, lambda: redis_benchmark.run(peers.redis.port, "set", connections, pipeline=pipeline), [peers.redis]))

    for connections in (1, 64, 256):
        add_redis(f"set Redis c={connections}", connections)
        add(f"set kv-service c={connections}", peers.kv, "set", connections)
    add("get nginx", peers.static, "get")
    add("get kv-service", peers.kv, "get")
    for operation in ("set", "get"):
        add(f"{operation} nginx-proxy", peers.proxy, f"gateway-{operation}", others=(peers.kv,))
        add(f"{operation} api-gateway", peers.gateway, f"gateway-{operation}", others=(peers.kv,))
    if context.before:
        for operation in ("set", "get"):
            add(f"{operation} kv-service before", peers.old_kv, operation)
            add(f"{operation} api-gateway before", peers.old_gateway, f"gateway-{operation}", others=(peers.old_kv,))
    if not context.quick:
        add("raw set kv-service", peers.kv, "put")
        add("set webdis", peers.webdis, "webdis-set", counted=[peers.webdis, peers.redis])
        add("get webdis", peers.webdis, "webdis-get", counted=[peers.webdis, peers.redis])
        add("set etcd", peers.etcd, "etcd-put")
        add_redis("pipelined set Redis", 64, pipeline=16)
        add("pipelined set kv-service", peers.kv, "set", pipeline=16)
    return cases


def rows_of(context, results):
    def compare(case, ours, peer, **targets):
        return [ratio(case, results, ours, peer, field, target) for field, target in targets.items()]

    rows = compare("set, c=1 / Redis `always`", "set kv-service c=1", "set Redis c=1", rate=at_least(0.9), p99=None)
    rows += compare("set, c=64 / Redis `always`", "set kv-service c=64", "set Redis c=64",
                    cpu=at_most(1.2), rate=at_least(1.0), p99=at_most(1.2))
    rows += compare("set, c=256 / Redis `always`", "set kv-service c=256", "set Redis c=256",
                    rate=at_least(1.0), p99=at_most(1.2))
    rows += compare("get / nginx, static answer", "get kv-service", "get nginx",
                    cpu=at_most(1.2), rate=at_least(0.95), p99=at_most(2.0))
    for operation in ("set", "get"):
        rows += compare(f"gateway {operation} / nginx as proxy", f"{operation} api-gateway", f"{operation} nginx-proxy",
                        cpu=at_most(1.15), rate=at_least(1.0), p99=at_most(1.0))
    if context.before:
        for operation in ("get", "set"):
            for program, ours in (("kv-service", "kv-service c=64" if operation == "set" else "kv-service"),
                                  ("api-gateway", "api-gateway")):
                rows += compare(f"{program} {operation} / the build before", f"{operation} {ours}",
                                f"{operation} {program} before", cpu=at_most(0.65), rate=None, p99=None)
    if not context.quick:
        rows += compare("raw set, c=64 / JSON set", "raw set kv-service", "set kv-service c=64", cpu=None, rate=None)
        rows += compare("set / webdis over Redis `always`", "set kv-service c=64", "set webdis", rate=at_least(1.6))
        rows += compare("get / webdis over Redis `always`", "get kv-service", "get webdis", rate=at_least(1.6))
        rows += compare("set / etcd, JSON put", "set kv-service c=64", "set etcd", rate=at_least(6.0))
        rows += compare("set in pipelines of 16 / Redis `always -P 16`", "pipelined set kv-service",
                        "pipelined set Redis", rate=at_least(0.8), cpu=None)
    return rows


def measure(context):
    with Group() as group:
        peers = Peers(context, group)
        results = interleave(contenders(context, peers), context.rounds)
    return rows_of(context, results), results
