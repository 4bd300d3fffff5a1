//! Tests of the allocator: the address of each request, and the refusals.

use super::*;

/// Creates an allocator of pools, each a name and ranges.
fn allocator(pools: &[(&str, &[&str])]) -> Allocator {
    let pool = |(name, ranges): &(&str, &[&str])| AddressPool {
        name: (*name).into(),
        ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        avoid_buggy_addresses: false,
        auto_assign: true,
    };
    Allocator::new(pools.iter().map(pool).collect())
}

/// The pool of the article.
fn article() -> Allocator {
    Allocator::new(vec![AddressPool {
        name: "default".into(),
        ranges: vec!["192.168.10.0/24".parse().unwrap()],
        avoid_buggy_addresses: true,
        auto_assign: true,
    }])
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Returns the address that a name gets, or the refusal.
fn get(allocator: &mut Allocator, text: &str, request: &Request) -> String {
    let found = allocator.find(&name(text), request, |_| None);
    let assigned = found.and_then(|address| {
        if allocator.lease(&name(text)).is_none() {
            allocator.insert(name(text), address)?;
        }
        Ok(address)
    });
    assigned.map_or_else(|error| error.to_string(), |address| address.to_string())
}

fn remove(allocator: &mut Allocator, text: &str) -> Option<String> {
    let lease = allocator.remove(&name(text))?;
    Some(lease.address.to_string())
}

fn explicit(address: &str) -> Request {
    Request::Address(address.parse().unwrap())
}

fn pool(name: &str) -> Request {
    Request::Pool(name.into())
}

#[test]
fn lowest_address_that_is_free_comes_first() {
    let mut allocator = article();
    for (name, address) in [
        ("a", "192.168.10.1"),
        ("b", "192.168.10.2"),
        ("c", "192.168.10.3"),
    ] {
        assert_eq!(get(&mut allocator, name, &Request::Any), address);
    }
    assert_eq!(remove(&mut allocator, "b").as_deref(), Some("192.168.10.2"));
    assert_eq!(remove(&mut allocator, "b"), None);
    assert_eq!(get(&mut allocator, "d", &Request::Any), "192.168.10.2");
    assert_eq!(get(&mut allocator, "e", &Request::Any), "192.168.10.4");
    remove(&mut allocator, "e");
    remove(&mut allocator, "a");
    assert_eq!(get(&mut allocator, "f", &Request::Any), "192.168.10.1");
    assert_eq!(get(&mut allocator, "g", &Request::Any), "192.168.10.4");
    let names: Vec<_> = allocator
        .leases()
        .map(|lease| lease.name.to_string())
        .collect();
    assert_eq!(names, ["c", "d", "f", "g"]);
    let usage = allocator.usage().next().unwrap();
    assert_eq!(
        (&*usage.pool.name, usage.capacity, usage.in_use),
        ("default", 254, 4)
    );
}

#[test]
fn a_name_keeps_its_address() {
    let mut allocator = article();
    for request in [
        explicit("192.168.10.7"),
        Request::Any,
        pool("default"),
        explicit("192.168.10.7"),
    ] {
        assert_eq!(get(&mut allocator, "a", &request), "192.168.10.7");
    }
    for request in [pool("other"), explicit("192.168.10.8")] {
        assert_eq!(
            get(&mut allocator, "a", &request),
            "`a` holds 192.168.10.7 of the pool `default`; release it first"
        );
    }
}

#[test]
fn explicit_addresses() {
    let mut allocator = article();
    assert_eq!(
        get(&mut allocator, "a", &explicit("192.168.10.1")),
        "192.168.10.1"
    );
    for (address, answer) in [
        ("192.168.10.1", "192.168.10.1 is held by `a`"),
        (
            "192.168.10.0",
            "192.168.10.0 ends in .0 or .255, and avoid-buggy-addresses (avoid-buggy-ips) of the pool `default` keeps those back",
        ),
        ("192.168.11.1", "192.168.11.1 is in no pool"),
        ("2001:db8::1", "2001:db8::1 is in no pool"),
    ] {
        assert_eq!(get(&mut allocator, "b", &explicit(address)), answer);
    }
}

#[test]
fn addresses_that_are_used_otherwise_are_passed_over() {
    let mut allocator = article();
    let used = |address: IpAddr| {
        let used = address.to_string() == "192.168.10.1";
        used.then_some(Cow::Borrowed("the address of a peer"))
    };
    let found = allocator.find(&name("a"), &Request::Any, used).unwrap();
    assert_eq!(found.to_string(), "192.168.10.2");
    let error = allocator
        .find(&name("a"), &explicit("192.168.10.1"), used)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "192.168.10.1 cannot be assigned: it is the address of a peer"
    );
    // It is found once it is free, although the search has passed it.
    allocator.freed("192.168.10.1".parse().unwrap());
    assert_eq!(get(&mut allocator, "a", &Request::Any), "192.168.10.1");
}

#[test]
fn pools_are_tried_in_their_order() {
    let mut allocator = allocator(&[
        ("second", &["10.9.0.9/32", "10.9.0.10/32", "10.0.1.0/32"]),
        ("first", &["10.0.0.255/32"]),
    ]);
    let addresses = ["10.9.0.9", "10.9.0.10", "10.0.1.0", "10.0.0.255"];
    for (name, address) in ["a", "b", "c", "d"].into_iter().zip(addresses) {
        assert_eq!(get(&mut allocator, name, &Request::Any), address);
    }
    for (request, answer) in [
        (Request::Any, "no address is free in `second`, `first`"),
        (pool("first"), "no address is free in `first`"),
        (
            pool("third"),
            "there is no pool `third`; the BGP pools are `second`, `first`",
        ),
    ] {
        assert_eq!(get(&mut allocator, "e", &request), answer);
    }
    remove(&mut allocator, "b");
    assert_eq!(get(&mut allocator, "f", &Request::Any), "10.9.0.10");
}

#[test]
fn pools_without_auto_assign_serve_requests_that_name_them() {
    let mut allocator = Allocator::new(vec![AddressPool {
        name: "reserved".into(),
        ranges: vec!["10.0.0.0/32".parse().unwrap()],
        avoid_buggy_addresses: false,
        auto_assign: false,
    }]);
    assert_eq!(
        get(&mut allocator, "a", &Request::Any),
        "no BGP pool has auto-assign; name a pool"
    );
    assert_eq!(get(&mut allocator, "a", &pool("reserved")), "10.0.0.0");
}

#[test]
fn buggy_addresses_are_kept_back() {
    let mut avoiding = Allocator::new(vec![AddressPool {
        name: "p".into(),
        ranges: ["10.0.0.254/31", "10.0.1.0/31", "10.0.2.0/32"]
            .map(|range| range.parse().unwrap())
            .into(),
        avoid_buggy_addresses: true,
        auto_assign: true,
    }]);
    assert_eq!(get(&mut avoiding, "a", &Request::Any), "10.0.0.254");
    assert_eq!(get(&mut avoiding, "b", &Request::Any), "10.0.1.1");
    assert_eq!(
        get(&mut avoiding, "c", &Request::Any),
        "no address is free in `p`"
    );
    assert_eq!(avoiding.usage().next().unwrap().capacity, 2);
    let mut assigning = allocator(&[("p", &["10.0.0.255/32"])]);
    assert_eq!(
        get(&mut assigning, "a", &explicit("10.0.0.255")),
        "10.0.0.255"
    );
}

#[test]
fn a_pool_to_its_last_address() {
    let mut allocator = allocator(&[("p", &["10.0.0.0/18"])]);
    for number in 0..1 << 14 {
        assert_eq!(
            get(&mut allocator, &number.to_string(), &Request::Any),
            format!("10.0.{}.{}", number >> 8, number & 0xff)
        );
    }
    assert_eq!(
        get(&mut allocator, "x", &Request::Any),
        "no address is free in `p`"
    );
    remove(&mut allocator, "7000");
    remove(&mut allocator, "16383");
    assert_eq!(get(&mut allocator, "x", &Request::Any), "10.0.27.88");
    assert_eq!(get(&mut allocator, "y", &Request::Any), "10.0.63.255");
    assert_eq!(
        get(&mut allocator, "z", &Request::Any),
        "no address is free in `p`"
    );
    assert_eq!(allocator.usage().next().unwrap().in_use, 1 << 14);
}

#[test]
fn large_ranges_and_the_end_of_the_address_space() {
    let mut large = allocator(&[("p", &["2001:db8::/64"])]);
    assert_eq!(get(&mut large, "a", &Request::Any), "2001:db8::");
    assert_eq!(
        get(&mut large, "b", &explicit("2001:db8::2")),
        "2001:db8::2"
    );
    assert_eq!(get(&mut large, "c", &Request::Any), "2001:db8::1");
    assert_eq!(get(&mut large, "d", &Request::Any), "2001:db8::3");
    let mut last = allocator(&[("p", &["255.255.255.254/31"])]);
    assert_eq!(get(&mut last, "a", &Request::Any), "255.255.255.254");
    assert_eq!(get(&mut last, "b", &Request::Any), "255.255.255.255");
    assert_eq!(
        get(&mut last, "c", &Request::Any),
        "no address is free in `p`"
    );
}
