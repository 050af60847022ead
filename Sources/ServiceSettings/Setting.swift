/// One setting of a service, defined once: flag `--name`, environment variable `PREFIX_NAME`, JSON key `"name"`.
public struct Setting<Value: Sendable>: SettingDefinition {
    public let name: String
    public let defaultText: String?
    public let help: String
    public let isSecret: Bool
    public let placeholder: String
    public let expectation: String
    public let jsonForms: JSONForms
    public let completion: Completion
    private let parseText: @Sendable (String) -> Value?

    /// A setting that always has a value.
    ///
    /// - Parameters:
    ///   - name: lower-case words joined by `-`.
    ///   - default: a text that `kind` accepts.
    ///   - help: one sentence without a full stop, for `--help` and the documentation.
    ///   - isSecret: whether errors and documents redact the value.
    public init(_ name: String, _ kind: SettingKind<Value>, default: String, help: String, isSecret: Bool = false) {
        self.init(name, kind, defaultText: `default`, help: help, isSecret: isSecret, parseText: kind.parse)
    }

    private init<Wrapped>(
        _ name: String,
        _ kind: SettingKind<Wrapped>,
        defaultText: String?,
        help: String,
        isSecret: Bool,
        parseText: @escaping @Sendable (String) -> Value?
    ) {
        self.name = name
        self.defaultText = defaultText
        self.help = help
        self.isSecret = isSecret
        self.placeholder = kind.placeholder
        self.expectation = kind.expectation
        self.jsonForms = kind.jsonForms
        self.completion = kind.completion
        self.parseText = parseText
    }

    /// A setting that may have no value, and has none by default. An empty text means no value, so that a flag or an
    /// environment variable can override the config file.
    public init<Wrapped>(
        optional name: String,
        _ kind: SettingKind<Wrapped>,
        help: String,
        isSecret: Bool = false
    ) where Value == Wrapped? {
        self.init(name, kind, defaultText: nil, help: help, isSecret: isSecret) { text in
            text.isEmpty ? .some(nil) : kind.parse(text).map { .some($0) }
        }
    }

    /// The value of a text; nil if the setting does not accept it.
    public func value(of text: String) -> Value? {
        self.parseText(text)
    }

    public func erasedValue(of text: String) -> (any Sendable)? {
        self.parseText(text)
    }
}

/// A ``Setting`` of any value type, for tables.
public protocol SettingDefinition: Sendable {
    var name: String { get }
    /// Nil if the setting has no default value.
    var defaultText: String? { get }
    var help: String { get }
    var isSecret: Bool { get }
    var placeholder: String { get }
    var expectation: String { get }
    var jsonForms: JSONForms { get }
    var completion: Completion { get }
    /// The value of a text; nil if the setting does not accept it.
    func erasedValue(of text: String) -> (any Sendable)?
}

/// Where a value was given, from the lowest precedence to the highest.
public enum SettingSource: Sendable, Equatable {
    case `default`
    case file(path: String)
    case environment(variable: String)
    case flag

    /// The word that documents use.
    public var label: String {
        switch self {
        case .default: "default"
        case .file: "file"
        case .environment: "environment"
        case .flag: "flag"
        }
    }
}
