import Testing

@testable import ServiceKit
@testable import ServiceSettings

@Suite("Settings from flags, environment and defaults", .timeLimit(.minutes(1)))
struct SettingsTableTests {
    private func errors(flags: [String: String] = [:], environment: [String: String] = [:]) -> [String] {
        do throws(ConfigurationErrors) {
            _ = try ExampleSettings.table.resolve(flags: flags, environment: environment)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    @Test func `without anything given each setting has its default`() throws {
        let settings = try ExampleSettings.table.resolve(flags: [:], environment: [:])
        #expect(settings[ExampleSettings.listen] == ListenAddress(host: "127.0.0.1", port: 8081))
        #expect(settings[ExampleSettings.adminListen] == nil)
        #expect(settings[ExampleSettings.mode] == .always)
        #expect(settings[ExampleSettings.segment] == 64 << 20)
        #expect(settings[ExampleSettings.timeout] == .seconds(10))
        #expect(settings[SettingsTable.configFile] == nil)
        #expect(settings.entries.allSatisfy { $0.source == .default })
        #expect(settings.warnings == [])
    }

    @Test func `a flag overrides the environment, and the source is kept`() throws {
        let settings = try ExampleSettings.table.resolve(
            flags: ["sync": "never"],
            environment: ["EX_SYNC": "always", "EX_LEAST_KEYS": "7"]
        )
        #expect(settings[ExampleSettings.mode] == .never)
        #expect(settings[ExampleSettings.least] == 7)
        let sources = Dictionary(uniqueKeysWithValues: settings.entries.map { ($0.name, $0.source) })
        #expect(sources["sync"] == .flag)
        #expect(sources["least-keys"] == .environment(variable: "EX_LEAST_KEYS"))
        #expect(sources["most-keys"] == .default)
    }

    @Test func `an error names the setting, the value, what is taken, and where it was given`() {
        #expect(
            self.errors(environment: ["EX_SYNC": "alway"])
                == ["--sync: 'alway' is not one of always, never (from environment variable EX_SYNC)"]
        )
        #expect(
            self.errors(flags: ["least-keys": "0"])
                == ["--least-keys: '0' is not a whole number from 1 to 100 (from flag --least-keys)"]
        )
    }

    @Test func `all errors come at once, also those of overridden values`() {
        let errors = self.errors(
            flags: ["sync": "never", "timeout": "10"],
            environment: ["EX_SYNC": "alway", "EX_LISTEN": ":80", "EX_MOST_KEYS": ""]
        )
        #expect(errors.count == 4)
    }

    @Test func `an empty text is none for an optional setting and an error for others`() throws {
        let settings = try ExampleSettings.table.resolve(flags: [:], environment: ["EX_ADMIN_LISTEN": ""])
        #expect(settings[ExampleSettings.adminListen] == nil)
        #expect(self.errors(environment: ["EX_LISTEN": ""]).count == 1)
    }

    @Test func `text that was not UTF-8 is refused`() {
        #expect(self.errors(flags: ["secret": "a\u{FFFD}"]).count == 1)
    }

    @Test func `settings that contradict each other are an error of the service's check`() {
        #expect(
            self.errors(flags: ["least-keys": "9"], environment: ["EX_MOST_KEYS": "8"])
                == ["--least-keys: 9 is more than --most-keys 8 (from flag --least-keys)"]
        )
    }

    @Test func `a secret is shown neither in entries nor in errors`() throws {
        let settings = try ExampleSettings.table.resolve(flags: ["secret": "pa55"], environment: [:])
        #expect(settings[ExampleSettings.secret] == "pa55")
        #expect(!"\(settings.entries)".contains("pa55"))
        #expect(self.errors(flags: ["secret": "pa55\u{FFFD}"]).allSatisfy { !$0.contains("pa55") })
    }

    @Test func `a stray variable with the service's prefix is a warning with the nearest name`() throws {
        let settings = try ExampleSettings.table.resolve(
            flags: [:],
            environment: ["EX_LISTENN": "127.0.0.1:1", "OTHER_LISTEN": "x"]
        )
        #expect(
            settings.warnings == ["environment variable EX_LISTENN is not a setting, did you mean EX_LISTEN?"]
        )
    }

    @Test func `check-config aligns name, value and source`() throws {
        let settings = try ExampleSettings.table.resolve(flags: ["sync": "never"], environment: [:])
        let lines = SettingsReport.table(settings.entries).split(separator: "\n")
        #expect(lines[0].hasPrefix("SETTING        VALUE"))
        #expect(lines.contains("sync           never           flag --sync"))
        #expect(lines.contains("admin-listen   (none)          default"))
        #expect(lines.count == 1 + ExampleSettings.table.settings.count)
    }

    @Test func `the document for operators has each value and its source, without secrets`() throws {
        let settings = try ExampleSettings.table.resolve(
            flags: ["sync": "never", "secret": "pa55"],
            environment: ["EX_TIMEOUT": "1m"]
        )
        let text = String(decoding: settings.document(changed: [:], reload: { _ in }), as: UTF8.self)
        for part in [
            #"{"name":"sync","value":"never","source":"flag","environment_variable":"EX_SYNC"}"#,
            #"{"name":"timeout","value":"1m","source":"environment","environment_variable":"EX_TIMEOUT"}"#,
            #"{"name":"admin-listen","value":null,"source":"default","environment_variable":"EX_ADMIN_LISTEN"}"#,
            #"{"name":"secret","value":"(redacted)","source":"flag","environment_variable":"EX_SECRET"}"#,
        ] {
            #expect(text.contains(part), "\(part) is missing in \(text)")
        }
        let changed = String(decoding: settings.document(changed: ["timeout": "2m"], reload: { _ in }), as: UTF8.self)
        #expect(
            changed == text.replacing(#""value":"1m","source":"environment""#, with: #""value":"2m","source":"admin""#))
    }
}
