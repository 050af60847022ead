/// The system calls of a process with all its threads, from the text that `strace -f` writes.
///
/// strace writes the beginning of a call when the thread enters it and the rest when the thread leaves it; when another
/// thread comes between, the two are lines of their own (`<unfinished ...>`, `<... resumed>`). So the position of a
/// line is the position of the event among those of all threads.
struct SystemCallTrace {
    struct Call {
        let name: String
        /// Arguments as strace writes them.
        var arguments: String
        /// The text after `=`, nil when the call never returned.
        var result: String?
        /// Positions at which the call was entered and left.
        let entered: Int
        var left: Int

        /// The first argument, for calls on a descriptor.
        var descriptor: Substring {
            self.arguments.prefix { $0.isNumber }
        }
    }

    private(set) var calls: [Call] = []

    init(_ text: String) {
        var open: [Substring: Int] = [:]
        for (position, line) in text.split(separator: "\n").enumerated() {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let thread = parts[0]
            let event = parts[1].drop { $0 == " " }
            if event.hasPrefix("<... ") {
                guard let index = open.removeValue(forKey: thread) else { continue }
                let rest = event.split(separator: ">", maxSplits: 1).dropFirst().first ?? ""
                self.calls[index].left = position
                let (arguments, result) = Self.split(rest)
                self.calls[index].arguments += arguments
                self.calls[index].result = result
            } else if let parenthesis = event.firstIndex(of: "("), event.first?.isLetter == true {
                let name = String(event[..<parenthesis])
                let rest = event[event.index(after: parenthesis)...]
                if rest.hasSuffix("<unfinished ...>") {
                    open[thread] = self.calls.count
                    let arguments = String(rest.dropLast("<unfinished ...>".count))
                    let call = Call(name: name, arguments: arguments, result: nil, entered: position, left: .max)
                    self.calls.append(call)
                } else {
                    let (arguments, result) = Self.split(rest)
                    let call = Call(
                        name: name,
                        arguments: arguments,
                        result: result,
                        entered: position,
                        left: position
                    )
                    self.calls.append(call)
                }
            }
        }
    }

    /// `args) = 0` in its two parts; the last `) = ` counts, as arguments may hold the same text.
    private static func split(_ text: Substring) -> (String, String?) {
        let bytes = Array(text.utf8)
        let mark = Array(") ".utf8)
        var index = bytes.count - 2
        while index >= 0 {
            if bytes[index] == mark[0], bytes[index + 1] == mark[1] {
                let rest = bytes[(index + 2)...].drop { $0 == UInt8(ascii: " ") }
                if rest.first == UInt8(ascii: "=") {
                    let result = rest.dropFirst().drop { $0 == UInt8(ascii: " ") }
                    return (String(decoding: bytes[..<index], as: UTF8.self), String(decoding: result, as: UTF8.self))
                }
            }
            index -= 1
        }
        return (String(decoding: bytes, as: UTF8.self), nil)
    }
}
