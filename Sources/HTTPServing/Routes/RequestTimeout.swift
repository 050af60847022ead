/// `X-Request-Timeout-Ms`: how long after its arrival a write may still be carried out.
enum RequestTimeout: Equatable {
    case milliseconds(UInt64)
    /// Anything but a number of one to ten decimal digits.
    case invalid

    init(parsing digits: Span<UInt8>) {
        self = .invalid
        guard (1...10).contains(digits.count) else { return }
        var number: UInt64 = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return }
            number = number * 10 + UInt64(digit)
        }
        self = .milliseconds(number)
    }
}
