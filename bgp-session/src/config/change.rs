//! The effect of a changed configuration on a running session: `PeerChange`.

use super::{ChangeEffect, PeerConfig, PeerSetting, RestartConfig};

/// The differences between two configurations of a peer.
///
/// Its [`effect`](PeerChange::effect) is what happens to a session: nothing, an update in place, or a reset, of which
/// [`PeerChange::with_effect`] returns the reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerChange {
    settings: Vec<PeerSetting>,
}

impl PeerChange {
    /// Returns the settings that differ.
    #[must_use]
    pub fn settings(&self) -> &[PeerSetting] {
        &self.settings
    }

    /// Returns the settings that differ and have this effect.
    pub fn with_effect(&self, effect: ChangeEffect) -> impl Iterator<Item = PeerSetting> {
        self.settings
            .iter()
            .copied()
            .filter(move |setting| setting.effect() == effect)
    }

    /// Returns the greatest effect of a difference, or [`ChangeEffect::Unchanged`] if there is none.
    #[must_use]
    pub fn effect(&self) -> ChangeEffect {
        self.settings
            .iter()
            .map(|setting| setting.effect())
            .max()
            .unwrap_or(ChangeEffect::Unchanged)
    }

    /// Returns `true` if an Established session is reset.
    #[must_use]
    pub fn resets(&self) -> bool {
        self.effect() == ChangeEffect::SessionReset
    }

    /// Returns `true` if nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }
}

macro_rules! differences {
    ($old:ident, $new:ident; $( $($field:ident).+ => $setting:ident ),+ $(,)?) => {
        [$( (PeerSetting::$setting, $old.$($field).+ != $new.$($field).+) ),+]
    };
}

impl PeerConfig {
    /// Returns the differences between this configuration and `new`.
    ///
    /// ```
    /// use bgp_session::{ChangeEffect, PeerConfig, PeerSetting};
    /// use bgp_wire::{Asn, HoldTime};
    /// let old = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
    /// assert_eq!(old.change(&old).effect(), ChangeEffect::Unchanged);
    /// let new = old.clone().with_hold_time(HoldTime::new(30).expect("legal"));
    /// assert_eq!(old.change(&new).effect(), ChangeEffect::Deferred);
    /// let change = old.change(&new.with_role(bgp_wire::Role::CUSTOMER));
    /// assert!(change.resets());
    /// assert!(change.with_effect(ChangeEffect::SessionReset).eq([PeerSetting::Role]));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn change(&self, new: &Self) -> PeerChange {
        let old = self;
        let differences = differences! { old, new;
            description => Description,
            deliver_updates => DeliverUpdates,
            export => Export,
            next_hop_ipv4 => NextHopIpv4,
            next_hop_ipv6 => NextHopIpv6,
            send_hold_time => SendHoldTime,
            transport.md5_key => Md5Key,
            hold_time => HoldTime,
            keepalive_time => KeepaliveTime,
            connect_retry => ConnectRetry,
            delay_open => DelayOpen,
            idle_hold => IdleHold,
            idle_hold_maximum => IdleHold,
            passive => Passive,
            enforce_first_as => EnforceFirstAs,
            maximum_prefixes => MaximumPrefixes,
            transport.port => Port,
            transport.source_address => SourceAddress,
            transport.source_port => SourcePort,
            transport.device => Device,
            transport.ttl => Ttl,
            transport.hops => TtlSecurity,
            transport.user_timeout => UserTimeout,
            transport.dscp => Dscp,
            address => Address,
            remote_as => RemoteAs,
            local_as => LocalAs,
            router_id => RouterId,
            families => Families,
            extended_message => ExtendedMessage,
            add_path => AddPath,
            extended_next_hop => ExtendedNextHop,
            role => Role,
            require_role => RequireRole,
            transport.ao_key => AoKey,
        };
        let mut settings: Vec<_> = differences
            .into_iter()
            .chain(restart_differences(old.restart, new.restart))
            .filter(|(_, differs)| *differs)
            .map(|(setting, _)| setting)
            .collect();
        settings.sort_unstable();
        // The two bounds of `idle_hold` have one setter.
        settings.dedup();
        PeerChange { settings }
    }
}

/// Returns the differences between two offers of graceful restart.
fn restart_differences(
    old: Option<RestartConfig>,
    new: Option<RestartConfig>,
) -> impl Iterator<Item = (PeerSetting, bool)> {
    let flags = |restart: RestartConfig| (restart.notification, restart.forwarding);
    let offered = (
        PeerSetting::GracefulRestart,
        old.map(flags) != new.map(flags),
    );
    // Their absence is the difference that counts if only one side offers it at all.
    let both = old.zip(new).into_iter().flat_map(|(old, new)| {
        differences! { old, new;
            restart_time => RestartTime,
            long_lived => LongLived,
            stale_time => StaleTime,
        }
    });
    std::iter::once(offered).chain(both)
}
