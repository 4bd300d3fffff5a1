//! Peers that know less than we do, or more: two octets of AS number (RFC 6793), long messages (RFC 8654), long OPENs (RFC 9072),
//! and settings that change what is accepted.

use std::time::Duration;

use crate::script::{Script, config, hex, keepalive, open, open_with, raw_open, update_with};
use bgp_session::{AdjRibIn, AdjRibOut, ExportPolicy, PeerConfig, Rib, Route, SessionEvent, State};
use bgp_wire::{
    Asn, AttributeCode, CapabilityBuf, Frame, HoldTime, Message, MessageLimit, RouterId,
};
use bytes::BytesMut;

/// What a table of these routes is to the peer of an Established session.
fn sent(a: &Script, routes: &[Route]) -> Vec<Frame> {
    let mut rib = Rib::new();
    routes.iter().for_each(|route| {
        rib.announce(route);
    });
    let negotiated = a.session.negotiated().unwrap();
    let mut out = AdjRibOut::new(&mut rib, a.session.config(), negotiated);
    let mut octets = BytesMut::new();
    while !out.pull(&mut rib, &mut octets, usize::MAX) {}
    let mut frames = Vec::new();
    while let Some(frame) = Frame::split(&mut octets, MessageLimit::Extended).unwrap() {
        frames.push(frame);
    }
    frames
}

/// RFC 6793 sections 4.2.2 and 4.2.3: AS_TRANS stands in AS_PATH, and the whole path in AS4_PATH.
#[test]
fn two_octets_of_as_number() {
    let external = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
    let external = external.local_as(Asn::new(4_200_000_001));
    let external = external.export(ExportPolicy::all()).deliver_updates(true);
    let mut a = Script::new(external);
    // An old speaker's OPEN, with the one capability of a family.
    let connection = a.establish(raw_open("04 fc01 005a c0a800fe 08 02 06 01 04 0001 00 01"));
    assert!(!a.session.negotiated().unwrap().context.four_octet_as());
    let frames = sent(&a, &[Route::new("10.0.0.0/8".parse().unwrap())]);
    let sends = a.session.negotiated().unwrap().sends;
    let Ok(Message::Update(update)) = frames[0].decode(&sends) else {
        panic!("{frames:?}")
    };
    let values: Vec<_> = update
        .raw_attributes()
        .map(|raw| raw.unwrap())
        .filter(|raw| [AttributeCode::AS_PATH, AttributeCode::AS4_PATH].contains(&raw.code))
        .map(|raw| raw.value.to_vec())
        .collect();
    assert_eq!(values, [hex("02 01 5ba0"), hex("02 01 fa56ea01")]);

    // Its path, of which another AS has four octets.
    let attributes =
        "400101 00  400206 0202 fc01 5ba0  400304 c0a800fe  c0110a 0202 0000fc01 fa56ea09";
    a.receives(connection, update_with(attributes, "20 0a010001"));
    let mut table = AdjRibIn::new();
    for event in a.take_events() {
        assert!(!matches!(event, SessionEvent::UpdateFault(_)), "{event:?}");
        table.apply(&event, |_| {});
    }
    let (_, route) = table.routes().next().unwrap();
    assert_eq!(
        route.attributes.as_path.to_string(),
        "64513 4200000009",
        "merged"
    );
}

/// RFC 8654: long messages are sent where both offer them.
#[test]
fn long_messages() {
    let routes: Vec<_> = (0..5000_u32)
        .map(|number| ipnet::Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap())
        .map(|prefix| Route::new(prefix.into()))
        .collect();
    for (ours, theirs, longest) in [
        (true, true, 25_044),
        (true, false, 4096),
        (false, true, 4096),
    ] {
        let mut a = Script::new(config().extended_message(ours));
        let capabilities = [CapabilityBuf::ExtendedMessage];
        a.establish(open_with(64512, if theirs { &capabilities } else { &[] }));
        let frames = sent(&a, &routes);
        let most = frames.iter().map(|frame| frame.octets().len()).max();
        assert!(
            most.is_some_and(|most| most <= longest && most > longest - 100),
            "{most:?}"
        );
    }
}

/// RFC 9072: an OPEN whose optional parameters have a long length.
#[test]
fn a_long_open() {
    let mut a = Script::new(config());
    // 255, 255, the length in two octets; one parameter with a length in two octets.
    a.establish(raw_open(
        "04 fc00 005a c0a800fe ff ff 0009 02 0006 01 04 0001 00 01",
    ));
    let families: Vec<_> = a.session.negotiated().unwrap().families().iter().collect();
    assert_eq!(families, [bgp_wire::Family::IPV4_UNICAST]);
}

/// RFC 4271 section 6.3: whether a path has to begin with the peer's AS.
#[test]
fn the_first_as_of_a_path() {
    for enforce in [true, false] {
        let external = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
        let mut a = Script::new(external.enforce_first_as(enforce));
        let connection = a.establish(open(64513, 90));
        let attributes = "400101 00  400206 0201 0000fc09  400304 c0a800fe";
        a.receives(connection, update_with(attributes, "20 0a010001"));
        let mut events = a.take_events().into_iter();
        let fault = events.any(|event| matches!(event, SessionEvent::UpdateFault(_)));
        assert_eq!(fault, enforce);
    }
}

#[test]
fn keepalives_as_often_as_configured() {
    let mut a = Script::new(config().keepalive_time(Duration::from_secs(4)));
    let connection = a.establish(open(64512, 90));
    let negotiated = a.session.negotiated().unwrap();
    assert_eq!(negotiated.hold_time, HoldTime::DEFAULT);
    assert_eq!(negotiated.keepalive, Duration::from_secs(4));
    a.take_messages(connection);
    a.passes(Duration::from_secs(40));
    // With jitter, each comes after three to four seconds.
    let sent = a.take_messages(connection).len();
    assert!((10..=13).contains(&sent), "{sent}");
}

#[test]
fn another_identifier_for_one_peer() {
    let router_id = RouterId::new(9, 9, 9, 9).unwrap();
    let mut a = Script::new(config().router_id(router_id));
    a.establish(open(64512, 90));
    assert_eq!(a.open.unwrap().router_id, router_id);
}

/// Until the peer has confirmed our OPEN it is not waited for for ever, whatever hold time it wants.
#[test]
fn a_peer_that_does_not_confirm() {
    let mut a = Script::new(config());
    a.confirm(open(64512, 0));
    a.passes(Duration::from_secs(239));
    assert_eq!(a.session.state(), State::OpenConfirm);
    a.passes(Duration::from_secs(1));
    assert_eq!(a.session.state(), State::Idle);
    let mut b = Script::new(config());
    let connection = b.confirm(open(64512, 0));
    b.receives(connection, keepalive());
    b.passes(Duration::from_secs(100_000));
    assert_eq!(b.session.state(), State::Established);
}
