package import DashboardModel
import Glibc

/// A recording on disk: its header, and where each poll is. The polls themselves are read when they are asked for, so
/// a long recording takes little memory. Any thread.
package final class RecordingFile: Sendable {
    /// Where a line is, and its time.
    private struct Entry {
        var offset: Int
        var length: Int
        var time: Double
    }

    package let header: RecordingHeader
    private let descriptor: Int32
    private let entries: [Entry]

    /// Reads the whole file once, for the places of its lines. A last line that was cut off is passed over.
    package init(path: String) throws(RecordingError) {
        self.descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard self.descriptor >= 0 else {
            throw RecordingError("\(path) cannot be read: \(SystemText.text(errno))")
        }
        var header: RecordingHeader?
        var entries: [Entry] = []
        var rest: [UInt8] = []
        var restOffset = 0
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe Glibc.read(self.descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            rest.append(contentsOf: chunk[..<count])
            var begin = rest.startIndex
            while let end = rest[begin...].firstIndex(of: UInt8(ascii: "\n")) {
                if header == nil {
                    header = try RecordingHeader(parsing: Array(rest[begin..<end]))
                } else if let time = RecordingDecoder.time(of: rest[begin..<end]) {
                    entries.append(Entry(offset: restOffset + begin, length: end - begin, time: time))
                }
                begin = end + 1
            }
            restOffset += begin
            rest.removeFirst(begin)
        }
        guard let header else { throw RecordingError("\(path): this is no recording of kvtop: it has no whole line") }
        guard !entries.isEmpty else { throw RecordingError("\(path): the recording holds no polls") }
        self.header = header
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
    package func poll(_ index: Int, _ decoder: inout RecordingDecoder) throws(RecordingError) -> RawPoll? {
        let entry = self.entries[index]
        var line = [UInt8](repeating: 0, count: entry.length)
        guard unsafe pread(self.descriptor, &line, line.count, entry.offset) == line.count else {
            throw RecordingError("the recording has become shorter")
        }
        return try decoder.poll(parsing: line)
    }
}
