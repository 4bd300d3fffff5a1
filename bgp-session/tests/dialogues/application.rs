//! Dialogues about the application's own part in a session: capabilities, a check of the peer's OPEN, UPDATEs that it sends
//! itself, and the reasons with which it stops a session.

use std::sync::{Arc, Mutex};

use bgp_session::{ChangeEffect, DownReason, OpenCheck, PeerSetting, SendError, Shutdown, State};
use bgp_wire::{
    AnyNlriBuf, AttributeSet, CapabilityBuf, CapabilityCode, EncodeError, Family, NextHop,
    NotificationBuf, Origin, Reason, UpdateBuf,
};
use ipnet::IpNet;

use crate::script::{Script, SentMessage, config, keepalive, open, open_with};

fn own(value: u8) -> CapabilityBuf {
    // A code for private use (RFC 8810).
    CapabilityBuf::Unknown(CapabilityCode(239), vec![value])
}

#[test]
fn own_capability_is_offered_and_that_of_the_peer_is_readable() {
    let mut a = Script::new(config().with_capability(own(1)).unwrap());
    let version = CapabilityBuf::SoftwareVersion("other 2.0".into());
    a.establish(open_with(64512, &[own(2), version.clone()]));
    let offered = a.open.take().unwrap().capabilities;
    assert_eq!(offered.last(), Some(&own(1)));
    assert!(offered.contains(&CapabilityBuf::RouteRefresh));
    let negotiated = a.session.negotiated().unwrap();
    assert_eq!(negotiated.peer_capabilities[3..], [own(2), version]);
}

#[test]
fn changed_capabilities_reset_the_session() {
    let with = |value| config().with_capability(own(value)).unwrap();
    let change = with(1).change(&with(2));
    assert_eq!(change.settings(), [PeerSetting::Capabilities]);
    assert!(change.resets());
    assert!(with(1).change(&with(1)).is_empty());
}

#[test]
fn refused_open_is_answered_with_notification_of_the_check() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let check = OpenCheck::new(move |peer, open| {
        record
            .lock()
            .unwrap()
            .push((peer, open.router_id().to_string()));
        Err(NotificationBuf {
            reason: Reason::CONNECTION_REJECTED,
            data: vec![7],
        })
    });
    let mut a = Script::new(config().with_open_check(check));
    a.start();
    // The session refuses this OPEN itself, so that the application does not see it.
    let first = a.expect_dial();
    a.connected(first);
    a.receive(first, open(64999, 90));
    assert!(seen.lock().unwrap().is_empty());
    a.advance_to_deadline();
    let second = a.expect_dial();
    a.connected(second);
    a.receive(second, open(64512, 90));
    a.expect(second, SentMessage::Open);
    let refusal = SentMessage::Notification(Reason::CONNECTION_REJECTED, vec![7]);
    a.expect(second, refusal);
    a.expect_close(second);
    assert_eq!(a.session.state(), State::Idle);
    let expected = ("192.168.0.254".parse().unwrap(), "192.168.0.254".to_owned());
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[test]
fn changed_check_applies_to_next_open() {
    let accepting = config().with_open_check(OpenCheck::new(|_, _| Ok(())));
    let refusing = config().with_open_check(OpenCheck::new(|_, _| {
        Err(NotificationBuf {
            reason: Reason::CONNECTION_REJECTED,
            data: vec![],
        })
    }));
    let change = accepting.change(&refusing);
    assert_eq!(change.settings(), [PeerSetting::OpenCheck]);
    assert_eq!(change.effect(), ChangeEffect::Deferred);
    assert!(accepting.change(&accepting.clone()).is_empty());
    let mut a = Script::established(accepting);
    let connection = a.connection();
    a.session.update(a.now, refusing).unwrap();
    a.poll_outputs();
    a.receive(connection, keepalive());
    assert_eq!(a.session.state(), State::Established);
}

/// Returns an UPDATE that announces one route with this next hop.
fn update(family: Family, route: &str) -> UpdateBuf {
    let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    update.announce(AnyNlriBuf::parse(family, route).unwrap());
    update.set_next_hop(family, NextHop::Address([192, 0, 2, 9].into()));
    update
}

#[test]
fn update_of_the_application_is_sent_if_the_context_permits_it() {
    let mut a = Script::new(config());
    let ours = update(Family::IPV4_UNICAST, "192.0.2.0/24");
    assert_eq!(
        a.session.send_update(a.now, &ours),
        Err(SendError::NotEstablished)
    );
    let connection = a.establish(open(64512, 90));
    a.take_messages(connection);
    assert_eq!(a.session.send_update(a.now, &ours), Ok(1));
    a.poll_outputs();
    a.expect(connection, SentMessage::Update);
    assert_eq!(a.session.statistics().sent.update, 1);

    let vpn = update(Family::IPV4_LABELED, "192.0.2.0/24 label 100");
    let refused = SendError::Encode(EncodeError::NotNegotiated(Family::IPV4_LABELED));
    assert_eq!(a.session.send_update(a.now, &vpn), Err(refused));
    let identified = update(Family::IPV4_UNICAST, "192.0.2.0/24 path-id 1");
    let error = a.session.send_update(a.now, &identified).unwrap_err();
    assert!(matches!(error, SendError::Encode(_)), "{error}");
    let empty = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    assert_eq!(a.session.send_update(a.now, &empty), Ok(0));
    a.poll_outputs();
    a.expect_nothing();

    let mut withdrawal = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    withdrawal.withdraw("192.0.2.0/24".parse::<IpNet>().unwrap());
    assert_eq!(a.session.send_update(a.now, &withdrawal), Ok(1));
}

#[test]
fn stop_sends_any_cease_and_text_only_where_it_belongs() {
    for (reason, data) in [
        (Reason::ADMINISTRATIVE_RESET, &b"\x04noon"[..]),
        (Reason::OUT_OF_RESOURCES, b""),
        (Reason::BFD_DOWN, b""),
    ] {
        let mut a = Script::established(config());
        let connection = a.connection();
        a.take_messages(connection);
        let why = Shutdown::cease(reason, "noon").unwrap();
        assert_eq!((why.reason(), why.text()), (reason, "noon"));
        a.stop(&why);
        a.expect(connection, SentMessage::Notification(reason, data.to_vec()));
        let Some(DownReason::Stopped(notification)) = a.down_reason() else {
            panic!("{:?}", a.down_reason());
        };
        assert_eq!(notification.reason, reason);
    }
    // A Hard Reset contains another reason (RFC 8538 section 3.1).
    for reason in [Reason::HARD_RESET, Reason::BAD_PEER_AS] {
        assert_eq!(Shutdown::cease(reason, ""), None);
    }
}
