//! What the daemon is to do: read from `speakerd.toml`, from MetalLB's ConfigMap as it is, or from the command line.
//!
//! The three say the same thing, a [`Config`]. Reading is strict: an unknown key, a value that MetalLB would silently
//! read as something else, or two pools that overlap refuse the file, and the [`ConfigError`] says where and what
//! would be right.

mod argument;
mod check;
mod diagnostic;
mod metallb;
mod native;
mod value;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgp_session::{ExportPolicy, Md5Key, PeerConfig};
use bgp_wire::{Asn, Community, HoldTime, LargeCommunity, Origin, RouterId};
use ipnet::IpNet;

pub use argument::{ParseArgumentError, PeerArgument, PoolArgument};
use diagnostic::Problem;
pub use diagnostic::{ConfigError, Diagnostic, Place, Severity};

/// What the daemon is to do, whatever it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The AS of this speaker; of a MetalLB file, the first peer's `my-asn`.
    pub local_as: Asn,
    /// The BGP Identifier; `None` leaves it to the daemon to derive one.
    pub router_id: Option<RouterId>,
    /// Where to accept connections; empty: dial only.
    pub listen: Vec<SocketAddr>,
    /// The path of the control socket.
    pub control_socket: Option<PathBuf>,
    /// The directory of the durable routes and leases.
    pub state_directory: Option<PathBuf>,
    /// The routers, in the order of the file.
    pub peers: Vec<Peer>,
    /// The address pools, in the order of the file.
    pub pools: Vec<Pool>,
    /// What a route carries unless it says otherwise.
    pub defaults: RouteDefaults,
}

/// A router to hold a session with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The router's address.
    pub address: IpAddr,
    /// The router's port.
    pub port: u16,
    /// The router's AS.
    pub remote_as: Asn,
    /// The AS that this speaker has towards this router.
    pub local_as: Asn,
    /// The local address of the connection; `None` leaves it to the kernel.
    pub source_address: Option<IpAddr>,
    /// The BGP Identifier towards this router, if it is not [`Config::router_id`].
    pub router_id: Option<RouterId>,
    /// The hold time to propose.
    pub hold_time: HoldTime,
    /// How often to send KEEPALIVEs, at most the hold time; `None`: a third of the negotiated hold time.
    pub keepalive_time: Option<Duration>,
    /// The key of TCP MD5 signatures (RFC 2385).
    pub password: Option<Password>,
    /// Wait for the router to connect.
    pub passive: bool,
    /// The NEXT_HOP of IPv4 routes, if it is not the local address of the connection.
    pub next_hop_ipv4: Option<Ipv4Addr>,
    /// The next hop of IPv6 routes, if it is not the local address of the connection.
    pub next_hop_ipv6: Option<Ipv6Addr>,
    /// A note for people.
    pub description: Option<String>,
}

impl Peer {
    /// A peer of which only the address and the two ASes are known.
    fn new(address: IpAddr, remote_as: Asn, local_as: Asn) -> Self {
        Self {
            address,
            port: BGP_PORT,
            remote_as,
            local_as,
            source_address: None,
            router_id: None,
            hold_time: HoldTime::DEFAULT,
            keepalive_time: None,
            password: None,
            passive: false,
            next_hop_ipv4: None,
            next_hop_ipv6: None,
            description: None,
        }
    }

    /// Returns the configuration of the session with this router.
    #[must_use]
    pub fn session_config(&self) -> PeerConfig {
        let mut config = PeerConfig::new(self.address, self.remote_as)
            .with_local_as(self.local_as)
            .with_port(self.port)
            .with_passive(self.passive)
            .with_hold_time(self.hold_time)
            // What may be announced is what the pools allow: nothing else gets into the table.
            .with_export(ExportPolicy::all())
            .with_description(self.description.clone().unwrap_or_default());
        if let Some(address) = self.source_address {
            config = config.with_source_address(address);
        }
        if let Some(router_id) = self.router_id {
            config = config.with_router_id(router_id);
        }
        if let Some(interval) = self.keepalive_time {
            config = config.with_keepalive_time(interval);
        }
        if let Some(address) = self.next_hop_ipv4 {
            config = config.with_next_hop_ipv4(address);
        }
        if let Some(address) = self.next_hop_ipv6 {
            config = config.with_next_hop_ipv6(address);
        }
        // Its length was checked when the configuration was read.
        if let Some(key) = self
            .password
            .as_ref()
            .and_then(|password| Md5Key::new(password.reveal()))
        {
            config = config.with_md5_key(key);
        }
        config
    }
}

/// The key of TCP MD5 signatures: 1 to 80 octets, which is what the kernel takes. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The key itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Addresses to hand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The name, unique among the pools.
    pub name: String,
    /// The addresses: the entries in listed order, each summarised to the fewest networks, ascending. No two networks
    /// overlap, within a pool or across pools.
    pub ranges: Vec<IpNet>,
    /// Keep IPv4 addresses that end in .0 or .255 back.
    pub avoid_buggy_addresses: bool,
    /// Whether a request that names no pool may be served from here.
    pub auto_assign: bool,
    /// How the addresses are made known.
    pub protocol: Protocol,
    /// The routes for each address, at least one.
    pub advertisements: Vec<Advertisement>,
}

/// How the addresses of a pool are made known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Announced to the peers.
    Bgp,
    /// MetalLB's ARP mode. This program reads such pools, and announces nothing of them.
    Layer2,
}

/// How an address of a pool becomes a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The prefix length of the route for an IPv4 address.
    pub aggregation_length: u8,
    /// The prefix length of the route for an IPv6 address.
    pub aggregation_length_v6: u8,
    /// LOCAL_PREF towards iBGP peers; `None`: that of [`RouteDefaults`].
    pub local_pref: Option<u32>,
    /// Communities, ascending, each once.
    pub communities: Vec<Community>,
    /// Large communities, ascending, each once.
    pub large_communities: Vec<LargeCommunity>,
}

impl Default for Advertisement {
    fn default() -> Self {
        Self {
            aggregation_length: 32,
            aggregation_length_v6: 128,
            local_pref: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
        }
    }
}

/// What a route carries unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteDefaults {
    /// ORIGIN.
    pub origin: Origin,
    /// LOCAL_PREF towards iBGP peers.
    pub local_pref: Option<u32>,
}

impl RouteDefaults {
    /// What the native format and the command line mean if they say nothing.
    pub const NATIVE: Self = Self {
        origin: Origin::IGP,
        local_pref: Some(100),
    };
    /// What MetalLB up to v0.12, the last to read this format, puts on the wire.
    pub const METALLB: Self = Self {
        origin: Origin::INCOMPLETE,
        local_pref: Some(0),
    };
}

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What was read.
    pub config: Config,
    /// What of it has no effect.
    pub warnings: Vec<Diagnostic>,
}

impl Config {
    /// Reads a file: `.toml` is the native format, `.yaml` and `.yml` MetalLB's; any other is told by its content.
    ///
    /// # Errors
    ///
    /// If the file, or a `password-file` that it names, cannot be read; and as [`Config::parse`].
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(error) => {
                let problem = Problem::new(format!("cannot read `{name}`: {error}"));
                Err(ConfigError::whole(name, problem))
            }
        }
    }

    /// Reads a configuration that is at hand; `name` stands for the file's, in errors and to tell the format.
    ///
    /// # Errors
    ///
    /// If the text is not a configuration, with everything that is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Loaded, ConfigError> {
        let extension = Path::new(name).extension();
        let native = match extension.and_then(|extension| extension.to_str()) {
            Some("toml") => true,
            Some("yaml" | "yml") => false,
            _ => looks_like_toml(text),
        };
        if native {
            native::parse(name, text)
        } else {
            metallb::parse(name, text)
        }
    }

    /// The configuration of the command line: `speakerd --local-as 64512 --peer 192.168.0.254 --pool 192.168.10.0/24`.
    ///
    /// The first pool is named `default`, the others `pool-2` and so on.
    ///
    /// ```
    /// use bgp_wire::Asn;
    /// use speakerd::config::Config;
    /// let peers = ["192.168.0.254".parse()?];
    /// let pools = ["192.168.10.0/24".parse()?];
    /// let config = Config::from_arguments(Asn::new(64512), &peers, &pools)?;
    /// assert_eq!(config.pools[0].name, "default");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a peer is named twice, or two pools overlap.
    pub fn from_arguments(
        local_as: Asn,
        peers: &[PeerArgument],
        pools: &[PoolArgument],
    ) -> Result<Self, ConfigError> {
        argument::config(local_as, peers, pools)
    }
}

/// Whether the first line that says anything says it in TOML.
fn looks_like_toml(text: &str) -> bool {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    let key = line.find(':').unwrap_or(line.len());
    line.starts_with('[') || line.find('=').is_some_and(|equals| equals < key)
}

/// The ConfigMap of the article that this program answers, unchanged.
pub const ARTICLE: &str = include_str!("config/article.yaml");

/// The port of BGP (RFC 4271 section 8.2.1).
pub const BGP_PORT: u16 = 179;
