//! Writes inputs for the fuzz targets: messages of our encoder, of both ends of our sessions, of five other BGP speakers
//! and of the conformance catalogue, and texts. `make corpus` adds those of them that reach new code to `fuzz/corpus`.
//!
//! Usage: corpus DIRECTORY [FILE]. FILE has messages of the simulator, one a line in hex. The same sources give the same
//! files.

mod dialogue;
mod encoded;
mod inputs;
mod recorded;
mod texts;

use std::path::Path;

use inputs::Inputs;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(directory) = arguments.next() else {
        eprintln!("usage: corpus DIRECTORY [FILE]");
        std::process::exit(2);
    };
    let mut inputs = Inputs::default();
    recorded::add(&mut inputs)?;
    texts::add(&mut inputs)?;
    encoded::add(&mut inputs);
    dialogue::add(&mut inputs);
    if let Some(simulated) = arguments.next() {
        for line in std::fs::read_to_string(simulated)?.lines() {
            // The simulated sessions differ in all parameters. The most frequent ones decode most messages.
            inputs.add_stream(&inputs::hex(line), 0);
            inputs.add_stream(&inputs::hex(line), 2 | 8);
        }
    }
    inputs.write(Path::new(&directory))
}

/// Returns the text of a file of the project.
fn read(path: &str) -> std::io::Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path))
}
