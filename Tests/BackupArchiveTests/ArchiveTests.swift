import TestSupport
import Testing

@testable import BackupArchive

@Suite("The archive of a backup", .timeLimit(.minutes(1)))
struct ArchiveTests {
    /// Some files, one of them empty, one that ends where a block ends.
    private static func files(_ generator: inout SeededGenerator) -> [(name: String, content: [UInt8])] {
        [("MANIFEST", 100), ("empty", 0), ("block", 1_024), ("0000000000000001.log", 600)].map {
            ($0.0, generator.bytes($0.1))
        }
    }

    private static func archive(_ files: [(name: String, content: [UInt8])]) -> [UInt8] {
        var writer = ArchiveWriter(modifiedAt: 1_700_000_000)
        var bytes: [UInt8] = []
        for file in files {
            bytes += writer.begin(file.name, bytes: UInt64(file.content.count))
            let half = file.content.count / 2
            for piece in [file.content[..<half], file.content[half...]] {
                writer.add(Array(piece))
                bytes += piece
            }
            bytes += writer.end()
        }
        return bytes + writer.finish()
    }

    private static func check(_ archive: [UInt8], pieces: [Int]) throws(ArchiveError) -> [ArchivedFile] {
        var checker = ArchiveChecker()
        var (place, next) = (0, 0)
        while place < archive.count {
            let end = min(archive.count, place + pieces[next % pieces.count])
            try checker.receive(Array(archive[place..<end]))
            (place, next) = (end, next + 1)
        }
        return try checker.finish()
    }

    @Test func `what is written is found again, in whatever pieces it comes`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let files = Self.files(&generator)
        let archive = Self.archive(files)
        #expect(UInt64(archive.count) == ArchiveWriter.totalBytes(files.map { ($0.name, UInt64($0.content.count)) }))
        for pieces in [[1], [archive.count], [511, 1], [512], [513, 7], [3, 700, 64]] {
            let found = try Self.check(archive, pieces: pieces)
            #expect(found.map(\.name) == files.map(\.name))
            for (file, place) in zip(files, found) {
                #expect(Array(archive[Int(place.offset)..<Int(place.offset + place.bytes)]) == file.content)
            }
        }
    }

    @Test func `an archive that ends anywhere before its end is incomplete`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let archive = Self.archive(Self.files(&generator))
        // The second of the two blocks of zeros at the end says nothing.
        for count in stride(
            from: Int.random(in: 0..<4, using: &generator), to: archive.count - TarHeader.blockBytes, by: 4)
        {
            #expect(throws: ArchiveError.truncated(bytes: UInt64(count))) {
                _ = try Self.check(Array(archive[..<count]), pieces: [count + 1])
            }
        }
        #expect(try Self.check(Array(archive.dropLast(TarHeader.blockBytes)), pieces: [512]).count == 4)
    }

    @Test func `a byte that is changed anywhere is found`() throws {
        var generator = SeededGenerator(printingFor: #function)
        var archive = Self.archive(Self.files(&generator))
        for place in stride(from: Int.random(in: 0..<5, using: &generator), to: archive.count, by: 5) {
            let right = archive[place]
            archive[place] ^= UInt8.random(in: 1...255, using: &generator)
            #expect(throws: ArchiveError.self, "byte \(place)") { _ = try Self.check(archive, pieces: [archive.count]) }
            archive[place] = right
        }
    }

    @Test func `the message names the file that is damaged`() throws {
        var generator = SeededGenerator(printingFor: #function)
        var archive = Self.archive(Self.files(&generator))
        let block = try Self.check(archive, pieces: [512])[2]
        archive[Int(block.offset) + 700] ^= 1
        #expect(throws: ArchiveError.damaged("block does not match SHA256SUMS")) {
            _ = try Self.check(archive, pieces: [512])
        }
        #expect(throws: ArchiveError.notABackup("it does not begin as one; what tar has packed again does not either"))
        {
            _ = try Self.check(generator.bytes(2_000), pieces: [512])
        }
        #expect(throws: ArchiveError.notABackup("it contains the file 'a/b'")) {
            _ = try Self.check(Self.archive([("a/b", [1])]), pieces: [512])
        }
        #expect(throws: ArchiveError.damaged("a is in it twice")) {
            _ = try Self.check(Self.archive([("a", [1]), ("a", [1])]), pieces: [512])
        }
        #expect(throws: ArchiveError.damaged("there is something where zeros belong, after \(archive.count) bytes")) {
            archive[Int(block.offset) + 700] ^= 1
            _ = try Self.check(archive + [1], pieces: [512])
        }
    }
}
