//! Files that are refused, with what is said of them to the letter; and files that are not, with what they mean.

#![cfg(test)]

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use bgp_wire::{Asn, Community, HoldTime, LargeCommunity, Origin, RouterId};
use speakerd::config::{
    ARTICLE, Advertisement, Config, Diagnostic, Peer, Pool, Protocol, RouteDefaults, Severity,
};

/// Parses each case of a golden file: `=== title`, the text of a configuration, `>>>`, what is said of it.
fn golden(name: &str, cases: &str) {
    let cases: Vec<_> = cases.split("=== ").skip(1).collect();
    assert!(!cases.is_empty());
    for case in cases {
        let (title, case) = case.split_once('\n').unwrap();
        let (text, expected) = case.split_once(">>>\n").unwrap();
        assert_eq!(said(name, text), expected.trim_end(), "{title}");
    }
}

fn said(name: &str, text: &str) -> String {
    match Config::parse(name, text) {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(Diagnostic::to_string);
            warnings.collect::<Vec<_>>().join("\n\n")
        }
        Err(error) => error.to_string(),
    }
}

fn metallb(text: &str) -> Config {
    Config::parse("metallb.yaml", text).unwrap().config
}

fn native(text: &str) -> Config {
    Config::parse("speakerd.toml", text).unwrap().config
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn peer(text: &str, autonomous_system: u32) -> Peer {
    Peer {
        address: address(text),
        port: 179,
        remote_as: Asn::new(autonomous_system),
        local_as: Asn::new(64512),
        source_address: None,
        router_id: None,
        hold_time: HoldTime::new(90).unwrap(),
        keepalive_time: None,
        password: None,
        passive: false,
        next_hop_ipv4: None,
        next_hop_ipv6: None,
        description: None,
    }
}

fn pool(name: &str, ranges: &[&str]) -> Pool {
    Pool {
        name: name.to_owned(),
        ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        avoid_buggy_addresses: false,
        auto_assign: true,
        protocol: Protocol::Bgp,
        advertisements: vec![Advertisement::default()],
    }
}

/// One BGP peer, as MetalLB's file has it, with more keys.
fn metallb_peer(keys: &str) -> Peer {
    let text =
        format!("peers: [{{my-asn: 64512, peer-asn: 64512, peer-address: 10.0.0.1, {keys}}}]");
    metallb(&text).peers.remove(0)
}

#[test]
fn refused_by_metallbs_rules() {
    golden("metallb.yaml", include_str!("data/metallb.txt"));
}

#[test]
fn refused_native_files() {
    golden("speakerd.toml", include_str!("data/native.txt"));
}

#[test]
fn warnings() {
    golden("metallb.yaml", include_str!("data/warnings.txt"));
    assert_eq!(
        said("speakerd.toml", "local-as = 64512\n"),
        "\
warning: there is no peer: nothing is announced to anyone
 --> speakerd.toml:1:1
  |
1 | local-as = 64512
  | ^^^^^^^^^^^^^^^^
  = help: add a [[peer]] with its `address`"
    );
}

#[test]
fn the_article() {
    let loaded = Config::parse("metallb.yaml", ARTICLE).unwrap();
    assert_eq!(
        loaded.config,
        Config {
            local_as: Asn::new(64512),
            router_id: None,
            listen: Vec::new(),
            control_socket: None,
            state_directory: None,
            peers: vec![peer("192.168.0.254", 64512)],
            pools: vec![
                Pool {
                    avoid_buggy_addresses: true,
                    ..pool("default", &["192.168.10.0/24"])
                },
                Pool {
                    protocol: Protocol::Layer2,
                    ..pool(
                        "layer2",
                        &[
                            "192.168.0.50/31",
                            "192.168.0.52/30",
                            "192.168.0.56/29",
                            "192.168.0.64/27",
                            "192.168.0.96/30",
                            "192.168.0.100/32",
                        ]
                    )
                },
            ],
            defaults: RouteDefaults {
                origin: Origin::INCOMPLETE,
                local_pref: Some(0),
            },
        }
    );
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].severity, Severity::Warning);
    assert_eq!(
        loaded.warnings[0].to_string(),
        "\
warning: pool `layer2` is not announced by BGP
  --> metallb.yaml:17:13
   |
17 |     - name: layer2
   |             ^^^^^^
   = help: to announce its addresses, write protocol: bgp"
    );
}

#[test]
fn the_shapes_of_a_metallb_file() {
    let article = metallb(ARTICLE);
    let inner: String = ARTICLE
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    let escaped = inner.replace('\n', "\\n");
    for text in [
        inner.clone(),
        format!("---\n{inner}"),
        format!("kind: Service\nspec: {{ports: [80]}}\n---\n{ARTICLE}"),
        format!("apiVersion: v1\nkind: ConfigMap\ndata: {{other: x}}\n---\n{ARTICLE}---\n# end\n"),
        ARTICLE.replace(
            "  name: config",
            "  namespace: metallb-system\n  name: config\n  labels: {a: b}",
        ),
        ARTICLE.replace('\n', "\r\n"),
        ARTICLE.replace("config: |", "config: |-"),
        format!("kind: ConfigMap\ndata:\n  config: \"{escaped}\"\n"),
    ] {
        assert_eq!(metallb(&text), article, "{text}");
        assert_eq!(
            Config::parse("metallb.conf", &text).unwrap().config,
            article
        );
    }
}

#[test]
fn places_with_carriage_returns() {
    let text = ARTICLE.replace("64512\n      my", "none\n      my");
    let expected = said("metallb.yaml", &text);
    assert!(expected.contains("metallb.yaml:9:17\n"), "{expected}");
    assert_eq!(said("metallb.yaml", &text.replace('\n', "\r\n")), expected);
}

#[test]
fn empty_values_of_metallb_are_unset() {
    let plain = metallb_peer("");
    assert_eq!(plain, peer("10.0.0.1", 64512));
    for keys in [
        r#"hold-time: "", router-id: "", peer-port: 0, node-selectors: []"#,
        r#"password: "", bfd-profile: "", source-address: "", keepalive-time: """#,
        "password: ~, hold-time: ~, peer-port: ~, node-selectors: ~, ebgp-multihop: ~",
        "ebgp-multihop: off",
    ] {
        assert_eq!(metallb_peer(keys), plain, "{keys}");
    }
    let pools = metallb(
        "peers: [{my-asn: 1, peer-asn: 1, peer-address: 10.0.0.1}]\n\
         address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/24], auto-assign: ~, bgp-advertisements: []}]\n\
         bgp-communities: ~\nbfd-profiles: []\n",
    )
    .pools;
    assert_eq!(pools, [pool("a", &["10.0.0.0/24"])]);
}

#[test]
fn values_of_a_metallb_peer() {
    let peer = metallb_peer(
        "peer-port: 0x6fe, source-address: 10.0.0.2, hold-time: 3.7s, keepalive-time: 1s, \
         router-id: 10.0.0.3, ebgp-multihop: no",
    );
    assert_eq!(peer.port, 1790);
    assert_eq!(peer.source_address, Some(address("10.0.0.2")));
    assert_eq!(peer.hold_time.seconds(), 3);
    assert_eq!(peer.keepalive_time, Some(Duration::from_secs(1)));
    assert_eq!(peer.router_id, RouterId::new(10, 0, 0, 3));
    for (written, password) in [
        ("12345", "12345"),
        ("yes", "yes"),
        ("0x1f", "0x1f"),
        ("'a b'", "a b"),
    ] {
        let peer = metallb_peer(&format!("password: {written}"));
        assert_eq!(peer.password.unwrap().reveal(), password);
    }
    assert_eq!(metallb_peer("hold-time: 500ms").hold_time, HoldTime::ZERO);
    assert_eq!(metallb_peer("hold-time: 0").hold_time, HoldTime::ZERO);
}

#[test]
fn peers_of_several_local_systems() {
    let config = metallb(
        "peers:\n\
         - &first {my-asn: 64512.0, peer-asn: 0xfc01, peer-address: 10.0.0.1, ebgp-multihop: yes}\n\
         - {<<: *first, peer-address: '2001:db8::1', my-asn: 4200000001}\n",
    );
    assert_eq!(config.local_as, Asn::new(64512));
    let systems = config
        .peers
        .iter()
        .map(|peer| (peer.local_as.number(), peer.remote_as.number()));
    assert_eq!(
        systems.collect::<Vec<_>>(),
        [(64512, 64513), (4_200_000_001, 64513)]
    );
}

#[test]
fn advertisements_of_metallb() {
    let config = metallb(
        r#"
peers: [{my-asn: 1, peer-asn: 1, peer-address: 10.0.0.1}]
bgp-communities:
  rack: 64512:7
  same: 64512:7
  no-export: 65535:65281
address-pools:
- name: a
  protocol: bgp
  auto-assign: no
  addresses: [10.0.0.0/24, "10.0.2.3 - 10.0.2.5", "2001:db8::/64"]
  bgp-advertisements:
  - localpref: 100
    communities: [same, no-export, 64512:1, rack, large:64512:1:2]
  - aggregation-length: 31
    aggregation-length-v6: 64
"#,
    );
    assert_eq!(
        config.pools,
        [Pool {
            auto_assign: false,
            advertisements: vec![
                Advertisement {
                    local_pref: Some(100),
                    communities: vec![
                        Community::new(64512, 1),
                        Community::new(64512, 7),
                        Community::NO_EXPORT
                    ],
                    large_communities: vec![LargeCommunity {
                        global: 64512,
                        local1: 1,
                        local2: 2
                    }],
                    ..Advertisement::default()
                },
                Advertisement {
                    aggregation_length: 31,
                    aggregation_length_v6: 64,
                    ..Advertisement::default()
                },
            ],
            ..pool(
                "a",
                &["10.0.0.0/24", "10.0.2.3/32", "10.0.2.4/31", "2001:db8::/64"]
            )
        }]
    );
}

const NATIVE: &str = r#"
local-as = 64512
router-id = "192.168.0.111"
listen = ["0.0.0.0:179", "[::]:179"]
control-socket = "/run/speakerd/speakerd.sock"
state-directory = "/var/lib/speakerd"
[routes]
origin = "incomplete"
local-pref = 0
[[peer]]
address = "192.168.0.254"
[[peer]]
address = "2001:db8::1"
remote-as = 64513
local-as = 64514
port = 1790
hold-time = 9
keepalive-time = 3
source-address = "2001:db8::2"
router-id = "10.0.0.1"
passive = true
password = "secret"
next-hop-ipv4 = "192.168.0.112"
next-hop-ipv6 = "2001:db8::3"
description = "the other router"
[[pool]]
name = "default"
addresses = ["192.168.10.0/24", "192.168.20.5-192.168.20.9"]
avoid-buggy-addresses = true
auto-assign = false
[[pool.advertisement]]
local-pref = 200
communities = ["64512:1", "no-export", "64512:1:2"]
"#;

#[test]
fn a_native_speaker() {
    let config = native(NATIVE);
    assert_eq!(config.local_as, Asn::new(64512));
    assert_eq!(config.router_id, RouterId::new(192, 168, 0, 111));
    let listen = config.listen.iter().map(ToString::to_string);
    assert_eq!(listen.collect::<Vec<_>>(), ["0.0.0.0:179", "[::]:179"]);
    assert_eq!(
        config.control_socket,
        Some("/run/speakerd/speakerd.sock".into())
    );
    assert_eq!(config.state_directory, Some("/var/lib/speakerd".into()));
    assert_eq!(config.defaults, RouteDefaults::METALLB);
}

#[test]
fn native_peers() {
    let config = native(NATIVE);
    assert!(!format!("{config:?}").contains("secret"));
    let password = config.peers[1].password.clone();
    assert_eq!(password.as_ref().unwrap().reveal(), "secret");
    let second = Peer {
        local_as: Asn::new(64514),
        port: 1790,
        hold_time: HoldTime::new(9).unwrap(),
        keepalive_time: Some(Duration::from_secs(3)),
        source_address: Some(address("2001:db8::2")),
        router_id: RouterId::new(10, 0, 0, 1),
        passive: true,
        password,
        next_hop_ipv4: Some("192.168.0.112".parse().unwrap()),
        next_hop_ipv6: Some("2001:db8::3".parse().unwrap()),
        description: Some("the other router".to_owned()),
        ..peer("2001:db8::1", 64513)
    };
    assert_eq!(config.peers, [peer("192.168.0.254", 64512), second]);
}

#[test]
fn native_pools() {
    let expected = Pool {
        avoid_buggy_addresses: true,
        auto_assign: false,
        advertisements: vec![Advertisement {
            local_pref: Some(200),
            communities: vec![Community::new(64512, 1), Community::NO_EXPORT],
            large_communities: vec!["64512:1:2".parse().unwrap()],
            ..Advertisement::default()
        }],
        ..pool(
            "default",
            &[
                "192.168.10.0/24",
                "192.168.20.5/32",
                "192.168.20.6/31",
                "192.168.20.8/31",
            ],
        )
    };
    assert_eq!(native(NATIVE).pools, [expected]);
}

#[test]
fn the_least_native_file_and_the_command_line() {
    let config = native(
        "local-as = 64512\n[[peer]]\naddress = '10.0.0.1'\n[[pool]]\nname = 'default'\n\
         addresses = ['10.1.0.0/24']\navoid-buggy-addresses = true\n",
    );
    assert_eq!(config.defaults, RouteDefaults::NATIVE);
    assert_eq!(config.peers, [peer("10.0.0.1", 64512)]);
    let peers = ["10.0.0.1".parse().unwrap()];
    let pools = ["10.1.0.0/24".parse().unwrap()];
    let arguments = Config::from_arguments(Asn::new(64512), &peers, &pools).unwrap();
    assert_eq!(arguments, config);
    let peers = ["10.0.0.1", "10.0.0.2:1790@65001"].map(|text| text.parse().unwrap());
    let pools = ["10.1.0.0/24", "10.2.0.0/24"].map(|text| text.parse().unwrap());
    let arguments = Config::from_arguments(Asn::new(64512), &peers, &pools).unwrap();
    assert_eq!(arguments.peers[1].remote_as, Asn::new(65001));
    assert_eq!(arguments.peers[1].port, 1790);
    assert_eq!(arguments.pools[1].name, "pool-2");
}

#[test]
fn native_peers_that_no_session_can_have_are_refused() {
    let peers = |tables: &str| said("speakerd.toml", &format!("local-as = 1\n{tables}"));
    let error = peers("[[peer]]\naddress = '10.0.0.1'\nsource-address = '2001:db8::1'\n");
    let expected = "error: source-address 2001:db8::1 cannot reach 10.0.0.1: not IPv4";
    assert!(error.starts_with(expected), "{error}");
    let error = peers("[[peer]]\naddress = '255.255.255.255'\n");
    let expected = "error: address 255.255.255.255 is not the address of a host";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn ipv4_mapped_address_is_that_of_the_ipv4_peer() {
    let text =
        "local-as = 1\n[[peer]]\naddress = '10.0.0.1'\n[[peer]]\naddress = '::ffff:10.0.0.1'\n";
    let error = said("speakerd.toml", text);
    assert!(
        error.starts_with("error: the peer `10.0.0.1` is there twice"),
        "{error}"
    );
    let error = said(
        "speakerd.toml",
        "local-as = 1\n[[peer]]\naddress = '::ffff:0.0.0.0'\n",
    );
    assert!(error.contains("is not the address of a host"), "{error}");
}

#[test]
fn origin_of_routes_is_read() {
    for (text, origin) in [
        ("", Origin::IGP),
        ("origin = 'igp'", Origin::IGP),
        ("origin = 'egp'", Origin::EGP),
        ("origin = 'incomplete'", Origin::INCOMPLETE),
    ] {
        let text = format!("local-as = 64512\n[routes]\n{text}\n");
        let loaded = Config::parse("speakerd.toml", &text).unwrap();
        assert_eq!(loaded.config.defaults.origin, origin, "{text}");
    }
}

#[test]
fn the_format_is_told_by_the_content() {
    for text in [
        "local-as = 64512",
        "\n# x: y\nlocal-as = 64512 # a: b",
        "[routes]\norigin = 'egp'\n[[peer]]\naddress = '10.0.0.1'\nlocal-as = 1\n",
    ] {
        let by_extension = said("speakerd.toml", text).replace("speakerd.toml", "speakerd.conf");
        assert_eq!(said("speakerd.conf", text), by_extension);
    }
    assert!(said("config", "").contains("holds no MetalLB configuration"));
}

#[test]
fn files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("speakerd.toml");
    let missing = Config::load(&path).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "error: cannot read `{0}`: No such file or directory (os error 2)\n --> {0}",
            path.display()
        )
    );
    let text = "local-as = 1\n[[peer]]\naddress = '10.0.0.1'\npassword-file = 'secret'\n";
    fs::write(&path, text).unwrap();
    for (content, expected) in [
        ("\n", "holds no password"),
        (&*"x".repeat(81), "the password has 81 octets"),
    ] {
        fs::write(directory.path().join("secret"), content).unwrap();
        let error = Config::load(&path).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.diagnostics()[0].place.as_ref().unwrap().line, 4);
    }
    fs::write(directory.path().join("secret"), "word\n").unwrap();
    let config = Config::load(&path).unwrap().config;
    assert_eq!(config.peers[0].password.as_ref().unwrap().reveal(), "word");
    fs::write(&path, [0xff]).unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("valid UTF-8"), "{error}");
}
