//! What a session is told: who we are, who the peer is, and how to behave. A value that exists is valid.

mod change;
mod export;
mod families;
mod restart;
mod transport;

pub use change::PeerChange;
pub use export::{ExportPolicy, PrefixRange};
pub use families::FamiliesError;
pub use restart::RestartConfig;
pub use transport::{AoAlgorithm, AoKey, Md5Key};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_wire::{Asn, Family, FamilySet, HoldTime, Role, RouterId};

pub(crate) use transport::TransportConfig;

/// Who we are towards every peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalConfig {
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP Identifier.
    pub router_id: RouterId,
}

/// One peer: its address and AS number are required, the rest has defaults and is changed by setters.
///
/// ```
/// use bgp_session::PeerConfig;
/// use bgp_wire::{Asn, HoldTime};
/// let router = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512))
///     .hold_time(HoldTime::new(30).expect("legal"))
///     .description("pfSense");
/// assert_eq!(router.port(), 179);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// Everything that can be said of a peer:
///
/// ```
/// use std::time::Duration;
/// use bgp_session::{AoAlgorithm, AoKey, ExportPolicy, Md5Key, PeerConfig, RestartConfig};
/// use bgp_wire::{Asn, Family, HoldTime, Role};
/// let seconds = Duration::from_secs;
/// let peer = PeerConfig::new("10.0.0.1".parse()?, Asn::new(64513))
///     // Who we are, and what we offer.
///     .local_as(Asn::new(64999))
///     .router_id("192.0.2.1".parse()?)
///     .hold_time(HoldTime::new(30).ok_or("a hold time")?)
///     .families([Family::IPV4_UNICAST, Family::IPV6_UNICAST])?
///     .add_path(true)
///     .extended_message(true)
///     .extended_next_hop(true)
///     .role(Role::CUSTOMER)
///     .require_role(true)
///     .graceful_restart(RestartConfig::new())
///     // When things happen.
///     .passive(false)
///     .keepalive_time(seconds(5))
///     .connect_retry(seconds(10))
///     .delay_open(seconds(1))
///     .idle_hold(seconds(1), seconds(60))
///     .send_hold_time(seconds(300))
///     // What is sent.
///     .export(ExportPolicy::all())
///     .next_hop_ipv4([192, 0, 2, 1].into())
///     .next_hop_ipv6("2001:db8::1".parse()?)
///     // What is received.
///     .deliver_updates(true)
///     .enforce_first_as(true)
///     .maximum_prefixes(Family::IPV4_UNICAST, 1000)
///     // How it is reached.
///     .dial_port(1790)
///     .source_address("10.0.0.2".parse()?)
///     .source_port(1791)
///     .device("eth0")
///     .ttl_security(1)
///     .user_timeout(seconds(60))
///     .dscp(48)
///     .md5_key(Md5Key::new("a secret").ok_or("a key")?)
///     .description("the upstream");
/// // The same for another one; without MD5, and as far away as it may be.
/// let other = peer.clone().with_address("10.0.0.9".parse()?).ttl(64);
/// let key = AoKey::new(1, 1, AoAlgorithm::HmacSha1, "another secret").ok_or("a key")?;
/// let signed = PeerConfig::new("10.0.0.5".parse()?, Asn::new(64513)).ao_key(key);
/// assert_eq!((other.remote_as(), other.description_text()), (peer.remote_as(), "the upstream"));
/// # let _ = signed;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    pub(crate) address: IpAddr,
    pub(crate) remote_as: Asn,
    pub(crate) local_as: Option<Asn>,
    pub(crate) router_id: Option<RouterId>,
    pub(crate) passive: bool,
    pub(crate) hold_time: HoldTime,
    pub(crate) keepalive_time: Option<Duration>,
    pub(crate) connect_retry: Duration,
    pub(crate) delay_open: Option<Duration>,
    pub(crate) idle_hold: Duration,
    pub(crate) idle_hold_maximum: Duration,
    pub(crate) families: FamilySet,
    pub(crate) next_hop_ipv4: Option<Ipv4Addr>,
    pub(crate) next_hop_ipv6: Option<Ipv6Addr>,
    pub(crate) extended_message: bool,
    pub(crate) enforce_first_as: bool,
    pub(crate) deliver_updates: bool,
    pub(crate) add_path: bool,
    pub(crate) extended_next_hop: bool,
    pub(crate) role: Option<Role>,
    pub(crate) require_role: bool,
    pub(crate) restart: Option<RestartConfig>,
    pub(crate) send_hold_time: Option<Duration>,
    pub(crate) maximum_prefixes: Vec<(Family, u32)>,
    pub(crate) export: Option<ExportPolicy>,
    pub(crate) transport: TransportConfig,
    pub(crate) description: String,
}

impl PeerConfig {
    /// A peer that is dialled on port 179 and may dial us, with a hold time of 90 s, for IPv4 and IPv6 unicast.
    #[must_use]
    pub fn new(address: IpAddr, remote_as: Asn) -> Self {
        Self {
            address: address.to_canonical(),
            remote_as,
            local_as: None,
            router_id: None,
            passive: false,
            hold_time: HoldTime::DEFAULT,
            keepalive_time: None,
            connect_retry: Duration::from_secs(30),
            delay_open: None,
            idle_hold: Duration::from_secs(1),
            idle_hold_maximum: Duration::from_secs(120),
            families: FamilySet::EMPTY
                .with(Family::IPV4_UNICAST)
                .with(Family::IPV6_UNICAST),
            next_hop_ipv4: None,
            next_hop_ipv6: None,
            extended_message: false,
            enforce_first_as: true,
            deliver_updates: false,
            add_path: false,
            extended_next_hop: false,
            role: None,
            require_role: false,
            restart: None,
            send_hold_time: None,
            maximum_prefixes: Vec::new(),
            export: None,
            transport: TransportConfig::default(),
            description: String::new(),
        }
    }

    /// Our AS number towards this peer, where it is not the speaker's.
    #[must_use]
    pub fn local_as(mut self, asn: Asn) -> Self {
        self.local_as = Some(asn);
        self
    }

    /// Our BGP Identifier towards this peer, where it is not the speaker's.
    #[must_use]
    pub fn router_id(mut self, router_id: RouterId) -> Self {
        self.router_id = Some(router_id);
        self
    }

    /// Waits for the peer to connect and never dials it.
    #[must_use]
    pub fn passive(mut self, passive: bool) -> Self {
        self.passive = passive;
        self
    }

    /// The hold time to propose.
    #[must_use]
    pub fn hold_time(mut self, hold_time: HoldTime) -> Self {
        self.hold_time = hold_time;
        self
    }

    /// The time between KEEPALIVEs, if it is less than a third of the negotiated hold time.
    #[must_use]
    pub fn keepalive_time(mut self, interval: Duration) -> Self {
        self.keepalive_time = Some(interval.max(Duration::from_secs(1)));
        self
    }

    /// How long a TCP connection may take to come up (ConnectRetryTime); 1 s to a day.
    #[must_use]
    pub fn connect_retry(mut self, time: Duration) -> Self {
        self.connect_retry = time.clamp(Duration::from_secs(1), DAY);
        self
    }

    /// How long to wait for the peer's OPEN before sending ours (DelayOpenTime); at most a day.
    #[must_use]
    pub fn delay_open(mut self, time: Duration) -> Self {
        self.delay_open = Some(time.min(DAY));
        self
    }

    /// How long to wait after the first failure, and how long at the most after many in a row; 10 ms to a day.
    #[must_use]
    pub fn idle_hold(mut self, first: Duration, most: Duration) -> Self {
        self.idle_hold = first.clamp(Duration::from_millis(10), DAY);
        self.idle_hold_maximum = most.clamp(self.idle_hold, DAY);
        self
    }

    /// The next hop of IPv4 routes that have none of their own, in place of the local address of the session. Other families
    /// use it as [`Route::next_hop`](crate::Route::next_hop) describes.
    #[must_use]
    pub fn next_hop_ipv4(mut self, address: Ipv4Addr) -> Self {
        self.next_hop_ipv4 = Some(address);
        self
    }

    /// The next hop of IPv6 routes that have none of their own, in place of the local address of the session. Other families
    /// use it as [`Route::next_hop`](crate::Route::next_hop) describes.
    #[must_use]
    pub fn next_hop_ipv6(mut self, address: Ipv6Addr) -> Self {
        self.next_hop_ipv6 = Some(address);
        self
    }

    /// Offers messages of up to 65535 octets (RFC 8654), and sends them to a peer that offers them too.
    #[must_use]
    pub fn extended_message(mut self, offer: bool) -> Self {
        self.extended_message = offer;
        self
    }

    /// Whether routes of an external peer that do not begin with its AS count as withdrawn (RFC 4271 section 6.3). On
    /// unless changed; a route server does not put itself there.
    #[must_use]
    pub fn enforce_first_as(mut self, enforce: bool) -> Self {
        self.enforce_first_as = enforce;
        self
    }

    /// Hands every received UPDATE to the application. Otherwise they are checked, counted and dropped. What of an external
    /// peer's routes is accepted (RFC 8212) is the application's to say: nothing is accepted by itself.
    #[must_use]
    pub fn deliver_updates(mut self, deliver: bool) -> Self {
        self.deliver_updates = deliver;
        self
    }

    /// Offers path identifiers (RFC 7911), and sends a peer that understands them every path of a prefix. Other peers are
    /// sent the one with the lowest identifier.
    #[must_use]
    pub fn add_path(mut self, send: bool) -> Self {
        self.add_path = send;
        self
    }

    /// Offers to take IPv4 routes with IPv6 next hops, and sends such to a peer that takes them, where there is no IPv4
    /// address to give (RFC 8950).
    #[must_use]
    pub fn extended_next_hop(mut self, offer: bool) -> Self {
        self.extended_next_hop = offer;
        self
    }

    /// What we are to an external peer (RFC 9234): routes that were leaked are withdrawn on the way in, and on the way out
    /// marked with OTC or held back. Of no effect on an internal peer.
    #[must_use]
    pub fn role(mut self, ours: Role) -> Self {
        self.role = Some(ours);
        self
    }

    /// Refuses an external peer that does not say what it is (RFC 9234 section 4.2).
    #[must_use]
    pub fn require_role(mut self, require: bool) -> Self {
        self.require_role = require;
        self
    }

    /// Asks the peer to keep our routes while we restart, and offers to keep its routes while it does (RFC 4724).
    #[must_use]
    pub fn graceful_restart(mut self, restart: RestartConfig) -> Self {
        self.restart = Some(restart);
        self
    }

    /// How long the peer may take nothing of what is sent (RFC 9687), 1 s to a day; eight minutes or twice the hold time,
    /// whichever is more, unless given.
    #[must_use]
    pub fn send_hold_time(mut self, time: Duration) -> Self {
        self.send_hold_time = Some(time.clamp(Duration::from_secs(1), DAY));
        self
    }

    /// What of the table the peer is sent, and what is changed on the way. Without a policy an internal peer is sent
    /// everything and an external one nothing (RFC 8212).
    #[must_use]
    pub fn export(mut self, policy: ExportPolicy) -> Self {
        self.export = Some(policy);
        self
    }

    /// What people call this peer.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// The same configuration for another peer.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.address = address.to_canonical();
        self
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The peer's AS number.
    #[must_use]
    pub fn remote_as(&self) -> Asn {
        self.remote_as
    }

    /// What people call this peer; empty if nothing.
    #[must_use]
    pub fn description_text(&self) -> &str {
        &self.description
    }

    /// How long the peer may take nothing of what is sent, with this negotiated hold time.
    pub(crate) fn send_hold(&self, hold_time: HoldTime) -> Duration {
        let default = SEND_HOLD.max(hold_time.duration() * 2);
        self.send_hold_time.unwrap_or(default)
    }

    /// Who we are towards this peer.
    pub(crate) fn local(&self, local: LocalConfig) -> LocalConfig {
        LocalConfig {
            asn: self.local_as.unwrap_or(local.asn),
            router_id: self.router_id.unwrap_or(local.router_id),
        }
    }
}

/// RFC 9687 section 6.
const SEND_HOLD: Duration = Duration::from_secs(8 * 60);

/// No timer waits longer.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
