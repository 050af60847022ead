import Glibc
import TestSupport

/// The documents of `/admin`, held against their JSON Schemas by Python's `jsonschema`.
enum AdminDocuments {
    private static let tool = Repository.path("Tests/Tools/check-admin-documents")
    static let schemas = Repository.path("Docs/Schemas")
    static let page = Repository.path("Docs/Admin.md")

    /// Whether there is a Python with the validator: `make test` installs one.
    static let canValidate: Bool = {
        let folder = TemporaryFolder()
        let check = try? ChildProcess(
            "/bin/sh", ["-c", "exec python3 -c 'import jsonschema'"], output: folder.file("python"))
        return (try? check?.waitForEnd()) == .exited(0)
    }()

    /// Runs the tool; what it finds, nothing when all is well.
    static func run(_ arguments: [String], in folder: TemporaryFolder) throws -> String {
        let check = try ChildProcess(
            "/bin/sh", ["-c", "exec \"$0\" \"$@\"", Self.tool] + arguments, output: folder.file("check-\(arguments[0])")
        )
        let ending = try check.waitForEnd(seconds: 60)
        if ending == .exited(0), check.output.isEmpty { return "" }
        return "\(ending): \(check.output)"
    }

    private static let common = [
        ("/admin/config", "admin-config"), ("/admin/events", "admin-events"), ("/admin/slow", "admin-slow"),
        ("/admin/log-level", "admin-log-level"), ("/admin/read-only", "admin-switch"),
        ("/admin/drain", "admin-switch"), ("/readyz", "readyz"),
    ]

    /// What is wrong with the documents that a service gives now; nothing when all fit their schemas.
    static func findings(_ service: ServiceProcess.Program, port: UInt16, in folder: TemporaryFolder) throws -> String {
        let connection = try HTTPConnection(port: port)
        var findings = ""
        var pairs: [String] = []
        for (path, schema) in [("/admin", "\(service.rawValue)-admin")] + Self.common {
            let answer = try connection.request("GET", path)
            let isExpected = answer.status == 200 || path == "/readyz" && answer.status == 503
            if !isExpected || answer["Content-Type"] != "application/json" {
                findings += "\(path): \(answer.status) \(answer["Content-Type"] ?? "-") \(answer.text)\n"
            }
            let file = folder.file("\(schema)-\(path.split(separator: "/").last ?? "")-\(port).json")
            try FileText.write(answer.text, to: file)
            pairs += ["\(Self.schemas)/\(schema).json", file]
        }
        return findings + (try Self.run(["validate"] + pairs, in: folder))
    }

    // MARK: Reading them

    static func get(_ port: UInt16, _ path: String) throws -> JSONObject {
        try HTTPConnection(port: port).request("GET", path).json
    }

    static func post(_ port: UInt16, _ path: String, _ body: String) throws -> HTTPAnswer {
        try HTTPConnection(port: port).request(
            "POST", path, headers: [("Content-Type", "application/json")], body: Array(body.utf8))
    }

    /// The events with numbers above `number`.
    static func events(_ port: UInt16, after number: Int = 0) throws -> [JSONObject] {
        let document = try self.get(port, "/admin/events?after=\(number)")
        return (document.members["events"] as? [[String: Any]] ?? []).map { JSONObject(members: $0) }
    }

    /// Waits for an event of that kind.
    static func event(_ kind: String, _ port: UInt16, after number: Int = 0) throws -> JSONObject {
        try Poll.until("there is an event \(kind)") {
            try self.events(port, after: number).first { $0.string("kind") == kind }
        }
    }
}
