//! UPDATE (RFC 4271 section 4.3): its three sections, separated by their length fields (RFC 7606 section 3).

use crate::attribute::RawAttributes;
use crate::context::Context;
use crate::error::{DecodeError, Span};
use crate::frame::Frame;
use crate::parse::length_value_u16;
use crate::reason::Reason;

/// A received UPDATE. Its sections are separated but unchecked; [`Update::check`] checks them.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    message: &'a [u8],
    // Two positions instead of three slices: a view is copied often, and a slice takes 16 octets.
    /// Position of the Path Attributes field.
    attributes: u16,
    /// Position of the Network Layer Reachability Information field.
    nlri: u16,
    context: &'a Context,
}

impl<'a> Update<'a> {
    /// Separates the sections of a complete message with a valid header.
    #[inline(always)]
    pub(super) fn decode(message: &'a [u8], context: &'a Context) -> Result<Self, DecodeError> {
        debug_assert!(message.len() >= Frame::HEADER_LENGTH, "check_header ran");
        let body = message.get(Frame::HEADER_LENGTH..).unwrap_or_default();
        // RFC 7606 section 3 (b): a section that exceeds the message resets the session, because no route can be found.
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

    /// Returns the whole message, including the header.
    #[must_use]
    pub fn octets(&self) -> &'a [u8] {
        self.message
    }

    /// Returns the Withdrawn Routes field, without its length.
    #[must_use]
    #[inline]
    pub fn withdrawn_octets(&self) -> &'a [u8] {
        let start = self.withdrawn_start();
        // The two octets before the attributes are their length.
        match usize::from(self.attributes).checked_sub(2) {
            Some(end) if end > start => self.message.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Returns the Network Layer Reachability Information field.
    #[must_use]
    #[inline]
    pub fn nlri_octets(&self) -> &'a [u8] {
        self.message.get(self.nlri_start()..).unwrap_or_default()
    }

    /// Returns the context of the session.
    #[must_use]
    #[inline]
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Returns the path attributes, unchecked.
    #[must_use]
    #[inline]
    pub fn raw_attributes(&self) -> RawAttributes<'a> {
        let start = usize::from(self.attributes);
        let octets = self.message.get(start..self.nlri_start());
        debug_assert!(octets.is_some(), "decode found both sections");
        RawAttributes::new(octets.unwrap_or_default(), self.nlri)
    }

    /// Returns the position of the Withdrawn Routes field.
    pub(crate) fn withdrawn_start(&self) -> usize {
        Frame::HEADER_LENGTH + 2
    }

    /// Returns the position of the Network Layer Reachability Information field.
    #[inline]
    pub(crate) fn nlri_start(&self) -> usize {
        self.nlri.into()
    }
}
