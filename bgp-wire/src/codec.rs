//! `FrameCodec`: framing for `tokio_util::codec`, nothing else.
//!
//! `Framed` ends its stream at the first error, which is right for a broken header and wrong for RFC 7606; so an
//! UPDATE's faults are never errors of this codec.

use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::context::MessageLimit;
use crate::error::DecodeError;
use crate::frame::Frame;

/// Splits a stream of octets into [`Frame`]s and writes frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameCodec {
    /// How long received messages may be; change it once Extended Message is negotiated.
    pub limit: MessageLimit,
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        Frame::split(buffer, self.limit).map_err(FrameError::Header)
    }
}

impl Encoder<Frame> for FrameCodec {
    type Error = io::Error;

    fn encode(&mut self, frame: Frame, buffer: &mut BytesMut) -> io::Result<()> {
        buffer.extend_from_slice(frame.octets());
        Ok(())
    }
}

/// Why the stream of frames ended.
#[derive(Debug)]
pub enum FrameError {
    /// A header is illegal.
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

impl core::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn frames_pass_both_ways() {
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
