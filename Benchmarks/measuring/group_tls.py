"""What TLS costs: requests on kept connections beside the same without TLS, and handshakes beside nginx.

All use the same certificate, ECDSA with P-256: a handshake is one signature, one key exchange, and what the server does
around them. wrk resumes no session.
"""

import os

from . import servers
from .processes import Group, run
from .rounds import Contender, at_most, interleave, ratio
from .stores import entries

CONNECTIONS = 64


def certificate(folder):
    """A certificate that has signed itself, and its key."""
    paths = [os.path.join(os.path.abspath(folder), name) for name in ("server.pem", "server.key")]
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-out", paths[0], "-keyout", paths[1]], 60)
    os.chmod(paths[1], 0o600)
    return paths


def measure(context):
    folder = context.fresh("tls")
    pem, key = certificate(folder)
    own = ["--tls-cert-file", pem, "--tls-key-file", key]
    with Group() as group:
        kv = group.add(servers.filled_kv_service(context.programs, folder, entries()))
        plain = group.add(servers.api_gateway(context.programs, folder, kv))
        secure = group.add(servers.api_gateway(context.programs, folder, kv, "api-gateway-tls", own, secure=True))
        nginx = group.add(servers.Nginx(folder, "nginx-tls", 'return 200 "ok";', tls=(pem, key)))

        def kept(server):
            return lambda: context.wrk.run(server.port, "gateway-get", CONNECTIONS, secure=server.secure)

        def fresh(server):
            return lambda: context.wrk.new_connections(server, "/livez", CONNECTIONS)

        cases = [Contender("get", kept(plain), [plain], (kv,)), Contender("get TLS", kept(secure), [secure], (kv,)),
                 Contender("handshake", fresh(secure), [secure]), Contender("handshake nginx", fresh(nginx), [nginx])]
        results = interleave(cases, context.rounds)
    case = f"gateway get, c={CONNECTIONS}, kept connections with TLS / without"
    rows = [ratio(case, results, "get TLS", "get", "cpu", at_most(1.3)), ratio(case, results, "get TLS", "get", "rate"),
            ratio(case, results, "get TLS", "get", "p99")]
    case = f"a connection for each request, c={CONNECTIONS}, gateway `/livez` / nginx `return 200`"
    rows += [ratio(case, results, "handshake", "handshake nginx", "cpu", at_most(1.2)),
             ratio(case, results, "handshake", "handshake nginx", "rate")]
    return rows, results
