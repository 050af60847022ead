import SystemSupport

/// Command lines of the offline tool in messages: text that an operator can paste into a shell.
public enum ToolCommand {
    public static func verify(_ directory: String) -> String { "txlog verify \(ShellWord.quoted(directory))" }
    public static func salvage(_ directory: String, to file: String) -> String {
        "txlog export \(ShellWord.quoted(directory)) --skip-damage --output \(ShellWord.quoted(file))"
    }
    public static func repair(_ directory: String) -> String { "txlog repair \(ShellWord.quoted(directory))" }
}
