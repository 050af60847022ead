import AccessControl
import TestSupport

/// Both services: the gateway with access keys of its clients, kv-service with those of the gateway and of the
/// others.
final class LockedServices {
    let folder = TemporaryFolder()
    let clients: AccessKeysFile
    let atStore: AccessKeysFile
    let services: Services

    static let names = ["read", "write", "monitor", "admin"]

    init() throws {
        (self.clients, self.atStore) =
            (AccessKeysFile(in: self.folder, "clients"), AccessKeysFile(in: self.folder, "store"))
        for file in [self.clients, self.atStore] {
            for role in AccessRole.allCases { file.add(role.rawValue, AccessRoles(role)) }
            file.add("all", [.read, .write, .monitor, .admin])
            file.add("limited", [.read, .write], prefixes: ["own/", "shared/"])
            file.add("expired", [.read, .write, .monitor, .admin], expiresAt: 1_700_000_000)
        }
        self.atStore.add("gateway", [.read, .write])
        try self.clients.write()
        try self.atStore.write()
        self.services = try Services(
            folder: self.folder, kvArguments: ["--access-keys-file", self.atStore.path],
            gatewayArguments: [
                "--access-keys-file", self.clients.path, "--upstream-access-key-file",
                try self.atStore.keyFile("gateway"),
            ])
    }

    func file(_ front: Front) -> AccessKeysFile { front == .kvService ? self.atStore : self.clients }

    func connect(_ front: Front) throws -> HTTPConnection {
        try HTTPConnection(port: front == .kvService ? self.services.kvPort : self.services.gatewayPort)
    }

    /// The state of the store and of what operators can switch.
    func state() throws -> String {
        let kv = try self.connect(.kvService)
        let all = EndToEnd.AccessKeyTests.field(self.atStore["all"])
        var state = try kv.request("GET", "/kv/keys?values=true", headers: [all]).text
        for front in Front.allCases {
            let connection = try self.connect(front)
            let field = EndToEnd.AccessKeyTests.field(self.file(front)["all"])
            for path in ["/admin/log-level", "/admin/read-only", "/admin/drain"] {
                state += try connection.request("GET", path, headers: [field]).text
            }
        }
        let admin = try kv.request("GET", "/admin", headers: [all]).json
        state += "\(admin.object("compaction").integer("runs_total") ?? -1)"
        state += " \(admin.object("backup").integer("sent_bytes_total") ?? -1)"
        return state
    }
}
