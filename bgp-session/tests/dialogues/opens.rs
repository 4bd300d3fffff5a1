//! Dialogues about OPENs: what the peer sees of our configuration, and the AS numbers that we accept.

use std::time::Duration;

use crate::script::{
    Script, SentMessage, config, keepalive, open, open_with, raw_open, update, update_with,
};
use bgp_session::{PeerConfig, RemoteAs, RestartConfig, SessionEvent, State};
use bgp_wire::{
    Asn, CapabilityBuf, Family, FamilySet, GracefulRestartFamily, LongLivedRestartFamily, PeerKind,
    Reason, Role,
};

const BOTH: [Family; 2] = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn peer(remote_as: impl Into<RemoteAs>) -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), remote_as)
}

fn is_restart(capability: &CapabilityBuf) -> bool {
    matches!(
        capability,
        CapabilityBuf::GracefulRestart { .. } | CapabilityBuf::LongLivedGracefulRestart(_)
    )
}

/// Returns the capabilities in our OPEN that `wanted` selects.
fn offered(config: PeerConfig, wanted: fn(&CapabilityBuf) -> bool) -> Vec<CapabilityBuf> {
    let mut a = Script::new(config);
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    let open = a.open.take().unwrap();
    open.capabilities.into_iter().filter(wanted).collect()
}

/// RFC 4724 section 3, RFC 8538 section 2.
#[test]
fn open_contains_configured_restart_time_and_flags() {
    for (time, notification, forwarding) in [
        (0, false, true),
        (1, true, false),
        (120, true, true),
        (4095, false, false),
    ] {
        let restart = RestartConfig::new()
            .with_restart_time(seconds(time.into()))
            .with_notification(notification)
            .with_forwarding(forwarding);
        let expected = CapabilityBuf::GracefulRestart {
            restarted: false,
            notification,
            restart_time: time,
            families: BOTH
                .map(|family| GracefulRestartFamily { family, forwarding })
                .to_vec(),
        };
        // Long-lived graceful restart is off unless it is configured.
        let offered = offered(config().with_graceful_restart(restart), is_restart);
        assert_eq!(offered, [expected]);
    }
}

/// RFC 9494 section 3.1.
#[test]
fn open_contains_configured_long_lived_stale_time() {
    for (stale_time, forwarding) in [(0, true), (3600, false), (0xff_ffff, true)] {
        let restart = RestartConfig::new()
            .with_forwarding(forwarding)
            .with_long_lived(seconds(stale_time.into()));
        let entry = |family| LongLivedRestartFamily {
            family,
            forwarding,
            stale_time,
        };
        let expected = CapabilityBuf::LongLivedGracefulRestart(BOTH.map(entry).to_vec());
        let offered = offered(config().with_graceful_restart(restart), is_restart);
        assert_eq!(offered[1..], [expected]);
    }
}

#[test]
fn open_without_graceful_restart_offers_neither_kind() {
    assert_eq!(offered(config(), is_restart), []);
}

/// RFC 4724 section 4.1: no peer retains routes for longer than the restart time that it was told.
#[test]
fn restart_bit_is_set_until_restart_time_has_passed() {
    let restart = RestartConfig::new().with_restart_time(seconds(300));
    for (elapsed, expected) in [(0, true), (300, true), (301, false)] {
        let mut a = Script::new(config().with_passive(true).with_graceful_restart(restart));
        a.session = a.session.restarted();
        a.start();
        a.advance(seconds(elapsed));
        a.accept().expect("the session accepts");
        let restarted = a
            .open
            .take()
            .unwrap()
            .capabilities
            .iter()
            .any(|capability| {
                matches!(
                    capability,
                    CapabilityBuf::GracefulRestart {
                        restarted: true,
                        ..
                    }
                )
            });
        assert_eq!(restarted, expected, "after {elapsed} s");
    }
}

/// The restart capabilities of a peer that retains routes of both families, for 10 s and then for 1,000 s.
fn restart_capabilities() -> [CapabilityBuf; 2] {
    [
        CapabilityBuf::GracefulRestart {
            restarted: false,
            notification: false,
            restart_time: 10,
            families: BOTH
                .map(|family| GracefulRestartFamily {
                    family,
                    forwarding: true,
                })
                .to_vec(),
        },
        CapabilityBuf::LongLivedGracefulRestart(
            BOTH.map(|family| LongLivedRestartFamily {
                family,
                forwarding: true,
                stale_time: 1000,
            })
            .to_vec(),
        ),
    ]
}

/// Returns the families that become long-lived stale, and those that are removed, after the peer's restart time.
fn after_restart_time(config: PeerConfig, offers: &[CapabilityBuf]) -> (FamilySet, FamilySet) {
    let mut a = Script::new(config.with_deliver_updates(true));
    let connection = a.establish(open_with(64512, offers));
    a.receive(connection, update());
    a.closed(connection);
    a.advance(seconds(10));
    let (mut long_lived, mut gone) = (FamilySet::EMPTY, FamilySet::EMPTY);
    for event in a.take_events() {
        match event {
            SessionEvent::StaleRoutesLongLived(families) => long_lived = families,
            SessionEvent::StaleRoutesGone(families) => gone = families,
            _ => {}
        }
    }
    (long_lived, gone)
}

/// RFC 9494 section 4.2: both sides must have the capability, and also the one of RFC 4724.
#[test]
fn long_lived_retention_needs_the_configuration_and_both_capabilities() {
    let none = FamilySet::EMPTY;
    let both: FamilySet = BOTH.into_iter().collect();
    let [graceful, long_lived] = restart_capabilities();
    let graceful_only = config().with_graceful_restart(RestartConfig::new());
    let restart = RestartConfig::new().with_long_lived(seconds(3600));
    let with_long_lived = config().with_graceful_restart(restart);
    for (config, offers, expected) in [
        (
            &with_long_lived,
            vec![graceful.clone(), long_lived.clone()],
            (both, none),
        ),
        (
            &graceful_only,
            vec![graceful.clone(), long_lived.clone()],
            (none, both),
        ),
        (&with_long_lived, vec![graceful.clone()], (none, both)),
        (&with_long_lived, vec![long_lived.clone()], (none, none)),
        (&config(), vec![graceful, long_lived], (none, none)),
    ] {
        let got = after_restart_time(config.clone(), &offers);
        assert_eq!(got, expected, "{:?} {offers:?}", config.graceful_restart());
    }
}

#[test]
fn long_lived_times_of_peer_are_ignored_if_not_configured() {
    let mut a = Script::new(config().with_graceful_restart(RestartConfig::new()));
    a.establish(open_with(64512, &restart_capabilities()));
    let restart = a.session.negotiated().unwrap().restart.clone().unwrap();
    assert_eq!(restart.restart_time, seconds(10));
    assert_eq!(restart.long_lived, []);
    assert_eq!(restart.long_lived_forwarding, FamilySet::EMPTY);
}

/// RFC 6793 section 4.1: the field contains the number, or AS_TRANS if the number does not fit.
#[test]
fn my_as_field_contains_our_number_or_as_trans() {
    for (ours, field) in [
        (64999, 64999),
        (65535, 65535),
        (65536, 23456),
        (4_200_000_001, 23456),
    ] {
        let mut a = Script::new(config().with_local_as(Asn::new(ours)));
        a.start();
        let dialled = a.expect_dial();
        a.connected(dialled);
        assert_eq!(a.my_as, Some(field));
        let capability = CapabilityBuf::FourOctetAs(Asn::new(ours));
        assert!(a.open.take().unwrap().capabilities.contains(&capability));
    }
}

/// Sends an OPEN with this My AS field and 4-octet AS capability. Returns `true` if the session accepts it.
fn accepts(config: PeerConfig, field: u16, capability: Option<u32>) -> bool {
    let parameters = capability.map_or_else(
        || "00".to_owned(),
        |asn| format!("08 02 06 41 04 {asn:08x}"),
    );
    let mut a = Script::new(config);
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    a.expect(dialled, SentMessage::Open);
    a.receive(
        dialled,
        raw_open(&format!("04 {field:04x} 005a c0a800fe {parameters}")),
    );
    if a.session.state() == State::OpenConfirm {
        return true;
    }
    a.expect(
        dialled,
        SentMessage::Notification(Reason::BAD_PEER_AS, vec![]),
    );
    false
}

/// RFC 6793 section 4.1: the field agrees with the capability, or is AS_TRANS.
#[test]
fn my_as_field_that_contradicts_capability_is_refused() {
    for (field, capability, configured, expected) in [
        (64512, Some(64512), 64512, true),
        (64512, None, 64512, true),
        // AS_TRANS in the field does not depend on the size of the number.
        (23456, Some(64512), 64512, true),
        (23456, Some(4_200_000_001), 4_200_000_001, true),
        (64513, Some(64512), 64512, false),
        (64512, Some(64513), 64512, false),
        (64512, Some(64513), 64513, false),
        (64512, Some(4_200_000_001), 4_200_000_001, false),
        // RFC 6793 section 9 reserves AS_TRANS, which identifies no AS.
        (23456, None, 23456, false),
        // RFC 7607 section 2 reserves AS 0.
        (64512, Some(0), 64512, false),
        (0, Some(64512), 64512, false),
    ] {
        let config = peer(Asn::new(configured));
        assert_eq!(
            accepts(config, field, capability),
            expected,
            "{field} {capability:?} {configured}"
        );
    }
}

#[test]
fn peers_of_any_external_or_of_our_as_are_accepted() {
    let large = 4_200_000_001;
    for (remote_as, field, capability, expected) in [
        (RemoteAs::External, 64513, Some(64513), true),
        (RemoteAs::External, 23456, Some(large), true),
        (RemoteAs::External, 64512, Some(64512), false),
        (RemoteAs::External, 64512, None, false),
        (RemoteAs::External, 23456, None, false),
        (RemoteAs::Internal, 64512, Some(64512), true),
        (RemoteAs::Internal, 64513, Some(64513), false),
    ] {
        assert_eq!(
            accepts(peer(remote_as), field, capability),
            expected,
            "{remote_as} {field} {capability:?}"
        );
    }
    // Our AS number towards the peer decides.
    let config = peer(RemoteAs::External).with_local_as(Asn::new(64513));
    assert!(!accepts(config.clone(), 64513, Some(64513)));
    assert!(accepts(config, 64512, Some(64512)));
}

/// RFC 4271 section 6.3, RFC 9234: the checks of received paths use the number of the peer's OPEN.
#[test]
fn external_peer_is_checked_with_its_own_as() {
    let config = peer(RemoteAs::External).with_role(Role::PROVIDER);
    let mut a = Script::new(config);
    let role = CapabilityBuf::Role(Role::CUSTOMER);
    let connection = a.establish(open_with(64513, &[role]));
    let ours = CapabilityBuf::Role(Role::PROVIDER);
    assert!(a.open.take().unwrap().capabilities.contains(&ours));
    let negotiated = a.session.negotiated().unwrap();
    assert_eq!(negotiated.peer_kind(), PeerKind::External);
    assert_eq!(negotiated.peer_as, Asn::new(64513));
    // The second path begins with another AS. The third has an OTC of another AS, which is a leak from a customer.
    for (attributes, expected) in [
        ("400101 00  400206 0201 0000fc01  400304 c0a800fe", [0, 0]),
        ("400101 00  400206 0201 0000fc02  400304 c0a800fe", [1, 0]),
        (
            "400101 00  400206 0201 0000fc01  400304 c0a800fe  c02304 0000fc02",
            [0, 1],
        ),
    ] {
        a.take_events();
        a.receive(connection, update_with(attributes, "20 0a010001"));
        let mut seen = [0, 0];
        for event in a.take_events() {
            match event {
                SessionEvent::UpdateFault(_) => seen[0] += 1,
                SessionEvent::RoutesIgnored { .. } => seen[1] += 1,
                _ => {}
            }
        }
        assert_eq!(seen, expected, "{attributes}: faults, ignored");
    }
}

/// RFC 9234 section 4.1: roles exist between ASes only.
#[test]
fn internal_peer_is_sent_no_role() {
    for remote_as in [RemoteAs::Internal, Asn::new(64512).into()] {
        let config = peer(remote_as).with_role(Role::CUSTOMER);
        let is_role = |capability: &CapabilityBuf| matches!(capability, CapabilityBuf::Role(_));
        assert_eq!(offered(config, is_role), []);
    }
}

#[test]
fn internal_peer_of_unnamed_as_is_established() {
    let mut a = Script::new(peer(RemoteAs::Internal));
    let connection = a.reach_open_confirm(open(64512, 90));
    a.receive(connection, keepalive());
    let negotiated = a.session.negotiated().unwrap();
    assert_eq!(negotiated.peer_kind(), PeerKind::Internal);
}
