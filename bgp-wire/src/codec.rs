//! `FrameCodec`: framing for `tokio_util::codec`, and nothing beyond it.
//!
//! `Framed` ends its stream at the first error. That is right for an invalid header and wrong for RFC 7606, so the
//! faults of an UPDATE are never errors of this codec.

use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::context::MessageLimit;
use crate::error::DecodeError;
use crate::frame::Frame;

/// Splits a stream of octets into [`Frame`]s and writes frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameCodec {
    /// Maximum length of received messages. Raise it when Extended Message is negotiated (RFC 8654).
    pub limit: MessageLimit,
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = FrameError;

    // A message cut off by the end of the stream is left to `decode_eof`, whose default reports it as an I/O error.
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        Frame::split(buffer, self.limit).map_err(FrameError::Header)
    }
}

impl Encoder<Frame> for FrameCodec {
    // Writing a frame cannot fail; the trait requires an error that includes I/O errors of the transport.
    type Error = io::Error;

    fn encode(&mut self, frame: Frame, buffer: &mut BytesMut) -> io::Result<()> {
        buffer.extend_from_slice(frame.octets());
        Ok(())
    }
}

/// The error that ended a stream of frames.
#[derive(Debug)]
pub enum FrameError {
    /// A header is invalid (RFC 4271 section 6.1).
    Header(DecodeError),
    /// The transport failed.
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Header(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

// No `source`: `Display` already prints the inner error.
impl core::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn frame_codec_encodes_the_frame_it_decodes() {
        let mut codec = FrameCodec::default();
        let keepalive = [[0xff; 16].as_slice(), &[0, 19, 4]].concat();
        let mut buffer = BytesMut::from(&[keepalive.clone(), keepalive.clone()].concat()[..]);
        let frame = codec.decode(&mut buffer).unwrap().unwrap();
        codec.encode(frame, &mut buffer).unwrap();
        assert_eq!(buffer, [keepalive.clone(), keepalive].concat());
        assert!(matches!(
            codec.decode(&mut BytesMut::from(&b"x"[..])),
            Err(FrameError::Header(_))
        ));
    }
}
