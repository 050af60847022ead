import ServiceSettings

/// `--max-memory`.
enum MemorySetting: Equatable, Sendable {
    /// The limits that the system sets: of the control group, of the address space, of the machine.
    case auto
    /// No limit is looked at.
    case none
    /// So many resident bytes, beside those of the system.
    case bytes(UInt64)

    /// Every limit that holds now, with what counts against it.
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
