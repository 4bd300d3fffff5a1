//! The configuration of a session: our identity, the peer and the behavior towards it.
//!
//! A session accepts only a configuration that `validate` accepts.

mod change;
mod error;
mod export;
mod export_filter;
mod families;
#[cfg(feature = "serde")]
mod form;
mod getters;
mod open;
mod prefix_range;
mod prefix_ranges;
mod remote_as;
mod restart;
mod retry;
mod setting;
mod transport;
mod validate;

pub use change::PeerChange;
pub use error::ConfigError;
pub use export::ExportPolicy;
pub use export_filter::ExportFilter;
pub use families::FamiliesError;
pub use open::{CapabilityError, OpenCheck};
pub use prefix_range::PrefixRange;
pub use remote_as::RemoteAs;
pub use restart::RestartConfig;
pub use retry::RetryPolicy;
pub use setting::{ChangeEffect, PeerSetting};
pub use transport::{AoAlgorithm, AoKey, Md5Key};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_wire::{Asn, CapabilityBuf, Family, FamilySet, HoldTime, Role, RouterId};

pub(crate) use transport::TransportConfig;
#[cfg(feature = "tokio")]
pub(crate) use validate::is_host;

/// Our identity towards every peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LocalConfig {
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP Identifier.
    pub router_id: RouterId,
}

impl LocalConfig {
    /// Creates an identity.
    #[must_use]
    pub const fn new(asn: Asn, router_id: RouterId) -> Self {
        Self { asn, router_id }
    }
}

/// The configuration of one peer. Address and AS number are required; setters change the defaults of everything else.
///
/// Setters take any value. [`PeerConfig::validate`] reports impossible ones, which no session accepts.
///
/// ```
/// use bgp_session::PeerConfig;
/// use bgp_wire::{Asn, HoldTime};
/// let router = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512))
///     .with_hold_time(HoldTime::new(30).expect("legal"))
///     .with_description("pfSense");
/// assert_eq!(router.port(), 179);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// All settings:
///
/// ```
/// use std::time::Duration;
/// use bgp_session::{AoAlgorithm, AoKey, ExportPolicy, Md5Key, OpenCheck, PeerConfig, RestartConfig, RetryPolicy};
/// use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, Role};
/// let seconds = Duration::from_secs;
/// let peer = PeerConfig::new("10.0.0.1".parse()?, Asn::new(64513))
///     // Our identity and our capabilities.
///     .with_local_as(Asn::new(64999))
///     .with_router_id("192.0.2.1".parse()?)
///     .with_hold_time(HoldTime::new(30).ok_or("a hold time")?)
///     .with_families([Family::IPV4_UNICAST, Family::IPV6_UNICAST])?
///     .with_add_path(true)
///     .with_extended_message(true)
///     .with_extended_next_hop(true)
///     .with_role(Role::CUSTOMER)
///     .with_require_role(true)
///     .with_graceful_restart(RestartConfig::new())
///     .with_capability(CapabilityBuf::SoftwareVersion("example 1.0".into()))?
///     .with_open_check(OpenCheck::new(|_peer, _open| Ok(())))
///     // Connecting and timers.
///     .with_passive(false)
///     .with_keepalive_time(seconds(5))
///     .with_delay_open(seconds(1))
///     .with_retry(RetryPolicy::new().with_damping(seconds(1), seconds(60)))
///     .with_send_hold_time(seconds(300))
///     // Sent routes.
///     .with_export(ExportPolicy::all())
///     .with_next_hop_ipv4([192, 0, 2, 1].into())
///     .with_next_hop_ipv6("2001:db8::1".parse()?)
///     // Received routes.
///     .with_deliver_updates(true)
///     .with_enforce_first_as(true)
///     .with_maximum_prefixes(Family::IPV4_UNICAST, 1000)
///     // Transport.
///     .with_port(1790)
///     .with_source_address("10.0.0.2".parse()?)
///     .with_source_port(1791)
///     .with_device("eth0")
///     .with_ttl_security(1)
///     .with_user_timeout(seconds(60))
///     .with_dscp(48)
///     .with_md5_key(Md5Key::new("a secret").ok_or("a key")?)
///     .with_description("the upstream");
/// // The same configuration for another peer, which may be up to 64 hops away.
/// let other = peer.clone().with_address("10.0.0.9".parse()?).with_ttl(64);
/// let key = AoKey::new(1, 1, AoAlgorithm::HmacSha1, "another secret").ok_or("a key")?;
/// let signed = PeerConfig::new("10.0.0.5".parse()?, Asn::new(64513)).with_ao_key(key);
/// assert_eq!((other.remote_as(), other.description()), (peer.remote_as(), "the upstream"));
/// # let _ = signed;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    pub(crate) address: IpAddr,
    pub(crate) remote_as: RemoteAs,
    pub(crate) local_as: Option<Asn>,
    pub(crate) router_id: Option<RouterId>,
    pub(crate) passive: bool,
    pub(crate) hold_time: HoldTime,
    pub(crate) keepalive_time: Option<Duration>,
    pub(crate) delay_open: Option<Duration>,
    pub(crate) retry: RetryPolicy,
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
    pub(crate) capabilities: Vec<CapabilityBuf>,
    pub(crate) open_check: Option<OpenCheck>,
    pub(crate) export_filter: Option<ExportFilter>,
    pub(crate) transport: TransportConfig,
    pub(crate) description: String,
}

impl PeerConfig {
    /// Creates the configuration of a peer for IPv4 and IPv6 unicast, with a hold time of 90 s.
    ///
    /// We dial the peer on port 179, and the peer may dial us.
    #[must_use]
    pub fn new(address: IpAddr, remote_as: impl Into<RemoteAs>) -> Self {
        Self {
            // A dual-stack socket reports IPv4 peers as IPv4-mapped addresses, which must match the configured ones.
            address: address.to_canonical(),
            remote_as: remote_as.into(),
            local_as: None,
            router_id: None,
            passive: false,
            hold_time: HoldTime::DEFAULT,
            keepalive_time: None,
            delay_open: None,
            retry: RetryPolicy::new(),
            families: FamilySet::EMPTY
                .with(Family::IPV4_UNICAST)
                .with(Family::IPV6_UNICAST),
            next_hop_ipv4: None,
            next_hop_ipv6: None,
            extended_message: false,
            // RFC 4271 section 6.3 makes the check optional. It prevents an external peer from hiding its AS.
            enforce_first_as: true,
            // A speaker that announces addresses makes no use of received routes.
            deliver_updates: false,
            add_path: false,
            extended_next_hop: false,
            role: None,
            require_role: false,
            restart: None,
            send_hold_time: None,
            maximum_prefixes: Vec::new(),
            // Not `ExportPolicy::all()`: the default depends on the kind of peer (RFC 8212).
            export: None,
            capabilities: Vec::new(),
            open_check: None,
            export_filter: None,
            transport: TransportConfig::default(),
            description: String::new(),
        }
    }

    /// Sets our AS number towards this peer, which is the speaker's by default.
    #[must_use]
    pub fn with_local_as(mut self, asn: Asn) -> Self {
        self.local_as = Some(asn);
        self
    }

    /// Sets our BGP Identifier towards this peer, which is the speaker's by default.
    #[must_use]
    pub fn with_router_id(mut self, router_id: RouterId) -> Self {
        self.router_id = Some(router_id);
        self
    }

    /// If `passive` is `true`, waits for the peer to connect and never dials it.
    #[must_use]
    pub fn with_passive(mut self, passive: bool) -> Self {
        self.passive = passive;
        self
    }

    /// Sets the proposed hold time, which is 90 s by default. The lower of both proposals is used (RFC 4271 section 4.2).
    #[must_use]
    pub fn with_hold_time(mut self, hold_time: HoldTime) -> Self {
        self.hold_time = hold_time;
        self
    }

    /// Sets the interval between KEEPALIVEs, at least 1 s. Maximum and default are a third of the negotiated hold time.
    #[must_use]
    pub fn with_keepalive_time(mut self, interval: Duration) -> Self {
        self.keepalive_time = Some(interval);
        self
    }

    /// Sets the time to wait for the peer's OPEN before sending ours (DelayOpenTime), at most a day. The default is no wait.
    #[must_use]
    pub fn with_delay_open(mut self, time: Duration) -> Self {
        self.delay_open = Some(time);
        self
    }

    /// Sets the times between attempts to connect. The default is [`RetryPolicy::new`].
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the next hop of IPv4 routes without one of their own. The default is the local address of the session, or of a
    /// session over IPv6 an IPv4 address of the same interface. If the peer accepts IPv6 next hops for IPv4 routes (RFC
    /// 8950), our IPv6 address precedes that of the interface.
    ///
    /// Other families use it as [`Route::with_next_hop`](crate::Route::with_next_hop) describes.
    #[must_use]
    pub fn with_next_hop_ipv4(mut self, address: Ipv4Addr) -> Self {
        self.next_hop_ipv4 = Some(address);
        self
    }

    /// Sets the next hop of IPv6 routes without one of their own. The default is the local address of the session, or of a
    /// session over IPv4 an IPv6 address of the same interface.
    ///
    /// Other families use it as [`Route::with_next_hop`](crate::Route::with_next_hop) describes.
    #[must_use]
    pub fn with_next_hop_ipv6(mut self, address: Ipv6Addr) -> Self {
        self.next_hop_ipv6 = Some(address);
        self
    }

    /// Offers messages of up to 65535 octets (RFC 8654), and sends them to a peer that also offers them. Off by default.
    #[must_use]
    pub fn with_extended_message(mut self, offer: bool) -> Self {
        self.extended_message = offer;
        self
    }

    /// Treats routes of an external peer as withdrawn if their AS path does not begin with its AS number (RFC 4271
    /// section 6.3). On by default.
    ///
    /// Turn it off for a route server, which does not add its AS number to the path (RFC 7947 section 2.2.2.1).
    #[must_use]
    pub fn with_enforce_first_as(mut self, enforce: bool) -> Self {
        self.enforce_first_as = enforce;
        self
    }

    /// Delivers every received UPDATE to the application. Otherwise UPDATEs are checked, counted and dropped, which is the
    /// default.
    ///
    /// The application decides which routes of an external peer to accept; none is accepted by default (RFC 8212).
    #[must_use]
    pub fn with_deliver_updates(mut self, deliver: bool) -> Self {
        self.deliver_updates = deliver;
        self
    }

    /// Offers path identifiers (RFC 7911). Off by default.
    ///
    /// A peer that supports them is sent every path of a destination, and other peers the path with the lowest identifier.
    #[must_use]
    pub fn with_add_path(mut self, offer: bool) -> Self {
        self.add_path = offer;
        self
    }

    /// Offers to accept IPv4 routes with IPv6 next hops (RFC 8950). Off by default.
    ///
    /// If no IPv4 next hop is known, sends IPv4 routes with an IPv6 next hop to a peer that accepts them.
    #[must_use]
    pub fn with_extended_next_hop(mut self, offer: bool) -> Self {
        self.extended_next_hop = offer;
        self
    }

    /// Sets our role towards an external peer (RFC 9234). Has no effect on an internal peer.
    ///
    /// Received routes that were leaked are treated as withdrawn. Depending on the role, sent routes are marked with OTC, or
    /// withheld if they have OTC.
    #[must_use]
    pub fn with_role(mut self, ours: Role) -> Self {
        self.role = Some(ours);
        self
    }

    /// Rejects an external peer whose OPEN does not contain its role (RFC 9234 section 4.2). Off by default.
    #[must_use]
    pub fn with_require_role(mut self, require: bool) -> Self {
        self.require_role = require;
        self
    }

    /// Asks the peer to retain our routes while we restart, and offers to retain its routes while it restarts (RFC 4724).
    #[must_use]
    pub fn with_graceful_restart(mut self, restart: RestartConfig) -> Self {
        self.restart = Some(restart);
        self
    }

    /// Sets the time after which a peer that reads nothing is disconnected (RFC 9687), from 1 s to a day. The default is
    /// eight minutes or twice the negotiated hold time, whichever is longer.
    #[must_use]
    pub fn with_send_hold_time(mut self, time: Duration) -> Self {
        self.send_hold_time = Some(time);
        self
    }

    /// Sets the export policy: the routes that the peer is sent, and the changes to them.
    ///
    /// Without a policy and a filter, an internal peer is sent every route, and an external peer none (RFC 8212).
    #[must_use]
    pub fn with_export(mut self, policy: ExportPolicy) -> Self {
        self.export = Some(policy);
        self
    }

    /// Sets a filter that is called with every route that the export policy permits.
    ///
    /// Without an [`ExportPolicy`], a peer with a filter is sent every route that the filter permits, also if it is external.
    #[must_use]
    pub fn with_export_filter(mut self, filter: ExportFilter) -> Self {
        self.export_filter = Some(filter);
        self
    }

    /// Sets a description for people, which is empty by default.
    #[must_use]
    pub fn with_description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// Sets the peer's address, for the same configuration of another peer.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        // As in `new`: the address of a connection is compared in this form.
        self.address = address.to_canonical();
        self
    }

    /// Sets the AS numbers that the peer may have, for the same configuration of another peer.
    #[must_use]
    pub fn with_remote_as(mut self, remote_as: impl Into<RemoteAs>) -> Self {
        self.remote_as = remote_as.into();
        self
    }

    /// Returns the send hold time for this negotiated hold time.
    pub(crate) fn send_hold(&self, hold_time: HoldTime) -> Duration {
        // RFC 9687 section 6: the greater of eight minutes and twice the negotiated hold time.
        let default = MIN_SEND_HOLD.max(hold_time.duration() * 2);
        self.send_hold_time.unwrap_or(default)
    }

    /// Returns our identity towards this peer.
    pub(crate) fn local(&self, local: LocalConfig) -> LocalConfig {
        LocalConfig::new(
            self.local_as.unwrap_or(local.asn),
            self.router_id.unwrap_or(local.router_id),
        )
    }
}

/// The minimum of the default send hold time (RFC 9687 section 6).
const MIN_SEND_HOLD: Duration = Duration::from_secs(8 * 60);

/// The maximum of every configured time.
// Adding it to an `Instant` cannot overflow.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
