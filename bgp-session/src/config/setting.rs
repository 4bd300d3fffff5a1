//! `PeerSetting`: the names of the settings of a peer, for changes and for errors.

use std::fmt;

macro_rules! settings {
    ($( $effect:ident { $( $(#[$doc:meta])* $setting:ident => $name:literal, )+ } )+) => {
        /// A setting of a [`PeerConfig`](crate::PeerConfig), of its [`RestartConfig`](crate::RestartConfig) or of its
        /// [`RetryPolicy`](crate::RetryPolicy).
        ///
        /// Its text is the name of the setter without `with_`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum PeerSetting {
            $( $( $(#[$doc])* $setting, )+ )+
        }

        impl PeerSetting {
            /// Every setting.
            pub const ALL: &'static [Self] = &[$( $( Self::$setting, )+ )+];

            /// Returns the effect of a change to this setting.
            #[must_use]
            pub const fn effect(self) -> ChangeEffect {
                match self {
                    $( $( Self::$setting )|+ => ChangeEffect::$effect, )+
                }
            }

            /// Returns the name of the setting.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( $( Self::$setting => $name, )+ )+
                }
            }
        }
    };
}

settings! {
    Applied {
        /// The description.
        Description => "description",
        /// Delivery of UPDATEs to the application.
        DeliverUpdates => "deliver_updates",
        /// The export policy.
        Export => "export",
        /// The export policy that is a function.
        ExportFilter => "export_filter",
        /// The next hop of IPv4 routes.
        NextHopIpv4 => "next_hop_ipv4",
        /// The next hop of IPv6 routes.
        NextHopIpv6 => "next_hop_ipv6",
        /// The send hold time.
        SendHoldTime => "send_hold_time",
        /// The key of TCP MD5.
        Md5Key => "md5_key",
    }
    // Timers and sockets read these when they start.
    Deferred {
        /// The proposed hold time.
        HoldTime => "hold_time",
        /// The interval between KEEPALIVEs.
        KeepaliveTime => "keepalive_time",
        /// The wait for the peer's OPEN.
        DelayOpen => "delay_open",
        /// The wait after a connection could not be made.
        ConnectInterval => "connect_interval",
        /// The time after which a connection attempt is abandoned.
        ConnectTimeout => "connect_timeout",
        /// The waits after failures of established TCP connections.
        Damping => "damping",
        /// The duration of a session that resets the damping.
        StableTime => "stable_time",
        /// The exception for connections that the peer closes at once.
        EarlyClose => "early_close",
        /// Waiting for the peer instead of dialling it.
        Passive => "passive",
        /// The check of the first AS in received paths.
        EnforceFirstAs => "enforce_first_as",
        /// The application's check of the peer's OPEN.
        OpenCheck => "open_check",
        /// The limits of received prefixes.
        MaximumPrefixes => "maximum_prefixes",
        /// The time in which a returned peer must send its routes again.
        StaleTime => "stale_time",
        /// The port to dial.
        Port => "port",
        /// The address to dial from.
        SourceAddress => "source_address",
        /// The port to dial from.
        SourcePort => "source_port",
        /// The interface or VRF to dial through.
        Device => "device",
        /// The TTL of sent packets.
        Ttl => "ttl",
        /// The maximum distance of the peer.
        TtlSecurity => "ttl_security",
        /// The time for which octets may stay unacknowledged.
        UserTimeout => "user_timeout",
        /// The Differentiated Services codepoint.
        Dscp => "dscp",
    }
    // Capabilities and the fields of an OPEN hold for a whole session.
    SessionReset {
        /// The peer's address.
        Address => "address",
        /// The AS numbers that the peer may have.
        RemoteAs => "remote_as",
        /// Our AS number.
        LocalAs => "local_as",
        /// Our BGP Identifier.
        RouterId => "router_id",
        /// The families.
        Families => "families",
        /// Messages of up to 65,535 octets.
        ExtendedMessage => "extended_message",
        /// Path identifiers.
        AddPath => "add_path",
        /// IPv6 next hops of IPv4 routes.
        ExtendedNextHop => "extended_next_hop",
        /// Our role.
        Role => "role",
        /// Rejection of a peer without a role.
        RequireRole => "require_role",
        /// The application's own capabilities.
        Capabilities => "capability",
        /// Graceful restart and its flags.
        GracefulRestart => "graceful_restart",
        /// The restart time.
        RestartTime => "restart_time",
        /// The long-lived stale time.
        LongLived => "long_lived",
        /// The key of TCP-AO.
        AoKey => "ao_key",
    }
}

/// The effect of a changed setting on a session, from the least to the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeEffect {
    /// Nothing is different.
    Unchanged,
    /// The change applies at once. The session stays up.
    Applied,
    /// The change applies with the next connection or session. The session stays up.
    Deferred,
    /// The session ends with Cease/Other Configuration Change and starts again.
    SessionReset,
}

#[cfg(feature = "serde")]
impl serde::Serialize for PeerSetting {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for PeerSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
