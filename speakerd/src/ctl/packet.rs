//! The TCP payload of a captured packet, with or without a link header.

/// Returns the TCP payload of a packet, or all octets if they are not one.
pub(super) fn payload(octets: &[u8]) -> &[u8] {
    // A message that was dumped alone begins with its marker, which no header does.
    if octets.starts_with(&[0xff; 16]) {
        return octets;
    }
    tcp_payload(octets)
        .or_else(|| tcp_payload(ethernet_payload(octets)?))
        .unwrap_or(octets)
}

/// Returns the payload of an Ethernet frame with an IP packet in it, with or without a VLAN tag.
fn ethernet_payload(frame: &[u8]) -> Option<&[u8]> {
    match frame.get(12..)? {
        [0x08, 0x00, packet @ ..] | [0x86, 0xdd, packet @ ..] => Some(packet),
        [0x81, 0x00, _, _, 0x08, 0x00, packet @ ..]
        | [0x81, 0x00, _, _, 0x86, 0xdd, packet @ ..] => Some(packet),
        _ => None,
    }
}

/// Returns the TCP payload of an IP packet (RFC 791 section 3.1, RFC 8200 section 3).
fn tcp_payload(packet: &[u8]) -> Option<&[u8]> {
    const TCP: u8 = 6;
    let (&first, _) = packet.split_first()?;
    let number = |at: usize| {
        Some(usize::from(u16::from_be_bytes(
            *packet.get(at..)?.first_chunk()?,
        )))
    };
    let (header, end, protocol) = match first >> 4 {
        4 => (usize::from(first & 15) * 4, number(2)?, *packet.get(9)?),
        6 => (40, 40 + number(4)?, *packet.get(6)?),
        _ => return None,
    };
    // A capture may cut the packet, and Ethernet pads a short one.
    let segment = packet.get(header..end.min(packet.len()))?;
    if protocol != TCP || header < 20 {
        return None;
    }
    // RFC 9293 section 3.1: the data offset counts words of four octets.
    let offset = usize::from(segment.get(12)? >> 4) * 4;
    segment.get(offset..).filter(|_| offset >= 20)
}
