//! Sessions without I/O in Established, and the OPEN of their peer.

use std::time::Instant;

use bgp_session::{LocalConfig, Negotiated, Output, PeerConfig, Session, SessionEvent, State};
use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, KEEPALIVE, OpenBuf};
use bytes::BytesMut;

pub(crate) const ASN: Asn = Asn::new(64512);

pub(crate) fn local() -> LocalConfig {
    LocalConfig::new(ASN, "192.168.0.111".parse().expect("a valid identifier"))
}

/// Returns the OPEN of an internal peer with a hold time of 90 s.
pub(crate) fn open() -> BytesMut {
    let open = OpenBuf {
        asn: ASN,
        hold_time: HoldTime::DEFAULT,
        router_id: "192.168.0.254".parse().expect("a valid identifier"),
        capabilities: vec![
            CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST),
            CapabilityBuf::Multiprotocol(Family::IPV6_UNICAST),
            CapabilityBuf::RouteRefresh,
            CapabilityBuf::FourOctetAs(ASN),
        ],
    };
    let mut octets = BytesMut::new();
    open.encode(&mut octets).expect("a short OPEN");
    octets
}

/// Returns a session with an internal peer in Established.
pub(crate) fn session(config: PeerConfig, now: Instant, seed: u64) -> Session {
    let mut session = Session::new(local(), config, now, seed).expect("a possible configuration");
    session.start(now);
    let Output::Dial(id) = session.poll_output() else {
        panic!("no dial after the start");
    };
    let address = "192.168.0.111".parse().expect("an address");
    session.handle_connected(now, id, address);
    // The peer's OPEN and the KEEPALIVE that confirms ours.
    let mut octets = open();
    octets.extend_from_slice(&KEEPALIVE);
    session.handle_bytes(now, id, &mut octets);
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    assert_eq!(session.state(), State::Established);
    session
}

pub(crate) fn config() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().expect("an address"), ASN)
}

/// Returns the parameters that an internal peer and we negotiate.
pub(crate) fn negotiated() -> Negotiated {
    #[expect(clippy::disallowed_methods, reason = "any instant serves")]
    let session = session(config(), Instant::now(), 1);
    session.negotiated().expect("Established").clone()
}

/// Returns `true` if an output is the event of a received UPDATE.
pub(crate) fn is_update(output: &Output) -> bool {
    matches!(output, Output::Event(SessionEvent::Update(_)))
}
