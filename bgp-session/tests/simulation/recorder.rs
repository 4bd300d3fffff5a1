//! Messages of the speakers, for the corpus of the fuzz targets.

use std::collections::BTreeMap;
use std::fmt::Write;

use bgp_wire::{Frame, MessageLimit};
use bytes::BytesMut;

/// One message of each type and length. Most others differ from one of these only in numbers.
#[derive(Default)]
pub(crate) struct Recorder(BTreeMap<(u8, usize), Vec<u8>>);

impl Recorder {
    /// Records the messages in octets that a speaker sends at once.
    pub(crate) fn record(&mut self, octets: &[u8]) {
        let mut rest = BytesMut::from(octets);
        while let Ok(Some(frame)) = Frame::split(&mut rest, MessageLimit::Extended) {
            let key = (frame.message_type().0, frame.octets().len());
            self.0.entry(key).or_insert_with(|| frame.octets().to_vec());
        }
    }

    /// Returns each message as a line of hex.
    pub(crate) fn lines(&self) -> String {
        let mut lines = String::new();
        for message in self.0.values() {
            for octet in message {
                write!(lines, "{octet:02x}").unwrap();
            }
            lines.push('\n');
        }
        lines
    }
}
