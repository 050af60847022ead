import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// A file system of its own, mounted for one test. It is gone with the value, or with the test process.
final class MountedFolder: Sendable {
    let path: String
    private let options: [String]
    /// What this one lies on.
    private let below = Mutex<MountedFolder?>(nil)

    /// - Parameter arguments: of `mount`, all but the folder.
    init(_ path: String, _ arguments: [String]) throws {
        self.path = path
        self.options = arguments
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try self.mount()
    }

    /// A file system in memory.
    convenience init(memory path: String, megabytes: Int) throws {
        try self.init(path, ["-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs"])
    }

    /// An ext4 file system in a sparse file, which it makes.
    convenience init(ext4 path: String, image: String, megabytes: Int, options: String = "defaults") throws {
        try Command.run("truncate", "-s", "\(megabytes)M", image)
        try Command.run("mkfs.ext4", "-q", "-F", "-J", "size=4", "-E", "lazy_itable_init=0", image)
        try self.init(path, ["-o", "loop,\(options)", image])
    }

    /// A file system of one of the kinds that the promises are tried on.
    /// - Parameter folder: for the image, and what else the kind needs.
    convenience init(_ kind: Kind, _ path: String, in folder: TemporaryFolder) throws {
        let image = folder.file("image")
        switch kind {
        case .xfs, .btrfs:
            // The smallest that their programs make.
            try Command.run("truncate", "-s", kind == .xfs ? "304M" : "120M", image)
            try Command.run("mkfs.\(kind)", "-q", "-f", image)
            try self.init(path, ["-o", "loop", image])
        case .tmpfs: try self.init(memory: path, megabytes: 48)
        case .ext4: try self.init(ext4: path, image: image, megabytes: 64)
        case .overlay, .bind:
            let base = try MountedFolder(ext4: folder.file("base"), image: image, megabytes: 64)
            for name in ["lower", "upper", "work"] {
                try FileManager.default.createDirectory(
                    atPath: "\(base.path)/\(name)", withIntermediateDirectories: true)
            }
            let layers = "lowerdir=\(base.path)/lower,upperdir=\(base.path)/upper,workdir=\(base.path)/work"
            let mount =
                kind == .bind ? ["--bind", "\(base.path)/upper"] : ["-t", "overlay", "-o", layers, "overlay"]
            try self.init(path, mount)
            self.below.withLock { $0 = base }
        }
    }

    enum Kind: String, CaseIterable, CustomStringConvertible, Sendable {
        case ext4, xfs, btrfs, tmpfs, overlay, bind
        var description: String { self.rawValue }
    }

    deinit {
        try? self.unmount()
    }

    func mount() throws {
        Guardian.shared.watch(mount: self.path)
        try Command.run("mount", self.options + [self.path])
    }

    /// The device behind it is free afterwards: processes in mount namespaces of their own, such as those of other tests,
    /// have it mounted until they end.
    func unmount() throws {
        guard try FileText.text("/proc/self/mounts").contains(" \(self.path) ") else { return }
        try Command.run("umount", self.path)
        Guardian.shared.forget(mount: self.path)
        guard let image = self.options.last, image.hasPrefix("/") else { return }
        _ = try Poll.until("no device uses \(image)", seconds: 60) { Self.isInUse(image) ? nil : true }
    }

    /// Whether a loop device stands for the file.
    private static func isInUse(_ image: String) -> Bool {
        let devices = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/block")) ?? []
        return devices.contains { name in
            // A device that is free has no such file.
            let file = try? String(contentsOfFile: "/sys/block/\(name)/loop/backing_file", encoding: .utf8)
            return file?.trimmingCharacters(in: .newlines) == image
        }
    }

    func remount(_ options: String) throws {
        try Command.run("mount", "-o", "remount,\(options)", self.path)
    }

    var availableBytes: Int {
        var status = statvfs()
        guard statvfs(self.path, &status) == 0 else { return 0 }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    /// The file system lets go of all that is not on the device, and of its journal's tail, and takes nothing more:
    /// what a power cut does.
    func cutPower() throws {
        let descriptor = open(self.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemCallError(call: "open", code: errno) }
        defer { close(descriptor) }
        // EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are _IOR('X', 125, __u32); 2 is not to flush the log.
        var flags: UInt32 = 2
        guard ioctl(descriptor, 0x8004_587D, &flags) == 0 else {
            throw SystemCallError(call: "EXT4_IOC_SHUTDOWN", code: errno)
        }
    }

    // MARK: - Whether that can be done here

    /// Why no file system in memory can be mounted here; nil where it can.
    static let memoryRefusal: String? = MountedFolder.refusal { folder in
        _ = try MountedFolder(memory: folder.file("mount"), megabytes: 1)
    }

    /// Why no ext4 image can be mounted here, and cut off; nil where that can be done.
    static let ext4Refusal: String? = MountedFolder.refusal { folder in
        let mounted = try MountedFolder(ext4: folder.file("mount"), image: folder.file("image"), megabytes: 16)
        try mounted.cutPower()
    }

    /// Ends the test, or its case, as skipped if none of a kind can be mounted here.
    static func require(_ kind: Kind) throws {
        let refusal = self.refusal { folder in _ = try MountedFolder(kind, folder.file("mount"), in: folder) }
        guard let refusal else { return }
        #if compiler(>=6.3)
        try Test.cancel("\(kind) cannot be mounted here: \(refusal)")
        #else
        throw Command.Failure(description: "\(kind) cannot be mounted here: \(refusal)")
        #endif
    }

    private static func refusal(_ attempt: (TemporaryFolder) throws -> Void) -> String? {
        if geteuid() != 0 { return "only root can mount file systems" }
        do {
            try attempt(TemporaryFolder())
            return nil
        } catch {
            return "\(error)"
        }
    }
}

/// A program of the system that a test needs done.
enum Command {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func run(_ name: String, _ arguments: String...) throws { try self.run(name, arguments) }

    /// - Throws: when it does not exit with 0, with what it wrote.
    static func run(_ name: String, _ arguments: [String]) throws {
        let folder = TemporaryFolder()
        let child = try ChildProcess("/usr/bin/env", [name] + arguments, output: folder.file("output"))
        let ending = try child.waitForEnd(seconds: 60)
        if ending != .exited(0) {
            throw Failure(description: "\(name) \(arguments.joined(separator: " ")): \(ending): \(child.output)")
        }
    }
}
