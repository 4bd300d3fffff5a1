//! The command line, and the configuration that it gives to every neighbor.

use std::net::SocketAddr;
use std::time::Duration;

use bgp_session::{ExportPolicy, PeerConfig, RemoteAs, RestartConfig};
use bgp_wire::{Asn, HoldTime, RouterId};
use clap::Parser;
use ipnet::IpNet;

/// Accept BGP sessions from neighbors in prefixes and print their routes as JSON lines
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// AS number of the collector
    #[arg(long, value_name = "AS")]
    pub(crate) local_as: Asn,
    /// BGP Identifier of the collector
    #[arg(long, value_name = "A")]
    pub(crate) router_id: RouterId,
    /// Prefix of neighbors that may connect, and their AS or `external`; may be repeated
    #[arg(long, value_name = "PREFIX=AS", required = true, num_args = 1.., value_parser = neighbors)]
    pub(crate) neighbors: Vec<(IpNet, RemoteAs)>,
    /// Hold time to propose, in seconds
    #[arg(long, value_name = "S", default_value = "90")]
    pub(crate) hold: HoldTime,
    /// Retain the routes of restarting neighbors (RFC 4724), and ask them to wait this long for a restart of the collector
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=4095))]
    pub(crate) gr: Option<u16>,
}

impl Arguments {
    /// Returns the configuration of the neighbors in a prefix.
    pub(crate) fn template(&self, prefix: IpNet, asn: RemoteAs) -> PeerConfig {
        // The address stands for the whole prefix; `add_dynamic_peers` replaces it with each neighbor's own.
        let config = PeerConfig::new(prefix.addr(), asn)
            .with_hold_time(self.hold)
            .with_extended_message(true)
            .with_deliver_updates(true)
            // A collector announces nothing, not even by mistake.
            .with_export(ExportPolicy::only([]));
        match self.gr {
            Some(seconds) => {
                let time = Duration::from_secs(seconds.into());
                config.with_graceful_restart(RestartConfig::new().with_restart_time(time))
            }
            None => config,
        }
    }
}

fn neighbors(text: &str) -> Result<(IpNet, RemoteAs), String> {
    let invalid = || {
        format!(
            "invalid neighbors `{text}`; help: write 10.99.0.0/16=65001, or 10.99.0.0/16=external"
        )
    };
    let (prefix, asn) = text.split_once('=').ok_or_else(invalid)?;
    let prefix = prefix.parse().map_err(|_| invalid())?;
    let asn = asn.parse().map_err(|_| invalid())?;
    Ok((prefix, asn))
}
