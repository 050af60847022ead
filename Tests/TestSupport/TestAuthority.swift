import Foundation

/// An authority that makes certificates for tests, with the tool that operators use.
package final class TestAuthority: Sendable {
    package let folder: TemporaryFolder
    private let name: String

    package struct Certificate: Sendable {
        package let certificate: String
        package let key: String
    }

    /// PEM of the authority's certificate.
    package var certificate: String { self.folder.file("\(self.name).pem") }

    package init(_ name: String = "authority", in folder: TemporaryFolder) throws {
        self.folder = folder
        self.name = name
        try Self.openssl(
            Self.newKey(name) + ["-x509", "-days", "30", "-subj", "/CN=\(name)", "-out", "\(name).pem"], in: folder)
    }

    /// A certificate for these hosts, for either side of a connection.
    ///
    /// - Parameter name: of the files; a name that was used before replaces them.
    package func issue(_ name: String, hosts: String = "DNS:localhost,IP:127.0.0.1", days: Int = 30) throws
        -> Certificate
    {
        try Self.openssl(Self.newKey(name) + ["-subj", "/CN=\(name)", "-out", "\(name).csr"], in: self.folder)
        try FileText.write("subjectAltName=\(hosts)\n", to: self.folder.file("\(name).ext"))
        try Self.openssl(
            [
                "x509", "-req", "-in", "\(name).csr", "-CA", "\(self.name).pem", "-CAkey", "\(self.name).key",
                "-set_serial", "\(UInt32.random(in: 1 ... .max))", "-days", "\(days)", "-extfile", "\(name).ext",
                "-out",
                "\(name).pem",
            ], in: self.folder)
        return Certificate(certificate: self.folder.file("\(name).pem"), key: self.folder.file("\(name).key"))
    }

    private static func newKey(_ name: String) -> [String] {
        ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "\(name).key"]
    }

    /// - Returns: what it has written to standard output.
    @discardableResult
    package static func openssl(_ arguments: [String], in folder: TemporaryFolder) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        let (output, error) = (folder.file("openssl.out"), folder.file("openssl.err"))
        for file in [output, error] { try FileText.write("", to: file) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: error)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ToolFailure(description: "openssl \(arguments): \(try FileText.text(error))")
        }
        return try FileText.text(output)
    }
}

package struct ToolFailure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}
