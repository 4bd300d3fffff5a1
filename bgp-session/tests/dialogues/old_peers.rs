//! Dialogues with peers that support fewer extensions than we do, or more, and settings that change what is accepted.
//!
//! The extensions: four-octet AS numbers (RFC 6793), extended messages (RFC 8654) and extended OPENs (RFC 9072).

use std::time::Duration;

use crate::script::{Script, config, hex, keepalive, open, open_with, raw_open, update_with};
use bgp_session::{
    AdjRibIn, AdjRibOut, ExportPolicy, PeerConfig, Rib, Route, SessionEvent, Shutdown, State,
};
use bgp_wire::{
    Asn, AttributeCode, CapabilityBuf, Family, Frame, HoldTime, Message, MessageLimit, RouterId,
};
use bytes::BytesMut;

/// Returns the messages by which the peer of an Established session learns a table of these routes.
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

/// RFC 6793 sections 4.2.2 and 4.2.3: AS_PATH contains AS_TRANS, and AS4_PATH the AS numbers of four octets.
#[test]
fn path_for_two_octet_peer_contains_as4_path() {
    let external = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
    let external = external.with_local_as(Asn::new(4_200_000_001));
    let external = external
        .with_export(ExportPolicy::all())
        .with_deliver_updates(true);
    let mut a = Script::new(external);
    // The OPEN of an old speaker: its only capability is a family.
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

    // A path from the peer whose second AS number needs four octets.
    let attributes =
        "400101 00  400206 0202 fc01 5ba0  400304 c0a800fe  c0110a 0202 0000fc01 fa56ea09";
    a.receive(connection, update_with(attributes, "20 0a010001"));
    let mut table = AdjRibIn::new();
    for event in a.take_events() {
        assert!(!matches!(event, SessionEvent::UpdateFault(_)), "{event:?}");
        table.apply(&event, |_| {});
    }
    let (_, route) = table.routes().next().unwrap();
    assert_eq!(
        route.attributes.as_path.to_string(),
        "64513 4200000009",
        "AS4_PATH is merged into AS_PATH"
    );
}

/// RFC 8654 section 4: a speaker sends extended messages only if both sides support them.
#[test]
fn extended_messages_are_sent_only_if_both_offer_them() {
    let routes: Vec<_> = (0..5000_u32)
        .map(|number| ipnet::Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap())
        .map(|prefix| Route::new(prefix.into()))
        .collect();
    // 5,000 host routes of five octets each, behind the attributes, fit into one message of 25,044 octets.
    for (ours, theirs, limit) in [
        (true, true, 25_044),
        (true, false, 4096),
        (false, true, 4096),
    ] {
        let mut a = Script::new(config().with_extended_message(ours));
        let capabilities = [CapabilityBuf::ExtendedMessage];
        a.establish(open_with(64512, if theirs { &capabilities } else { &[] }));
        let frames = sent(&a, &routes);
        let maximum = frames.iter().map(|frame| frame.octets().len()).max();
        assert!(
            maximum.is_some_and(|maximum| maximum <= limit && maximum > limit - 100),
            "{maximum:?}"
        );
    }
}

/// RFC 7911 section 5: the peer sends path identifiers that were not negotiated.
#[test]
fn unexpected_path_ids_are_reported_once_a_session() {
    let mut a = Script::new(config());
    let reports = |a: &mut Script| {
        let events = a.take_events().into_iter();
        let reports = events.filter_map(|event| match event {
            SessionEvent::UnexpectedPathIds(family) => Some(family),
            _ => None,
        });
        reports.collect::<Vec<_>>()
    };
    let attributes = "400101 00  400200  400304 c0a800fe  400504 00000064";
    for _ in 0..2 {
        let connection = a.establish(open(64512, 90));
        a.receive(connection, update_with(attributes, "180a0001"));
        assert_eq!(reports(&mut a), []);
        // Three default routes, 0.0.0.0/1 and 200.192.0.0/10: legal octets, which do not end the session.
        for expected in [&[Family::IPV4_UNICAST][..], &[]] {
            a.receive(connection, update_with(attributes, "00000001 180ac802"));
            assert_eq!(reports(&mut a), expected);
        }
        assert_eq!(a.session.state(), State::Established);
        a.stop(&Shutdown::administrative(""));
        a.take_messages(connection);
        a.expect_close(connection);
    }
    assert_eq!(a.session.statistics().prefixes_announced(), 2 * 11);
}

/// RFC 9072 section 2: the length of the optional parameters may have two octets.
#[test]
fn open_with_extended_parameters_is_accepted() {
    let mut a = Script::new(config());
    // 255 and 255 mark the extended form; the two lengths behind them have two octets each.
    a.establish(raw_open(
        "04 fc00 005a c0a800fe ff ff 0009 02 0006 01 04 0001 00 01",
    ));
    let families: Vec<_> = a.session.negotiated().unwrap().families().iter().collect();
    assert_eq!(families, [Family::IPV4_UNICAST]);
}

/// RFC 4271 section 6.3: a speaker may reject a path that does not begin with the peer's AS.
#[test]
fn path_without_peer_as_is_rejected_if_configured() {
    for enforce in [true, false] {
        let external = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
        let mut a = Script::new(external.with_enforce_first_as(enforce));
        let connection = a.establish(open(64513, 90));
        let attributes = "400101 00  400206 0201 0000fc09  400304 c0a800fe";
        a.receive(connection, update_with(attributes, "20 0a010001"));
        let mut events = a.take_events().into_iter();
        let fault = events.any(|event| matches!(event, SessionEvent::UpdateFault(_)));
        assert_eq!(fault, enforce);
    }
}

#[test]
fn configured_keepalive_time_sets_keepalive_interval() {
    let mut a = Script::new(config().with_keepalive_time(Duration::from_secs(4)));
    let connection = a.establish(open(64512, 90));
    let negotiated = a.session.negotiated().unwrap();
    assert_eq!(negotiated.hold_time, HoldTime::DEFAULT);
    assert_eq!(negotiated.keepalive, Duration::from_secs(4));
    a.take_messages(connection);
    a.advance(Duration::from_secs(40));
    // RFC 4271 section 10: jitter shortens each interval to between 75 and 100 %, here 3 to 4 s.
    let sent = a.take_messages(connection).len();
    assert!((10..=13).contains(&sent), "{sent}");
}

#[test]
fn router_id_of_peer_replaces_router_id_of_speaker() {
    let router_id = RouterId::new(9, 9, 9, 9).unwrap();
    let mut a = Script::new(config().with_router_id(router_id));
    a.establish(open(64512, 90));
    assert_eq!(a.open.unwrap().router_id, router_id);
}

/// A hold time of zero takes effect in Established only: a peer that never confirms our OPEN is dropped after 4 minutes.
#[test]
fn peer_not_confirming_open_is_dropped_despite_hold_time_zero() {
    let mut a = Script::new(config());
    a.reach_open_confirm(open(64512, 0));
    a.advance(Duration::from_secs(239));
    assert_eq!(a.session.state(), State::OpenConfirm);
    a.advance(Duration::from_secs(1));
    assert_eq!(a.session.state(), State::Idle);
    let mut b = Script::new(config());
    let connection = b.reach_open_confirm(open(64512, 0));
    b.receive(connection, keepalive());
    b.advance(Duration::from_secs(100_000));
    assert_eq!(b.session.state(), State::Established);
}
