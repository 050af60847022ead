import Glibc
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import JSONLogging

@Suite("The log output", .timeLimit(.minutes(1)))
struct LogOutputTests {
    private func line(_ text: String) -> [UInt8] { Array(text.utf8) + [UInt8(ascii: "\n")] }

    @Test func `hands every line to the descriptor in the order of its thread`() async {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.writeEnd)
        let threads = 4
        let linesEach = 5_000
        async let read = Task.detached { pipe.readLines(threads * linesEach) }.value
        await withTaskGroup { group in
            for thread in 0..<threads {
                group.addTask {
                    for number in 0..<linesEach { output.submit(self.line("\(thread) \(number)")) }
                }
            }
        }
        let lines = await read
        #expect(output.flushAndStop(timeoutSeconds: 10))
        for thread in 0..<threads {
            #expect(
                lines.filter { $0.hasPrefix("\(thread) ") } == (0..<linesEach).map { "\(thread) \($0)" },
                "thread \(thread)"
            )
        }
        #expect(lines.count == threads * linesEach)
        #expect(output.linesWritten == UInt64(threads * linesEach))
        #expect(output.linesDropped == 0)
    }

    @Test func `writes a single line without being asked to flush`() {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.writeEnd)
        for number in 0..<20 {
            output.submit(self.line("line \(number)"))
            #expect(pipe.readLines(1) == ["line \(number)"])
        }
        #expect(output.flushAndStop())
    }

    @Test
    func `drops and counts what does not fit while the reader is stuck and loses no other line`()
        async
    {
        let pipe = Pipe()
        let filled = pipe.fill()
        let output = LogOutput(descriptor: pipe.writeEnd, capacityBytes: 10_000)
        let submitted = 1_000
        for number in 0..<submitted {
            output.submit(self.line("number \(1_000_000 + number) \(String(repeating: "x", count: 80))"))
        }
        let dropped = Int(output.linesDropped)
        #expect(dropped >= submitted - 10_000 / 96 - 1)
        #expect(dropped < submitted)

        // Nothing got through meanwhile, for the pipe was full.
        #expect(output.linesWritten == 0)
        async let read = Task.detached { pipe.readLines(submitted - dropped) }.value
        let text = await read
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesWritten == UInt64(submitted - dropped))
        #expect(output.linesDropped == UInt64(dropped))
        // The first lines are those that were kept: later ones found the buffer full.
        #expect(
            text.first?.hasPrefix(String(repeating: "#", count: filled) + "number 1000000 ") == true
        )
        #expect(text.last?.hasPrefix("number \(1_000_000 + submitted - dropped - 1) ") == true)
    }

    @Test func `counts what is being written as waiting`() {
        let isWriting = Atomic(false)
        let mayEnd = Atomic(false)
        let sink = DescriptorSink(
            attempt: { bytes in
                isWriting.store(true, ordering: .relaxed)
                while !mayEnd.load(ordering: .relaxed) { sched_yield() }
                return .took(bytes.count)
            },
            waitUntilWritable: { false }
        )
        let thread = LogWriterThread(sink: sink, capacityBytes: 10)
        thread.start()
        thread.submit(self.line("12345"), count: 1)
        #expect(Poll.holds { isWriting.load(ordering: .relaxed) })
        thread.submit(self.line("1234"), count: 1)
        #expect(thread.linesDropped.load(ordering: .relaxed) == 1)
        thread.submit(self.line("123"), count: 1)
        #expect(thread.linesDropped.load(ordering: .relaxed) == 1)
        mayEnd.store(true, ordering: .relaxed)
        thread.requestStop()
        #expect(thread.waitUntilStopped(timeoutSeconds: 10))
        #expect(thread.linesWritten.load(ordering: .relaxed) == 2)
        #expect(thread.linesDropped.load(ordering: .relaxed) == 1)
    }

    @Test(arguments: 0...12)
    func `of lines that come together keeps the first ones that fit`(_ capacity: Int) {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.writeEnd, capacityBytes: capacity)
        output.submit(Array("a\nbcd\nefgh\n".utf8), count: 3)
        let kept = capacity < 2 ? 0 : capacity < 6 ? 1 : capacity < 11 ? 2 : 3
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(pipe.readLines(kept) == Array(["a", "bcd", "efgh"].prefix(kept)))
        #expect(output.linesWritten == UInt64(kept))
        #expect(output.linesDropped == UInt64(3 - kept))
    }

    @Test func `lines that come together are written in order and counted exactly`() async {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.writeEnd)
        async let read = Task.detached { pipe.readLines(5_050) }.value
        var next = 0
        for count in 1...100 {
            output.submit((next..<next + count).flatMap { self.line("\($0)") }, count: count)
            next += count
        }
        #expect(await read == (0..<5_050).map { "\($0)" })
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesWritten == 5_050)
        #expect(output.linesDropped == 0)
    }

    @Test func `takes lines again once the reader has caught up`() async {
        let pipe = Pipe()
        let filled = pipe.fill()
        let output = LogOutput(descriptor: pipe.writeEnd, capacityBytes: 100)
        for _ in 0..<10 { output.submit(self.line(String(repeating: "x", count: 59))) }
        #expect(output.linesDropped == 9)
        var rest = filled
        while rest > 0 {
            let chunk = pipe.read(limit: rest)
            guard !chunk.isEmpty else { break }
            rest -= chunk.count
        }
        #expect(rest == 0)
        #expect(pipe.readLines(1).count == 1)
        // The line has been read; the writer notices as soon as its call has returned.
        #expect(Poll.holds { output.linesWritten == 1 })
        output.submit(self.line("again"))
        #expect(pipe.readLines(1) == ["again"])
        #expect(output.flushAndStop())
    }

    @Test func `drops a line that is larger than the buffer`() {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.writeEnd, capacityBytes: 100)
        output.submit(self.line(String(repeating: "x", count: 100)))
        output.submit(self.line(String(repeating: "y", count: 99)))
        #expect(output.linesDropped == 1)
        #expect(pipe.readLines(1) == [String(repeating: "y", count: 99)])
        #expect(output.flushAndStop())
    }

    @Test func `outlives a reader that goes away and counts the lines it would have read`() {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.writeEnd)
        output.submit(self.line("read"))
        #expect(pipe.readLines(1) == ["read"])
        pipe.closeReadEnd()
        for _ in 0..<100 { output.submit(self.line("lost")) }
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesWritten == 1)
        #expect(output.linesDropped == 100)
    }

    @Test func `counts every line when the descriptor was never open`() {
        let output = LogOutput(descriptor: -1)
        for _ in 0..<10 { output.submit(self.line("lost")) }
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesDropped == 10)
    }

    @Test func `counts every line while the disk is full`() {
        let descriptor = open("/dev/full", O_WRONLY)
        defer { close(descriptor) }
        let output = LogOutput(descriptor: descriptor)
        for _ in 0..<10 { output.submit(self.line("lost")) }
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesDropped == 10)
        #expect(output.linesWritten == 0)
    }

    @Test func `rests after a failed write until the next line comes`() {
        let clock = Atomic<Int32>(0)
        let sink = DescriptorSink(
            attempt: { _ in
                // The processor time of the thread that writes.
                var id = clockid_t()
                pthread_getcpuclockid(pthread_self(), &id)
                clock.store(id, ordering: .relaxed)
                return .failed
            },
            waitUntilWritable: { false }
        )
        let thread = LogWriterThread(sink: sink, capacityBytes: 1_000)
        thread.start()
        thread.submit(self.line("lost"), count: 1)
        #expect(Poll.holds { thread.linesDropped.load(ordering: .relaxed) == 1 })

        let before = Self.nanoseconds(of: clock.load(ordering: .relaxed))
        let start = MonotonicClock.nanoseconds()
        while MonotonicClock.nanoseconds() - start < 300_000_000 { usleep(10_000) }
        let used = Self.nanoseconds(of: clock.load(ordering: .relaxed)) - before
        #expect(used < 10_000_000, "\(used) ns of 300 ms")
        thread.requestStop()
        #expect(thread.waitUntilStopped(timeoutSeconds: 10))
    }

    @Test func `waits for a descriptor in non-blocking mode instead of losing lines`() async {
        let pipe = Pipe(nonBlockingWrites: true)
        let output = LogOutput(descriptor: pipe.writeEnd)
        let count = 5_000
        let text = String(repeating: "x", count: 200)
        for number in 0..<count { output.submit(self.line("\(number) \(text)")) }
        async let read = Task.detached { pipe.readLines(count) }.value
        #expect(await read == (0..<count).map { "\($0) \(text)" })
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesDropped == 0)
    }

    @Test func `gives up stopping after the time-out when the reader is stuck`() {
        let pipe = Pipe()
        _ = pipe.fill()
        let output = LogOutput(descriptor: pipe.writeEnd)
        output.submit(self.line("stuck"))
        let start = MonotonicClock.nanoseconds()
        #expect(!output.flushAndStop(timeoutSeconds: 0.05))
        let nanoseconds = MonotonicClock.nanoseconds() - start
        #expect(nanoseconds >= 50_000_000)
        pipe.closeReadEnd()
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesDropped == 1)
    }

    @Test func `drops and counts lines that come after the stop`() {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.writeEnd)
        #expect(output.flushAndStop(timeoutSeconds: 10))
        output.submit(self.line("late"))
        #expect(output.flushAndStop(timeoutSeconds: 10))
        #expect(output.linesDropped == 1)
    }

    @Test func `ends its thread when nobody holds it any more`() {
        let pipe = Pipe()
        weak var thread: LogWriterThread?
        do {
            let output = LogOutput(descriptor: pipe.writeEnd)
            thread = output.thread
            output.submit(self.line("last"))
        }
        #expect(pipe.readLines(1) == ["last"])
        #expect(Poll.holds { thread == nil })
    }

    private static func nanoseconds(of clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
