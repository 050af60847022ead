#!/usr/bin/env bash
# httplint 2026.10.4 (PyPI): a 415 with Accept, as RFC 9110 defines it, is called wrong.
#
# Expected: RFC 9110, section 12.5.1, lets a server send Accept in an answer, and section 15.5.16 recommends it for 415:
#   it says which content types the resource takes. A linter for HTTP has no complaint about it.
# Seen: httplint knows Accept only as a field of requests and calls it invalid in a response. Accept-Post and Accept-Patch,
#   which say the same for one method each, are accepted.
# Why it matters: a service that follows the RFC gets a finding, and who silences it by leaving the field out takes the
#   answer from clients that ask for the types.
#
# Output seen (the notes that have "Accept" in them):
#   "Accept" isn't valid in a response.
#
# Needs python3 with venv. Ends with 0 when it is still so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install httplint==2026.10.4
answer() { # FIELD
    printf 'HTTP/1.1 415 Unsupported Media Type\r\nDate: Mon, 30 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\n'
    printf 'Content-Length: 3\r\n%s: application/json\r\n\r\nno\n' "$1"
}
# The notes that name the field.
notes() { # FIELD
    answer "$1" | venv/bin/httplint -n 2>&1 | grep -F "\"$1\" isn't valid in a response" || true
}
accept=$(notes Accept)
post=$(notes Accept-Post)
echo "Accept:      ${accept:-nothing}"
echo "Accept-Post: ${post:-nothing}"
if [ -n "$accept" ] && [ -z "$post" ]; then exit 0; fi
echo "changed: expected a note about Accept and none about Accept-Post" >&2
exit 1
