import AccessControl
import Glibc
import TestSupport

/// A file with access keys, and the keys themselves.
final class AccessKeysFile {
    let path: String
    private var keys: [String: AccessKey] = [:]
    private var entries: [AccessEntry] = []

    init(in folder: TemporaryFolder, _ name: String) { self.path = folder.file(name) }

    /// Adds an entry; ``write()`` makes it known.
    func add(_ name: String, _ roles: AccessRoles, prefixes: [String] = [], expiresAt: UInt64? = nil) {
        let key = AccessKey.random()
        self.keys[name] = key
        self.entries.append(
            AccessEntry(
                name: name, digest: key.digest, roles: roles, prefixes: prefixes.map { Array($0.utf8) },
                expiresAt: expiresAt))
    }

    func write() throws { try FileText.write(self.entries.map { "\($0.line)\n" }.joined(), to: self.path) }

    /// The text of an access key.
    subscript(name: String) -> String { self.keys[name]?.text ?? "no entry \(name)" }

    /// Hashes and access keys: what must not be seen anywhere.
    var secrets: [String] { self.keys.values.map(\.text) + self.entries.map(\.digest.digits) }

    /// A file with one access key, as clients have it.
    func keyFile(_ name: String) throws -> String {
        let path = "\(self.path).\(name)"
        try FileText.write("\(self[name])\n", to: path)
        return path
    }
}
