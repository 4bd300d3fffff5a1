//! The inputs of all targets, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use bgp_wire::{Frame, MessageLimit, MessageType};
use bytes::BytesMut;

/// The longest input. A long one slows the fuzzer down and rarely reaches more code than several short ones.
const MAX_LENGTH: usize = 2048;

/// The inputs of each target.
#[derive(Default)]
pub(crate) struct Inputs(BTreeMap<&'static str, BTreeSet<Vec<u8>>>);

impl Inputs {
    pub(crate) fn add(&mut self, target: &'static str, input: impl Into<Vec<u8>>) {
        let input = input.into();
        if input.len() <= MAX_LENGTH {
            self.0.entry(target).or_default().insert(input);
        }
    }

    /// Adds every message of a stream to the targets that take messages. `selector` selects their context. Octets that are
    /// no message are an input of the targets that take headers.
    pub(crate) fn add_stream(&mut self, octets: &[u8], selector: u8) {
        self.add("frame", octets);
        let mut stream = BytesMut::from(octets);
        while let Ok(Some(frame)) = Frame::split(&mut stream, MessageLimit::Extended) {
            self.add_message(&frame, selector);
        }
        if !stream.is_empty() {
            self.add("dissect", [&[selector, 0, 0xff], &stream[..]].concat());
        }
    }

    fn add_message(&mut self, frame: &Frame, selector: u8) {
        self.add("frame", frame.octets());
        let body = &frame.octets()[Frame::HEADER_LENGTH..];
        let kind = frame.message_type();
        if kind == MessageType::OPEN {
            self.add("open", body);
        }
        // Without a reason to withdraw, and with all of them: our address of both families, and some roles.
        for reasons in [0, 0x47, 0x9b, 0x50] {
            let with = |head: &[u8]| [&[selector, reasons], head, body].concat();
            self.add("dissect", with(&[kind.0]));
            if kind == MessageType::UPDATE {
                self.add("update", with(&[]));
                self.add("round_trip", with(&[]));
            }
        }
    }

    /// Writes each input to a file that is named after its content, in a directory for each target.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        for (target, inputs) in &self.0 {
            let directory = directory.join(target);
            std::fs::create_dir_all(&directory)?;
            for input in inputs {
                let mut hasher = DefaultHasher::new();
                input.hash(&mut hasher);
                std::fs::write(directory.join(format!("{:016x}", hasher.finish())), input)?;
            }
            println!("{target}: {} inputs", inputs.len());
        }
        Ok(())
    }
}

/// Converts hex to octets. Ignores white space, and the rest of a line after `#`; `ff*16` is a repetition.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .replace("ff*16", &"ff".repeat(16))
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter_map(|character| character.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("below 16"))
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0))
        .collect()
}

/// Returns the selector of a context from its words in the tests of bgp-wire, such as `external add-path`.
pub(crate) fn selector(words: &str) -> u8 {
    words.split_whitespace().fold(0, |selector, word| {
        selector
            | match word {
                "confederation" => 1,
                "internal" => 2,
                "as2" => 4,
                "add-path" => 8,
                "extended-next-hop" | "multiple-labels" => 16,
                "as-sets" => 32,
                "raw-families" => 64,
                _ => 0,
            }
    })
}
