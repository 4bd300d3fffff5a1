//! Builds an UPDATE that makes routers drop traffic (RFC 8955) and prints it in hexadecimal digits.
//!
//! Usage: `flowspec 64512 destination 192.0.2.1/32 protocol =udp source-port =53`

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::error::Error;

use bgp_wire::{
    AnyNlriBuf, Asn, AttributeSet, Context, ExtendedCommunity, Family, Origin, PeerKind, UpdateBuf,
};
use bytes::BytesMut;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let asn: Asn = arguments.next().ok_or("usage: flowspec AS RULE")?.parse()?;
    let rule: Vec<_> = arguments.collect();
    let attributes = AttributeSet {
        // RFC 8955 section 7.1: a traffic rate of 0 discards every packet that matches.
        extended_communities: vec![ExtendedCommunity::traffic_rate(asn.to_two_octets(), 0.0)],
        ..AttributeSet::new(Origin::IGP)
    };
    let mut update = UpdateBuf::new(attributes);
    update.announce(AnyNlriBuf::parse(Family::IPV4_FLOWSPEC, &rule.join(" "))?);
    let mut octets = BytesMut::new();
    let context = Context::new(PeerKind::Internal).with_families([Family::IPV4_FLOWSPEC]);
    update.encode(&context, &mut octets)?;
    println!("{octets:x}");
    Ok(())
}
