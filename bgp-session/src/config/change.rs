//! The effect of a changed configuration on a running session: `PeerChange`.

use super::{ChangeEffect, PeerConfig, PeerSetting, RestartConfig, RetryPolicy};

/// The differences between two configurations of a peer.
///
/// Its [`effect`](PeerChange::effect) is what happens to a session: nothing, an update in place, or a reset, of which
/// [`PeerChange::with_effect`] returns the reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
            export_filter => ExportFilter,
            next_hop_ipv4 => NextHopIpv4,
            next_hop_ipv6 => NextHopIpv6,
            send_hold_time => SendHoldTime,
            transport.md5_key => Md5Key,
            hold_time => HoldTime,
            keepalive_time => KeepaliveTime,
            delay_open => DelayOpen,
            passive => Passive,
            enforce_first_as => EnforceFirstAs,
            open_check => OpenCheck,
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
            capabilities => Capabilities,
            transport.ao_key => AoKey,
        };
        let mut settings: Vec<_> = differences
            .into_iter()
            .chain(restart_differences(old.restart, new.restart))
            .chain(retry_differences(old.retry, new.retry))
            .filter(|(_, differs)| *differs)
            .map(|(setting, _)| setting)
            .collect();
        settings.sort_unstable();
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

/// Returns the differences between two paces of connection attempts.
fn retry_differences(old: RetryPolicy, new: RetryPolicy) -> [(PeerSetting, bool); 5] {
    let times = |policy: RetryPolicy| {
        [
            (PeerSetting::ConnectInterval, [policy.connect_interval(); 2]),
            (PeerSetting::ConnectTimeout, [policy.connect_timeout(); 2]),
            (
                PeerSetting::Damping,
                [policy.damping(), policy.maximum_damping()],
            ),
            (PeerSetting::StableTime, [policy.stable_time(); 2]),
            (
                PeerSetting::EarlyClose,
                [policy.early_close(), policy.early_close_wait()],
            ),
        ]
    };
    let mut new = times(new).into_iter();
    times(old).map(|old| (old.0, new.next() != Some(old)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bgp_wire::{Asn, CapabilityBuf, CapabilityCode, Family, HoldTime, Role};

    use super::*;
    use crate::config::{AoAlgorithm, AoKey, ExportFilter, ExportPolicy, Md5Key, OpenCheck};

    fn config() -> PeerConfig {
        PeerConfig::new("192.0.2.1".parse().unwrap(), Asn::new(64512))
            .with_graceful_restart(RestartConfig::new())
    }

    /// Returns a configuration with another value of a retry setting, or `None` for other settings.
    fn with_changed_retry(setting: PeerSetting) -> Option<PeerConfig> {
        let (seconds, retry) = (Duration::from_secs(9), RetryPolicy::new());
        let policies = [
            (
                PeerSetting::ConnectInterval,
                retry.with_connect_interval(seconds),
            ),
            (
                PeerSetting::ConnectTimeout,
                retry.with_connect_timeout(seconds),
            ),
            (
                PeerSetting::Damping,
                retry.with_damping(retry.damping(), seconds),
            ),
            (PeerSetting::StableTime, retry.with_stable_time(seconds)),
            (
                PeerSetting::EarlyClose,
                retry.with_early_close(retry.early_close(), seconds),
            ),
        ];
        let mut policies = policies.into_iter();
        let (_, policy) = policies.find(|(known, _)| *known == setting)?;
        Some(config().with_retry(policy))
    }

    /// Returns the configuration of `config` with another value of a setting.
    fn changed(setting: PeerSetting) -> PeerConfig {
        let (config, restart) = (config(), RestartConfig::new());
        let seconds = Duration::from_secs;
        match setting {
            PeerSetting::Description => config.with_description("x"),
            PeerSetting::DeliverUpdates => config.with_deliver_updates(true),
            PeerSetting::Export => config.with_export(ExportPolicy::all()),
            PeerSetting::ExportFilter => config.with_export_filter(ExportFilter::new(|_| None)),
            PeerSetting::NextHopIpv4 => config.with_next_hop_ipv4([192, 0, 2, 9].into()),
            PeerSetting::NextHopIpv6 => config.with_next_hop_ipv6("2001:db8::9".parse().unwrap()),
            PeerSetting::SendHoldTime => config.with_send_hold_time(seconds(9)),
            PeerSetting::Md5Key => config.with_md5_key(Md5Key::new("x").unwrap()),
            PeerSetting::HoldTime => config.with_hold_time(HoldTime::ZERO),
            PeerSetting::KeepaliveTime => config.with_keepalive_time(seconds(9)),
            PeerSetting::DelayOpen => config.with_delay_open(seconds(9)),
            PeerSetting::ConnectInterval
            | PeerSetting::ConnectTimeout
            | PeerSetting::Damping
            | PeerSetting::StableTime
            | PeerSetting::EarlyClose => with_changed_retry(setting).unwrap(),
            PeerSetting::Passive => config.with_passive(true),
            PeerSetting::EnforceFirstAs => config.with_enforce_first_as(false),
            PeerSetting::OpenCheck => config.with_open_check(OpenCheck::new(|_, _| Ok(()))),
            PeerSetting::MaximumPrefixes => config.with_maximum_prefixes(Family::IPV4_UNICAST, 9),
            PeerSetting::Port => config.with_port(9),
            PeerSetting::SourceAddress => config.with_source_address([192, 0, 2, 9].into()),
            PeerSetting::SourcePort => config.with_source_port(9),
            PeerSetting::Device => config.with_device("eth9"),
            PeerSetting::Ttl => config.with_ttl(9),
            PeerSetting::TtlSecurity => config.with_ttl_security(9),
            PeerSetting::UserTimeout => config.with_user_timeout(seconds(9)),
            PeerSetting::Dscp => config.with_dscp(9),
            PeerSetting::Address => config.with_address([192, 0, 2, 9].into()),
            PeerSetting::RemoteAs => config.with_remote_as(Asn::new(9)),
            PeerSetting::LocalAs => config.with_local_as(Asn::new(9)),
            PeerSetting::RouterId => config.with_router_id("192.0.2.9".parse().unwrap()),
            PeerSetting::Families => config.with_families([Family::IPV4_VPN]).unwrap(),
            PeerSetting::ExtendedMessage => config.with_extended_message(true),
            PeerSetting::AddPath => config.with_add_path(true),
            PeerSetting::ExtendedNextHop => config.with_extended_next_hop(true),
            PeerSetting::Role => config.with_role(Role::CUSTOMER),
            PeerSetting::RequireRole => config.with_require_role(true),
            PeerSetting::Capabilities => config
                .with_capability(CapabilityBuf::Unknown(CapabilityCode(239), vec![1]))
                .unwrap(),
            PeerSetting::GracefulRestart => {
                config.with_graceful_restart(restart.with_forwarding(false))
            }
            PeerSetting::RestartTime => {
                config.with_graceful_restart(restart.with_restart_time(seconds(9)))
            }
            PeerSetting::LongLived => {
                config.with_graceful_restart(restart.with_long_lived(seconds(9)))
            }
            PeerSetting::StaleTime => {
                config.with_graceful_restart(restart.with_stale_time(seconds(9)))
            }
            PeerSetting::AoKey => {
                config.with_ao_key(AoKey::new(1, 1, AoAlgorithm::AesCmac, "x").unwrap())
            }
        }
    }

    #[test]
    fn change_of_each_setting_is_reported_with_its_effect() {
        for &setting in PeerSetting::ALL {
            let change = config().change(&changed(setting));
            assert_eq!(change.settings(), [setting]);
            assert_eq!(change.effect(), setting.effect(), "{setting}");
            assert_eq!(
                change.resets(),
                setting >= PeerSetting::Address,
                "{setting}"
            );
            assert_eq!(changed(setting).validate(), Ok(()), "{setting}");
        }
        assert!(config().change(&config()).is_empty());
        assert_eq!(config().change(&config()).effect(), ChangeEffect::Unchanged);
    }

    #[test]
    fn effect_of_several_differences_is_the_greatest() {
        let new = config()
            .with_role(Role::CUSTOMER)
            .with_description("x")
            .with_port(9)
            .with_retry(RetryPolicy::new().with_stable_time(Duration::from_secs(9)));
        let change = config().change(&new);
        assert_eq!(change.effect(), ChangeEffect::SessionReset);
        for (effect, expected) in [
            (ChangeEffect::Applied, &[PeerSetting::Description][..]),
            (
                ChangeEffect::Deferred,
                &[PeerSetting::StableTime, PeerSetting::Port],
            ),
            (ChangeEffect::SessionReset, &[PeerSetting::Role]),
        ] {
            assert!(change.with_effect(effect).eq(expected.iter().copied()));
        }
    }
}
