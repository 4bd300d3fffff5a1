//! Tests of the changes to routes that one peer is sent.

use super::*;

#[test]
fn external_peer_is_sent_our_as() {
    let mut rib = Rib::new();
    rib.announce(&route(2, 7));
    let mut adj_rib_out = AdjRibOut::new(&mut rib, &config(), &negotiated(PeerKind::External));
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, 4096));
    let frame = Frame::split(&mut octets, MessageLimit::Standard)
        .unwrap()
        .unwrap();
    let context = Context::new(PeerKind::External);
    let Ok(Message::Update(update)) = frame.decode(&context) else {
        panic!()
    };
    let checked = update.check().unwrap();
    assert_eq!(checked.as_path().unwrap().to_string(), "64512");
    assert_eq!(
        checked.fault(),
        None,
        "no LOCAL_PREF, which an external peer would discard"
    );
}

#[test]
fn policy_changes_sent_attributes() {
    let route = route(2, 7)
        .with_multi_exit_disc(1)
        .with_community("64512:1".parse().unwrap())
        .with_next_hop("192.0.2.9".parse().unwrap());
    let policy = ExportPolicy::only([PrefixRange::inside_of("10.0.0.0/8".parse().unwrap())])
        .with_local_pref(200)
        .with_multi_exit_disc(50)
        .with_community("64512:2".parse().unwrap())
        .with_large_community("1:2:3".parse().unwrap())
        .with_prepend(2)
        .with_next_hop("192.0.2.1".parse().unwrap());
    let plain = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512));
    let (internal, external) = (
        negotiated(PeerKind::Internal),
        negotiated(PeerKind::External),
    );
    let rich = plain.clone().with_export(policy);
    let draining = "origin IGP local-preference 0 community [ 64512:1 graceful-shutdown ]";
    for (config, negotiated, drain, expected) in [
        (
            &plain,
            &internal,
            false,
            "10.0.2.0/24 via 192.0.2.9: origin igp med 1 local-preference 7 community [ 64512:1 ]"
                .to_owned(),
        ),
        // RFC 8212.
        (&plain, &external, false, "nothing".to_owned()),
        (
            &rich,
            &internal,
            false,
            "10.0.2.0/24 via 192.0.2.1: origin igp med 50 local-preference 200 \
             community [ 64512:1 64512:2 ] large-community [ 1:2:3 ]"
                .to_owned(),
        ),
        (
            &rich,
            &external,
            false,
            "10.0.2.0/24 via 192.0.2.1: origin igp as-path [ 64512 64512 64512 ] med 50 \
             community [ 64512:1 64512:2 ] large-community [ 1:2:3 ]"
                .to_owned(),
        ),
        // RFC 8326.
        (
            &rich,
            &external,
            true,
            "10.0.2.0/24 via 192.0.2.1: origin igp as-path [ 64512 64512 64512 ] med 50 \
             community [ 64512:1 64512:2 graceful-shutdown ] large-community [ 1:2:3 ]"
                .to_owned(),
        ),
        (
            &plain,
            &internal,
            true,
            format!("10.0.2.0/24 via 192.0.2.9: {draining}").replace("IGP", "igp med 1"),
        ),
    ] {
        assert_eq!(sent(&route, config, negotiated, drain), expected);
    }
}

#[test]
fn policy_withholds_other_prefixes() {
    let only = ExportPolicy::only([PrefixRange::inside_of("10.0.0.0/8".parse().unwrap())]);
    let other = Route::new("172.16.0.0/12".parse().unwrap());
    let internal = negotiated(PeerKind::Internal);
    assert_eq!(
        sent(&other, &config().with_export(only), &internal, false),
        "nothing"
    );
}

/// RFC 9494 section 4.3: only peers with the capability are sent long-lived stale routes.
#[test]
fn long_lived_stale_route_is_sent_to_supporting_peer_only() {
    let last_resort = route(2, 7).with_community(Community::LLGR_STALE);
    let plain = negotiated(PeerKind::Internal);
    assert_eq!(sent(&last_resort, &config(), &plain, false), "nothing");
    let knows = Negotiated {
        peer_long_lived: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
        ..plain
    };
    let sent = sent(&last_resort, &config(), &knows, false);
    assert!(sent.ends_with("community [ llgr-stale ]"), "{sent}");
}

/// RFC 9234 section 5, egress.
#[test]
fn role_marks_or_withholds_routes() {
    use bgp_wire::Role;
    let external = negotiated(PeerKind::External);
    let with_otc = {
        let mut attributes = route(2, 7).attributes().clone();
        attributes.only_to_customer = Some(Asn::new(1));
        route(2, 7).with_attributes(attributes)
    };
    for (role, plain, marked) in [
        (Role::PROVIDER, Some("64512"), Some("1")),
        (Role::ROUTE_SERVER, Some("64512"), Some("1")),
        (Role::PEER, Some("64512"), None),
        (Role::CUSTOMER, Some(""), None),
        (Role::ROUTE_SERVER_CLIENT, Some(""), None),
    ] {
        let config = config().with_role(role);
        for (route, otc) in [(&route(2, 7), plain), (&with_otc, marked)] {
            let sent = sent(route, &config, &external, false);
            let seen = (sent != "nothing").then(|| sent.split(" otc ").nth(1).unwrap_or_default());
            assert_eq!(seen, otc, "{role}: {sent}");
        }
    }
}

/// RFC 8950: an IPv4 route has an IPv6 next hop if no IPv4 one is known and the peer accepts it.
#[test]
fn ipv4_route_without_ipv4_next_hop_uses_ipv6() {
    let over_ipv6 = |takes: bool| {
        let mut negotiated = negotiated(PeerKind::Internal);
        negotiated.local_address = "2001:db8::111".parse().unwrap();
        let families = takes.then_some(Family::IPV4_UNICAST);
        negotiated.sends = negotiated.sends.with_extended_next_hop(families);
        negotiated
    };
    let via = |route: &Route, config: &PeerConfig, takes| {
        let sent = sent(route, config, &over_ipv6(takes), false);
        sent.split(": ").next().unwrap().to_owned()
    };
    let plain = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512));
    let ours = plain.clone().with_next_hop_ipv4([192, 0, 2, 1].into());
    let own = route(2, 7).with_next_hop("2001:db8::7".parse().unwrap());
    let both = own.clone().with_next_hop([192, 0, 2, 7].into());
    for (route, config, takes, expected) in [
        (&route(2, 7), &plain, true, "10.0.2.0/24 via 2001:db8::111"),
        (&route(2, 7), &plain, false, "nothing"),
        (&route(2, 7), &ours, true, "10.0.2.0/24 via 192.0.2.1"),
        (&own, &ours, true, "10.0.2.0/24 via 2001:db8::7"),
        // Our own address in place of the one that the route names would attract the traffic to the wrong host.
        (&own, &ours, false, "nothing"),
        (&both, &ours, true, "10.0.2.0/24 via 192.0.2.7"),
    ] {
        assert_eq!(via(route, config, takes), expected);
    }
}
