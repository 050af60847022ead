import ArgumentParser
import JSON
import KeyValueClient

struct StatusCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Print which service answers, and whether it is ready.",
        discussion: "Exit code 1 if the service is not ready, 6 if there is none.")

    @OptionGroup var connection: ConnectionOptions

    func run(_ session: Session) throws {
        let status = try session.wait { try await $0.status() }
        let address = self.connection.address
        if session.isJSON {
            try Output.object { object in
                object.member("server", address)
                object.member("service", status.service)
                object.member("version", status.version)
                object.member("base_path", status.basePath)
                object.member("ready", status.isReady)
                object.member("state", status.state)
                object.member("serving", status.serving)
                object.member("reason", status.reason)
            }
        } else {
            let rows = [
                ("server", address), ("service", "\(status.service) \(status.version)"),
                ("base path", status.basePath), ("ready", status.isReady ? "yes" : "no"), ("state", status.state),
                ("serving", status.serving), ("reason", status.reason),
            ]
            let lines = rows.compactMap { name, text in
                text.map { "\(name)\(String(repeating: " ", count: 11 - name.count))\($0)\n" }
            }
            try Output.write(lines.joined())
        }
        if !status.isReady { throw CommandFailure(.failure, nil) }
    }
}
