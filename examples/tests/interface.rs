//! The drivers among the examples announce an IPv6 route over an IPv4 session, with an address of the session's interface as
//! next hop.
//!
//! The test runs itself again in a network namespace, where the loopback interface has a global IPv6 address.

#![cfg(test)]

use std::error::Error;
use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bgp_session::{AdjRibIn, PeerConfig, Speaker, SpeakerEvent};
use bgp_wire::Asn;
use libtest_mimic::{Arguments, Trial};
use speakerd_testkit::{ChildGuard, Enclosure, leave_out};

fn main() -> ExitCode {
    if !Enclosure::is_inside() {
        let setup = "ip link set lo up
ip address add 2001:db8::1/64 dev lo nodad";
        return Enclosure::new(setup).enter().unwrap_or_else(|| {
            leave_out(
                "drivers with an IPv6 route",
                "cannot create a network namespace (unshare, ip)",
            )
        });
    }
    let programs = [
        ("blocking", env!("CARGO_BIN_EXE_blocking")),
        ("on_smol", env!("CARGO_BIN_EXE_on_smol")),
    ];
    let trials = programs.map(|(name, program)| {
        let name = format!("{name}_announces_ipv6_route_over_ipv4");
        Trial::test(name, || Ok(announces_ipv6_route(program)?))
    });
    let mut arguments = Arguments::from_args();
    // Both programs have the same address.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

#[tokio::main]
async fn announces_ipv6_route(program: &str) -> Result<(), Box<dyn Error>> {
    let router = Speaker::builder(Asn::new(64512), "192.168.0.254".parse()?)
        .with_listener(SocketAddr::from(([127, 0, 0, 2], 0)))
        .spawn()
        .await?;
    let mut events = router.events();
    let node = PeerConfig::new("127.0.0.1".parse()?, Asn::new(64512))
        .with_passive(true)
        .with_deliver_updates(true);
    router.add_peer(node)?;
    let address = router.listeners()[0].to_string();
    let arguments = [&address, "64512", "2001:db8:1::/48", "192.168.0.111"];
    let _child = ChildGuard::spawn(Command::new(program).args(arguments));
    let mut table = AdjRibIn::new();
    let has_route = async {
        loop {
            if let Some((nlri, route)) = table.routes().next() {
                return format!("{nlri} via {}", route.next_hop);
            }
            if let Some(SpeakerEvent::Session { event, .. }) = events.next().await {
                table.apply(&event, |_| {});
            }
        }
    };
    let route = tokio::time::timeout(Duration::from_secs(20), has_route).await?;
    assert_eq!(route, "2001:db8:1::/48 via 2001:db8::1");
    Ok(())
}
