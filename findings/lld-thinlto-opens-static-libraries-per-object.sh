#!/usr/bin/env bash
# Swift 6.3.1 (its ld.lld is 21.0.0), a release build with --static-swift-stdlib and --experimental-lto-mode thin.
#
# Expected: a link opens each static library once.
# Seen: ld.lld opens and maps a static library again for every object that the optimisation has made, because each of them
#   names the libraries that its source file imports, and keeps all of these mappings until its end. A package of 40 files
#   opens libswiftCore.a 83 times; without the optimisation twice.
# Why it matters: a program of 2,000 source files (with grpc-swift-2 and swift-nio-ssl) whose files import Foundation had
#   31 GB mapped, and its link ended with "cannot open libswiftCore.a: Cannot allocate memory", on a machine with free
#   memory. The linker's --no-dependent-libraries, with the libraries named once by hand, links the same program.
#
# Output seen:
#   thin: libswiftCore.a was opened 83 times; off: 2 times
#
# Needs swift (6.3) and strace; takes a minute. Ends with 0 when it is still so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

files=40
mkdir -p Sources/program
cat >Package.swift <<'SWIFT'
// swift-tools-version: 6.1
import PackageDescription

let package = Package(name: "program", targets: [.executableTarget(name: "program")])
SWIFT
for ((i = 0; i < files; i++)); do
    echo "struct Part$i { var text: String { String(repeating: \"$i\", count: CommandLine.arguments.count) } }" \
        >"Sources/program/Part$i.swift"
done
{
    for ((i = 0; i < files; i++)); do echo "print(Part$i().text)"; done
} >Sources/program/main.swift

opened() { # NAME FLAG...
    local name=$1
    shift
    rm -rf .build
    strace -f -qq -e trace=openat -e status=successful -o "$name.trace" swift build -c release --static-swift-stdlib \
        -Xswiftc -use-ld=lld "$@" >"$name.log" 2>&1 || { cat "$name.log" >&2; exit 1; }
    grep -c 'libswiftCore\.a' "$name.trace"
}
off=$(opened off)
thin=$(opened thin --experimental-lto-mode thin)
echo "thin: libswiftCore.a was opened $thin times; off: $off times"
[ "$thin" -ge "$files" ] && [ "$off" -lt 10 ]
