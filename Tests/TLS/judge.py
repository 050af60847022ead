"""Reads a result of sslyze, and says what is wrong with it. Exit code 1 if anything is."""

import json
import sys

# Mozilla, Server Side TLS, version 5.7, "intermediate": what this project offers of it.
SUITES = {
    "tls_1_2_cipher_suites": {
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    },
    "tls_1_3_cipher_suites": {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    },
}
OLD = ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"]
# Each result that must be as given.
FACTS = [
    ("heartbleed", "is_vulnerable_to_heartbleed", False),
    ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection", False),
    ("robot", "robot_result", "NOT_VULNERABLE_RSA_NOT_SUPPORTED"),
    ("session_renegotiation", "supports_secure_renegotiation", True),
    ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos", False),
    ("tls_compression", "supports_compression", False),
    ("tls_extended_master_secret", "supports_ems_extension", True),
    ("tls_fallback_scsv", "supports_fallback_scsv", True),
    ("tls_1_3_early_data", "supports_early_data", False),
]


def found(result):
    def value(name):
        scan = result[name]
        if scan["status"] != "COMPLETED":
            raise SystemExit(f"{name}: {scan['status']}: {scan['error_trace']}")
        return scan["result"]

    for old in OLD:
        accepted = value(f"{old}_cipher_suites")["accepted_cipher_suites"]
        if accepted:
            yield f"{old} is accepted: {[suite['cipher_suite']['name'] for suite in accepted]}"
    for name, wanted in SUITES.items():
        accepted = {suite["cipher_suite"]["name"] for suite in value(name)["accepted_cipher_suites"]}
        if accepted != wanted:
            yield f"{name}: {sorted(accepted ^ wanted)}"
    for name, member, wanted in FACTS:
        if value(name)[member] != wanted:
            yield f"{name}: {member} is {value(name)[member]}"
    deployment = value("certificate_info")["certificate_deployments"][0]
    if not any(path["was_validation_successful"] for path in deployment["path_validation_results"]):
        yield "the certificate is not of the authority, or does not name the host"


with open(sys.argv[1], encoding="utf-8") as file:
    results = json.load(file)["server_scan_results"]
faults = [fault for scan in results for fault in found(scan["scan_result"])]
if not results or faults:
    print("\n".join(faults or ["nothing was scanned"]))
    sys.exit(1)
print(f"sslyze found nothing: {len(FACTS)} facts, {len(OLD)} old protocols, the cipher suites, the certificate")
