//! UPDATE (RFC 4271 section 4.3): its three sections, told apart by their lengths (RFC 7606 section 3).

use crate::attribute::RawAttribute;
use crate::context::Context;
use crate::error::DecodeError;
use crate::frame::Frame;
use crate::parse::length_value_u16;
use crate::reason::Reason;

/// A received UPDATE whose sections were found and not looked into; [`Update::check`] does that.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    message: &'a [u8],
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    nlri: &'a [u8],
    context: Context,
}

impl<'a> Update<'a> {
    pub(super) fn decode(message: &'a [u8], context: Context) -> Result<Self, DecodeError> {
        let body = message.get(Frame::HEADER_LENGTH..).unwrap_or_default();
        // RFC 7606 section 3 (b).
        let overrun = |start| DecodeError::new(Reason::MALFORMED_ATTRIBUTE_LIST, start, start + 2);
        let (rest, withdrawn) =
            length_value_u16(body).map_err(|_| overrun(Frame::HEADER_LENGTH))?;
        let (nlri, attributes) =
            length_value_u16(rest).map_err(|_| overrun(message.len() - rest.len()))?;
        Ok(Self {
            message,
            withdrawn,
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
    pub fn withdrawn_octets(&self) -> &'a [u8] {
        self.withdrawn
    }

    /// The Network Layer Reachability Information field.
    #[must_use]
    pub fn nlri_octets(&self) -> &'a [u8] {
        self.nlri
    }

    /// The context that the message was decoded in.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Every path attribute as it stands in the message, unchecked.
    #[must_use]
    pub fn raw_attributes(&self) -> RawAttributes<'a> {
        RawAttributes {
            rest: self.attributes,
            end: self.message.len() - self.nlri.len(),
        }
    }

    /// The position of the Withdrawn Routes field.
    pub(crate) fn withdrawn_start(&self) -> usize {
        Frame::HEADER_LENGTH + 2
    }

    /// The position of the Network Layer Reachability Information field.
    pub(crate) fn nlri_start(&self) -> usize {
        self.message.len() - self.nlri.len()
    }
}

/// The path attributes of an UPDATE, unchecked. Ends after an attribute that its section cuts short, with an error.
#[derive(Clone, Copy, Debug)]
pub struct RawAttributes<'a> {
    rest: &'a [u8],
    /// The position in the message at which `rest` ends.
    end: usize,
}

impl<'a> Iterator for RawAttributes<'a> {
    type Item = Result<RawAttribute<'a>, DecodeError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.end.saturating_sub(self.rest.len());
        match RawAttribute::split(self.rest, start) {
            Ok((rest, attribute)) => {
                self.rest = rest;
                Some(Ok(attribute))
            }
            Err(_) => {
                // RFC 7606 section 4: what follows cannot be told apart.
                self.rest = &[];
                Some(Err(DecodeError::new(
                    Reason::MALFORMED_ATTRIBUTE_LIST,
                    start,
                    self.end,
                )))
            }
        }
    }
}

impl<'a> RawAttributes<'a> {
    /// `octets` end at this position of the message.
    pub(crate) fn new(octets: &'a [u8], end: usize) -> Self {
        Self { rest: octets, end }
    }

    /// The attribute that starts at this position of the message, which holds one.
    pub(crate) fn at(self, position: usize) -> Option<RawAttribute<'a>> {
        let skipped = position.checked_sub(self.end - self.rest.len())?;
        let (_, attribute) = RawAttribute::split(self.rest.get(skipped..)?, position).ok()?;
        Some(attribute)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.rest.is_empty()
    }
}
