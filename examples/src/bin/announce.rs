//! Announces one address to one router until Ctrl-C: `announce 192.168.0.254 64512 192.168.10.1/32 192.168.0.111`.

use std::error::Error;

use bgp_session::{ExportPolicy, PeerConfig, Route, Shutdown, Speaker, State};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [router, asn, prefix, router_id] = arguments.as_slice() else {
        return Err("usage: announce ROUTER AS PREFIX ROUTER-ID".into());
    };
    let speaker = Speaker::builder(asn.parse()?, router_id.parse()?)
        .spawn()
        .await?;
    // An external peer is sent nothing that nobody has said it is to be sent (RFC 8212).
    let router = PeerConfig::new(router.parse()?, asn.parse()?).export(ExportPolicy::all());
    let router = speaker.add_peer(router)?;
    speaker.announce(&Route::new(prefix.parse()?));
    router
        .wait_for(|status| status.state == State::Established)
        .await;
    speaker.flush().await;
    eprintln!("{} has {prefix}", router.address());
    tokio::signal::ctrl_c().await?;
    speaker
        .shutdown(Shutdown::administrative("announce ends"))
        .await;
    Ok(())
}
