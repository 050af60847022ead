import Foundation
import TestSupport

/// The folder of a log as a person sees it.
struct LogFolder {
    let path: String

    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: self.path)) ?? []).sorted()
    }

    /// The files of segments, without those that are prepared.
    var segments: [String] { self.names.filter { $0.hasSuffix(".log") && !self.isPrepared($0) } }

    /// What the MANIFEST lists.
    private func listed() throws -> Set<String> {
        let lines = try FileText.text("\(self.path)/MANIFEST").split(separator: "\n")
        let names = lines.compactMap { line -> String? in
            let words = line.split(separator: " ")
            return words.count > 1 && ["part", "sealed", "active"].contains(words[0]) ? String(words[1]) : nil
        }
        return Set(names)
    }

    /// Segments, parts and unfinished files that the MANIFEST does not list.
    ///
    /// - Parameter isRunning: a service that runs may be making a file for a later segment.
    func leftovers(isRunning: Bool = false) throws -> [String] {
        let listed = try self.listed()
        let known = ["MANIFEST", "MANIFEST.tmp", "LOCK", "quarantine", "reserve", "lost+found"]
        return self.names.filter { name in
            !listed.contains(name) && !known.contains(name) && !(isRunning && name.hasSuffix(".prepared"))
                && !self.isPrepared(name)
        }
    }

    /// Whether it is a file of zeros that waits to become a segment.
    private func isPrepared(_ name: String) -> Bool {
        guard name.hasSuffix(".log"), let file = FileHandle(forReadingAtPath: "\(self.path)/\(name)") else {
            return false
        }
        defer { try? file.close() }
        let header = try? file.read(upToCount: 4_096)
        return header?.allSatisfy { $0 == 0 } ?? false
    }
}
