//! Prints the routes of recorded UPDATEs, in the MRT format (RFC 6396) of RIPE RIS and RouteViews.
//!
//! Usage: `bzcat updates.20190101.0000.bz2 | mrt`

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::error::Error;
use std::io::{ErrorKind, Read};

use bgp_wire::{Checked, Context, Family, Frame, Message, MessageLimit, PeerKind};
use bytes::{Buf, Bytes};

/// The record types of messages that a collector received: BGP4MP and BGP4MP_ET.
const BGP4MP: [u16; 2] = [16, 17];

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = std::io::stdin().lock();
    let mut header = [0; 12];
    loop {
        match input.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut fields = &header[..];
        let (time, kind, subtype) = (fields.get_u32(), fields.get_u16(), fields.get_u16());
        let mut record = vec![0; usize::try_from(fields.get_u32())?];
        input.read_exact(&mut record)?;
        if BGP4MP.contains(&kind)
            && let Some((message, four_octet_as)) = message(&record.into(), kind == 17, subtype)
        {
            print(time, message, four_octet_as);
        }
    }
}

/// Returns the BGP message of a record, and `true` if its AS numbers have four octets (RFC 6396 section 4.4).
///
/// Returns `None` for records of other subtypes, among them those of ADD-PATH (RFC 8050).
fn message(record: &Bytes, extended_time: bool, subtype: u16) -> Option<(Bytes, bool)> {
    let four_octet_as = match subtype {
        1 => false,
        4 => true,
        _ => return None,
    };
    // The fields before the message: microseconds, two AS numbers, an interface index, the AFI and two addresses.
    let family = if extended_time { 4 } else { 0 } + if four_octet_as { 8 } else { 4 } + 2;
    let addresses = match record.get(family..family + 2)? {
        [0, 2] => 32,
        _ => 8,
    };
    let message = family + 2 + addresses;
    (message <= record.len()).then(|| (record.slice(message..), four_octet_as))
}

fn print(time: u32, message: Bytes, four_octet_as: bool) {
    // RFC 9774 deprecates AS_SET, but old recordings contain it.
    let context = Context::new(PeerKind::External)
        .with_four_octet_as(four_octet_as)
        .with_families(Family::PARSED.iter().copied())
        .with_as_sets(true);
    let outcome = Frame::from_bytes(message, MessageLimit::Extended).and_then(|frame| {
        if let Message::Update(update) = frame.decode(&context)? {
            print_routes(time, &update.check()?);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        println!("{time} error {error}");
    }
}

fn print_routes(time: u32, checked: &Checked<'_>) {
    for route in checked.withdrawn_routes() {
        println!("{time} - {} {route}", route.family);
    }
    let path = checked.as_path().map(|path| path.to_string());
    for route in checked.announced_routes() {
        println!(
            "{time} + {} {route} {}",
            route.family,
            path.as_deref().unwrap_or_default()
        );
    }
}
