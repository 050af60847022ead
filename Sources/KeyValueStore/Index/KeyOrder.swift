import Glibc

/// Keys are ordered as unsigned bytes; a key comes before keys of which it is a prefix.
enum KeyOrder {
    static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let common = min(left.count, right.count)
        if common > 0 {
            let order = unsafe memcmp(left.baseAddress!, right.baseAddress!, common)
            if order != 0 { return Int(order) }
        }
        return left.count - right.count
    }

    static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        if left.count != right.count { return false }
        return unsafe left.count == 0 || memcmp(left.baseAddress!, right.baseAddress!, left.count) == 0
    }

    /// How many bytes both keys begin with.
    static func commonPrefix(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let shorter = min(left.count, right.count)
        var length = 0
        while unsafe length < shorter && left[length] == right[length] { length += 1 }
        return length
    }

    /// The eight bytes of `key` from `offset` on as a number, filled up with zeros: if the heads of two keys differ,
    /// they are ordered as the keys are, provided that the bytes before are equal.
    static func head(_ key: UnsafeRawBufferPointer, from offset: Int) -> UInt64 {
        let rest = key.count - offset
        if rest >= 8 { return unsafe UInt64(bigEndian: key.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
        var head: UInt64 = 0
        for index in 0..<max(rest, 0) { unsafe head |= UInt64(key[offset + index]) << UInt64(56 - 8 * index) }
        return head
    }
}

/// One byte of a hash of a key. Keys with different marks are different.
enum KeyMark {
    /// Different keys get the same mark in one of 256 cases. Keys that somebody chose to have the same mark only cost a
    /// comparison with each such key of one leaf.
    static func of(_ key: UnsafeRawBufferPointer) -> UInt8 {
        let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
        var hash = UInt64(truncatingIfNeeded: key.count)
        var offset = 0
        while offset + 8 <= key.count {
            hash = unsafe (hash ^ key.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* multiplier
            hash ^= hash >> 32
            offset += 8
        }
        if offset < key.count { hash = unsafe (hash ^ KeyOrder.head(key, from: offset)) &* multiplier }
        return UInt8(truncatingIfNeeded: (hash ^ hash >> 29) &* multiplier >> 56)
    }
}
