import AccessControl
import TestSupport

/// A method of a route of the services, with a request that succeeds or at least reaches its action.
struct AccessRow {
    /// Who may use a route: its decision.
    enum Decision: Equatable {
        case open
        case role(AccessRole)
    }

    let method: String
    let path: String
    let decision: Decision
    var target: String
    var type = ""
    var body = ""
    /// That of the request which is permitted; nil: the same.
    var permittedBody: String?
    var isWrite = false
    /// Whether only kv-service has it.
    var isOfStore = false

    init(
        _ method: String, _ path: String, _ decision: Decision, query: String = "", type: String = "",
        body: String = "", permittedBody: String? = nil, isWrite: Bool = false, isOfStore: Bool = false
    ) {
        (self.method, self.path, self.decision) = (method, path, decision)
        self.target = query.isEmpty ? path : "\(path)?\(query)"
        (self.type, self.body, self.permittedBody) = (type, body, permittedBody)
        (self.isWrite, self.isOfStore) = (isWrite, isOfStore)
    }
}

extension AccessRow {
    static let json = "application/json"

    /// Every method of every route. `DATA` stands for `/kv` or `/api`.
    private static let rows: [AccessRow] = [
        AccessRow(
            "PUT", "DATA/set", .role(.write), query: "key=new", type: "application/octet-stream", body: "v",
            isWrite: true),
        AccessRow(
            "POST", "DATA/set", .role(.write), type: json, body: #"{"key":"new","value":"v"}"#, isWrite: true),
        AccessRow("GET", "DATA/get", .role(.read), query: "key=there"),
        AccessRow("DELETE", "DATA/delete", .role(.write), query: "key=there", isWrite: true),
        AccessRow("GET", "DATA/keys", .role(.read), query: "values=true"),
        AccessRow("POST", "DATA/mget", .role(.read), type: json, body: #"{"keys":["there"]}"#),
        AccessRow(
            "POST", "DATA/txn", .role(.write), type: json,
            body: #"{"operations":[{"op":"set","key":"new","value":"v"},{"op":"delete","key":"there"}]}"#,
            isWrite: true),
        AccessRow("POST", "DATA/incr", .role(.write), type: json, body: #"{"key":"number"}"#, isWrite: true),
        AccessRow("GET", "DATA/watch", .role(.read), query: "mode=poll&wait_ms=0"),
        AccessRow("GET", "/", .open), AccessRow("GET", "/health", .open), AccessRow("GET", "/livez", .open),
        AccessRow("GET", "/healthz", .open), AccessRow("GET", "/readyz", .open),
        AccessRow("GET", "/metrics", .role(.monitor)), AccessRow("GET", "/admin", .role(.monitor)),
        AccessRow("GET", "/admin/config", .role(.monitor)), AccessRow("GET", "/admin/events", .role(.monitor)),
        AccessRow("GET", "/admin/slow", .role(.monitor)), AccessRow("GET", "/admin/log-level", .role(.monitor)),
        AccessRow("GET", "/admin/read-only", .role(.monitor)), AccessRow("GET", "/admin/drain", .role(.monitor)),
        AccessRow(
            "POST", "/admin/log-level", .role(.admin), type: json, body: #"{"level":"error"}"#,
            permittedBody: #"{"level":"info"}"#),
        AccessRow(
            "POST", "/admin/read-only", .role(.admin), type: json, body: #"{"enabled":true}"#,
            permittedBody: #"{"enabled":false}"#),
        AccessRow(
            "POST", "/admin/drain", .role(.admin), type: json, body: #"{"enabled":true}"#,
            permittedBody: #"{"enabled":false}"#),
        AccessRow("POST", "/admin/compact", .role(.admin), isOfStore: true),
        AccessRow("GET", "/admin/backup", .role(.admin), isOfStore: true),
    ]

    static func all(of front: Front) -> [AccessRow] {
        self.rows.filter { front == .kvService || !$0.isOfStore }.map { row in
            var row = row
            row.target = row.target.replacing("DATA", with: "/\(front.rawValue)")
            return row
        }
    }
}
