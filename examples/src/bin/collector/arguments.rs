//! The command line.

use std::net::SocketAddr;

use bgp_wire::{Asn, HoldTime, RouterId};
use clap::Parser;
use ipnet::IpNet;

/// Takes BGP sessions from everybody in some prefixes and prints what they say
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// The collector's AS
    #[arg(long, value_name = "AS")]
    pub(crate) local_as: Asn,
    /// The collector's BGP Identifier
    #[arg(long, value_name = "A")]
    pub(crate) router_id: RouterId,
    /// Who may connect, and of which AS they are; may be given more than once
    #[arg(long, value_name = "PREFIX=AS", required = true, num_args = 1.., value_parser = neighbors)]
    pub(crate) neighbors: Vec<(IpNet, Asn)>,
    /// The hold time to propose, in seconds
    #[arg(long, value_name = "S", default_value = "90")]
    pub(crate) hold: HoldTime,
    /// Keeps the routes of neighbors that restart (RFC 4724), and asks them to wait so many seconds for the collector
    #[arg(long, value_name = "SECONDS")]
    pub(crate) gr: Option<u16>,
}

fn neighbors(text: &str) -> Result<(IpNet, Asn), String> {
    let wrong = || "neighbors are a prefix and an AS: 10.99.0.0/16=65001".to_owned();
    let (prefix, asn) = text.split_once('=').ok_or_else(wrong)?;
    let prefix = prefix.parse().map_err(|_| wrong())?;
    let asn = asn.parse().map_err(|_| wrong())?;
    Ok((prefix, asn))
}
