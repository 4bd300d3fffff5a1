//! The client of the daemon.

fn main() -> std::process::ExitCode {
    speakerd::ctl::main()
}
