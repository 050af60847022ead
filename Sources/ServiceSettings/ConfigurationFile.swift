import JSON

/// A JSON file with settings by name: `{"listen": "127.0.0.1:8081", "max-key-bytes": 1024}`.
public struct ConfigurationFile {
    /// No configuration is nearly as large; a larger file is not a configuration.
    static let sizeLimitBytes = 1 << 20

    public let path: String
    public let settings: ArraySlice<any SettingDefinition>

    /// The text of each setting in the file. Appends all problems to `errors`.
    ///
    /// - Parameter source: where the path was given.
    public func read(source: SettingSource, errors: inout [ConfigurationError]) -> [String: String] {
        let object: FlatJSONObject
        do {
            let bytes = try OperatorFile.read(self.path, limitBytes: Self.sizeLimitBytes)
            object = try FlatJSONObject(parsing: bytes, maxMembers: 1_000)
        } catch let error as OperatorFileError {
            errors.append(ConfigurationError(.file(path: self.path, reason: error.description, source: source)))
            return [:]
        } catch let error as JSONSyntaxError {
            let reason = "is not one JSON object: \(error.reason) at byte \(error.offset)"
            errors.append(ConfigurationError(.file(path: self.path, reason: reason, source: source)))
            return [:]
        } catch {
            preconditionFailure("unexpected error: \(error)")
        }
        var texts: [String: String] = [:]
        for name in object.names {
            guard let setting = self.settings.first(where: { $0.name == name }), let scalar = object[name] else {
                let nearest = EditDistance.nearest(to: name, in: self.settings.map(\.name))
                errors.append(ConfigurationError(.unknownKey(name, nearest: nearest, path: self.path)))
                continue
            }
            switch Self.text(of: scalar, for: setting) {
            case .success(let text): texts[name] = text
            case .failure(let error):
                let fact = ConfigurationError.Fact.value(
                    setting: name,
                    reason: error.reason,
                    source: .file(path: self.path)
                )
                errors.append(ConfigurationError(fact))
            }
        }
        return texts
    }

    private struct TypeError: Error {
        let reason: String
    }

    /// The equivalent text of a flag.
    private static func text(of scalar: JSONScalar, for setting: any SettingDefinition) -> Result<String, TypeError> {
        let forms = setting.jsonForms
        let wanted =
            forms.contains(.string) ? "a JSON string" : forms.contains(.number) ? "a JSON number" : "true or false"
        switch scalar {
        case .string(let bytes) where forms.contains(.string):
            return .success(String(decoding: bytes, as: UTF8.self))
        case .number(let text) where forms.contains(.number):
            return .success(text)
        case .bool(let value) where forms.contains(.boolean):
            return .success("\(value)")
        case .null where setting.defaultText == nil:
            return .success("")
        case .string: return .failure(TypeError(reason: "is a JSON string instead of \(wanted)"))
        case .number: return .failure(TypeError(reason: "is a JSON number instead of \(wanted)"))
        case .bool: return .failure(TypeError(reason: "is true or false instead of \(wanted)"))
        case .null: return .failure(TypeError(reason: "is null instead of \(wanted)"))
        }
    }
}
