#!/usr/bin/env bash
# Swift 6.3 (MemberImportVisibility, Linux): which module a struct of glibc belongs to depends on what another file of
# the same module imports.
#
# Expected: a file that says `import Glibc` and uses `timespec` compiles, whatever the other files of its module import:
# Glibc declares the type, and MemberImportVisibility is about the imports of the file itself.
# Seen: it compiles as long as no other file imports a C target whose public header includes <time.h>. When a file that is
# read earlier imports such a target and uses the type, the struct is taken to be defined by that C target, in all files:
#
#   Clock.swift:4:16: error: initializer 'init()' is not available due to missing import of defining module 'CTime'
#   Clock.swift:6:17: error: property 'tv_sec' is not available due to missing import of defining module 'CTime'
#
# So an edit in one file breaks another one that nobody touched, and the file has to import a C shim for a type that it
# has from Glibc. The header of the struct is in no module of its own in Glibc's module map, so each module that includes
# it has a copy, and the first copy that the compiler meets is "the" definition.
#
# Needs: swift (the toolchain) on a Linux with glibc; no other package. Exits 0 if the behaviour is as described, 1 if it
# has changed, 2 if it cannot be checked here.
set -euo pipefail

command -v swift >/dev/null || { echo "swift is not installed" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
swift --version 2>/dev/null | head -1

mkdir -p Sources/CTime/include Sources/App
cat >Package.swift <<'SWIFT'
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Owner",
    targets: [
        .target(name: "CTime"),
        .executableTarget(
            name: "App", dependencies: ["CTime"],
            swiftSettings: [.enableUpcomingFeature("MemberImportVisibility")]),
    ])
SWIFT
cat >Sources/CTime/include/CTime.h <<'C'
#include <time.h>
struct timespec c_deadline(void);
C
cat >Sources/CTime/CTime.c <<'C'
#include "CTime.h"
struct timespec c_deadline(void) { struct timespec deadline = {1, 0}; return deadline; }
C
cat >Sources/App/Clock.swift <<'SWIFT'
import Glibc

func seconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec
}
SWIFT
cat >Sources/App/main.swift <<'SWIFT'
print(seconds() > 0)
SWIFT

# For release: all files in one compiler process, so that the outcome does not depend on the number of cores.
build() { swift build -c release >build.txt 2>&1; }

if ! build; then
    cat build.txt
    echo "changed: the package does not build even before another file imports the C target" >&2
    exit 1
fi
echo "without another importer: builds, prints $(.build/release/App)"

# Only this file is added; Clock.swift stays as it is.
cat >Sources/App/Awaiting.swift <<'SWIFT'
import CTime

func deadline() -> timespec { timespec(tv_sec: c_deadline().tv_sec, tv_nsec: 0) }
SWIFT
if build; then
    echo "changed: Clock.swift compiles although another file imports the C target" >&2
    exit 1
fi
grep -oE "Clock\.swift:[0-9:]+ error: .*defining module '[A-Za-z]+'" build.txt | sort -u
grep -q "Clock.swift:.*missing import of defining module 'CTime'" build.txt || {
    cat build.txt
    echo "changed: it fails with another error" >&2
    exit 1
}
