public import DashboardModel
import JSON

/// A service's answer to an action, for the operator.
public struct ActionOutcome: Sendable, Equatable {
    public var text: String
    public var level: DashboardEvent.Level

    public init(text: String, level: DashboardEvent.Level) {
        self.text = text
        self.level = level
    }

    /// From an answer to `POST /admin/compact`: 202 with a run's id, 409 if one is running already, or a problem
    /// document, whose text is shown. The screen escapes unsafe characters in it.
    public init(status: UInt, body: [UInt8]) {
        let tree = try? JSONTree(parsing: body)
        if (200..<300).contains(status) {
            let run = tree?["run_id"] ?? tree?["id"] ?? tree?["run"]
            let name = run?.string ?? run?.int.map { "\($0)" }
            self.init(text: "compaction accepted\(name.map { ": run \($0)" } ?? "")", level: .info)
            return
        }
        let words = [tree?["title"]?.string, tree?["detail"]?.string].compactMap { $0 }
        let text = words.isEmpty ? String(decoding: body.prefix(200), as: UTF8.self) : words.joined(separator: ": ")
        self.init(text: "compaction refused: HTTP \(status) \(text)", level: status == 409 ? .warning : .error)
    }
}
