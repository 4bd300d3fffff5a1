//! Arbitrary values that our encoder writes: every message, family, attribute and capability.

use arbitrary::{Arbitrary, Unstructured};
use bgp_wire::{NotificationBuf, OpenBuf, RouteRefresh, UpdateBuf};
use bytes::BytesMut;
use fastrand::Rng;

use crate::inputs::Inputs;

/// The number of values of each message. Their merge into the corpus keeps about one in ten.
const MESSAGES: usize = 1500;

pub(crate) fn add(inputs: &mut Inputs) {
    let mut random = Rng::with_seed(2);
    for round in 0..MESSAGES {
        let length = random.usize(20..600);
        let octets: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(length)
            .collect();
        // Random octets are inputs of the target that makes values from them.
        if round % 4 == 0 {
            inputs.add("builder", &octets[..]);
        }
        let selector = random.u8(..);
        let mut encoded = BytesMut::new();
        encode(&octets, selector, &mut encoded);
        inputs.add_stream(&encoded, selector);
    }
}

/// Encodes one message of each type from arbitrary octets. Leaves those out that the encoder refuses.
fn encode(octets: &[u8], selector: u8, out: &mut BytesMut) {
    let source = || Unstructured::new(octets);
    if let Ok(update) = UpdateBuf::arbitrary(&mut source()) {
        update.encode(&bgp_wire::fuzz::context(selector), out).ok();
    }
    if let Ok(open) = OpenBuf::arbitrary(&mut source()) {
        open.encode(out).ok();
    }
    if let Ok(notification) = NotificationBuf::arbitrary(&mut source()) {
        notification.encode(out);
    }
    if let Ok(refresh) = RouteRefresh::arbitrary(&mut source()) {
        refresh.encode(out);
    }
}
