public import JSON
public import Logging

/// Writes each event as one line of JSON in the format of zerolog:
///
///     {"level":"info","time":"2026-11-22T21:58:14.123Z","service":"kv-service","message":"listening","address":"…"}
///
/// After the first four members follows the metadata, ordered by name (the event's own overrides the provider's, which
/// overrides the logger's), and last `error`, the description of the event's error. Metadata with the name of one of
/// these members is written as `metadata_<name>`, so that names are unique. Integers, floating-point numbers and
/// Booleans given as `.stringConvertible` stay JSON numbers and Booleans.
///
/// A value: level and metadata set on one logger do not affect another. Without its own level, it uses the level of the
/// process. Logging never blocks and never fails; the output counts what it cannot accept.
public struct JSONLogHandler: LogHandler {
    private let service: String
    private let output: LogOutput
    private let sharedLevel: SharedLogLevel
    private let onMessage: @Sendable (Logger.Level) -> Void
    private var ownLevel: Logger.Level?

    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    /// - Parameters:
    ///   - service: the name of the program, `service` in each line.
    ///   - onMessage: called with the level of each event, on the thread that logs; for counting.
    public init(
        service: String,
        output: LogOutput,
        level: SharedLogLevel,
        metadataProvider: Logger.MetadataProvider? = nil,
        onMessage: @escaping @Sendable (Logger.Level) -> Void = { _ in }
    ) {
        self.service = service
        self.output = output
        self.sharedLevel = level
        self.metadataProvider = metadataProvider
        self.onMessage = onMessage
    }

    public var logLevel: Logger.Level {
        get { self.ownLevel ?? self.sharedLevel.value }
        set { self.ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        self.onMessage(event.level)
        let metadata = self.merged(with: event.metadata)
        var line = JSONWriter(reservingBytes: 256)
        line.object { line in
            line.logMembers(level: event.level, service: self.service, message: event.message.description)
            for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
                line.member(
                    name: Self.memberName(name, in: metadata, hasError: event.error != nil),
                    metadata: value
                )
            }
            if let error = event.error {
                line.member("error", String(describing: error))
            }
        }
        line.newline()
        self.output.submit(line.bytes)
    }

    private func merged(with explicit: Logger.Metadata?) -> Logger.Metadata {
        var merged = self.metadata
        if let provided = self.metadataProvider?.get(), !provided.isEmpty {
            merged.merge(provided) { _, new in new }
        }
        if let explicit, !explicit.isEmpty {
            merged.merge(explicit) { _, new in new }
        }
        return merged
    }

    /// A name that no other member of the line has.
    private static func memberName(_ name: String, in metadata: Logger.Metadata, hasError: Bool)
        -> String
    {
        switch name {
        case "level", "time", "service", "message": break
        case "error" where hasError: break
        default: return name
        }
        var free = "metadata_" + name
        while metadata[free] != nil {
            free = "metadata_" + free
        }
        return free
    }
}

extension JSONWriter {
    /// An object with the metadata, ordered by name, with numbers and Booleans as in log lines.
    public mutating func member(_ name: StaticString, metadata: Logger.Metadata) {
        self.beginMember(name)
        self.append(metadata: .dictionary(metadata))
    }

    fileprivate mutating func member(name: String, metadata value: Logger.MetadataValue) {
        self.beginMember(name)
        self.append(metadata: value)
    }

    /// Appends the value without a comma.
    private mutating func append(metadata value: Logger.MetadataValue) {
        switch value {
        case .string(let text):
            text.appendJSON(to: &self)
        case .stringConvertible(let value as any JSONValue):
            value.appendJSON(to: &self)
        case .stringConvertible(let value as any FixedWidthInteger):
            self.append(decimal: value)
        case .stringConvertible(let value):
            value.description.appendJSON(to: &self)
        case .dictionary(let members):
            self.appendObject { writer in
                for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                    writer.member(name: name, metadata: value)
                }
            }
        case .array(let elements):
            self.appendArray { writer in
                for value in elements {
                    writer.beginElement()
                    writer.append(metadata: value)
                }
            }
        }
    }
    private mutating func append(decimal value: some FixedWidthInteger) {
        self.bytes.append(contentsOf: String(value).utf8)
    }
}
