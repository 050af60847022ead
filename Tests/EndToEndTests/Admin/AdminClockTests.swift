import TestSupport
import Testing

extension EndToEnd {
    @Suite(
        "/admin and the wall clock", .enabled(if: FakedClock.library != nil, "libfaketime is not installed"),
        .timeLimit(.minutes(10)))
    struct AdminClockTests {
        @Test(arguments: ["+5h", "-3h"]) func `the uptime is not changed by setting the clock`(_ step: String) throws {
            let folder = TemporaryFolder()
            let clock = try FakedClock(folder.file("clock"))
            let service = try ServiceProcess(
                .kvService, ["--listen", "127.0.0.1:0", "--data-dir", folder.file("kv")], output: folder.file("kv.log"),
                environment: clock.environment, wrapper: [FakedClock.wrapper])
            let port = try service.waitForPort()
            func admin() throws -> JSONObject { try HTTPConnection(port: port).request("GET", "/admin").json }
            let before = try admin()
            try clock.set(step)
            let after = try admin()
            #expect(before.string("now")?.prefix(13) != after.string("now")?.prefix(13), "the clock was set")
            let uptimes = try [before, after].map { try #require($0.number("uptime_seconds")) }
            #expect(uptimes[0] < uptimes[1] && uptimes[1] < uptimes[0] + 60, "\(uptimes)")
        }
    }
}
