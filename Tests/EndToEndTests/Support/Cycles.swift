import Glibc

/// How often a test repeats what it does.
enum Cycles {
    /// The number in an environment variable, else `count`.
    static func count(_ variable: String, else count: Int) -> Int {
        getenv(variable).flatMap { Int(String(cString: $0)) } ?? count
    }
}
