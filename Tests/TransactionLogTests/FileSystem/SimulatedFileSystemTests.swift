import Glibc
import SimulatedStorage
import Testing

@testable import DurableFiles

@Suite("Simulated file system", .timeLimit(.minutes(1)))
struct SimulatedFileSystemTests {
    private static let old = [UInt8](repeating: 1, count: 4096)
    private static let new = [UInt8](repeating: 2, count: 4096)

    private static func write(_ fileSystem: SimulatedFileSystem) throws -> any File {
        fileSystem.install("f", Self.old)
        let file = try fileSystem.open("f", .readWrite)
        try file.writeAll(Self.new, at: 0)
        return file
    }

    @Test func `what was synced survives every crash`() throws {
        let fileSystem = SimulatedFileSystem()
        try Self.write(fileSystem).syncData()
        for seed in 0..<200 as Range<UInt64> { #expect(fileSystem.crash(seed: seed).contents("f") == Self.new) }
    }

    @Test func `what was not is kept, lost, mixed, torn and garbled, as the seed says`() throws {
        let fileSystem = SimulatedFileSystem()
        _ = try Self.write(fileSystem)
        #expect(fileSystem.contents("f") == Self.new)
        #expect(fileSystem.kill().contents("f") == Self.new)
        let contents = (0..<300 as Range<UInt64>).map { fileSystem.crash(seed: $0).contents("f")! }
        #expect(contents.contains(Self.old))
        #expect(contents.contains(Self.new))
        let sectors = contents.flatMap { content in
            stride(from: 0, to: 4096, by: 512).map { Set(content[$0..<$0 + 512]) }
        }
        #expect(sectors.contains([1, 2]))
        #expect(sectors.contains { $0.count > 2 })
        #expect(contents == (0..<300 as Range<UInt64>).map { fileSystem.crash(seed: $0).contents("f")! })
    }

    @Test func `bytes beside a write are never harmed`() throws {
        let fileSystem = SimulatedFileSystem()
        fileSystem.install("f", Self.old)
        try fileSystem.open("f", .readWrite).writeAll([9, 9, 9], at: 100)
        for seed in 0..<300 as Range<UInt64> {
            var content = fileSystem.crash(seed: seed).contents("f")!
            content.replaceSubrange(100..<103, with: [1, 1, 1])
            #expect(content == Self.old)
        }
    }

    @Test func `growth is kept, undone or partial`() throws {
        let fileSystem = SimulatedFileSystem()
        fileSystem.install("f", [1])
        try fileSystem.open("f", .readWrite).writeAll(Self.new, at: 4096)
        let sizes = Set((0..<300 as Range<UInt64>).map { fileSystem.crash(seed: $0).contents("f")!.count })
        #expect(sizes.contains(1) && sizes.contains(8192) && sizes.count > 2)
    }

    @Test func `entries of a folder are durable once it was synced`() throws {
        let fileSystem = SimulatedFileSystem()
        try fileSystem.createDirectory("d")
        try fileSystem.syncDirectory("/")
        try fileSystem.open("d/a", .createNew).sync()
        fileSystem.install("d/b", [2])
        try fileSystem.rename("d/b", to: "d/c")
        fileSystem.install("d/r", [3])
        try fileSystem.remove("d/r")
        let states = Set((0..<300 as Range<UInt64>).map { fileSystem.crash(seed: $0).files })
        #expect(
            states
                == Set(
                    [[], ["d/a"]].flatMap { a in
                        [["d/b"], ["d/c"]].flatMap { b in [[], ["d/r"]].map { a + b + $0 } }
                    }))
        try fileSystem.syncDirectory("d")
        for seed in 0..<50 as Range<UInt64> { #expect(fileSystem.crash(seed: seed).files == ["d/a", "d/c"]) }
    }

    @Test func `what is in a folder that was lost is lost`() throws {
        let fileSystem = SimulatedFileSystem()
        try fileSystem.createDirectory("d")
        try fileSystem.open("d/a", .createNew).sync()
        try fileSystem.syncDirectory("d")
        let states = Set((0..<100 as Range<UInt64>).map { fileSystem.crash(seed: $0).files })
        #expect(states == [[], ["d/a"]])
    }

    @Test func `a sync that failed loses its bytes, and the next one succeeds without them`() throws {
        let fileSystem = SimulatedFileSystem()
        let file = try Self.write(fileSystem)
        fileSystem.inject(.error(EIO), on: .fdatasync)
        #expect(throws: SystemError.self) { try file.syncData() }
        try file.syncData()
        #expect(fileSystem.contents("f") == Self.new)
        #expect(fileSystem.crash(seed: 1).contents("f") == Self.old)
        let restarted = fileSystem.kill()
        #expect(restarted.contents("f") == Self.new)
        try restarted.open("f", .readWrite).forgetCache()
        #expect(restarted.contents("f") == Self.old)
    }

    @Test func `faults hit the calls they name, once or from then on`() throws {
        let fileSystem = SimulatedFileSystem()
        fileSystem.install("a", [])
        fileSystem.install("b", [])
        let (a, b) = (try fileSystem.open("a", .readWrite), try fileSystem.open("b", .readWrite))
        fileSystem.inject(.error(ENOSPC), on: .write, path: "a", skipping: 1)
        fileSystem.inject(.shortWrite(2), on: .write, path: "b", times: nil)
        try a.writeAll([1], at: 0)
        #expect(throws: SystemError(call: "pwrite", path: "a", code: ENOSPC)) { try a.writeAll([1], at: 0) }
        try a.writeAll([1], at: 0)
        for _ in 0..<3 {
            #expect(throws: SystemError(call: "pwrite (short)", path: "b", code: ENOSPC)) {
                try b.writeAll(Self.new, at: 0)
            }
        }
        #expect(fileSystem.contents("b") == [2, 2])
        fileSystem.clearFaults()
        try b.writeAll([7, 7, 7], at: 0)
    }

    @Test func `a full device takes what fits`() throws {
        let fileSystem = SimulatedFileSystem()
        fileSystem.install("f", Self.old)
        fileSystem.setCapacity(bytes: 5000)
        let file = try fileSystem.open("f", .readWrite)
        #expect(try fileSystem.capacity("/").availableBytes == 904)
        try file.writeAll(Self.new, at: 0)
        #expect(throws: SystemError.self) { try file.writeAll(Self.new, at: 4096) }
        #expect(fileSystem.contents("f")?.count == 5000)
        #expect(throws: SystemError(call: "pwrite", path: "f", code: ENOSPC)) { try file.writeAll([1], at: 5000) }
    }

    @Test func `after its end a process changes nothing`() throws {
        let fileSystem = SimulatedFileSystem()
        fileSystem.die(atCall: 3)
        let file = try Self.write(fileSystem)
        #expect(throws: SystemError.self) { try file.syncData() }
        #expect(throws: SystemError.self) { try fileSystem.remove("f") }
        #expect(fileSystem.isDead)
        #expect(fileSystem.crash(seed: 1).files == ["f"])
        #expect(fileSystem.calls.map(\.kind) == [.open, .write])
    }

    @Test func `a write that stops early is lack of space, and says what may have stopped it`() throws {
        let fileSystem = SimulatedFileSystem()
        let file = try fileSystem.open("f", .createNew)
        fileSystem.inject(.shortWrite(1), on: .write)
        let error = #expect(throws: SystemError.self) { try file.writeAll([1, 2], at: 0) }
        #expect(error?.isOutOfSpace == true)
        #expect(
            error?.description
                == "pwrite f: the write stopped early: a disk, a quota or a limit of the file size leaves no space "
                + "(errno 28)")
    }
}
