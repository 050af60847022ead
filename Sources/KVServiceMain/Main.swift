import ArgumentParser
import KVService
import ServiceKit

@main enum Main {
    static func main() async { await ServiceCommand<KVProgram>.main() }
}
