public import DashboardModel
import Glibc
import SystemSupport

/// A recording on disk: its header, and the offset of each poll. Polls are read when they are needed, so a long
/// recording uses little memory. Any thread.
public final class RecordingFile: Sendable {
    /// The offset of a line, its number from 1, and its time.
    private struct Entry {
        var offset: Int
        var length: Int
        var line: Int
        var time: Double
        /// A previous line could not be read.
        var followsDamage: Bool
    }

    /// A poll of both services has some kilobytes; a line longer than this does not belong to a recording.
    private static let lineLimitBytes = 64 << 20

    public let header: RecordingHeader
    private let path: String
    /// The lines that are not polls.
    public let damage: RecordingDamage
    private let descriptor: Int32
    private let entries: [Entry]

    /// Reads the whole file once, to find its lines. An incomplete last line is skipped. The data of a pipe is kept in
    /// an unnamed file.
    public init(path: String) throws(RecordingError) {
        let source = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw RecordingError("\(path) cannot be read: \(ErrorNumber.text(errno))") }
        self.descriptor = try SeekableFile.descriptor(source, path)
        var header: RecordingHeader?
        var entries: [Entry] = []
        var damage = RecordingDamage()
        var line = 0
        var isDamaged = false
        var rest: [UInt8] = []
        var restOffset = 0
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe Glibc.read(self.descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw RecordingError("\(path) cannot be read: \(ErrorNumber.text(errno))") }
            guard count > 0 else { break }
            rest.append(contentsOf: chunk[..<count])
            var begin = rest.startIndex
            while let end = rest[begin...].firstIndex(of: UInt8(ascii: "\n")) {
                line += 1
                if header == nil {
                    do throws(RecordingError) {
                        header = try RecordingHeader(parsing: Array(rest[begin..<end]))
                    } catch {
                        throw RecordingError("\(path): \(error)")
                    }
                } else if let time = RecordingDecoder.time(of: rest[begin..<end]) {
                    entries.append(
                        Entry(
                            offset: restOffset + begin, length: end - begin, line: line, time: time,
                            followsDamage: isDamaged))
                    isDamaged = false
                } else {
                    damage.note("\(path), line \(line): it is not a poll")
                    isDamaged = true
                }
                begin = end + 1
            }
            guard rest.count - begin <= Self.lineLimitBytes else {
                throw RecordingError("\(path), line \(line + 1): longer than \(Self.lineLimitBytes) bytes")
            }
            restOffset += begin
            rest.removeFirst(begin)
        }
        guard let header else {
            throw RecordingError("\(path): this is not a recording of kvtop: it has no complete line")
        }
        guard !entries.isEmpty else { throw RecordingError("\(path): the recording contains no polls") }
        self.header = header
        self.path = path
        self.damage = damage
        self.entries = entries
    }

    deinit {
        close(self.descriptor)
    }

    public var count: Int { self.entries.count }

    /// Monotonic seconds of the first poll.
    public var begin: Double { self.entries[0].time }

    /// Seconds from the first poll to the last.
    public var duration: Double { self.entries[self.entries.count - 1].time - self.begin }

    public func time(_ index: Int) -> Double { self.entries[index].time }

    /// The index of the first poll after a time.
    public func index(after time: Double) -> Int {
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if self.entries[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Reads a poll. The decoder must have read the previous polls since a complete scrape; otherwise nil.
    ///
    /// - Throws: the error in the line, with its number. Its changes are unknown then, so the following polls are nil
    ///   until the next complete scrape of each target.
    public func poll(_ index: Int, _ decoder: inout RecordingDecoder) throws(RecordingError) -> RawPoll? {
        let entry = self.entries[index]
        var line = [UInt8](repeating: 0, count: entry.length)
        guard unsafe pread(self.descriptor, &line, line.count, entry.offset) == line.count else {
            throw RecordingError("\(self.path), line \(entry.line): the recording was truncated")
        }
        if entry.followsDamage { decoder.forget() }
        let poll: RawPoll?
        do throws(RecordingError) {
            poll = try decoder.poll(parsing: line)
        } catch {
            decoder.forget()
            throw RecordingError("\(self.path), line \(entry.line): \(error)")
        }
        guard let poll else { return nil }
        guard self.header.targets.indices.contains(poll.target) else {
            decoder.forget()
            throw RecordingError(
                "\(self.path), line \(entry.line): target \(poll.target) of \(self.header.targets.count)")
        }
        return poll
    }
}
