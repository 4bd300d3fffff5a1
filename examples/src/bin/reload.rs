//! Applies a changed configuration to a running speaker: only the differences, and only the resets that they need.
//!
//! Usage: `reload 64512 192.168.0.111 peers.json`; each line of standard input reads the file again.
//!
//! The file is a list of peers in the form of `PeerConfig`: `[{"address": "192.168.0.254", "remote_as": 64512}]`.

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use bgp_session::{PeerConfig, Shutdown, Speaker};
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
    reload(&speaker, file.as_ref()).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some() {
        // A bad file changes nothing: the speaker goes on with the last good one.
        if let Err(error) = reload(&speaker, file.as_ref()).await {
            println!("unchanged: {error}");
        }
    }
    speaker.shutdown(Shutdown::administrative("")).await;
    Ok(())
}

async fn reload(speaker: &Speaker, file: &Path) -> Result<(), Box<dyn Error>> {
    // Deserializing checks every value. A misspelt name is an error as well.
    let wanted: Vec<PeerConfig> = serde_json::from_slice(&tokio::fs::read(file).await?)?;
    let known: BTreeSet<_> = speaker.peers().iter().map(|peer| peer.address()).collect();
    let addresses: BTreeSet<_> = wanted.iter().map(PeerConfig::address).collect();
    let (changed, added): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .partition(|config| known.contains(&config.address()));
    // An update has no effect before it is applied, so that all of them are checked first.
    let updates: Vec<_> = changed
        .into_iter()
        .map(|config| Ok((config.address(), speaker.update_peer(config)?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    for (peer, update) in updates {
        match update.change() {
            change if change.is_empty() => continue,
            _ if update.resets() => println!("{peer} reset"),
            _ => println!("{peer} changed"),
        }
        update.apply()?;
    }
    for peer in known.difference(&addresses) {
        speaker.remove_peer(*peer).await;
        println!("{peer} removed");
    }
    for config in added {
        let peer = speaker.add_peer(config)?;
        println!("{} added", peer.address());
    }
    Ok(())
}
