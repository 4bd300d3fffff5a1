//! The fuzz target `dissect`: the explanation of a message agrees with the decoder.

use alloc::string::ToString;

use crate::attribute::rules::Treatment;
use crate::error::DecodeError;
use crate::{Context, Message, MessageLimit, MessageType};

/// Dissects a message. The first two octets select the context, the third is the type, and the others are the body.
///
/// With a type of 0xff the others are the whole message, with an arbitrary header.
pub fn dissect(input: &[u8]) {
    let Some((context, [kind, octets @ ..])) = super::split_context(input) else {
        return;
    };
    let framed = super::message(MessageType(*kind), octets);
    let message = match &framed {
        Some(frame) if *kind != u8::MAX => frame.octets(),
        Some(_) | None => octets,
    };
    // The position in a longer text is no position in a message.
    if message.len() > usize::from(u16::MAX) {
        return;
    }
    let dissection = crate::dissect(message, &context);
    for field in &dissection.fields {
        let (start, end) = (field.octets.start, field.octets.end);
        assert!(
            start <= end && usize::from(end) <= message.len(),
            "{field:?}"
        );
        assert!(!field.name.is_empty(), "{field:?}");
    }
    assert_eq!(dissection.fault, fault(message, context));
    drop((dissection.to_string(), dissection.excerpt(message)));
}

/// Returns the fault that the decoder finds in a message.
fn fault(message: &[u8], context: Context) -> Option<(Treatment, DecodeError)> {
    let context = context.with_message_limit(MessageLimit::Extended);
    let checked = match Message::decode(message, &context) {
        Ok(Message::Update(update)) => update
            .check()
            .map(|checked| checked.fault().map(|fault| (fault.treatment, fault.error))),
        Ok(_) => Ok(None),
        Err(error) => Err(error),
    };
    checked.unwrap_or_else(|error| Some((Treatment::Reset, error)))
}
