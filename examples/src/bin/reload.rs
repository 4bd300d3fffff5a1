//! Applies a changed configuration to a running speaker: only the differences, and only the resets that they need.
//!
//! Usage: `reload 64512 192.168.0.111 peers.json`; each line of standard input reads the file again.
//!
//! The file is a list of peers in the form of `PeerConfig`: `[{"address": "192.168.0.254", "remote_as": 64512}]`.

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::collections::BTreeSet;
use std::error::Error;
use std::net::IpAddr;
use std::path::Path;

use bgp_session::{PeerConfig, PeerUpdate, Shutdown, Speaker};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [asn, router_id, file] = arguments.as_slice() else {
        return Err("usage: reload AS ROUTER-ID FILE".into());
    };
    let speaker = Speaker::builder(asn.parse()?, router_id.parse()?)
        .spawn()
        .await?;
    let plan = Plan::read(&speaker, file.as_ref()).await?;
    plan.apply(&speaker).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some() {
        match Plan::read(&speaker, file.as_ref()).await {
            // A bad file changes nothing: the speaker keeps the last good configuration.
            Err(error) => println!("unchanged: {error}"),
            Ok(plan) => {
                if let Err(error) = plan.apply(&speaker).await {
                    println!("partly applied: {error}");
                }
            }
        }
    }
    speaker.shutdown(Shutdown::administrative("")).await;
    Ok(())
}

/// The differences between a file and the running configuration.
struct Plan {
    updates: Vec<(IpAddr, PeerUpdate)>,
    removed: Vec<IpAddr>,
    added: Vec<PeerConfig>,
}

impl Plan {
    /// Reads and checks the whole file. Changes nothing.
    async fn read(speaker: &Speaker, file: &Path) -> Result<Self, Box<dyn Error>> {
        // A misspelt name is an error.
        let wanted: Vec<PeerConfig> = serde_json::from_slice(&tokio::fs::read(file).await?)?;
        let mut addresses = BTreeSet::new();
        for config in &wanted {
            // A configuration that deserializes may be a template of dynamic peers, which no single peer can have.
            config.validate()?;
            if !addresses.insert(config.address()) {
                return Err(format!("duplicate peer {}", config.address()).into());
            }
        }
        let known: BTreeSet<_> = speaker.peers().iter().map(|peer| peer.address()).collect();
        let (changed, added): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|config| known.contains(&config.address()));
        // An update has no effect before it is applied.
        let updates = changed
            .into_iter()
            .map(|config| Ok((config.address(), speaker.update_peer(config)?)))
            .collect::<Result<_, Box<dyn Error>>>()?;
        let removed = known.difference(&addresses).copied().collect();
        Ok(Self {
            updates,
            removed,
            added,
        })
    }

    /// Applies the differences. An error leaves the later ones out.
    async fn apply(self, speaker: &Speaker) -> Result<(), Box<dyn Error>> {
        for (peer, update) in self.updates {
            match update.change() {
                change if change.is_empty() => continue,
                _ if update.resets() => println!("{peer} reset"),
                _ => println!("{peer} changed"),
            }
            update.apply()?;
        }
        for peer in self.removed {
            speaker.remove_peer(peer).await;
            println!("{peer} removed");
        }
        for config in self.added {
            let peer = speaker.add_peer(config)?;
            println!("{} added", peer.address());
        }
        Ok(())
    }
}
