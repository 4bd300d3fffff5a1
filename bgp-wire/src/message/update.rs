//! UPDATE (RFC 4271 section 4.3): its three sections, told apart by their lengths (RFC 7606 section 3).

use crate::attribute::RawAttributes;
use crate::context::Context;
use crate::error::{DecodeError, Span};
use crate::frame::Frame;
use crate::parse::length_value_u16;
use crate::reason::Reason;

/// A received UPDATE whose sections were found and not looked into; [`Update::check`] does that.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    message: &'a [u8],
    /// Where the Path Attributes field starts.
    attributes: u16,
    /// Where the Network Layer Reachability Information field starts.
    nlri: u16,
    context: &'a Context,
}

impl<'a> Update<'a> {
    /// `message` is a whole message whose header was checked.
    #[inline(always)]
    pub(super) fn decode(message: &'a [u8], context: &'a Context) -> Result<Self, DecodeError> {
        debug_assert!(message.len() >= Frame::HEADER_LENGTH, "check_header ran");
        let body = message.get(Frame::HEADER_LENGTH..).unwrap_or_default();
        // RFC 7606 section 3 (b).
        let overrun = |start| DecodeError::new(Reason::MALFORMED_ATTRIBUTE_LIST, start, start + 2);
        let (rest, _) = length_value_u16(body).map_err(|_| overrun(Frame::HEADER_LENGTH))?;
        let start = message.len() - rest.len();
        let (nlri, _) = length_value_u16(rest).map_err(|_| overrun(start))?;
        let nlri = message.len() - nlri.len();
        let Span {
            start: attributes,
            end: nlri,
        } = Span::new(start + 2, nlri);
        Ok(Self {
            message,
            attributes,
            nlri,
            context,
        })
    }

    /// The whole message.
    #[must_use]
    pub fn octets(&self) -> &'a [u8] {
        self.message
    }

    /// The Withdrawn Routes field.
    #[must_use]
    #[inline]
    pub fn withdrawn_octets(&self) -> &'a [u8] {
        let start = self.withdrawn_start();
        match usize::from(self.attributes).checked_sub(2) {
            Some(end) if end > start => self.message.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The Network Layer Reachability Information field.
    #[must_use]
    #[inline]
    pub fn nlri_octets(&self) -> &'a [u8] {
        self.message.get(self.nlri_start()..).unwrap_or_default()
    }

    /// The context that the message was decoded in.
    #[must_use]
    #[inline]
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Every path attribute as it stands in the message, unchecked.
    #[must_use]
    #[inline]
    pub fn raw_attributes(&self) -> RawAttributes<'a> {
        let start = usize::from(self.attributes);
        let octets = self.message.get(start..self.nlri_start());
        debug_assert!(octets.is_some(), "decode found both sections");
        RawAttributes::new(octets.unwrap_or_default(), self.nlri)
    }

    pub(crate) fn withdrawn_start(&self) -> usize {
        Frame::HEADER_LENGTH + 2
    }

    #[inline]
    pub(crate) fn nlri_start(&self) -> usize {
        self.nlri.into()
    }
}
