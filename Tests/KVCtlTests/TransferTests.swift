import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// Imports and exports with a fake of a service.
@Suite("Import and export", .timeLimit(.minutes(2)))
struct TransferTests {
    private let folder = TemporaryFolder()

    private static let done = FakeService.json(200, #"{"status":"ok","revision":5}"#)

    private func run(
        _ service: FakeService, _ arguments: String..., input: String = "", timeout: String = "10s"
    ) throws -> ProgramRun {
        try ProgramRun(
            "kvctl", under: "cd \(self.folder.path)", arguments: arguments + ["--timeout", timeout],
            input: Array(input.utf8), environment: ["KVCTL_SERVER": "http://127.0.0.1:\(service.port)"])
    }

    private static func line(_ number: Int) -> String { #"{"key":"k\#(number)","value":"v\#(number)"}"# + "\n" }

    @Test func `an import sets every record, from a file or a pipe`() async throws {
        let service = try await FakeService { _, _ in Self.done }
        let lines = (1...100).map(Self.line)
        try FileText.write(lines.joined(separator: " \r\n"), to: self.folder.file("in"))
        let file = try self.run(service, "import", "in")
        #expect(file.status == 0 && file.output == "100 records imported\n" && file.error.isEmpty)
        let keys = service.requests.compactMap { $0.key.map { String(decoding: $0, as: UTF8.self) } }
        #expect(Set(keys) == Set((1...100).map { "k\($0)" }) && keys.count == 100)
        let last = #"{"key_b64":"/w==","value_b64":"AA==","expires_at":77}"#
        let pipe = try self.run(service, "import", "-", "--json", input: last)
        #expect(pipe.status == 0 && pipe.output == #"{"imported":1}"# + "\n")
        #expect(service.requests.last?.target == "/kv/set?key=%FF&expires_at=77" && service.requests.last?.body == [0])
    }

    @Test func `a line that is no record ends it with its number; a last line may be cut off`() async throws {
        let service = try await FakeService { _, _ in Self.done }
        let wrong = try self.run(
            service, "import", "-", input: Self.line(1) + "\n" + "{\"key\":\"a\"}\n" + Self.line(2))
        #expect(wrong.status == 1)
        #expect(
            wrong.error == "kvctl: standard input line 3: it needs either \"value\" or \"value_b64\", as a string\n")
        let torn = try self.run(service, "import", "-", input: Self.line(1) + #"{"key":"k2","va"#)
        #expect(torn.status == 1 && torn.error.contains("line 2: the text ends early at byte 15; it is the last line"))
        #expect(service.requests.count == 2)
    }

    @Test func `a dry run checks everything and sends nothing`() async throws {
        let service = try await FakeService { _, _ in Self.done }
        let fine = try self.run(service, "import", "-", "--dry-run", input: Self.line(1) + Self.line(2))
        #expect(fine.output == "2 records, 52 bytes; nothing was sent\n")
        #expect(try self.run(service, "import", "-", "--dry-run", input: "x").status == 1)
        #expect(service.requests.isEmpty && service.indexRequests == 0)
    }

    @Test func `an import that ended early goes on behind the last line that is known to be applied`() async throws {
        let isBroken = Flag()
        let service = try await FakeService { _, request in
            request.key == Array("k50".utf8) && isBroken.isOn
                ? FakeService.problem(507, "disk_full", applied: "no") : Self.done
        }
        try FileText.write((1...100).map(Self.line).joined(), to: self.folder.file("in"))
        let first = try self.run(service, "import", "in", "--resume", "place", "--parallel", "1")
        #expect(first.status == 4 && first.error.hasPrefix("kvctl: in line 50: Why. (HTTP 507, disk_full"))
        let offset = (1...49).map(Self.line).joined().utf8.count
        let place = try JSONObject(try FileText.bytes(self.folder.file("place")))
        #expect(place.integer("line") == 49 && place.integer("offset") == offset)
        isBroken.turnOff()
        let before = service.requests.count
        let second = try self.run(service, "import", "in", "--resume", "place", "--parallel", "8")
        #expect(second.output == "51 records imported\n")
        #expect(service.requests.count == before + 51)
        let third = try self.run(service, "import", "in", "--resume", "place")
        #expect(third.status == 0 && third.output == "0 records imported\n")
        #expect(service.requests.count == before + 51)
        // The place of another file.
        try FileText.write((1...30).map { Self.line($0 * 1_000) }.joined(), to: self.folder.file("other"))
        let other = try self.run(service, "import", "other", "--resume", "place")
        #expect(other.status == 1 && other.error.contains("place is not a checkpoint of this work"))
        try FileText.write("{}", to: self.folder.file("place"))
        #expect(try self.run(service, "import", "in", "--resume", "place").status == 1)
        #expect(try !FileManager.default.contentsOfDirectory(atPath: self.folder.path).contains("place.tmp"))
    }

    @Test func `an outcome that is unknown is told before others`() async throws {
        let service = try await FakeService { _, request in
            switch request.key {
            case Array("k2".utf8): FakeService.problem(507, "disk_full", applied: "no")
            case Array("k3".utf8): []
            default: Self.done
            }
        }
        let input = (1...3).map(Self.line).joined()
        let run = try self.run(service, "import", "-", "--parallel", "3", input: input, timeout: "500ms")
        #expect(run.status == 5 && run.error.contains("line 3: There was no answer within the timeout."))
    }

    @Test func `an export writes all pages, and one that ended early goes on at its page`() async throws {
        let isBroken = Flag()
        let service = try await FakeService { _, request in
            let query = request.target.split(separator: "cursor=")
            switch query.count == 2 ? String(query[1]) : "" {
            case "":
                return FakeService.json(
                    200, #"{"status":"ok","keys":[{"key":"a","value":"1","revision":1}],"revision":9,"cursor":"two"}"#)
            case "two" where isBroken.isOn: return FakeService.problem(500, "internal_error")
            case "two":
                return FakeService.json(
                    200,
                    #"{"status":"ok","keys":[{"key_b64":"/w==","value_b64":"/w==","revision":2,"expires_at":5}],"revision":9}"#
                )
            default: return FakeService.problem(400, "bad_cursor")
            }
        }
        let lines =
            #"{"key":"a","value":"1","revision":1}"# + "\n"
            + #"{"key_b64":"/w==","value_b64":"/w==","revision":2,"expires_at":5}"# + "\n"
        let first = try self.run(service, "export", "--prefix", "p", "--output", "out", "--resume", "place")
        #expect(first.status == 1 && first.error.contains("internal_error"))
        // Written after the last checkpoint: it is cut off.
        let written = try FileText.text(self.folder.file("out"))
        try FileText.write(written + "junk", to: self.folder.file("out"))
        isBroken.turnOff()
        let second = try self.run(service, "export", "--prefix", "p", "--output", "out", "--resume", "place")
        #expect(second.status == 0 && second.error == "kvctl: 2 records written to out\n")
        #expect(try FileText.text(self.folder.file("out")) == lines)
        let asked = service.requests.count
        #expect(try self.run(service, "export", "--prefix", "p", "--output", "out", "--resume", "place").status == 0)
        #expect(service.requests.count == asked)
        #expect(service.requests[0].target == "/kv/keys?prefix=p&limit=1000&values=true")
        #expect(service.requests.last?.target == "/kv/keys?prefix=p&limit=1000&values=true&cursor=two")
        #expect(try self.run(service, "export").output == lines)
        let exists = try self.run(service, "export", "--output", "out")
        #expect(exists.status == 1 && exists.error.contains("File exists"))
    }

    @Test func `a full disk and a closed pipe end an export`() async throws {
        let value = String(repeating: "v", count: 200_000)
        let service = try await FakeService { _, _ in
            FakeService.json(
                200, #"{"status":"ok","keys":[{"key":"a","value":"\#(value)","revision":1}],"revision":9,"cursor":"x"}"#
            )
        }
        let environment = ["KVCTL_SERVER": "http://127.0.0.1:\(service.port)"]
        let full = try ProgramRun("kvctl", under: "exec >/dev/full", arguments: ["export"], environment: environment)
        #expect(full.status == 1 && full.error.contains("standard output cannot be written: No space left on device"))
        let fifo = self.folder.file("fifo")
        let closed = try ProgramRun(
            "kvctl", under: "mkfifo \(fifo); head -c 500000 \(fifo) >/dev/null & exec >\(fifo)", arguments: ["export"],
            environment: environment)
        #expect(closed.status == 141 && closed.error.isEmpty)
    }
}

private final class Flag: Sendable {
    private let value = Atomic<Bool>(true)

    var isOn: Bool { self.value.load(ordering: .relaxed) }

    func turnOff() { self.value.store(false, ordering: .relaxed) }
}
