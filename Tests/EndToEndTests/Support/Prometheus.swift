import Glibc
import TestSupport
import Testing

/// A real Prometheus that scrapes both services every second.
final class Prometheus {
    private let process: ChildProcess
    private let port: UInt16

    /// - Parameter features: as `--enable-feature` takes them.
    init(_ services: Services, features: [String] = []) throws {
        let folder = services.folder
        let configuration = """
            global: {scrape_interval: 1s, scrape_timeout: 1s}
            scrape_configs:
              - job_name: kv-service
                static_configs: [{targets: ["127.0.0.1:\(services.kvPort)"]}]
              - job_name: api-gateway
                static_configs: [{targets: ["127.0.0.1:\(services.gatewayPort)"]}]
            """
        try FileText.write(configuration, to: folder.file("prometheus.yml"))
        self.port = try FreePort.find()
        self.process = try ChildProcess(
            try #require(Programs.installed("prometheus")),
            [
                "--config.file=\(folder.file("prometheus.yml"))", "--storage.tsdb.path=\(folder.file("tsdb"))",
                "--web.listen-address=127.0.0.1:\(self.port)", "--enable-feature=\(features.joined(separator: ","))",
                // Only then it says why a scrape failed.
                "--log.level=debug",
            ],
            output: folder.file("prometheus.log")
        )
    }

    /// Asks until the answer is what is waited for, a minute at most.
    ///
    /// - Parameters:
    ///   - path: below `/api/v1`, with the query percent-encoded.
    ///   - look: gets the member `data` of the answer; nil to go on waiting.
    func ask<Result>(_ path: String, until look: (Any) -> Result?) throws -> Result {
        var last = "no answer"
        do {
            return try Poll.until("Prometheus's answer to \(path)", seconds: 60) {
                // Until it listens; any other failure is one of the test.
                guard let connection = try? HTTPConnection(port: self.port) else { return nil }
                let answer = try connection.request("GET", "/api/v1\(path)")
                last = answer.text
                // While it starts it answers 503 with a text.
                return answer.status == 200 ? try answer.json.members["data"].flatMap(look) : nil
            }
        } catch {
            let targets = try HTTPConnection(port: self.port).request("GET", "/api/v1/targets").text
            throw TimeoutError(
                description: "\(error); the last: \(last); its targets: \(targets); its log:\n\(self.process.output)")
        }
    }

    /// The value of an expression that has one series as its result.
    func value(of expression: String, until isFine: (Double) -> Bool) throws -> Double {
        try self.ask("/query?query=\(KeyValueClient.encoded(Array(expression.utf8)))") { data in
            guard let result = (data as? [String: Any])?["result"] as? [[String: Any]], result.count == 1,
                let text = (result[0]["value"] as? [Any])?.last as? String, let value = Double(text), isFine(value)
            else { return nil }
            return value
        }
    }

    func stop() throws {
        self.process.signal(SIGTERM)
        try self.process.waitForEnd()
    }
}
