import TestSupport
import Testing

/// What the commands send and print, with a fake of a service.
@Suite("Commands of kvctl", .timeLimit(.minutes(2)))
struct CommandTests {
    private func run(
        _ service: FakeService, _ arguments: String..., input: String = "", under setting: String = ":"
    ) throws -> ProgramRun {
        try ProgramRun(
            "kvctl", under: setting, arguments: arguments, input: Array(input.utf8),
            environment: ["KVCTL_SERVER": "http://127.0.0.1:\(service.port)"])
    }

    @Test func `get writes the bytes and nothing else`() async throws {
        let bytes: [UInt8] = [0, 0xFF, 10, 13, 0]
        let service = try await FakeService { _, _ in
            FakeService.answer(200, bytes, fields: [("ETag", "\"3\""), ("X-KV-Expires-At", "9")])
        }
        let raw = try self.run(service, "get", "a")
        #expect(raw.status == 0 && raw.bytes == bytes && raw.error.isEmpty)
        let json = try self.run(service, "get", "--key-b64", "AP8=", "--json")
        #expect(json.output == #"{"key_b64":"AP8=","value_b64":"AP8KDQA=","revision":3,"expires_at":9}"# + "\n")
        #expect(service.requests.map(\.target) == ["/kv/get?key=a", "/kv/get?key=%00%FF"])
    }

    @Test func `set takes the value as an argument or from standard input`() async throws {
        let service = try await FakeService(200, #"{"status":"ok","revision":5,"expires_at":7}"#)
        let silent = try self.run(service, "set", "a", "word", "--if-revision", "4", "--idempotency-key", "k1")
        #expect(silent.status == 0 && silent.bytes.isEmpty && silent.error.isEmpty)
        let json = try self.run(service, "set", "a", "--ttl", "2s", "--json", input: "from\0input\n")
        #expect(json.output == #"{"revision":5,"expires_at":7}"# + "\n")
        let requests = service.requests
        #expect(requests.map { String(decoding: $0.body, as: UTF8.self) } == ["word", "from\0input\n"])
        #expect(requests[0].fields["if-match"] == "\"4\"" && requests[0].fields["idempotency-key"] == "k1")
        #expect(requests[1].target == "/kv/set?key=a&ttl_ms=2000")
    }

    @Test func `incr prints the number`() async throws {
        let service = try await FakeService(200, #"{"status":"ok","value":"-3","number":-3,"revision":5}"#)
        #expect(try self.run(service, "incr", "n", "--by=-5").output == "-3\n")
        #expect(try self.run(service, "incr", "n", "--json").output == #"{"value":-3,"revision":5}"# + "\n")
        #expect(service.requests.map { String(decoding: $0.body, as: UTF8.self) }[0] == #"{"key":"n","delta":-5}"#)
    }

    @Test func `mget prints a line for each key`() async throws {
        let service = try await FakeService(
            200,
            #"{"status":"ok","revision":9,"values":[{"key":"a","found":true,"value":"1","revision":2},{"key":"b","found":false}]}"#
        )
        let run = try self.run(service, "mget", "a", "b")
        #expect(run.status == 0)
        #expect(
            run.output
                == #"{"key":"a","found":true,"value":"1","revision":2}"# + "\n" + #"{"key":"b","found":false}"# + "\n")
    }

    @Test func `txn sends the document as it is and prints the answer`() async throws {
        let answer = #"{"status":"ok","revision":9,"results":[{"op":"set","revision":9}]}"#
        let service = try await FakeService(200, answer)
        let document = #"{ "operations":[{"op":"set","key":"a","value":"1"}] }"#
        let run = try self.run(service, "txn", input: document)
        #expect(run.status == 0 && run.output == answer + "\n")
        #expect(service.requests.map { String(decoding: $0.body, as: UTF8.self) } == [document])
        let broken = try self.run(service, "txn", input: "{")
        #expect(broken.status == 1 && broken.error.contains("standard input is not JSON"))
        #expect(service.requests.count == 1)
    }

    @Test func `keys has a form for people, for pipes and for programs`() async throws {
        let service = try await FakeService { number, request in
            FakeService.json(
                200,
                request.target.contains("cursor=")
                    ? #"{"status":"ok","keys":[{"key":"c","value":"v","revision":3}],"revision":3}"#
                    : #"{"status":"ok","keys":[{"key":"a\nb","value":"v","revision":1},{"key_b64":"/w==","value_b64":"/w==","revision":2}],"revision":3,"cursor":"x"}"#
            )
        }
        #expect(try self.run(service, "keys").bytes == Array("a\nb\n".utf8) + [0xFF, 10] + Array("c\n".utf8))
        #expect(try self.run(service, "keys", "-0").bytes == Array("a\nb\0".utf8) + [0xFF, 0] + Array("c\0".utf8))
        #expect(try self.run(service, "keys", "--limit", "1").bytes == Array("a\nb\n".utf8))
        let json = try self.run(service, "keys", "--values", "--start", "a", "--end", "d", "--reverse")
        #expect(
            json.output == #"{"key":"a\nb","value":"v","revision":1}"# + "\n"
                + #"{"key_b64":"/w==","value_b64":"/w==","revision":2}"# + "\n"
                + #"{"key":"c","value":"v","revision":3}"# + "\n")
        #expect(
            service.requests.suffix(2)[service.requests.count - 2].target
                == "/kv/keys?start=a&end=d&limit=1000&reverse=true&values=true")
    }

    @Test func `keys counts`() async throws {
        let service = try await FakeService(
            200, #"{"status":"ok","keys":[{"key":"c","revision":3}],"revision":3,"count":12,"cursor":"x"}"#)
        #expect(try self.run(service, "keys", "--count", "--prefix", "c").output == "12\n")
        #expect(try self.run(service, "keys", "--count", "--json").output == #"{"count":12,"revision":3}"# + "\n")
        #expect(
            service.requests.map(\.target) == ["/kv/keys?prefix=c&limit=1&count=true", "/kv/keys?limit=1&count=true"])
        for option in [["--values"], ["--reverse"], ["-0"], ["--limit", "1"]] {
            let wrong = try ProgramRun("kvctl", arguments: ["keys", "--count"] + option)
            #expect(wrong.status == 1 && wrong.error.contains("--count cannot be combined"), "\(option)")
        }
    }

    @Test func `watch prints changes, or transactions as JSON, and ends after a number of them`() async throws {
        let data =
            #"{"revision":9,"changes":[{"type":"set","key":"a","value":"x\ny","revision":8},{"type":"delete","key_b64":"/w==","revision":9,"expired":true}]}"#
        let service = try await FakeService { _, _ in
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            return [.text("\(head): watching from revision 7\n"), .text("id: 9\nevent: change\ndata: \(data)\n\n")]
        }
        let text = try self.run(service, "watch", "--prefix", "a", "--count", "1")
        #expect(text.status == 0 && text.output == "8 set \"a\" \"x\\ny\"\n9 delete \"\\xFF\" expired\n")
        #expect(try self.run(service, "watch", "a", "--json", "--count", "1", "--since", "7").output == data + "\n")
        #expect(service.requests.map(\.target) == ["/kv/watch?prefix=a", "/kv/watch?key=a"])
    }

    @Test(
        arguments: [
            (412, "precondition_failed", "no", 3), (409, "checks_failed", "no", 3), (409, "overflow", "no", 4),
            (507, "disk_full", "no", 4), (504, "upstream_timeout", "unknown", 5), (400, "bad_json", "no", 4),
        ] as [(Int, String, String, Int32)])
    func `each outcome has its exit code`(_ status: Int, _ code: String, _ applied: String, _ exit: Int32) async throws
    {
        let service = try await FakeService { _, _ in FakeService.problem(status, code, applied: applied) }
        let text = try self.run(service, "set", "a", "b")
        #expect(text.status == exit && text.bytes.isEmpty)
        #expect(text.error == "kvctl: Why. (HTTP \(status), \(code); applied: \(applied); request r1)\n")
        let json = try self.run(service, "set", "a", "b", "--json")
        #expect(json.status == exit)
        #expect(
            json.error
                == #"{"code":"\#(code)","detail":"Why.","status":\#(status),"request_id":"r1","applied":"\#(applied)"}"#
                + "\n")
    }

    @Test func `missing keys, no service and wrong use have theirs`() async throws {
        let service = try await FakeService { _, request in
            request.method == "DELETE"
                ? FakeService.json(200, #"{"status":"ok","deleted":false}"#) : FakeService.problem(404, "key_not_found")
        }
        let get = try self.run(service, "get", "a\u{1B}")
        #expect(get.status == 2 && get.error == "kvctl: the key \"a\\x1B\" does not exist\n" && get.bytes.isEmpty)
        #expect(try self.run(service, "delete", "a").status == 2)
        let none = try self.run(service, "get", "a", "--server", "http://127.0.0.1:\(try FreePort.find())")
        #expect(none.status == 6 && none.error.contains("Connection refused"))
        for wrong in [
            ["set"], ["frob"], ["get", "a", "--timeout", "5"], ["set", "a", "b", "--if-absent", "--if-present"],
        ] {
            let run = try ProgramRun("kvctl", arguments: wrong)
            #expect(run.status == 1 && run.bytes.isEmpty && run.error.contains("Usage: kvctl"), "\(wrong)")
        }
        #expect(try ProgramRun("kvctl", arguments: ["get", "\u{FFFD}"]).status == 1)
        #expect(try ProgramRun("kvctl", arguments: ["get", "--key-b64", "?"]).status == 1)
    }

    @Test func `a lost answer is an unknown outcome`() async throws {
        let service = try await FakeService { _, _ in [.close] }
        let run = try self.run(service, "set", "a", "b")
        #expect(run.status == 5 && run.error.contains("connection_lost; applied: unknown"))
        #expect(Set(service.requests.map { $0.fields["idempotency-key"] }).count == 1)
        #expect(service.requests.count == 3)
    }

    @Test func `help lists the exit codes, and the page does`() throws {
        let help = try ProgramRun("kvctl", arguments: ["--help"])
        #expect(help.status == 0)
        let page = try Repository.text("Docs/Kvctl.md")
        let table = help.output.split(separator: "\n").drop { !$0.hasSuffix("EXIT CODES:") }
            .dropFirst().prefix { !$0.hasSuffix("EXAMPLES:") }
        let lines = table.map { $0.split(separator: " ", maxSplits: 1) }
        #expect(lines.count == 9)
        for line in lines { #expect(page.contains("\n| \(line[0]) | "), "\(line)") }
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func `completions are printed`(_ shell: String) throws {
        let run = try ProgramRun("kvctl", arguments: ["--generate-completion-script", shell])
        #expect(run.status == 0 && run.output.contains("import"))
    }

    @Test func `a full disk is an error, and a closed pipe is none to speak of`() async throws {
        let service = try await FakeService { _, _ in
            FakeService.answer(200, Array(repeating: 65, count: 1 << 20), fields: [("ETag", "\"3\"")])
        }
        let full = try self.run(service, "get", "a", under: "exec >/dev/full")
        #expect(full.status == 1 && full.error.contains("No space left on device"))
        let folder = TemporaryFolder()
        let closed = try self.run(
            service, "get", "a",
            under: "mkfifo \(folder.file("p")); head -c 1 \(folder.file("p")) >/dev/null & exec >\(folder.file("p"))")
        #expect(closed.status == 141 && closed.error.isEmpty)
    }
}
