//! Dissects a BGP message in hexadecimal digits and points at its errors.
//!
//! Usage: `decode ffffffffffffffffffffffffffffffff001304`

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::error::Error;

use bgp_wire::{Context, Family, PeerKind, dissect};

fn main() -> Result<(), Box<dyn Error>> {
    let digits: String = std::env::args().skip(1).collect();
    let octets = (0..digits.len()).step_by(2).map(|at| {
        let pair = digits
            .get(at..at + 2)
            .ok_or("odd number of hexadecimal digits")?;
        u8::from_str_radix(pair, 16).map_err(|error| format!("{pair}: {error}"))
    });
    let message = octets.collect::<Result<Vec<_>, String>>()?;
    // By default a context decodes IPv4 and IPv6 unicast only, as a session does before it negotiates more.
    let context = Context::new(PeerKind::Internal).with_families(Family::PARSED.iter().copied());
    let dissection = dissect(&message, &context);
    print!("{dissection}");
    print!("{}", dissection.excerpt(&message).unwrap_or_default());
    Ok(())
}
