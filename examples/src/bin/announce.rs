//! Announces one address to one router until Ctrl-C. Start here.
//!
//! Usage: `announce 192.168.0.254 64512 192.168.10.1/32 192.168.0.111`

use std::error::Error;

use bgp_session::{ExportPolicy, PeerConfig, RemoteAs, Route, Shutdown, Speaker, State};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [router, asn, prefix, router_id] = arguments.as_slice() else {
        return Err("usage: announce ROUTER AS PREFIX ROUTER-ID".into());
    };
    let speaker = Speaker::builder(asn.parse()?, router_id.parse()?)
        .spawn()
        .await?;
    // RFC 8212: an external peer gets no routes without an export policy. An internal peer needs none.
    let router =
        PeerConfig::new(router.parse()?, asn.parse::<RemoteAs>()?).with_export(ExportPolicy::all());
    let router = speaker.add_peer(router)?;
    speaker.announce(&Route::new(prefix.parse()?))?;
    router
        .wait_for(|status| status.state == State::Established)
        .await;
    // `flush` returns once the router's kernel has acknowledged the route, or with the reason why it is not sent.
    let flushed = router.flush().await;
    if flushed.is_complete() {
        eprintln!("{} acknowledged {prefix}", router.address());
    } else {
        eprintln!(
            "{}: {:?}, withheld: {}",
            router.address(),
            flushed.outcome,
            flushed.withheld
        );
    }
    tokio::signal::ctrl_c().await?;
    speaker
        .shutdown(Shutdown::administrative("announce ends"))
        .await;
    Ok(())
}
