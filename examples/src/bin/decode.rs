//! Prints a BGP message given in hex, and says what is wrong with it: `decode ffffffff...`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;

use bgp_wire::{Context, Frame, Message, MessageLimit, PeerKind};
use bytes::Bytes;

fn main() -> Result<(), Box<dyn Error>> {
    let digits: String = std::env::args().skip(1).collect();
    let octets = (0..digits.len()).step_by(2).map(|at| {
        let pair = digits.get(at..at + 2).ok_or("half an octet")?;
        u8::from_str_radix(pair, 16).map_err(|error| format!("{pair}: {error}"))
    });
    let octets: Bytes = octets.collect::<Result<Vec<_>, String>>()?.into();
    let frame = Frame::from_bytes(octets, MessageLimit::Extended)?;
    match frame.decode(&Context::new(PeerKind::Internal))? {
        Message::Open(open) => {
            println!(
                "OPEN AS {} hold time {} id {}",
                open.asn(),
                open.hold_time(),
                open.router_id()
            );
            open.capabilities()
                .for_each(|capability| println!("  {capability:?}"));
        }
        Message::Update(update) => {
            let checked = update.check()?;
            println!("UPDATE");
            checked
                .withdrawn()
                .for_each(|nlri| println!("  withdrawn {}", nlri.prefix));
            checked
                .announced()
                .for_each(|nlri| println!("  announced {}", nlri.prefix));
            checked
                .attributes()
                .for_each(|attribute| println!("  {attribute:?}"));
        }
        message @ (Message::Notification(_) | Message::Keepalive | Message::RouteRefresh(_)) => {
            println!("{message:?}");
        }
    }
    Ok(())
}
