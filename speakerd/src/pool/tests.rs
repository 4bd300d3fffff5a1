//! Tests of the allocator: what each request gets, and what refuses it.

use super::*;
use crate::config::{ARTICLE, Config};

fn allocator(pools: &str) -> Allocator {
    let text = format!("local-as = 64512\n{pools}");
    Allocator::new(&Config::parse("speakerd.toml", &text).unwrap().config.pools)
}

fn article() -> Allocator {
    Allocator::new(&Config::parse("metallb.yaml", ARTICLE).unwrap().config.pools)
}

/// The address that a name gets, or why it gets none.
fn get(allocator: &mut Allocator, name: &str, request: Request<'_>) -> String {
    match allocator.allocate(name, request) {
        Ok(lease) => lease.address.to_string(),
        Err(error) => error.to_string(),
    }
}

fn explicit(address: &str) -> Request<'static> {
    Request::Address(address.parse().unwrap())
}

#[test]
fn the_articles_pools() {
    let mut allocator = article();
    for (name, address) in [
        ("a", "192.168.10.1"),
        ("b", "192.168.10.2"),
        ("c", "192.168.10.3"),
    ] {
        assert_eq!(get(&mut allocator, name, Request::Any), address);
    }
    // The lowest freed address is next, without a pause.
    assert_eq!(
        allocator.release("b").unwrap().address.to_string(),
        "192.168.10.2"
    );
    assert_eq!(allocator.release("b"), None);
    assert_eq!(get(&mut allocator, "d", Request::Any), "192.168.10.2");
    assert_eq!(get(&mut allocator, "e", Request::Any), "192.168.10.4");
    allocator.release("e");
    allocator.release("a");
    assert_eq!(get(&mut allocator, "f", Request::Any), "192.168.10.1");
    assert_eq!(get(&mut allocator, "g", Request::Any), "192.168.10.4");
    let names: Vec<_> = allocator
        .leases()
        .map(|lease| lease.name.as_str())
        .collect();
    assert_eq!(names, ["c", "d", "f", "g"]);
    let usage: Vec<_> = allocator.usage().collect();
    assert_eq!(usage.len(), 1);
    assert_eq!(
        (
            usage[0].pool.name.as_str(),
            usage[0].capacity,
            usage[0].in_use
        ),
        ("default", 254, 4)
    );
}

#[test]
fn a_name_keeps_its_address() {
    let mut allocator = article();
    assert_eq!(
        get(&mut allocator, "a", explicit("192.168.10.7")),
        "192.168.10.7"
    );
    for request in [
        Request::Any,
        Request::Pool("default"),
        explicit("192.168.10.7"),
    ] {
        assert_eq!(get(&mut allocator, "a", request), "192.168.10.7");
    }
    for request in [Request::Pool("layer2"), explicit("192.168.10.8")] {
        assert_eq!(
            get(&mut allocator, "a", request),
            "`a` holds 192.168.10.7 of the pool `default`; release it first"
        );
    }
    assert_eq!(allocator.lease("a").unwrap().pool, "default");
    assert_eq!(allocator.lease("b"), None);
}

#[test]
fn explicit_addresses() {
    let mut allocator = article();
    assert_eq!(
        get(&mut allocator, "a", explicit("192.168.10.1")),
        "192.168.10.1"
    );
    for (address, answer) in [
        ("192.168.10.1", "192.168.10.1 is held by `a`"),
        (
            "192.168.10.0",
            "192.168.10.0 ends in .0 or .255, and avoid-buggy-addresses (avoid-buggy-ips) of the pool `default` keeps those back",
        ),
        (
            "192.168.11.1",
            "192.168.11.1/32 does not lie in a BGP pool; the BGP pools are `default` (192.168.10.0/24)",
        ),
        (
            "192.168.0.50",
            "192.168.0.50/32 lies in the pool `layer2`, a layer2 pool, which is not announced by BGP; \
             the BGP pools are `default` (192.168.10.0/24)",
        ),
        (
            "2001:db8::1",
            "2001:db8::1/128 does not lie in a BGP pool; the BGP pools are `default` (192.168.10.0/24)",
        ),
    ] {
        assert_eq!(get(&mut allocator, "b", explicit(address)), answer);
    }
    assert_eq!(get(&mut allocator, "b", Request::Any), "192.168.10.2");
}

#[test]
fn pools_in_the_order_of_the_file() {
    let mut allocator = allocator(
        r#"
        [[pool]]
        name = "reserved"
        addresses = ["10.0.0.0/32"]
        auto-assign = false
        [[pool]]
        name = "second"
        addresses = ["10.9.0.9-10.9.0.10", "10.0.1.0/32"]
        [[pool]]
        name = "first"
        addresses = ["10.0.0.255/32"]
        "#,
    );
    let addresses = ["10.9.0.9", "10.9.0.10", "10.0.1.0", "10.0.0.255"];
    for (name, address) in ["a", "b", "c", "d"].into_iter().zip(addresses) {
        assert_eq!(get(&mut allocator, name, Request::Any), address);
    }
    assert_eq!(
        get(&mut allocator, "e", Request::Any),
        "no address is free in `second`, `first`"
    );
    assert_eq!(
        get(&mut allocator, "e", Request::Pool("first")),
        "no address is free in `first`"
    );
    assert_eq!(
        get(&mut allocator, "e", Request::Pool("reserved")),
        "10.0.0.0"
    );
    assert_eq!(
        get(&mut allocator, "f", Request::Pool("third")),
        "there is no pool `third`; the BGP pools are `reserved`, `second`, `first`"
    );
    allocator.release("b");
    assert_eq!(get(&mut allocator, "f", Request::Any), "10.9.0.10");
}

#[test]
fn pools_that_serve_nothing() {
    let mut none = allocator("");
    assert_eq!(
        get(&mut none, "a", Request::Any),
        "no BGP pool has auto-assign; name a pool"
    );
    assert_eq!(
        get(&mut none, "a", Request::Pool("x")),
        "there is no pool `x`; the BGP pools are none"
    );
    assert_eq!(
        get(&mut none, "a", explicit("10.0.0.1")),
        "10.0.0.1/32 does not lie in a BGP pool; the configuration has no BGP pool"
    );
    assert_eq!(
        get(&mut article(), "a", Request::Pool("layer2")),
        "the pool `layer2` is a layer2 pool, which is not announced by BGP"
    );
}

#[test]
fn buggy_addresses_are_kept_back() {
    let mut avoiding = allocator(
        "[[pool]]\nname = 'p'\naddresses = ['10.0.0.254-10.0.1.1', '10.0.2.0/32']\navoid-buggy-addresses = true\n",
    );
    assert_eq!(get(&mut avoiding, "a", Request::Any), "10.0.0.254");
    assert_eq!(get(&mut avoiding, "b", Request::Any), "10.0.1.1");
    assert_eq!(
        get(&mut avoiding, "c", Request::Any),
        "no address is free in `p`"
    );
    assert_eq!(avoiding.usage().next().unwrap().capacity, 2);
    let mut handing_out = allocator("[[pool]]\nname = 'p'\naddresses = ['10.0.0.255/32']\n");
    assert_eq!(
        get(&mut handing_out, "a", explicit("10.0.0.255")),
        "10.0.0.255"
    );
    let mut ipv6 = allocator(
        "[[pool]]\nname = 'p'\naddresses = ['2001:db8::ff00/120']\navoid-buggy-addresses = true\n",
    );
    assert_eq!(get(&mut ipv6, "a", Request::Any), "2001:db8::ff00");
}

#[test]
fn leases_of_an_earlier_run() {
    let mut allocator = article();
    let address = |text: &str| text.parse().unwrap();
    allocator.restore("b", address("192.168.10.2")).unwrap();
    allocator.restore("b", address("192.168.10.2")).unwrap();
    assert_eq!(
        allocator.restore("c", address("192.168.10.2")),
        Err(AllocateError::InUse {
            address: address("192.168.10.2"),
            name: "b".to_owned()
        })
    );
    assert!(matches!(
        allocator.restore("d", address("10.0.0.1")),
        Err(AllocateError::NotInPools(_))
    ));
    assert_eq!(get(&mut allocator, "a", Request::Any), "192.168.10.1");
    assert_eq!(get(&mut allocator, "c", Request::Any), "192.168.10.3");
}

#[test]
fn a_pool_to_its_last_address() {
    let mut allocator = allocator("[[pool]]\nname = 'p'\naddresses = ['10.0.0.0/18']\n");
    for number in 0..1 << 14 {
        let lease = allocator
            .allocate(&number.to_string(), Request::Any)
            .unwrap();
        assert_eq!(
            lease.address.to_string(),
            format!("10.0.{}.{}", number >> 8, number & 0xff)
        );
    }
    assert_eq!(
        get(&mut allocator, "x", Request::Any),
        "no address is free in `p`"
    );
    allocator.release("7000");
    allocator.release("16383");
    assert_eq!(get(&mut allocator, "x", Request::Any), "10.0.27.88");
    assert_eq!(get(&mut allocator, "y", Request::Any), "10.0.63.255");
    assert_eq!(
        get(&mut allocator, "z", Request::Any),
        "no address is free in `p`"
    );
    assert_eq!(allocator.usage().next().unwrap().in_use, 1 << 14);
}

#[test]
fn large_ranges_and_the_end_of_the_address_space() {
    let mut large = allocator("[[pool]]\nname = 'p'\naddresses = ['2001:db8::/64']\n");
    assert_eq!(get(&mut large, "a", Request::Any), "2001:db8::");
    assert_eq!(get(&mut large, "b", explicit("2001:db8::2")), "2001:db8::2");
    assert_eq!(get(&mut large, "c", Request::Any), "2001:db8::1");
    assert_eq!(get(&mut large, "d", Request::Any), "2001:db8::3");
    let mut last = allocator("[[pool]]\nname = 'p'\naddresses = ['255.255.255.254/31']\n");
    assert_eq!(get(&mut last, "a", Request::Any), "255.255.255.254");
    assert_eq!(get(&mut last, "b", Request::Any), "255.255.255.255");
    assert_eq!(
        get(&mut last, "c", Request::Any),
        "no address is free in `p`"
    );
}

#[test]
fn what_may_be_announced() {
    let allocator = article();
    let announceable = |prefix: &str| match allocator.announceable(prefix.parse().unwrap()) {
        Ok(pool) => pool.name.clone(),
        Err(error) => error.to_string(),
    };
    assert_eq!(announceable("192.168.10.0/24"), "default");
    assert_eq!(announceable("192.168.10.255/32"), "default");
    assert_eq!(
        announceable("192.168.10.0/23"),
        "192.168.10.0/23 does not lie in a BGP pool; the BGP pools are `default` (192.168.10.0/24)"
    );
    assert_eq!(
        announceable("192.168.0.64/27"),
        "192.168.0.64/27 lies in the pool `layer2`, a layer2 pool, which is not announced by BGP; \
         the BGP pools are `default` (192.168.10.0/24)"
    );
}

#[test]
fn routes_of_an_address() {
    let allocator = allocator(
        r#"
        [[pool]]
        name = "p"
        addresses = ["10.0.0.0/24", "2001:db8::/64"]
        [[pool.advertisement]]
        communities = ["64512:2", "no-export"]
        [[pool.advertisement]]
        communities = ["64512:1", "64512:2", "64512:1:2"]
        aggregation-length-v6 = 64
        [[pool.advertisement]]
        aggregation-length = 24
        "#,
    );
    let routes = |address: &str| -> Vec<String> {
        let routes = allocator.routes(address.parse().unwrap());
        let communities = |route: &Advertisement| {
            let standard = route.communities.iter().map(ToString::to_string);
            let large = route.large_communities.iter().map(ToString::to_string);
            standard.chain(large).collect::<Vec<_>>().join(" ")
        };
        routes
            .iter()
            .map(|(prefix, route)| format!("{prefix} {}", communities(route)))
            .collect()
    };
    assert_eq!(
        routes("10.0.0.7"),
        [
            "10.0.0.0/24 ",
            "10.0.0.7/32 64512:1 64512:2 no-export 64512:1:2"
        ]
    );
    assert_eq!(
        routes("2001:db8::7"),
        [
            "2001:db8::/64 64512:1 64512:2 64512:1:2",
            "2001:db8::7/128 64512:2 no-export"
        ]
    );
    assert!(routes("10.0.1.0").is_empty());
}
