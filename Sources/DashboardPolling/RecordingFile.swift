package import DashboardModel
import Glibc
import SystemSupport

/// A recording on disk: its header, and where each poll is. The polls themselves are read when they are asked for, so
/// a long recording takes little memory. Any thread.
package final class RecordingFile: Sendable {
    /// Where a line is, its number from 1, and its time.
    private struct Entry {
        var offset: Int
        var length: Int
        var line: Int
        var time: Double
        /// A line before it could not be read.
        var followsDamage: Bool
    }

    /// A poll of both services takes some kilobytes; what is longer than this is no line of a recording.
    private static let lineLimitBytes = 64 << 20

    package let header: RecordingHeader
    private let path: String
    /// The lines that are none of a poll.
    package let damage: RecordingDamage
    private let descriptor: Int32
    private let entries: [Entry]

    /// Reads the whole file once, for the places of its lines. A last line that was cut off is passed over. What comes
    /// through a pipe is kept in a file without a name.
    package init(path: String) throws(RecordingError) {
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
                    damage.note("\(path), line \(line): it is no poll")
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
        guard let header else { throw RecordingError("\(path): this is no recording of kvtop: it has no whole line") }
        guard !entries.isEmpty else { throw RecordingError("\(path): the recording holds no polls") }
        self.header = header
        self.path = path
        self.damage = damage
        self.entries = entries
    }

    deinit {
        close(self.descriptor)
    }

    package var count: Int { self.entries.count }

    /// Monotonic seconds of the first poll.
    package var begin: Double { self.entries[0].time }

    /// Seconds from the first poll to the last.
    package var duration: Double { self.entries[self.entries.count - 1].time - self.begin }

    package func time(_ index: Int) -> Double { self.entries[index].time }

    /// The polls up to a time: the index of the first one after it.
    package func index(after time: Double) -> Int {
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if self.entries[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Reads a poll. The decoder must have read those before it from a whole scrape on; else nil.
    ///
    /// - Throws: what is wrong with the line, with its number. What it would have changed is not known then, so the
    ///   polls after it are nil up to the next whole scrape of each target.
    package func poll(_ index: Int, _ decoder: inout RecordingDecoder) throws(RecordingError) -> RawPoll? {
        let entry = self.entries[index]
        var line = [UInt8](repeating: 0, count: entry.length)
        guard unsafe pread(self.descriptor, &line, line.count, entry.offset) == line.count else {
            throw RecordingError("\(self.path), line \(entry.line): the recording has become shorter")
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
