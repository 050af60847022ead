#!/usr/bin/env bash
# Swift 6.3.1 on Linux: reading one element of an InlineArray that a function has by borrow copies the whole array first.
#
# Expected: InlineArray (SE-0453, Swift 6.2) stores its elements in place and is meant for code that must not pay for
#   copies. With -O, `table[index]` on a parameter, whether plain or `borrowing`, or on a stored property of a struct in
#   one of its methods, is one load, as it is for an Array or a Span.
# Seen: the optimised function reserves the size of the array on its stack, calls memcpy for all of it, and loads the
#   element from the copy: 8,192 bytes for one UInt64 here. `.span` of the borrowed array, taken in the same function, copies
#   as well. Nothing is copied through an `inout` parameter, from a stored property of a class, or if the function gets
#   a Span.
# Why it matters: it is what a parser does that keeps the members of a small object in an InlineArray and passes it on.
#   There each request copied the array four times; handing on a Span removed all of that.
#   No diagnostic says so, and strict memory safety does not change it.
#
# Output seen (calls of memcpy in each function):
#   plain parameter 1, borrowing parameter 1, span of it 1, property of a struct 1
#   inout parameter 0, property of a class 0, Span parameter 0, Array parameter 0
#
# Needs swiftc and awk. Ends with 0 when it is still so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# Each function adds another number, so that none of them is merged with another.
cat > table.swift <<'SWIFT'
public typealias Table = InlineArray<1024, UInt64>
@inline(never) public func plainParameter(_ table: Table, _ index: Int) -> UInt64 { table[index] &+ 1 }
@inline(never) public func borrowingParameter(_ table: borrowing Table, _ index: Int) -> UInt64 { table[index] &+ 2 }
@inline(never) public func spanOfParameter(_ table: borrowing Table, _ index: Int) -> UInt64 { table.span[index] &+ 3 }
@inline(never) public func inoutParameter(_ table: inout Table, _ index: Int) -> UInt64 { table[index] &+ 4 }
@inline(never) public func spanParameter(_ table: Span<UInt64>, _ index: Int) -> UInt64 { table[index] &+ 5 }
@inline(never) public func arrayParameter(_ table: borrowing [UInt64], _ index: Int) -> UInt64 { table[index] &+ 6 }
public struct Holder {
    var table = Table(repeating: 1)
    public init() {}
    @inline(never) public func structProperty(_ index: Int) -> UInt64 { self.table[index] &+ 7 }
}
public final class Keeper {
    var table = Table(repeating: 1)
    public init() {}
    @inline(never) public final func classProperty(_ index: Int) -> UInt64 { self.table[index] &+ 8 }
}
SWIFT
swiftc -O -parse-as-library -module-name table -emit-assembly table.swift -o table.s

copies() { # NAME
    awk -v name="$1" '
        /^\$s/ { inside = index($0, name) > 0 }
        inside && /call.*memcpy/ { count++ }
        END { print count + 0 }' table.s
}
copying="plain parameter $(copies plainParameter), borrowing parameter $(copies borrowingParameter), span of it"
copying+=" $(copies spanOfParameter), property of a struct $(copies structProperty)"
others="inout parameter $(copies inoutParameter), property of a class $(copies classProperty), Span parameter"
others+=" $(copies spanParameter), Array parameter $(copies arrayParameter)"
echo "$copying"
echo "$others"
[ "$copying" = "plain parameter 1, borrowing parameter 1, span of it 1, property of a struct 1" ] \
    && [ "$others" = "inout parameter 0, property of a class 0, Span parameter 0, Array parameter 0" ]
