import Foundation

/// A program of `Tests/Tools`.
enum RepositoryTool {
    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Tools/\(name)").path
    }
}
