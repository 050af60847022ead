import Foundation
import TestSupport
import Testing

/// A wall clock that one program alone sees, by libfaketime; its monotonic clock stays the real one.
struct FakedClock {
    /// In the folders that distributions put it.
    static let library: String? = ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
        .map { "\($0)/faketime/libfaketimeMT.so.1" }.first { FileManager.default.fileExists(atPath: $0) }

    /// Starts the program: the first one under libfaketime does not see its flags.
    static let wrapper = "/usr/bin/env"

    private let file: String
    let environment: [String: String]

    /// - Parameter file: where the clock's offset is kept.
    init(_ file: String) throws {
        self.file = file
        self.environment = [
            "LD_PRELOAD": try #require(Self.library), "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ]
        try self.set("+0s")
    }

    /// - Parameter offset: from the real time: `-3h`, `+5h`.
    func set(_ offset: String) throws { try FileText.write("\(offset)\n", to: self.file) }
}
