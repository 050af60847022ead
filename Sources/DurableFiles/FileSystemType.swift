import CFileSystem

/// The type of a file system, by its number in `statfs` (linux/magic.h, and the sources of ZFS and bcachefs).
enum FileSystemType {
    private static let names: [UInt64: String] = [
        0xEF53: "ext4", 0x5846_5342: "xfs", 0x9123_683E: "btrfs", tmpfs: "tmpfs", 0x794C_7630: "overlay",
        0x6969: "nfs", 0x6573_5546: "fuse", 0x2FC1_2FC1: "zfs", 0xF2F5_2010: "f2fs", 0xCA45_1A4E: "bcachefs",
        0x00C3_6400: "ceph", 0xFF53_4D42: "cifs", 0xFE53_4D42: "smb", 0x0102_1997: "9p", 0x4D44: "vfat",
        0x2011_BAB0: "exfat", 0x8584_58F6: "ramfs",
    ]
    private static let tmpfs: UInt64 = 0x0102_1994

    /// The number of the file system of an open file; nil if it cannot be read.
    private static func number(_ descriptor: Int32) -> UInt64? {
        var number: UInt64 = 0
        return unsafe kv_file_system_number(descriptor, &number) == 0 ? number : nil
    }

    /// Its usual name; `0x…` for others.
    static func name(_ descriptor: Int32) -> String? {
        self.number(descriptor).map { Self.names[$0] ?? "0x\(String($0, radix: 16))" }
    }

    /// Files in memory: their pages are overwritten in place.
    static func isMemory(_ descriptor: Int32) -> Bool { self.number(descriptor) == Self.tmpfs }
}
