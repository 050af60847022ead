/// One system call that the simulated file system was asked for, in the order in which they took effect.
package struct SimulatedCall: Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        case createDirectory, list, open, lock, size, read, write, truncate, rename, remove
        case fdatasync, fsync, directorySync, forgetCache, capacity
        /// Not a call: a note that a test put between them.
        case mark
    }

    /// Counts from 1; a mark has the number of the call before it.
    package let number: Int
    package let kind: Kind
    package let path: String
    /// For reads and writes.
    package let offset: UInt64
    /// Bytes asked for, of reads and writes.
    package let byteCount: Int
    /// The error number that the call failed with, 0 when it succeeded.
    package let errorCode: Int32

    package var description: String {
        let bytes = self.kind == .read || self.kind == .write ? " \(self.byteCount) bytes at \(self.offset)" : ""
        let failure = self.errorCode == 0 ? "" : " failed with errno \(self.errorCode)"
        return "\(self.number) \(self.kind.rawValue) \(self.path)\(bytes)\(failure)"
    }
}
