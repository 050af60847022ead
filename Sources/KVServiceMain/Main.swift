import ArgumentParser
import KVService
import ServiceKit

@main enum Main {
    static func main() { ServiceCommand<KVProgram>.runProgram() }
}
