/// The texts that a setting accepts, and their values.
public struct SettingKind<Value: Sendable>: Sendable {
    /// The placeholder for the value in the help, without the angle brackets: `host:port`.
    public let placeholder: String
    /// Completes "'x' is not …" in errors: `a duration such as 250ms, 10s or 1m`.
    public let expectation: String
    /// The JSON types by which a config file may give the value.
    public let jsonForms: JSONForms
    /// What a shell completes the value with.
    public let completion: Completion
    /// The value of a text; nil if the text is not valid.
    public let parse: @Sendable (String) -> Value?

    public init(
        placeholder: String,
        expectation: String,
        jsonForms: JSONForms = .string,
        completion: Completion = .none,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.placeholder = placeholder
        self.expectation = expectation
        self.jsonForms = jsonForms
        self.completion = completion
        self.parse = parse
    }
}

/// The JSON types that a config file may use for a setting.
public struct JSONForms: OptionSet, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) {
        self.rawValue = rawValue
    }

    public static let string = JSONForms(rawValue: 1)
    public static let number = JSONForms(rawValue: 2)
    public static let boolean = JSONForms(rawValue: 4)
}

/// What a shell completes a value with.
public enum Completion: Sendable {
    case none
    case file
    case directory
    case words([String])
}

extension SettingKind where Value == ListenAddress {
    /// `host:port`.
    public static var listenAddress: SettingKind {
        SettingKind(
            placeholder: "host:port",
            expectation: "an address such as 127.0.0.1:8081, [::1]:8081 or 0.0.0.0:0",
            parse: { ListenAddress($0) }
        )
    }
}

extension SettingKind where Value == String {
    /// The path of a file; the setting does not check that the file exists.
    public static var filePath: SettingKind {
        SettingKind(placeholder: "file", expectation: "a path", completion: .file, parse: { $0.isEmpty ? nil : $0 })
    }

    /// The path of a folder; the setting does not check that the folder exists.
    public static var directoryPath: SettingKind {
        SettingKind(
            placeholder: "folder",
            expectation: "a path",
            completion: .directory,
            parse: { $0.isEmpty ? nil : $0 }
        )
    }
}

extension SettingKind where Value == Int {
    /// A whole number within bounds, in decimal digits.
    public static func integer(in bounds: ClosedRange<Int>) -> SettingKind {
        SettingKind(
            placeholder: "number",
            expectation: "a whole number from \(bounds.lowerBound) to \(bounds.upperBound)",
            jsonForms: .number,
            parse: { text in Int(text).flatMap { bounds.contains($0) ? $0 : nil } }
        )
    }

    /// A number of bytes within bounds: `67108864` or `64MiB` (KiB, MiB, GiB).
    public static func byteSize(in bounds: ClosedRange<Int>) -> SettingKind {
        SettingKind(
            placeholder: "bytes",
            expectation:
                "a size in bytes such as 67108864 or 64MiB, from \(bounds.lowerBound) to \(bounds.upperBound)",
            jsonForms: [.number, .string],
            parse: { text in ScaledNumber.bytes(text).flatMap { bounds.contains($0) ? $0 : nil } }
        )
    }
}

extension SettingKind where Value == Bool {
    /// `true` or `false`.
    public static var boolean: SettingKind {
        SettingKind(
            placeholder: "true|false",
            expectation: "true or false",
            jsonForms: .boolean,
            completion: .words(["true", "false"]),
            parse: { Bool($0) }
        )
    }
}

extension SettingKind where Value == Duration {
    /// A time with its unit (`ms`, `s`, `m`, `h`) within bounds, such as `250ms`.
    public static func duration(in bounds: ClosedRange<Duration>) -> SettingKind {
        let least = ScaledNumber.text(of: bounds.lowerBound)
        let most = ScaledNumber.text(of: bounds.upperBound)
        return SettingKind(
            placeholder: "duration",
            expectation: "a duration such as 250ms, 10s or 1m, from \(least) to \(most)",
            parse: { text in ScaledNumber.duration(text).flatMap { bounds.contains($0) ? $0 : nil } }
        )
    }
}

extension SettingKind where Value == Double {
    /// A finite decimal number within bounds, such as `0.5`.
    public static func ratio(in bounds: ClosedRange<Double>) -> SettingKind {
        SettingKind(
            placeholder: "ratio",
            expectation: "a number from \(bounds.lowerBound) to \(bounds.upperBound)",
            jsonForms: .number,
            parse: { text in
                guard text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }) else { return nil }
                return Double(text).flatMap { bounds.contains($0) ? $0 : nil }
            }
        )
    }
}

extension SettingKind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the type's words.
    public static func word(placeholder: String) -> SettingKind {
        let words = Value.allCases.map(\.rawValue)
        return SettingKind(
            placeholder: placeholder,
            expectation: "one of \(words.joined(separator: ", "))",
            completion: .words(words),
            parse: { Value(rawValue: $0) }
        )
    }
}
