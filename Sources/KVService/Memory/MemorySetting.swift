import ServiceSettings

/// `--max-memory`.
enum MemorySetting: Equatable, Sendable {
    /// The limits of the system: control group, address space, machine.
    case auto
    /// No limit.
    case none
    /// This many resident bytes, in addition to the limits of the system.
    case bytes(UInt64)

    /// Every limit that applies now, with the memory that counts against it.
    var uses: [MemoryUse] {
        switch self {
        case .auto: MemoryUse.all(setting: nil)
        case .none: []
        case .bytes(let bytes): MemoryUse.all(setting: bytes)
        }
    }
}

extension SettingKind where Value == MemorySetting {
    static var maxMemory: SettingKind {
        let bytes = SettingKind<Int>.byteSize(in: 64 << 20...1 << 50)
        return SettingKind(
            placeholder: "bytes", expectation: "auto, none or \(bytes.expectation)", jsonForms: [.number, .string],
            completion: .words(["auto", "none"])
        ) { text in
            switch text {
            case "auto": .auto
            case "none": MemorySetting.none
            default: bytes.parse(text).map { .bytes(UInt64($0)) }
            }
        }
    }
}
