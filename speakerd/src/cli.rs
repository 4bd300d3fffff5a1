//! The command line of `speakerd`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use bgp_wire::{Asn, RouterId};
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Loaded, PeerArgument, PoolArgument};
use crate::daemon::Daemon;
use crate::demo;
use crate::exit::{Failure, complain, report, say};
use crate::logging;
use crate::runtime::runtime;

/// A BGP speaker that announces addresses.
///
/// Reads speakerd.toml or MetalLB's ConfigMap, or takes everything from the command line.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Without a file: speakerd --local-as 64512 --peer 192.168.0.254 --pool 192.168.10.0/24",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
    /// Log more; twice for everything. SPEAKERD_LOG and RUST_LOG say it more finely.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the main job: a router of this program's own, in the same process, learns the route of the first service
    Demo {
        /// Stay, and print the path of the control socket
        #[arg(long)]
        keep: bool,
    },
    /// Reads a configuration and says what is wrong with it
    Check {
        /// speakerd.toml, or MetalLB's ConfigMap
        #[arg(value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// speakerd.toml, or MetalLB's ConfigMap
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "SPEAKERD_CONFIG",
        required_unless_present = "local_as",
        conflicts_with_all = ["local_as", "peer", "pool"]
    )]
    config: Option<PathBuf>,
    /// The AS of this speaker
    #[arg(long, value_name = "AS", requires = "peer")]
    local_as: Option<Asn>,
    /// A router: its address, and where they differ its port and AS
    #[arg(long, value_name = "ADDRESS[:PORT][@AS]", requires = "local_as")]
    peer: Vec<PeerArgument>,
    /// Addresses that may be announced
    #[arg(long, value_name = "NETWORK|FIRST-LAST", requires = "local_as")]
    pool: Vec<PoolArgument>,
    /// The BGP Identifier; the local address towards the first router unless given
    #[arg(long, value_name = "ADDRESS")]
    router_id: Option<RouterId>,
    /// Also accept connections here
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// The local address of connections
    #[arg(long, value_name = "ADDRESS")]
    source_address: Option<IpAddr>,
    /// The next hop of IPv4 routes, in place of the local address
    #[arg(long, value_name = "ADDRESS", value_parser = host)]
    next_hop: Option<Ipv4Addr>,
    /// Where to accept control connections
    #[arg(long, value_name = "PATH", env = "SPEAKERD_SOCKET")]
    control_socket: Option<PathBuf>,
    /// Where announcements and leases are kept over restarts
    #[arg(long, value_name = "DIRECTORY")]
    state_directory: Option<PathBuf>,
}

/// Runs `speakerd` with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let quiet = cli.command.is_some();
    // Dropped last, so that the final lines are written.
    let _log = logging::start(cli.verbose, quiet);
    let result = match cli.command {
        Some(Command::Demo { keep }) => demo::run(keep),
        Some(Command::Check { config }) => check(&config),
        None => cli.run.configuration().and_then(|config| run(&config)),
    };
    report("speakerd", result)
}

fn run(config: &Config) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let (daemon, _) = Daemon::start(config).await?;
        tracing::info!(control_socket = %daemon.control_socket().display(), peers = config.peers.len(), "started");
        daemon.run().await
    })
}

fn check(path: &std::path::Path) -> Result<(), Failure> {
    load(path)?;
    say(&format!("{}: valid\n", path.display()))
}

fn load(path: &std::path::Path) -> Result<Config, Failure> {
    let Loaded { config, warnings } = Config::load(path).map_err(|error| wrong(&error))?;
    for warning in warnings {
        complain(&warning);
    }
    Ok(config)
}

fn wrong(error: &ConfigError) -> Failure {
    Failure::new(Failure::CONFIG, error)
}

impl Run {
    /// Everything is read and judged before anything is opened.
    fn configuration(self) -> Result<Config, Failure> {
        let mut config = match (&self.config, self.local_as) {
            (Some(path), _) => load(path)?,
            (None, Some(local_as)) => Config::from_arguments(local_as, &self.peer, &self.pool)
                .map_err(|error| wrong(&error))?,
            (None, None) => {
                return Err(Failure::new(
                    Failure::CONFIG,
                    "give --config FILE, or --local-as and --peer",
                ));
            }
        };
        config.router_id = self.router_id.or(config.router_id);
        config.listen.extend(self.listen);
        config.control_socket = self.control_socket.or(config.control_socket);
        config.state_directory = self.state_directory.or(config.state_directory);
        for peer in &mut config.peers {
            if let Some(source) = self
                .source_address
                .filter(|source| source.is_ipv4() != peer.address.is_ipv4())
            {
                let message = format!(
                    "--source-address {source} and the peer {} are of different families",
                    peer.address
                );
                return Err(Failure::new(Failure::CONFIG, message));
            }
            peer.source_address = self.source_address.or(peer.source_address);
            peer.next_hop_ipv4 = self.next_hop.or(peer.next_hop_ipv4);
        }
        Ok(config)
    }
}

fn host(text: &str) -> Result<Ipv4Addr, String> {
    let address: Ipv4Addr = text
        .parse()
        .map_err(|_| "write an IPv4 address such as 192.168.0.111".to_owned())?;
    if address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
    {
        return Err(format!(
            "{address} is no host's address and cannot be a next hop"
        ));
    }
    Ok(address)
}
