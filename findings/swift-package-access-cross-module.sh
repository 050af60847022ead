#!/usr/bin/env bash
# Swift 6.3.1 on Linux: -cross-module-optimization leaves out everything that is declared `package`.
#
# Expected: `package` (SE-0386) is access control only. With `swift build -c release -Xswiftc -cross-module-optimization`
#   two targets of one package that differ only in `package` and `public` give the same code, and small functions of
#   either are inlined into another target.
# Seen: the public ones are inlined down to the last call. Each getter, rawValue and default argument of the package ones
#   stays a call, as without the flag. What the flag needs (a function's body in the module's file) is only written for
#   public functions; writing it for package functions is the mode -package-cmo, which the frontend refuses without
#   -enable-library-evolution.
# Why it matters: a service in several targets that follow the advice to prefer `package` over `public` loses most of the
#   flag's effect, and no diagnostic says so. In a program of 40 small targets a request needed 8 % fewer instructions
#   after the word was replaced, before anything else was changed.
#
# Output seen (calls that are left in the two functions, without and with the flag):
#   without: package 5, public 3
#   with:    package 5, public 0
#
# Needs swift, nm and objdump (binutils). Ends with 0 when it is still so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p Sources/Inner Sources/Outer Sources/Program
cat > Package.swift <<'SWIFT'
// swift-tools-version:6.0
import PackageDescription
let package = Package(
    name: "access",
    targets: [
        .target(name: "Inner"), .target(name: "Outer"),
        .executableTarget(name: "Program", dependencies: ["Inner", "Outer"]),
    ])
SWIFT
module() {
    cat <<SWIFT
$1 enum $2Kind: Int { case one, two, three }
$1 final class $2Cell {
    private var kind: $2Kind = .one
    private var total = 0
    $1 init() {}
    $1 var place: Int { self.kind.rawValue }
    $1 func add(_ amount: Int = 1) { self.total &+= amount }
    $1 var sum: Int { self.total }
}
SWIFT
}
module package Inner > Sources/Inner/Inner.swift
module public Outer > Sources/Outer/Outer.swift
use() {
    echo "@inline(never) func use$1(_ cell: $1Cell, _ kind: $1Kind) -> Int {"
    echo "    for _ in 0..<CommandLine.argc { cell.add() }"
    echo "    return cell.sum &+ cell.place &+ kind.rawValue"
    echo "}"
    echo "print(use$1($1Cell(), $1Kind(rawValue: Int(CommandLine.argc)) ?? .one))"
}
{ echo "import Inner"; echo "import Outer"; use Inner; use Outer; } > Sources/Program/main.swift

# The calls of functions of a module in the function that uses it.
calls() {
    local begin size
    read -r begin size < <(nm -S .build/release/Program | awk -v name="use$1" '$4 ~ name && $3 ~ /[tT]/ { print $1, $2; exit }')
    objdump -d --no-show-raw-insn --start-address=$((16#$begin)) --stop-address=$((16#$begin + 16#$size)) \
        .build/release/Program | grep -c "call.*$1" || true
}
build() {
    rm -rf .build
    swift build -c release "$@" > build.txt 2>&1 || { cat build.txt; exit 1; }
}
build
without="package $(calls Inner), public $(calls Outer)"
echo "without: $without"
build -Xswiftc -cross-module-optimization
with="package $(calls Inner), public $(calls Outer)"
echo "with:    $with"
[ "$without" = "package 5, public 3" ] && [ "$with" = "package 5, public 0" ]
