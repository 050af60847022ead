import APIGateway
import ArgumentParser
import ServiceKit

@main enum Main {
    static func main() async { await ServiceCommand<GatewayProgram>.main() }
}
