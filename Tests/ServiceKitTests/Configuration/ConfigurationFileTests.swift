import Glibc
import Testing

@testable import ServiceSettings

@Suite("Settings from the config file", .timeLimit(.minutes(1)))
struct ConfigurationFileTests {
    /// Resolves with a config file of this text; the settings, or the errors.
    private func resolve(
        _ text: String,
        flags: [String: String] = [:],
        environment: [String: String] = [:]
    ) throws -> Result<ResolvedSettings, ConfigurationErrors> {
        var path = Array("/tmp/txlog-kv-config-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        try #require(descriptor >= 0)
        defer {
            unlink(path)
            close(descriptor)
        }
        try #require(write(descriptor, text, text.utf8.count) == text.utf8.count)
        let file = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do throws(ConfigurationErrors) {
            let flags = flags.merging(["config": file]) { given, _ in given }
            return .success(try ExampleSettings.table.resolve(flags: flags, environment: environment))
        } catch {
            return .failure(error)
        }
    }

    private func errors(_ text: String) throws -> [String] {
        switch try self.resolve(text) {
        case .success: []
        case .failure(let error): error.errors.map(\.description)
        }
    }

    @Test func `the file lies between the environment and the defaults`() throws {
        let settings = try self.resolve(
            #"{"sync": "never", "least-keys": 3, "most-keys": 50, "segment-bytes": 4096, "timeout": "250ms"}"#,
            flags: ["most-keys": "60"],
            environment: ["EX_LEAST_KEYS": "4"]
        ).get()
        #expect(settings[ExampleSettings.mode] == .never)
        #expect(settings[ExampleSettings.least] == 4)
        #expect(settings[ExampleSettings.most] == 60)
        #expect(settings[ExampleSettings.segment] == 4096)
        #expect(settings[ExampleSettings.timeout] == .milliseconds(250))
        let source = settings.entries.first { $0.name == "sync" }?.source
        #expect(source?.label == "file")
    }

    @Test func `null and the empty text are none for an optional setting`() throws {
        for text in [#"{"admin-listen": null}"#, #"{"admin-listen": ""}"#] {
            #expect(try self.resolve(text).get()[ExampleSettings.adminListen] == nil)
        }
        let settings = try self.resolve(#"{"admin-listen": "[::1]:1"}"#, flags: ["admin-listen": ""]).get()
        #expect(settings[ExampleSettings.adminListen] == nil)
    }

    @Test func `unknown keys, wrong types and wrong values are all told at once`() throws {
        let errors = try self.errors(
            #"{"lisen": "a:1", "sync": true, "least-keys": "3", "timeout": 10, "secret": null, "most-keys": 101}"#
        )
        #expect(errors.count == 6)
        let text = errors.joined(separator: "\n")
        for part in [
            "\"lisen\" is not a setting, did you mean \"listen\"?",
            "--sync: is true or false instead of a JSON string (from \"sync\" in /tmp/txlog-kv-config-",
            "--least-keys: is a JSON string instead of a JSON number",
            "--timeout: is a JSON number instead of a JSON string",
            "--secret: is null instead of a JSON string",
            "--most-keys: '101' is not a whole number from 1 to 100 (from \"most-keys\" in /tmp/txlog-kv-config-",
        ] {
            #expect(text.contains(part), "'\(part)' is missing in:\n\(text)")
        }
    }

    @Test(arguments: [
        "", "[]", "{", #"{"sync":"never"} {"#, #"{"sync":"never","sync":"never"}"#, #"{"listen":{"host":"a"}}"#,
        #"{"config":"other.json"}"#,
    ])
    func `a file that is not one flat object of settings is an error`(text: String) throws {
        #expect(try self.errors(text).count == 1)
    }

    @Test func `a file that is missing, a folder or far too large is an error that names it`() throws {
        for (path, reason) in [
            ("/nonexistent/kv.json", "No such file or directory"), ("/tmp", "Is a directory"),
            ("/dev/zero", "is larger than"),
        ] {
            let error = #expect(throws: ConfigurationErrors.self) {
                try ExampleSettings.table.resolve(flags: [:], environment: ["EX_CONFIG": path])
            }
            let text = error?.description ?? ""
            #expect(text.hasPrefix("--config: \(path): "))
            #expect(text.contains(reason), "\(text)")
            #expect(text.hasSuffix("(from environment variable EX_CONFIG)"))
        }
    }
}
