import JSONLogging

extension ResolvedSettings {
    /// The document of `GET /admin/config`: every setting with its effective value and where it was given. Secrets are
    /// redacted.
    package var document: [UInt8] {
        var writer = JSONWriter()
        writer.object { document in
            document.member(
                "settings",
                array: { settings in
                    for entry in self.entries {
                        settings.element(object: { setting in
                            setting.member("name", entry.name)
                            setting.member("value", entry.text)
                            setting.member("source", entry.source.label)
                            setting.member("environment_variable", entry.environmentVariable)
                            if case .file(let path) = entry.source { setting.member("file", path) }
                        })
                    }
                }
            )
        }
        writer.newline()
        return writer.bytes
    }
}
