//! The getters of `PeerConfig`, for other drivers and for programs that show a configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_wire::{Asn, Family, FamilySet, HoldTime, Role, RouterId};

use super::{AoKey, ExportFilter, ExportPolicy, Md5Key, PeerConfig, RestartConfig, RetryPolicy};

/// Each getter returns the value that the setter of the same name, with the prefix `with_`, has set.
impl PeerConfig {
    /// Returns the peer's address. An IPv4-mapped address is returned as IPv4.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the peer's AS number.
    #[must_use]
    pub fn remote_as(&self) -> Asn {
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
