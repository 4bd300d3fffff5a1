//! Prints the routes of recorded UPDATEs, in the MRT format (RFC 6396) of RIPE RIS and RouteViews.
//!
//! Usage: `bzcat updates.20190101.0000.bz2 | mrt`

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::error::Error;
use std::io::Read;

use bgp_wire::{Checked, Context, Family, Frame, Message, MessageLimit, PeerKind};
use bytes::{Buf, Bytes};

/// The record types of messages that a collector received: BGP4MP and BGP4MP_ET.
const BGP4MP: [u16; 2] = [16, 17];

/// The maximum length of a record of these types: a BGP message of 65535 octets, and the fields before it.
const MAX_LENGTH: u32 = 65535 + 64;

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = std::io::stdin().lock();
    while let Some(header) = read_header(&mut input)? {
        let mut fields = &header[..];
        let (time, kind, subtype) = (fields.get_u32(), fields.get_u16(), fields.get_u16());
        let length = fields.get_u32();
        if !BGP4MP.contains(&kind) {
            // Not kept: records of other types, such as whole tables, may be long.
            if std::io::copy(
                &mut input.by_ref().take(length.into()),
                &mut std::io::sink(),
            )? != u64::from(length)
            {
                return Err("the file ends inside a record".into());
            }
            continue;
        }
        let record = read_record(&mut input, length)?;
        if let Some((message, four_octet_as)) = message(&record, kind == 17, subtype) {
            print(time, message, four_octet_as);
        }
    }
    Ok(())
}

/// Reads the header of the next record. Returns `None` at the end of the file.
fn read_header(input: &mut impl Read) -> Result<Option<[u8; 12]>, Box<dyn Error>> {
    let mut octets = Vec::new();
    input.take(12).read_to_end(&mut octets)?;
    if octets.is_empty() {
        return Ok(None);
    }
    let header = octets.try_into();
    Ok(Some(header.map_err(|_| "the file ends inside a header")?))
}

/// Reads the octets of a record after its header.
fn read_record(input: &mut impl Read, length: u32) -> Result<Bytes, Box<dyn Error>> {
    if length > MAX_LENGTH {
        return Err(format!("record of {length} octets: longer than a BGP message").into());
    }
    let mut record = Vec::new();
    // Grows with the octets that are there, because the length field may be wrong.
    if input.take(length.into()).read_to_end(&mut record)? < usize::try_from(length)? {
        return Err("the file ends inside a record".into());
    }
    Ok(record.into())
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
