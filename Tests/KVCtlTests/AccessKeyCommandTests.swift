import AccessControl
import Foundation
import TestSupport
import Testing

@Suite("kvctl key", .timeLimit(.minutes(2)))
struct AccessKeyCommandTests {
    private let folder = TemporaryFolder()
    private var file: String { self.folder.file("access-keys") }

    private func run(_ arguments: String..., under setting: String = ":") throws -> ProgramRun {
        try ProgramRun("kvctl", under: setting, arguments: ["key"] + arguments + ["--file", self.file])
    }

    /// The text of the file, without the hashes.
    private func text() throws -> String {
        try FileText.text(self.file).replacing(/sha256:[0-9a-f]{64}/, with: "HASH")
    }

    @Test func `add prints the access key and nothing else, and the file has its hash`() throws {
        let run = try self.run(
            "add", "orders-app", "--roles", "read,write", "--prefix", "orders/", "--prefix-b64", "AP8=",
            "--expires", "2553-01-01T00:00:00Z")
        #expect(run.status == 0)
        let key = String(run.output.dropLast())
        #expect(run.output == "\(key)\n")
        let digest = AccessDigest(ofKey: key.utf8.span)
        let table = try AccessKeyFile.load(self.file)
        let entry = try #require(digest.flatMap(table.entry))
        #expect(entry.name == "orders-app" && entry.roles == [.read, .write])
        #expect(entry.prefixes == [Array("orders/".utf8), [0, 0xFF]])
        #expect(
            try self.text() == "orders-app HASH roles=read,write prefixes=orders/,%00%ff expires=2553-01-01T00:00:00Z\n"
        )
        #expect(!run.error.contains(key) && !run.error.contains(entry.digest.digits))
        let attributes = try FileManager.default.attributesOfItem(atPath: self.file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: self.folder.path) == ["access-keys"])
    }

    @Test func `what is in the file stays as it is, and remove takes one line`() throws {
        let hash = "sha256:" + String(repeating: "a", count: 64)
        try FileText.write("# ours\n\n b  \(hash)\troles=admin", to: self.file)
        #expect(try self.run("add", "bb", "--roles", "monitor").status == 0)
        #expect(try self.text() == "# ours\n\n b  HASH\troles=admin\nbb HASH roles=monitor\n")
        let twice = try self.run("add", "bb", "--roles", "read")
        #expect(twice.status == 1 && twice.bytes.isEmpty && twice.error.contains("has an access key of bb"))
        #expect(try self.run("remove", "b").status == 0)
        #expect(try self.text() == "# ours\n\nbb HASH roles=monitor\n")
        #expect(try self.run("remove", "b").status == 2)
        #expect(try self.run("remove", "bb").status == 0)
        #expect(try self.text() == "# ours\n\n")
    }

    @Test func `list shows everything but secrets`() throws {
        let key = try self.run("add", "a", "--roles", "read,admin", "--prefix", "x y/", "--expires", "720h").output
        let hash = "sha256:" + String(repeating: "a", count: 64)
        try FileText.append(bytes: Array("long \(hash) roles=write expires=1999-01-01T00:00:00Z\n".utf8), to: self.file)
        let list = try self.run("list")
        let lines = list.output.split(separator: "\n")
        #expect(list.status == 0 && lines.count == 2)
        #expect(lines[0].hasPrefix("a     roles=read,admin prefixes=x%20y/ expires=2"))
        #expect(lines[1] == "long  roles=write expires=1999-01-01T00:00:00Z (expired)")
        let json = try self.run("list", "--json").output
        #expect(
            json.contains(
                #"{"name":"long","roles":["write"],"prefixes":[],"expires_at":"1999-01-01T00:00:00Z","expired":true}"#))
        for text in [list.output, json] {
            #expect(!text.contains("txk_") && !text.contains(key) && !text.contains("aaaa"))
        }
    }

    @Test(arguments: [
        ["add", "txk_x", "--roles", "read"], ["add", "a b", "--roles", "read"], ["add", "a", "--roles", "owner"],
        ["add", "a", "--roles", ""], ["add", "a", "--roles", "read", "--prefix", ""],
        ["add", "a", "--roles", "read", "--expires", "1999-01-01T00:00:00Z"],
        ["add", "a", "--roles", "read", "--expires", "soon"], ["add", "a"],
    ]) func `a wrong command line changes nothing and does not repeat a secret`(_ arguments: [String]) throws {
        let run = try ProgramRun("kvctl", arguments: ["key"] + arguments + ["--file", self.file])
        #expect(run.status == 1 && run.bytes.isEmpty && !run.error.contains("txk_x"))
        #expect(!FileManager.default.fileExists(atPath: self.file))
    }

    @Test func `a file that others can read, or with a wrong line, is not changed`() throws {
        try FileText.write("a b\n", to: self.file)
        let wrong = try self.run("add", "c", "--roles", "read")
        #expect(wrong.status == 1 && wrong.error.contains("line 1, column 3 (a)"))
        try FileText.write("", to: self.file)
        #expect(chmod(self.file, 0o644) == 0)
        let open = try self.run("add", "c", "--roles", "read")
        #expect(open.status == 1 && open.error.contains("chmod 600"))
        #expect(try FileText.text(self.file).isEmpty)
    }

    @Test func `an access key that cannot be printed is not lost in silence`() throws {
        let run = try self.run("add", "a", "--roles", "read", under: "exec >/dev/full")
        #expect(run.status == 1 && run.error.contains("remove a, and add it again"))
    }

    @Test func `forty at a time are all added`() throws {
        let add = #"xargs -P 40 -I{} "$1" key add n{} --roles read --file '\#(self.file)' >/dev/null 2>&1"#
        let list = try self.run("list", under: "seq 40 | \(add)")
        let names = list.output.split(separator: "\n").compactMap { $0.split(separator: " ").first }
        #expect(Set(names) == Set((1...40).map { "n\($0)" }))
    }

    @Test func `a link stays a link`() throws {
        let target = self.folder.file("target")
        try FileText.write("", to: target)
        try FileManager.default.createSymbolicLink(atPath: self.file, withDestinationPath: target)
        #expect(try self.run("add", "a", "--roles", "read").status == 0)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: self.file) == target)
        #expect(try AccessKeyFile.load(target).entries.map(\.name) == ["a"])
    }
}
