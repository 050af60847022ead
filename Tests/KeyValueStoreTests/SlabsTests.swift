import Glibc
import SystemSupport
import TestSupport
import Testing

@testable import KeyValueStore

/// Allocations, each filled with bytes of its own.
private struct Pieces {
    struct Piece {
        let address: UnsafeMutableRawPointer
        let bytes: Int
        let fill: UInt8
    }

    var all: [Piece] = []

    mutating func add(_ bytes: Int, _ fill: UInt8) throws {
        let address = try #require(Slabs.allocate(bytes))
        try #require(Int(bitPattern: address) % 8 == 0)
        memset(address, Int32(fill), bytes)
        self.all.append(Piece(address: address, bytes: bytes, fill: fill))
    }

    /// Frees one, after a check that nobody else has written to it.
    mutating func remove(at index: Int) throws {
        self.all.swapAt(index, self.all.count - 1)
        let piece = self.all.removeLast()
        let bytes = UnsafeRawBufferPointer(start: piece.address, count: piece.bytes)
        try #require(bytes.allSatisfy { $0 == piece.fill })
        Slabs.free(piece.address, piece.bytes)
    }

    mutating func removeAll() throws { while !self.all.isEmpty { try self.remove(at: self.all.count - 1) } }
}

@Suite("The allocator of the index", .timeLimit(.minutes(1)))
struct SlabsTests {
    @Test func `allocations of all sizes have memory of their own until they are freed`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("slabs seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var pieces = Pieces()
        for round in 0..<60_000 {
            // Grows, then shrinks, so that slabs become empty and serve another size.
            let grows = round / 10_000 % 2 == 0
            if pieces.all.isEmpty || Int.random(in: 0..<10, using: &generator) < (grows ? 7 : 3) {
                let limit = [16, 200, 3_000][round / 20_000]
                try pieces.add(
                    Int.random(in: 1...limit, using: &generator), UInt8.random(in: .min ... .max, using: &generator))
            } else {
                try pieces.remove(at: Int.random(in: 0..<pieces.all.count, using: &generator))
            }
        }
        try pieces.removeAll()
    }

    @Test func `the bytes that count are enough, and at most 8 more than needed or a sixteenth`() {
        for bytes in 1...5_000 {
            let counted = Slabs.allocated(bytes)
            #expect(counted >= bytes && counted % 8 == 0)
            #expect(counted <= bytes + max(8, bytes / 16), "\(bytes)")
        }
    }

    @Test func `one thread frees what another has allocated`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    var pieces = Pieces()
                    for round in 0..<20_000 { try pieces.add(1 + round % 300, UInt8(number)) }
                    nonisolated(unsafe) let given = pieces
                    try await Task.detached {
                        var taken = given
                        try taken.removeAll()
                    }.value
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `memory of freed pieces returns to the system and serves other sizes`() throws {
        /// The address space and the memory of this process, in MiB.
        func memory() throws -> (mapped: Int, resident: Int) {
            let pages = try #require(SmallFile.text("/proc/self/statm")).split(separator: " ").compactMap { Int($0) }
            return (pages[0] >> 8, pages[1] >> 8)
        }
        let count = 1 << 19
        var pieces = [UnsafeMutableRawPointer](repeating: UnsafeMutableRawPointer(bitPattern: 8)!, count: count)
        func fill(_ bytes: Int) throws {
            for index in 0..<count {
                pieces[index] = try #require(Slabs.allocate(bytes))
                memset(pieces[index], 1, bytes)
            }
        }
        let before = try memory()
        try fill(256)
        let full = try memory()
        #expect(full.resident > before.resident + 100)
        // Every other one first, so that no slab becomes empty before the last ones are freed.
        for index in stride(from: 0, to: count, by: 2) { Slabs.free(pieces[index], 256) }
        for index in stride(from: 1, to: count, by: 2) { Slabs.free(pieces[index], 256) }
        #expect(try memory().resident < full.resident - 100)
        try fill(248)
        #expect(try memory().mapped < full.mapped + 64)
        for piece in pieces { Slabs.free(piece, 248) }
    }
}
