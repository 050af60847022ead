#!/usr/bin/env bash
# schemathesis 4.32.5 (PyPI): the curl line of a failure does not reproduce it if a query parameter is called `key`.
#
# Expected: a failure is printed with a curl line that sends the request again. Values of secrets are hidden, and the
#   names that count as such are those of credentials: authorization, api_key, password …
# Seen: a query parameter with the name `key` is a secret too. Its value becomes [Filtered] in the curl line, while the
#   request itself had the generated value, so the line sends another request and nothing in it says so.
# Why it matters: `key` is what key-value APIs call the thing that is looked up. A failure that depends on it, which is most
#   of them, cannot be sent again until one finds --output-sanitize false.
#
# Output seen (the value of the parameter in the curl line, by default and with --output-sanitize false):
#   name    default       not sanitized
#   key     [Filtered]    0
#   item    0             0
#
# Needs python3 with venv. Ends with 0 when it is still so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install schemathesis==4.32.5
# A service that answers everything with 500, which is a failure.
cat > server.py <<'PY'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 server.py > port &
server=$!
while [ ! -s port ]; do kill -0 "$server"; done
document() { # NAME
    cat <<JSON
{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/get": {"get": {
 "parameters": [{"name": "$1", "in": "query", "required": true, "schema": {"const": "0"}}],
 "responses": {"200": {"description": "ok"}}}}}}
JSON
}
# The value of the parameter in the first curl line.
value() { # NAME OPTION...
    local name=$1
    shift
    document "$name" > "$name.json"
    venv/bin/st run "$name.json" --url "http://127.0.0.1:$(cat port)" --phases fuzzing --mode positive --max-examples 3 \
        --checks not_a_server_error --generation-deterministic --no-color "$@" 2>/dev/null \
        | grep -oE "\?$name=[^' ]*" | head -1 | sed -e "s/^?$name=//" -e 's/%5B/[/' -e 's/%5D/]/' || true
}
status=0
expect() { # NAME DEFAULT
    local default plain
    default=$(value "$1")
    plain=$(value "$1" --output-sanitize false)
    printf '%-7s %-13s %s\n' "$1" "${default:-none}" "${plain:-none}"
    if [ "$default" != "$2" ] || [ "$plain" != 0 ]; then status=1; fi
}
printf '%-7s %-13s %s\n' name default "not sanitized"
expect key "[Filtered]"
expect item 0
[ "$status" -eq 0 ] || echo "changed" >&2
exit "$status"
