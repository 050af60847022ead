import Glibc
import TestSupport

/// `posix_spawn` with what tests need of it.
enum Spawn {
    /// Starts a program; the caller reaps it.
    ///
    /// - Parameters:
    ///   - standardInput: a descriptor, else `/dev/null`.
    ///   - output: a file that standard output and standard error are appended to, else those of the tests.
    ///   - environment: the whole environment of the program besides `PATH`.
    static func process(
        _ path: String,
        _ arguments: [String],
        standardInput: Int32? = nil,
        output: String? = nil,
        environment: [String: String] = [:]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let standardInput {
            posix_spawn_file_actions_adddup2(&actions, standardInput, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        if let output {
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        }
        // The tests' own process may block or ignore signals; the program starts as from a shell.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let search = String(cString: getenv("PATH"))
        let variables = environment.merging(["PATH": search]) { given, _ in given }.map { "\($0.key)=\($0.value)" }
        var argumentPointers = ([path] + arguments).map { strdup($0) } + [nil]
        var variablePointers = variables.map { strdup($0) } + [nil]
        defer { (argumentPointers + variablePointers).forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, &attributes, &argumentPointers, &variablePointers)
        guard code == 0 else { throw SystemCallError(call: "posix_spawn \(path)", code: code) }
        return pid
    }
}
