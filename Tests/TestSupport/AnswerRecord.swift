import Foundation
import Synchronization

/// Answers that a test run keeps in the file `TXLOG_KV_ANSWERS`, one JSON object a line: `Tests/Tools/run-tests` compares
/// them with `Docs/openapi.json`. Of answers that differ only in their values, the first few are kept.
enum AnswerRecord {
    private static let keptOfAKind = 3
    /// Paths of tests that try very many do not fill it.
    private static let keptInAll = 5_000

    private static let path = getenv("TXLOG_KV_ANSWERS").map { String(cString: $0) }
    private static let kinds = Mutex<[String: Int]>([:])

    static func add(_ answer: HTTPAnswer, to method: String, _ target: String) {
        // Other servers than the two services send no such field.
        guard let path = self.path, answer["X-Request-Id"] != nil else { return }
        let isNew = self.kinds.withLock { kinds in
            let kind = self.kind(answer, method, target)
            guard kinds.count < self.keptInAll, kinds[kind, default: 0] < self.keptOfAKind else { return false }
            kinds[kind, default: 0] += 1
            return true
        }
        guard isNew else { return }
        do {
            let line: [String: Any] = [
                "method": method, "target": target, "status": answer.status,
                "headers": answer.headers.map { [$0.name, $0.value] },
                "body": Data(answer.body).base64EncodedString(),
            ]
            let bytes = try JSONSerialization.data(withJSONObject: line, options: .sortedKeys) + Data("\n".utf8)
            try FileText.append(bytes: Array(bytes), to: path)
        } catch {
            fatalError("an answer could not be recorded: \(error)")
        }
    }

    /// Method, path, status, code, and the names of fields and members.
    private static func kind(_ answer: HTTPAnswer, _ method: String, _ target: String) -> String {
        let members = (try? answer.json)?.members ?? [:]
        let names = answer.headers.map(\.name).sorted() + members.keys.sorted()
        let code = members["code"] as? String ?? ""
        let path = target.prefix { $0 != "?" }.prefix(64)
        return "\(method) \(path) \(answer.status) \(code) \(names.joined(separator: " "))"
    }
}
