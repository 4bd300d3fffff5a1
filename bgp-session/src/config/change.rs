//! The effect of a changed configuration on a running session: `PeerChange`.

use super::PeerConfig;

/// The differences of a new configuration of a peer, by the time at which they take effect. Each has the name of its
/// setter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PeerChange {
    /// Differences that take effect at once.
    pub live: Vec<&'static str>,
    /// Differences that take effect with the next connection or session.
    pub later: Vec<&'static str>,
    /// Differences that take effect only after a reset of the session.
    pub resets: Vec<&'static str>,
}

impl PeerChange {
    /// Returns `true` if nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.later.is_empty() && self.resets.is_empty()
    }
}

macro_rules! differences {
    ($old:ident, $new:ident, $change:ident; $( $list:ident: $( $($field:ident).+ => $name:literal ),+ ; )+) => { $( $(
        if $old.$($field).+ != $new.$($field).+ {
            $change.$list.push($name);
        }
    )+ )+ };
}

impl PeerConfig {
    /// Returns the differences between this configuration and `new`, which must be of the same peer.
    ///
    /// ```
    /// use bgp_session::PeerConfig;
    /// use bgp_wire::{Asn, HoldTime};
    /// let old = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
    /// let new = old.clone().with_hold_time(HoldTime::new(30).expect("legal")).with_role(bgp_wire::Role::CUSTOMER);
    /// let change = old.change(&new);
    /// assert_eq!((change.later, change.resets), (vec!["hold_time"], vec!["role"]));
    /// assert_eq!(old.change(&old), bgp_session::PeerChange::default());
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn change(&self, new: &Self) -> PeerChange {
        let (old, mut change) = (self, PeerChange::default());
        differences! { old, new, change;
            live:
                description => "description",
                deliver_updates => "deliver_updates",
                export => "export",
                export_filter => "export_filter",
                next_hop_ipv4 => "next_hop_ipv4",
                next_hop_ipv6 => "next_hop_ipv6",
                send_hold_time => "send_hold_time",
                transport.md5_key => "md5_key";
            // Timers and sockets read these when they start.
            later:
                hold_time => "hold_time",
                keepalive_time => "keepalive_time",
                delay_open => "delay_open",
                retry => "retry",
                passive => "passive",
                enforce_first_as => "enforce_first_as",
                open_check => "open_check",
                maximum_prefixes => "maximum_prefixes",
                transport.port => "dial_port",
                transport.source_address => "source_address",
                transport.source_port => "source_port",
                transport.device => "device",
                transport.ttl => "ttl",
                transport.hops => "ttl_security",
                transport.user_timeout => "user_timeout",
                transport.dscp => "dscp";
            // Capabilities, and what an OPEN identifies us by, hold for a whole session.
            resets:
                remote_as => "remote_as",
                local_as => "local_as",
                router_id => "router_id",
                families => "families",
                extended_message => "extended_message",
                add_path => "add_path",
                extended_next_hop => "extended_next_hop",
                role => "role",
                require_role => "require_role",
                restart => "graceful_restart",
                capabilities => "capabilities",
                transport.ao_key => "ao_key";
        }
        change
    }
}
