import JSON

/// The first line of a recording.
public struct RecordingHeader: Sendable, Equatable {
    /// The version of the format. A reader refuses versions that it does not know.
    public static let formatVersion = 1

    public var targets: [Target]
    public var intervalSeconds: Double
    /// Seconds since 1970.
    public var startedAt: Double

    public init(targets: [Target], intervalSeconds: Double, startedAt: Double) {
        self.targets = targets
        self.intervalSeconds = intervalSeconds
        self.startedAt = startedAt
    }

    /// A line of JSON.
    public var line: [UInt8] {
        var writer = JSONWriter()
        writer.object { header in
            header.member("kvtop_recording", Self.formatVersion)
            header.member("started_at", self.startedAt)
            header.member("interval_seconds", self.intervalSeconds)
            header.member(
                "targets",
                array: { array in
                    for target in self.targets {
                        array.element(object: { object in
                            object.member("role", target.role.rawValue)
                            object.member("name", target.name)
                            object.member("url", target.url)
                        })
                    }
                })
        }
        writer.newline()
        return writer.bytes
    }

    /// - Throws: the error in the line.
    public init(parsing line: [UInt8]) throws(RecordingError) {
        let tree: JSONTree
        do { tree = try JSONTree(parsing: line) } catch {
            throw RecordingError("this is not a recording of kvtop: \(error)")
        }
        guard let version = tree["kvtop_recording"]?.int else {
            throw RecordingError("this is not a recording of kvtop: its first line is not a header")
        }
        guard version == Self.formatVersion else {
            throw RecordingError("the recording has format \(version), this kvtop reads \(Self.formatVersion)")
        }
        self.intervalSeconds = tree["interval_seconds"]?.double ?? 1
        self.startedAt = tree["started_at"]?.double ?? 0
        self.targets = (tree["targets"]?.elements ?? []).compactMap { entry in
            guard let role = entry["role"]?.string.flatMap(Target.Role.init(rawValue:)),
                let name = entry["name"]?.string, let url = entry["url"]?.string
            else { return nil }
            return Target(role: role, name: name, url: url)
        }
        guard !self.targets.isEmpty else { throw RecordingError("the recording has no targets") }
    }
}

/// The unreadable lines of a recording whose other lines can be read.
public struct RecordingDamage: Equatable, Sendable {
    public private(set) var lines = 0
    private var first = ""

    public init() {}

    public mutating func note(_ reason: String) {
        if self.lines == 0 { self.first = reason }
        self.lines += 1
    }

    /// For the operator; nil if there are none.
    public var text: String? {
        switch self.lines {
        case 0: nil
        case 1: self.first
        default: "\(self.lines) lines cannot be read; the first: \(self.first)"
        }
    }
}

/// Why a recording cannot be read.
public struct RecordingError: Error, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
