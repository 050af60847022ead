public import JSON

extension ResolvedSettings {
    /// The document of `GET /admin/config`: every setting with its effective value and its source. Secrets are
    /// redacted.
    ///
    /// - Parameters:
    ///   - changed: by name, the values that actions changed since the start; their source is `admin`.
    ///   - reload: writes the member of that name.
    public func document(changed: [String: String], reload: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { document in
            document.member(
                "settings",
                array: { settings in
                    for entry in self.entries {
                        settings.element(object: { setting in
                            setting.member("name", entry.name)
                            let newText = changed[entry.name]
                            setting.member("value", newText ?? entry.text)
                            setting.member("source", newText == nil ? entry.source.label : "admin")
                            setting.member("environment_variable", entry.environmentVariable)
                            if newText == nil, case .file(let path) = entry.source { setting.member("file", path) }
                        })
                    }
                }
            )
            document.member("reload", object: reload)
        }
        writer.newline()
        return writer.bytes
    }
}
