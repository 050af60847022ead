import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// A log with a snapshot in several parts, a manifest and several segments after it, with receipts of transactions and of
/// compactions, damaged in every way.
@Suite("Compaction: damage of what it leaves", .timeLimit(.minutes(1)))
struct SnapshotDamageTests {
    private static let manifestPath = "\(storeDirectory)/MANIFEST"

    struct Log {
        let configuration = CompactionTests.configuration(segmentBytes: 6_144)
        /// The folder of a killed process.
        let fileSystem: SimulatedFileSystem
        let manifest: Manifest
        /// Records and receipts after each revision, and the files of the first run, which the second one replaced.
        let states: [DictionaryClient.Contents]
        let replaced: [String: [UInt8]]

        var parts: [Manifest.Part] { self.manifest.parts }
        var segments: [SegmentName] { self.manifest.sealed.map(\.name) + [self.manifest.active] }

        func path(_ name: some CustomStringConvertible) -> String { "\(storeDirectory)/\(name)" }
        func contents(_ name: some CustomStringConvertible) -> [UInt8] {
            self.fileSystem.contents(self.path(name))!
        }

        /// Two compactions with deletes between and after them, and three segments after the second one.
        init() throws {
            let live = SimulatedFileSystem()
            let observer = RecordingObserver()
            let open = try OpenLog(live, self.configuration, observer: observer, keepsHistory: false)
            var states = [DictionaryClient.Contents()]
            func commit(_ change: Change) {
                let number = states.count
                #expect(open.commit([change].withReceipt(number)) == .committed(UInt64(number)))
                states.append(open.client.contents)
            }
            func fill(_ numbers: Range<Int>) {
                for number in numbers {
                    if case .set(let key, let value) = numbered(number, valueBytes: 400)[0] { commit(.set(key, value)) }
                }
            }
            fill(0..<26)
            for number in 0..<4 { commit(.delete("key \(number)")) }
            #expect(try CompactionTests.compact(open, observer).error == nil)
            let first = live.kill()
            fill(2..<10)
            for number in 20..<26 { commit(.delete("key \(number)")) }
            #expect(try CompactionTests.compact(open, observer).error == nil)
            fill(8..<14)
            for number in 14..<18 { commit(.delete("key \(number)")) }
            fill(30..<44)
            self.fileSystem = live.kill()
            self.states = states
            self.manifest = try Manifest(decoding: self.fileSystem.contents(SnapshotDamageTests.manifestPath)!)
            let names = Set(self.fileSystem.files)
            self.replaced = Dictionary(
                uniqueKeysWithValues: first.files
                    .filter { !names.contains($0) && ($0.hasSuffix(".log") || $0.hasSuffix(PartName.suffix)) }
                    .map { ($0, first.contents($0)!) })
            open.log.close()
            #expect(self.parts.count >= 2 && self.segments.count >= 3 && self.replaced.count >= 3)
            #expect(self.manifest.base != .none)
            #expect(try RecoveredState(self.fileSystem.kill(), self.configuration).contents == states.last)
        }

        /// The damage for which a start is refused.
        func refusal(
            _ place: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ damage: (SimulatedFileSystem) -> Void
        ) -> Corruption? {
            let fileSystem = self.fileSystem.kill()
            damage(fileSystem)
            do {
                let recovered = try RecoveredState(fileSystem, self.configuration)
                Issue.record(
                    "\(place): the start was not refused, at revision \(recovered.report.lastRevision)",
                    sourceLocation: sourceLocation)
            } catch {
                if case .corrupt(let corruption) = error { return corruption }
                Issue.record("\(place): another error: \(error)", sourceLocation: sourceLocation)
            }
            return nil
        }
    }

    /// Start and end of the frames of a file.
    private static func frames(_ bytes: [UInt8]) -> [Range<Int>] {
        let salt = bytes.loadLittleEndian(UInt32.self, at: 48)
        var ranges: [Range<Int>] = []
        var offset = SegmentHeader.byteCount
        while offset + FrameHeader.byteCount <= bytes.count,
            case .success(let header) = FrameHeader.decode(bytes, at: offset, fileOffset: UInt64(offset), salt: salt)
        {
            ranges.append(offset..<offset + header.frameBytes)
            offset += header.frameBytes
        }
        return ranges
    }

    /// All fields of a header, and some of its zeros.
    private static let headerSample = Array(0..<96) + Array(stride(from: 97, to: SegmentHeader.byteCount, by: 41))

    // MARK: - Bits

    @Test func `every bit of every part is refused with its file and the place of its frame`() throws {
        let log = try Log()
        var flips = 0
        for part in log.parts {
            let content = log.contents(part.name)
            let frames = Self.frames(content)
            #expect(frames.count >= 2 && frames.last!.upperBound == content.count)
            for bit in 0..<content.count * 8 {
                let byte = bit / 8
                var bytes = content
                bytes[byte] ^= 1 << (bit % 8)
                let fileSystem = SimulatedFileSystem()
                fileSystem.install("/part", bytes)
                let start = frames.first { $0.contains(byte) }?.lowerBound
                flips += 1
                do {
                    let file = try fileSystem.open("/part", .read)
                    var reader = try PartReader(part, storeID: log.manifest.storeID, file: file)
                    try reader.readAll { _, _ in }
                    Issue.record("bit \(bit) of \(part.name) was not noticed")
                } catch let error as LogError {
                    guard case .corrupt(let corruption) = error, corruption.file == part.name.description,
                        start.map({ corruption.offset == UInt64($0) })
                            ?? (corruption.offset < SegmentHeader.byteCount)
                    else {
                        Issue.record("bit \(bit) of \(part.name): \(error)")
                        continue
                    }
                }
            }
        }
        print("\(flips) flipped bits of \(log.parts.count) parts refused")
    }

    @Test func `a start is refused for bytes of parts and sealed segments, and any bit of the manifest`()
        throws
    {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let log = try Log()
        let sealed = log.manifest.sealed.map(\.name.description)
        for name in log.parts.map(\.name.description) + [sealed.first!, sealed.last!] {
            let content = log.contents(name)
            let frames = Self.frames(content)
            // The page of the header is mostly zeros; some of its bytes represent the others.
            for byte in Self.headerSample + Array(SegmentHeader.byteCount..<content.count) where byte % 3 == 0 {
                let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
                let place = Comment("\(name), byte \(byte)")
                let corruption = log.refusal(place) { $0.patch(log.path(name), at: byte, [content[byte] ^ bit]) }
                #expect(corruption?.file == name, place)
                if let frame = frames.first(where: { $0.contains(byte) }) {
                    #expect(corruption?.offset == UInt64(frame.lowerBound), place)
                }
            }
        }
        let manifest = log.contents("MANIFEST")
        for bit in 0..<manifest.count * 8 {
            let place = Comment("MANIFEST, bit \(bit)")
            let corruption = log.refusal(place) {
                $0.patch(Self.manifestPath, at: bit / 8, [manifest[bit / 8] ^ 1 << UInt8(bit % 8)])
            }
            #expect(corruption?.file == "MANIFEST", place)
        }
    }

    @Test func `damage of the last segment is refused, or cut back to what the log held before`() throws {
        let log = try Log()
        let name = log.manifest.active
        let content = log.contents(name)
        let frames = Self.frames(content)
        var refused = 0
        var cut = 0
        for byte in Self.headerSample + Array(SegmentHeader.byteCount..<frames.last!.upperBound + 64) {
            for damage in [content[byte] ^ 1, ~content[byte]] {
                let fileSystem = log.fileSystem.kill()
                fileSystem.patch(log.path(name), at: byte, [damage])
                do {
                    let recovered = try RecoveredState(fileSystem, log.configuration)
                    cut += 1
                    #expect(recovered.report.tornTail?.file == name.description, "byte \(byte)")
                    #expect(byte >= frames.last!.lowerBound, "byte \(byte)")
                    #expect(recovered.contents == log.states[Int(recovered.report.lastRevision)], "byte \(byte)")
                } catch {
                    refused += 1
                    guard case .corrupt(let corruption) = error, corruption.file == name.description else {
                        Issue.record("byte \(byte): \(error)")
                        continue
                    }
                }
            }
        }
        print("the last segment: \(refused) refused, \(cut) cut")
        #expect(refused > 0 && cut > 0)
    }

    // MARK: - Lengths

    @Test func `a part that is shorter or longer than it was written is refused`() throws {
        let log = try Log()
        for part in log.parts {
            let content = log.contents(part.name)
            let lengths = [0, 1, 4_095, 4_096] + Self.frames(content).map(\.upperBound) + [content.count - 1]
            for length in lengths where length < content.count {
                let corruption = log.refusal("\(part.name), \(length) bytes") {
                    $0.cut(log.path(part.name), to: length)
                }
                #expect(corruption?.file == part.name.description)
            }
            for extra in [1, 8, 4_096] {
                let corruption = log.refusal("\(part.name), \(extra) bytes more") {
                    $0.install(log.path(part.name), content + [UInt8](repeating: 0, count: extra))
                }
                #expect(corruption?.file == part.name.description)
            }
        }
    }

    /// A part with correct checksums that lacks whole frames.
    @Test func `a part with fewer entries than the manifest says is refused`() throws {
        let log = try Log()
        for index in log.parts.indices {
            let part = log.parts[index]
            let client = DictionaryClient()
            var reader = try PartReader(
                part, storeID: log.manifest.storeID, file: try log.fileSystem.open(log.path(part.name), .read))
            try reader.readAll { revision, operation in _ = client.replay(revision, Change(operation)) }
            client.finishReplay(lastRevision: part.name.upTo)
            // Rewritten without its last entry: the same name, and intact in itself.
            let aside = SimulatedFileSystem()
            try aside.createDirectories(storeDirectory)
            var writer = try PartWriter(
                part.name, frameBytes: 1_024, storeID: log.manifest.storeID, paths: LogPaths(directory: storeDirectory),
                fileSystem: aside)
            var left = client.records.count - 1
            _ = client.forEachLive(after: nil) { record in
                if left > 0 { writer.add(record) }
                left -= 1
                return true
            }
            let shorter = try writer.finish()
            #expect(shorter.entries == part.entries - 1)
            let place = Comment("\(part.name)")
            let content = aside.contents(log.path(part.name))!
            #expect(log.refusal(place) { $0.install(log.path(part.name), content) }?.file == part.name.description)
            // And with a manifest that agrees except in the number, or the end.
            for field in 0..<2 {
                var manifest = log.manifest
                manifest.parts[index] = shorter
                if field == 0 { manifest.parts[index].entries += 1 } else { manifest.parts[index].endChecksum ^= 1 }
                let corruption = log.refusal(place) { fileSystem in
                    fileSystem.install(log.path(part.name), content)
                    fileSystem.install(Self.manifestPath, manifest.encoded())
                }
                #expect(corruption?.reason == .snapshot("its end differs from the one in the MANIFEST"), place)
            }
        }
    }

    // MARK: - Files

    @Test func `a missing part is named, and so is a missing segment`() throws {
        let log = try Log()
        for part in log.parts {
            let corruption = log.refusal("\(part.name)") { $0.delete(log.path(part.name)) }
            #expect(corruption?.file == part.name.description && corruption?.reason == .missingPart)
        }
        for name in log.segments {
            let corruption = log.refusal("\(name)") { $0.delete(log.path(name)) }
            #expect(corruption?.file == name.description)
            #expect(corruption?.reason == .missingSegment(sequence: name.sequence))
        }
    }

    @Test func `parts and segments that were swapped, or are copies of another, are refused`() throws {
        let log = try Log()
        let parts = log.parts.map(\.name.description)
        let segments = log.segments.map(\.description)
        for names in [parts, segments] {
            for one in names {
                for two in names where two != one {
                    let place = Comment("\(one) and \(two)")
                    let copied = log.refusal(place) { $0.install(log.path(one), log.contents(two)) }
                    #expect(copied?.file == one, place)
                    let swapped = log.refusal(place) { fileSystem in
                        fileSystem.install(log.path(one), log.contents(two))
                        fileSystem.install(log.path(two), log.contents(one))
                    }
                    #expect(swapped.map { [one, two].contains($0.file) } == true, place)
                }
            }
        }
        // A part in the place of a segment, and vice versa.
        #expect(
            log.refusal("part as segment") { $0.install(log.path(segments[0]), log.contents(parts[0])) }?.offset == 0)
        #expect(
            log.refusal("segment as part") { $0.install(log.path(parts[0]), log.contents(segments[0])) }?.offset == 0)
    }

    @Test func `parts and segments of another store are refused`() throws {
        let log = try Log()
        let other = try Log()
        let names = log.parts.map(\.name.description) + log.segments.map(\.description)
        #expect(names == other.parts.map(\.name.description) + other.segments.map(\.description))
        for name in names {
            let corruption = log.refusal("\(name)") { $0.install(log.path(name), other.contents(name)) }
            #expect(corruption?.file == name && corruption?.offset == 16, "\(name)")
            #expect(
                corruption?.reason
                    == .foreignSegment(expectedStore: log.manifest.storeID, foundStore: other.manifest.storeID))
        }
        let manifest = log.refusal("MANIFEST") { $0.install(Self.manifestPath, other.contents("MANIFEST")) }
        #expect(manifest?.file == log.parts.sorted { $0.name < $1.name }[0].name.description)
    }

    @Test func `files that a compaction has replaced change nothing when they are there again`() throws {
        let log = try Log()
        let fileSystem = log.fileSystem.kill()
        for (path, content) in log.replaced { fileSystem.install(path, content) }
        let recovered = try RecoveredState(fileSystem, log.configuration)
        #expect(recovered.contents == log.states.last)
        for path in log.replaced.keys { #expect(fileSystem.contents(path) == nil, "\(path)") }
        // In the place of their replacements they are refused.
        for (path, content) in log.replaced where path.hasSuffix(PartName.suffix) {
            for part in log.parts {
                let corruption = log.refusal("\(path) as \(part.name)") { $0.install(log.path(part.name), content) }
                #expect(corruption?.file == part.name.description)
            }
        }
        for (path, content) in log.replaced where path.hasSuffix(".log") {
            for name in log.segments {
                let corruption = log.refusal("\(path) as \(name)") { $0.install(log.path(name), content) }
                #expect(corruption?.file == name.description)
            }
        }
    }

    @Test func `a manifest that says another base, or lists other segments, is refused by what it lists`() throws {
        let log = try Log()
        let first = log.segments[0]
        for change in 0..<6 {
            var manifest = log.manifest
            switch change {
            case 0: manifest.base.sequence -= 1
            case 1: manifest.base.lastRevision -= 1
            case 2: manifest.base.lengthBytes += 8
            case 3: manifest.base.sealChecksum ^= 1
            case 4: manifest.base = .none
            // The segment after the base is skipped, as if it were in the snapshot.
            default: manifest.sealed.removeFirst()
            }
            let place = Comment("change \(change)")
            let corruption = log.refusal(place) { $0.install(Self.manifestPath, manifest.encoded()) }
            #expect(corruption.map { log.segments.map(\.description).contains($0.file) } == true, place)
            if change < 4 { #expect(corruption?.file == first.description, place) }
        }
    }

    @Test func `an older manifest is refused by the files that are gone`() throws {
        let log = try Log()
        // The files of the first run: its parts and the segments after it.
        var older = log.manifest
        let replacedParts = log.replaced.keys.compactMap { PartName(String($0.split(separator: "/").last!)) }
        older.parts = replacedParts.map { .init(name: $0, entries: 1, lengthBytes: 5_000, endChecksum: 1) }
        let corruption = log.refusal("older parts") { $0.install(Self.manifestPath, older.encoded()) }
        #expect(corruption?.reason == .missingPart)
        // A manifest without its parts would result in a log with gaps: the first segment contains its predecessor.
        var without = log.manifest
        without.parts = []
        without.base = .none
        #expect(
            log.refusal("no parts") { $0.install(Self.manifestPath, without.encoded()) }?.file
                == log.segments[0].description)
    }
}
