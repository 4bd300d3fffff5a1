//! Status and events as JSON.

use bgp_session::{Route, Shutdown, State};
use serde_json::{Value, json};

use crate::{NODE, ROUTER, address, router_and_node, within};

#[tokio::test]
async fn status_is_serialized_without_instants() {
    let (_router, node) = router_and_node().await;
    let peer = node.peer(address(ROUTER)).unwrap();
    let value = serde_json::to_value(peer.status()).unwrap();
    assert_eq!(value["state"], "Established");
    assert!(value["established_seconds"].is_u64(), "{value}");
    assert_eq!(value["negotiated"]["peer_as"], 64512);
    assert_eq!(value["negotiated"]["keepalive"], 30);
    assert_eq!(value["statistics"]["received"]["open"], 1);
    assert_eq!(value["statistics"]["created"], Value::Null);
    assert_eq!(value["stopped"], Value::Null);
    peer.stop(Shutdown::administrative("noon"));
    within(peer.wait_for(|status| status.state == State::Idle))
        .await
        .unwrap();
    let value = serde_json::to_value(peer.status()).unwrap();
    assert_eq!(value["stopped"]["text"], "noon");
    assert_eq!(value["last_down"]["kind"], "stopped");
    assert_eq!(
        value["last_down"]["notification"]["reason"],
        json!({"code": 6, "subcode": 2})
    );
}

#[tokio::test]
async fn events_are_serialized_by_their_names() {
    let (router, node) = router_and_node().await;
    let mut events = router.events();
    node.announce(&Route::new("192.168.10.1/32".parse().unwrap()))
        .unwrap();
    within(node.flush()).await;
    within(node.shutdown(Shutdown::administrative(""))).await;
    within(router.remove_peer(address(NODE))).await;
    let mut values = Vec::new();
    while values
        .last()
        .is_none_or(|value: &Value| value.get("peer_removed").is_none())
    {
        let event = within(events.next()).await.unwrap();
        values.push(serde_json::to_value(event).unwrap());
    }
    let session = |name: &str| {
        values
            .iter()
            .find_map(|value| value["session"]["event"].get(name))
            .unwrap_or_else(|| panic!("{name} in {values:?}"))
    };
    assert_eq!(
        session("update")["announced"][0]["route"],
        "192.168.10.1/32"
    );
    assert_eq!(session("down")["reason"]["kind"], "remote");
    let left = json!({"from": "Established", "to": "Idle"});
    let is_left = |value: &Value| {
        let change = &value["session"]["event"]["state_changed"];
        json!({"from": change["from"], "to": change["to"]}) == left
    };
    assert!(values.iter().any(is_left), "{values:?}");
    assert_eq!(
        values.last().unwrap(),
        &json!({"peer_removed": {"peer": NODE, "reason": "deconfigured"}})
    );
}
