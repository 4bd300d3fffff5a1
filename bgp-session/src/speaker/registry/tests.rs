//! Tests of the state that the registry derives from its peers.

use bgp_wire::Asn;

use super::super::Speaker;
use super::*;

/// Asserts that the counted distances are those of the current configuration.
fn assert_counted(speaker: &Speaker, step: &str) {
    let state = lock(&speaker.registry.state);
    let mut expected = HopCounts::default();
    let own = state.peers.values().filter(|entry| entry.prefix.is_none());
    own.for_each(|entry| entry.peer.read_config(|config| expected.add(config)));
    let templates = state.dynamic.iter();
    templates.for_each(|known| expected.add(&known.template));
    assert_eq!(state.hops, expected, "{step}");
}

fn config(address: &str) -> PeerConfig {
    PeerConfig::new(address.parse().unwrap(), Asn::new(64512)).with_passive(true)
}

#[tokio::test]
async fn counted_distances_follow_every_change() {
    let speaker = Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap());
    let speaker = speaker.spawn().await.unwrap();
    let prefix: IpNet = "192.0.2.0/24".parse().unwrap();
    let near = |address| config(address).with_ttl_security(1);
    speaker.add_peer(near("198.51.100.1")).unwrap();
    speaker.add_peer(config("2001:db8::1")).unwrap();
    assert_counted(&speaker, "added");
    speaker.add_peer(near("198.51.100.1")).unwrap_err();
    assert_counted(&speaker, "refused");
    let registry = &speaker.registry;
    registry.update_peer(config("198.51.100.1")).unwrap();
    registry.update_peer(near("2001:db8::1")).unwrap();
    assert_counted(&speaker, "updated");
    speaker
        .add_dynamic_peers(prefix, near("192.0.2.0"), 10)
        .unwrap();
    let address = "192.0.2.1".parse().unwrap();
    {
        let mut state = lock(&registry.state);
        registry.add_dynamic_peer(&mut state, address).unwrap();
    }
    assert_counted(&speaker, "dynamic peer connected");
    registry.update_peer(config("192.0.2.1")).unwrap();
    assert_counted(&speaker, "dynamic peer updated");
    registry
        .update_dynamic_peers(prefix, config("192.0.2.0"), 10)
        .unwrap();
    assert_counted(&speaker, "template updated");
    assert!(registry.remove_peer(address).is_some());
    assert!(
        registry
            .remove_peer(config("2001:db8::1").address())
            .is_some()
    );
    assert_counted(&speaker, "removed");
    assert!(registry.remove_dynamic_peers(prefix).is_some());
    assert_counted(&speaker, "prefix removed");
    registry.close(&Shutdown::administrative(""));
    assert_counted(&speaker, "closed");
}
