import TestSupport

/// Compactions of a service that runs.
enum Compaction {
    /// No compaction starts by itself.
    static let onlyWhenAsked = ["--compact-min-bytes", "1099511627776"]

    /// Asks for one, after the one that may be running.
    /// - Returns: its number.
    static func ask(_ port: UInt16) throws -> Int {
        try Poll.until("a compaction is accepted") {
            let answer = try HTTPConnection(port: port).request("POST", "/admin/compact", body: [])
            if answer.status == 409 { return nil }
            guard answer.status == 202, let number = try answer.json.integer("run_id") else {
                throw MalformedAnswer(reason: "POST /admin/compact answered \(answer.status): \(answer.text)")
            }
            return number
        }
    }

    /// What `/admin` says about compactions.
    static func state(_ port: UInt16) throws -> JSONObject {
        let document = try HTTPConnection(port: port).request("GET", "/admin").json
        guard let compaction = document.members["compaction"] as? [String: Any] else {
            throw MalformedAnswer(reason: "/admin has no compaction")
        }
        return JSONObject(members: compaction)
    }

    /// Runs one to its end.
    /// - Returns: its error, nil when it was done.
    static func run(_ port: UInt16) throws -> String? {
        let number = try self.ask(port)
        let last = try Poll.until("compaction \(number) has ended") { () -> JSONObject? in
            guard let last = try self.state(port).members["last"] as? [String: Any] else { return nil }
            let outcome = JSONObject(members: last)
            return outcome.integer("id").map { $0 >= number } == true ? outcome : nil
        }
        return last.string("result") == "ok" ? nil : last.string("error") ?? "no error is said"
    }
}
