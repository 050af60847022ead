/// A JSON file that holds settings by name: `{"listen": "127.0.0.1:8081", "max-key-bytes": 1024}`.
struct ConfigurationFile {
    let path: String
    let settings: ArraySlice<any SettingDefinition>

    /// The text of each setting in the file. What is wrong is appended to `errors`.
    ///
    /// - Parameter source: where the path was given.
    func read(source: SettingSource, errors: inout [ConfigurationError]) -> [String: String] {
        errors.append(ConfigurationError(.file(path: self.path, reason: "files are not read yet", source: source)))
        return [:]
    }
}
