import APIGateway
import ArgumentParser
import ServiceKit

@main enum Main {
    static func main() { ServiceCommand<GatewayProgram>.runProgram() }
}
