//! The daemon.

fn main() -> std::process::ExitCode {
    speakerd::cli::main()
}
