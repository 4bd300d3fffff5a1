//! The getters of `PeerConfig`, for other drivers and for programs that show a configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_wire::{Asn, Family, FamilySet, HoldTime, Role, RouterId};

use super::{
    AoKey, ExportFilter, ExportPolicy, Md5Key, PeerConfig, RemoteAs, RestartConfig, RetryPolicy,
};

/// Each getter returns the value that the setter of the same name, with the prefix `with_`, has set.
impl PeerConfig {
    /// Returns the peer's address. An IPv4-mapped address is returned as IPv4.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the AS numbers that the peer may have.
    #[must_use]
    pub fn remote_as(&self) -> RemoteAs {
        self.remote_as
    }

    /// Returns our AS number towards this peer, or `None` if it is the speaker's.
    #[must_use]
    pub fn local_as(&self) -> Option<Asn> {
        // One configuration may serve speakers with different AS numbers, so that the speaker's is not filled in here.
        self.local_as
    }

    /// Returns our BGP Identifier towards this peer, or `None` if it is the speaker's.
    #[must_use]
    pub fn router_id(&self) -> Option<RouterId> {
        self.router_id
    }

    /// Returns the description, or an empty string if none is set.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns `true` if the peer is never dialled.
    #[must_use]
    pub fn passive(&self) -> bool {
        self.passive
    }

    /// Returns the proposed hold time.
    #[must_use]
    pub fn hold_time(&self) -> HoldTime {
        self.hold_time
    }

    /// Returns the maximum interval between KEEPALIVEs, or `None` for a third of the negotiated hold time.
    #[must_use]
    pub fn keepalive_time(&self) -> Option<Duration> {
        // Not resolved here: the third of the hold time is known only after both OPENs (RFC 4271 section 4.2).
        self.keepalive_time
    }

    /// Returns the time to wait for the peer's OPEN before ours is sent, or `None` if ours is sent at once.
    #[must_use]
    pub fn delay_open(&self) -> Option<Duration> {
        self.delay_open
    }

    /// Returns the times between attempts to connect.
    #[must_use]
    pub fn retry(&self) -> RetryPolicy {
        self.retry
    }

    /// Returns the time for which the peer may read nothing (RFC 9687), or `None` for the default: eight minutes or twice
    /// the negotiated hold time, the longer of the two.
    #[must_use]
    pub fn send_hold_time(&self) -> Option<Duration> {
        // The default also depends on the negotiated hold time.
        self.send_hold_time
    }

    /// Returns the offered families, at least one.
    #[must_use]
    pub fn families(&self) -> FamilySet {
        self.families
    }

    /// Returns the maximum numbers of received prefixes, by family (RFC 4486).
    #[must_use]
    pub fn maximum_prefixes(&self) -> &[(Family, u32)] {
        // Limits of families that are not offered are included: a program that shows the configuration should report them.
        &self.maximum_prefixes
    }

    /// Returns the next hop of IPv4 routes that have none, or `None` for an address of the session's interface.
    #[must_use]
    pub fn next_hop_ipv4(&self) -> Option<Ipv4Addr> {
        self.next_hop_ipv4
    }

    /// Returns the next hop of IPv6 routes that have none, or `None` for an address of the session's interface.
    #[must_use]
    pub fn next_hop_ipv6(&self) -> Option<Ipv6Addr> {
        self.next_hop_ipv6
    }

    /// Returns `true` if messages of up to 65,535 octets are offered (RFC 8654).
    #[must_use]
    pub fn extended_message(&self) -> bool {
        self.extended_message
    }

    /// Returns `true` if routes of an external peer must begin with its AS number (RFC 4271 section 6.3).
    #[must_use]
    pub fn enforce_first_as(&self) -> bool {
        self.enforce_first_as
    }

    /// Returns `true` if received UPDATEs are handed to the application.
    #[must_use]
    pub fn deliver_updates(&self) -> bool {
        self.deliver_updates
    }

    /// Returns `true` if path identifiers are offered (RFC 7911).
    #[must_use]
    pub fn add_path(&self) -> bool {
        self.add_path
    }

    /// Returns `true` if IPv6 next hops of IPv4 routes are offered (RFC 8950).
    #[must_use]
    pub fn extended_next_hop(&self) -> bool {
        self.extended_next_hop
    }

    /// Returns our role towards the peer (RFC 9234), or `None` if none is offered.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// Returns `true` if the peer must have a role (RFC 9234 section 4.2).
    #[must_use]
    pub fn require_role(&self) -> bool {
        self.require_role
    }

    /// Returns the offer of a graceful restart (RFC 4724), or `None` if it is not offered.
    #[must_use]
    pub fn graceful_restart(&self) -> Option<RestartConfig> {
        self.restart
    }

    /// Returns the export policy, or `None` for the default: everything to an internal peer, nothing to an external one
    /// (RFC 8212).
    #[must_use]
    pub fn export(&self) -> Option<&ExportPolicy> {
        // The kind of peer, and with it the default, depends on our AS number.
        self.export.as_ref()
    }

    /// Returns the export filter, or `None` if no filter is set.
    #[must_use]
    pub fn export_filter(&self) -> Option<&ExportFilter> {
        self.export_filter.as_ref()
    }

    /// Returns the port to dial; 179 by default.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.transport.port
    }

    /// Returns the address to dial from, or `None` if the system chooses it.
    #[must_use]
    pub fn source_address(&self) -> Option<IpAddr> {
        self.transport.source_address
    }

    /// Returns the port to dial from, or `None` if the system chooses it.
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.transport.source_port
    }

    /// Returns the interface or VRF to dial through, or `None` if the system chooses it.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.transport.device.as_deref()
    }

    /// Returns the TTL of sent packets, or `None` for the system's.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.transport.ttl
    }

    /// Returns the maximum distance of the peer in hops (RFC 5082), or `None` if it may be anywhere.
    #[must_use]
    pub fn ttl_security(&self) -> Option<u8> {
        // The setting counts hops. The driver turns it into a minimum TTL (RFC 5082 section 3).
        self.transport.hops
    }

    /// Returns the key of TCP MD5 (RFC 2385), or `None` if segments are not signed with it.
    #[must_use]
    pub fn md5_key(&self) -> Option<&Md5Key> {
        self.transport.md5_key.as_ref()
    }

    /// Returns the key of TCP-AO (RFC 5925), or `None` if segments are not signed with it.
    #[must_use]
    pub fn ao_key(&self) -> Option<&AoKey> {
        self.transport.ao_key.as_ref()
    }

    /// Returns the time after which unacknowledged octets end the connection, or `None` for the system's.
    #[must_use]
    pub fn user_timeout(&self) -> Option<Duration> {
        self.transport.user_timeout
    }

    /// Returns the DSCP codepoint of sent packets; 48 (CS6) by default.
    #[must_use]
    pub fn dscp(&self) -> u8 {
        self.transport.dscp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AoAlgorithm, RemoteAs};

    fn config() -> PeerConfig {
        PeerConfig::new([192, 0, 2, 1].into(), Asn::new(64513))
    }

    #[test]
    fn getters_return_defaults() {
        let config = config();
        assert_eq!(config.address(), IpAddr::from([192, 0, 2, 1]));
        assert_eq!(config.remote_as(), RemoteAs::Is(Asn::new(64513)));
        assert_eq!((config.local_as(), config.router_id()), (None, None));
        assert_eq!(config.description(), "");
        assert!(!config.passive() && !config.add_path() && !config.require_role());
        assert!(!config.extended_message() && !config.extended_next_hop());
        assert!(config.enforce_first_as() && !config.deliver_updates());
        assert_eq!(config.hold_time(), HoldTime::DEFAULT);
        assert_eq!((config.keepalive_time(), config.delay_open()), (None, None));
        assert_eq!(config.send_hold_time(), None);
        assert!(
            config
                .families()
                .iter()
                .eq([Family::IPV4_UNICAST, Family::IPV6_UNICAST])
        );
        assert_eq!(config.maximum_prefixes(), []);
        assert_eq!(
            (config.next_hop_ipv4(), config.next_hop_ipv6()),
            (None, None)
        );
        assert_eq!((config.role(), config.graceful_restart()), (None, None));
        assert_eq!(config.export(), None);
        assert_eq!((config.port(), config.dscp()), (179, 48));
        assert_eq!(
            (config.source_address(), config.source_port()),
            (None, None)
        );
        assert_eq!((config.device(), config.user_timeout()), (None, None));
        assert_eq!((config.ttl(), config.ttl_security()), (None, None));
        assert_eq!((config.md5_key(), config.ao_key()), (None, None));
    }

    #[test]
    fn getters_return_values_of_setters() {
        let (seconds, export) = (Duration::from_secs, ExportPolicy::only([]));
        let restart = RestartConfig::new()
            .with_restart_time(seconds(10))
            .with_notification(false)
            .with_forwarding(false)
            .with_long_lived(seconds(11))
            .with_stale_time(seconds(12));
        let config = config()
            .with_local_as(Asn::new(1))
            .with_router_id("192.0.2.2".parse().unwrap())
            .with_description("x")
            .with_passive(true)
            .with_add_path(true)
            .with_require_role(true)
            .with_extended_message(true)
            .with_extended_next_hop(true)
            .with_enforce_first_as(false)
            .with_deliver_updates(true)
            .with_hold_time(HoldTime::ZERO)
            .with_keepalive_time(seconds(1))
            .with_delay_open(seconds(2))
            .with_send_hold_time(seconds(3))
            .with_next_hop_ipv4([192, 0, 2, 3].into())
            .with_next_hop_ipv6("2001:db8::3".parse().unwrap())
            .with_role(Role::PEER)
            .with_graceful_restart(restart)
            .with_export(export.clone());
        assert_eq!(config.local_as(), Some(Asn::new(1)));
        assert_eq!(config.router_id(), "192.0.2.2".parse().ok());
        assert_eq!(config.description(), "x");
        assert!(config.passive() && config.add_path() && config.require_role());
        assert!(config.extended_message() && config.extended_next_hop());
        assert!(!config.enforce_first_as() && config.deliver_updates());
        assert_eq!(config.hold_time(), HoldTime::ZERO);
        assert_eq!(config.keepalive_time(), Some(seconds(1)));
        assert_eq!(config.delay_open(), Some(seconds(2)));
        assert_eq!(config.send_hold_time(), Some(seconds(3)));
        assert_eq!(config.next_hop_ipv4(), Some([192, 0, 2, 3].into()));
        assert_eq!(config.next_hop_ipv6(), "2001:db8::3".parse().ok());
        assert_eq!(config.role(), Some(Role::PEER));
        assert_eq!(config.export(), Some(&export));
        let restart = config.graceful_restart().unwrap();
        assert_eq!(restart.restart_time(), seconds(10));
        assert!(!restart.notification() && !restart.forwarding());
        assert_eq!(restart.long_lived(), Some(seconds(11)));
        assert_eq!(restart.stale_time(), seconds(12));
    }

    // A dialer that is not ours can set everything that `TcpDialer` sets.
    #[test]
    fn dialer_can_read_every_option_of_a_socket() {
        let config = config()
            .with_port(1)
            .with_source_address([192, 0, 2, 4].into())
            .with_source_port(2)
            .with_device("eth3")
            .with_ttl(4)
            .with_ttl_security(5)
            .with_user_timeout(Duration::from_secs(6))
            .with_dscp(7)
            .with_md5_key(Md5Key::new("md5").unwrap())
            .with_ao_key(AoKey::new(8, 9, AoAlgorithm::AesCmac, "ao").unwrap());
        assert_eq!((config.port(), config.source_port()), (1, Some(2)));
        assert_eq!(config.source_address(), Some([192, 0, 2, 4].into()));
        assert_eq!(config.device(), Some("eth3"));
        assert_eq!((config.ttl(), config.ttl_security()), (Some(4), Some(5)));
        assert_eq!(config.user_timeout(), Some(Duration::from_secs(6)));
        assert_eq!(config.dscp(), 7);
        assert_eq!(config.md5_key().unwrap().octets(), b"md5");
        let key = config.ao_key().unwrap();
        assert_eq!((key.send_id(), key.receive_id()), (8, 9));
        assert_eq!(
            (key.algorithm(), key.octets()),
            (AoAlgorithm::AesCmac, &b"ao"[..])
        );
    }
}
