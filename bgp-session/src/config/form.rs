//! `Serialize` and `Deserialize` of configurations, through forms whose every value is checked by its setter.
//!
//! A setting that is missing has its default. A name that is unknown is an error. Functions have no form: they are left out.
//! Secrets are never written: `"***"` takes their place, and is refused when it is read, so that a copied configuration cannot
//! lose its key unnoticed.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{Asn, CapabilityBuf, Family, FamilySet, HoldTime, Role, RouterId};
use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::{
    AoAlgorithm, AoKey, ConfigError, ExportPolicy, Md5Key, PeerConfig, PrefixRange, RemoteAs,
    RestartConfig, RetryPolicy,
};
use crate::serialize::Seconds;

/// Defines the form of a configuration type: its required fields, and a getter and a setter of each setting.
macro_rules! form {
    (
        $form:ident of $target:ty = $new:expr, $check:expr;
        required { $( $required:ident: $required_type:ty = $get_required:expr; )* }
        $( $field:ident: $type:ty = $get:expr, $set:expr; )+
    ) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $form {
            $( $required: $required_type, )*
            $( #[serde(default, skip_serializing_if = "Option::is_none")] $field: Option<$type>, )+
        }

        impl $form {
            fn of(target: &$target) -> Self {
                Self {
                    $( $required: field::<$target, $required_type>($get_required, target), )*
                    $( $field: field::<$target, Option<$type>>($get, target), )+
                }
            }

            fn build(self) -> Result<$target, String> {
                let new: fn(&Self) -> $target = $new;
                let mut target = new(&self);
                $( if let Some(value) = self.$field {
                    target = apply(target, value, $set, stringify!($field))?;
                } )+
                let check: fn(&$target) -> Result<(), ConfigError> = $check;
                check(&target).map_err(|error| error.to_string())?;
                Ok(target)
            }
        }

        impl Serialize for $target {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $form::of(self).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $target {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $form::deserialize(deserializer)?.build().map_err(D::Error::custom)
            }
        }
    };
}

fn field<T, V>(get: fn(&T) -> V, target: &T) -> V {
    get(target)
}

/// Sets one value and returns an error that names the setting if the setter refuses it.
fn apply<T, V, R: SetterResult<T>>(
    target: T,
    value: V,
    set: fn(T, V) -> R,
    name: &str,
) -> Result<T, String> {
    set(target, value)
        .into_result()
        .map_err(|error| format!("invalid `{name}`: {error}"))
}

/// The result of a setter: the changed configuration, or an error.
trait SetterResult<T> {
    fn into_result(self) -> Result<T, String>;
}

impl SetterResult<Self> for PeerConfig {
    fn into_result(self) -> Result<Self, String> {
        Ok(self)
    }
}

impl SetterResult<Self> for RestartConfig {
    fn into_result(self) -> Result<Self, String> {
        Ok(self)
    }
}

impl SetterResult<Self> for RetryPolicy {
    fn into_result(self) -> Result<Self, String> {
        Ok(self)
    }
}

impl<T, E: Display> SetterResult<T> for Result<T, E> {
    fn into_result(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

form! {
    // A template of dynamic peers may have the address of no host. `add_peer` checks that of a peer.
    PeerForm of PeerConfig = |form| PeerConfig::new(form.address, form.remote_as), PeerConfig::validate_template;
    required {
        address: IpAddr = PeerConfig::address;
        remote_as: RemoteAs = PeerConfig::remote_as;
    }
    description: String = |peer| Some(peer.description().to_owned()).filter(|text| !text.is_empty()),
        PeerConfig::with_description;
    local_as: Asn = PeerConfig::local_as, PeerConfig::with_local_as;
    router_id: RouterId = PeerConfig::router_id, PeerConfig::with_router_id;
    passive: bool = |peer| Some(peer.passive()), PeerConfig::with_passive;
    hold_time: HoldTime = |peer| Some(peer.hold_time()), PeerConfig::with_hold_time;
    keepalive_time: Seconds = |peer| peer.keepalive_time().map(Seconds),
        |peer, Seconds(time)| peer.with_keepalive_time(time);
    retry: RetryPolicy = |peer| Some(peer.retry()), PeerConfig::with_retry;
    delay_open: Seconds = |peer| peer.delay_open().map(Seconds),
        |peer, Seconds(time)| peer.with_delay_open(time);
    send_hold_time: Seconds = |peer| peer.send_hold_time().map(Seconds),
        |peer, Seconds(time)| peer.with_send_hold_time(time);
    families: FamilySet = |peer| Some(peer.families()), |peer, families| peer.with_families(families.iter());
    maximum_prefixes: Vec<LimitForm> = limits, |peer, limits| {
        limits.iter().fold(peer, |peer, limit| peer.with_maximum_prefixes(limit.family, limit.limit))
    };
    next_hop_ipv4: Ipv4Addr = PeerConfig::next_hop_ipv4, PeerConfig::with_next_hop_ipv4;
    next_hop_ipv6: Ipv6Addr = PeerConfig::next_hop_ipv6, PeerConfig::with_next_hop_ipv6;
    extended_message: bool = |peer| Some(peer.extended_message()), PeerConfig::with_extended_message;
    enforce_first_as: bool = |peer| Some(peer.enforce_first_as()), PeerConfig::with_enforce_first_as;
    deliver_updates: bool = |peer| Some(peer.deliver_updates()), PeerConfig::with_deliver_updates;
    add_path: bool = |peer| Some(peer.add_path()), PeerConfig::with_add_path;
    extended_next_hop: bool = |peer| Some(peer.extended_next_hop()), PeerConfig::with_extended_next_hop;
    role: Role = PeerConfig::role, PeerConfig::with_role;
    require_role: bool = |peer| Some(peer.require_role()), PeerConfig::with_require_role;
    graceful_restart: RestartConfig = PeerConfig::graceful_restart, PeerConfig::with_graceful_restart;
    capabilities: Vec<CapabilityBuf> = |peer| Some(peer.capabilities().to_vec()).filter(|all| !all.is_empty()),
        |peer, all| all.into_iter().try_fold(peer, PeerConfig::with_capability);
    export: ExportPolicy = |peer| peer.export().cloned(), PeerConfig::with_export;
    port: u16 = |peer| Some(peer.port()), PeerConfig::with_port;
    source_address: IpAddr = PeerConfig::source_address, PeerConfig::with_source_address;
    source_port: u16 = PeerConfig::source_port, PeerConfig::with_source_port;
    device: String = |peer| peer.device().map(str::to_owned), PeerConfig::with_device;
    ttl: u8 = PeerConfig::ttl, PeerConfig::with_ttl;
    ttl_security: u8 = PeerConfig::ttl_security, PeerConfig::with_ttl_security;
    md5_key: Md5Key = |peer| peer.md5_key().cloned(), PeerConfig::with_md5_key;
    ao_key: AoKey = |peer| peer.ao_key().cloned(), PeerConfig::with_ao_key;
    user_timeout: Seconds = |peer| peer.user_timeout().map(Seconds),
        |peer, Seconds(time)| peer.with_user_timeout(time);
    dscp: u8 = |peer| Some(peer.dscp()), PeerConfig::with_dscp;
}

form! {
    RestartForm of RestartConfig = |_| RestartConfig::new(), RestartConfig::validate;
    required {}
    restart_time: Seconds = |restart| Some(Seconds(restart.restart_time)),
        |restart, Seconds(time)| restart.with_restart_time(time);
    notification: bool = |restart| Some(restart.notification), RestartConfig::with_notification;
    forwarding: bool = |restart| Some(restart.forwarding), RestartConfig::with_forwarding;
    long_lived: Seconds = |restart| restart.long_lived.map(Seconds),
        |restart, Seconds(time)| restart.with_long_lived(time);
    stale_time: Seconds = |restart| Some(Seconds(restart.stale_time)),
        |restart, Seconds(time)| restart.with_stale_time(time);
}

form! {
    RetryForm of RetryPolicy = |_| RetryPolicy::new(), RetryPolicy::validate;
    required {}
    connect_interval: Seconds = |retry| Some(Seconds(retry.connect_interval())),
        |retry, Seconds(time)| retry.with_connect_interval(time);
    connect_timeout: Seconds = |retry| Some(Seconds(retry.connect_timeout())),
        |retry, Seconds(time)| retry.with_connect_timeout(time);
    damping: (Seconds, Seconds) = |retry| Some((Seconds(retry.damping()), Seconds(retry.maximum_damping()))),
        |retry, (Seconds(first), Seconds(maximum))| retry.with_damping(first, maximum);
    stable_time: Seconds = |retry| Some(Seconds(retry.stable_time())),
        |retry, Seconds(time)| retry.with_stable_time(time);
    early_close: (Seconds, Seconds) = |retry| Some((Seconds(retry.early_close()), Seconds(retry.early_close_wait()))),
        |retry, (Seconds(early), Seconds(wait))| retry.with_early_close(early, wait);
}

/// The limit of one family.
#[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitForm {
    family: Family,
    limit: u32,
}

/// Returns the limits of the peer, or `None` if it has none.
fn limits(peer: &PeerConfig) -> Option<Vec<LimitForm>> {
    let form = |(family, limit): &(Family, u32)| LimitForm {
        family: *family,
        limit: *limit,
    };
    let limits: Vec<_> = peer.maximum_prefixes().iter().map(form).collect();
    Some(limits).filter(|limits| !limits.is_empty())
}

/// A range of prefixes. Both lengths are optional.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeForm {
    prefix: IpNet,
    /// The length of the prefix if it is missing.
    #[serde(default)]
    min_length: Option<u8>,
    /// The maximum length of the address family if it is missing.
    #[serde(default)]
    max_length: Option<u8>,
}

impl Serialize for PrefixRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = RangeForm {
            prefix: self.prefix,
            min_length: Some(self.min_length),
            max_length: Some(self.max_length),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PrefixRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = RangeForm::deserialize(deserializer)?;
        let prefix = form.prefix;
        let (shortest, longest) = (prefix.prefix_len(), prefix.max_prefix_len());
        let minimum = form.min_length.unwrap_or(shortest);
        let maximum = form.max_length.unwrap_or(longest);
        if prefix != prefix.trunc() {
            return Err(D::Error::custom(format_args!("{prefix} has host bits set")));
        }
        Self::lengths(prefix, minimum, maximum).map_err(D::Error::custom)
    }
}

/// A number, or the text `external` or `internal`.
impl Serialize for RemoteAs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.asn() {
            Some(asn) => asn.serialize(serializer),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for RemoteAs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(Asn),
            Text(String),
        }
        let form = Form::deserialize(deserializer)
            .map_err(|_| D::Error::custom("expected an AS number, `external` or `internal`"))?;
        match form {
            Form::Number(asn) => Ok(asn.into()),
            Form::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

/// Written in the place of a secret.
const REDACTED: &str = "***";

impl Serialize for Md5Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Md5Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        if key == REDACTED {
            return Err(D::Error::custom(
                "missing key: `***` is written in the place of keys",
            ));
        }
        // The message must not contain the key.
        Self::new(key).ok_or_else(|| D::Error::custom("a key has 1 to 80 octets"))
    }
}

/// The form of a key for TCP-AO.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct AoForm {
    send_id: u8,
    receive_id: u8,
    algorithm: AoAlgorithm,
    secret: Md5Key,
}

impl Serialize for AoKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = AoForm {
            send_id: self.send_id,
            receive_id: self.receive_id,
            algorithm: self.algorithm,
            secret: self.secret.clone(),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AoKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = AoForm::deserialize(deserializer)?;
        Ok(Self {
            send_id: form.send_id,
            receive_id: form.receive_id,
            algorithm: form.algorithm,
            secret: form.secret,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<PeerConfig, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    /// Every setting, with a value that is not its default.
    fn everything() -> Value {
        json!({
            "address": "10.0.0.1", "remote_as": 64513, "description": "the upstream", "local_as": 64999,
            "router_id": "192.0.2.1", "passive": true, "hold_time": 30, "keepalive_time": 5,
            "retry": {"connect_interval": 0.01, "connect_timeout": 10.5, "damping": [2, 60], "stable_time": 30,
                "early_close": [0, 1]},
            "delay_open": 1, "send_hold_time": 300,
            "families": ["ipv4 unicast", "ipv4 flowspec"],
            "maximum_prefixes": [{"family": "ipv4 unicast", "limit": 1000}],
            "next_hop_ipv4": "192.0.2.1", "next_hop_ipv6": "2001:db8::1", "extended_message": true,
            "enforce_first_as": false, "deliver_updates": true, "add_path": true, "extended_next_hop": true,
            "role": 3, "require_role": true,
            "graceful_restart": {"restart_time": 300, "notification": false, "forwarding": false,
                "long_lived": 86400, "stale_time": 600},
            "capabilities": [{"Unknown": [239, [1, 2]]}],
            "export": {"only": [{"prefix": "10.0.0.0/8", "min_length": 24, "max_length": 32}],
                "families": ["ipv4 flowspec"], "communities": ["64512:100"], "large_communities": ["64512:1:2"],
                "multi_exit_disc": 50, "local_pref": 200, "prepend": 2, "next_hop_ipv4": "192.0.2.3",
                "next_hop_ipv6": null},
            "port": 1790, "source_address": "10.0.0.2", "source_port": 1791, "device": "eth0", "ttl": 64,
            "ttl_security": 1, "user_timeout": 60, "dscp": 40,
        })
    }

    #[test]
    fn every_setting_is_read_and_written() {
        let config = read(everything()).unwrap();
        assert_eq!(config.retry().connect_interval(), Duration::from_millis(10));
        assert_eq!(serde_json::to_value(&config).unwrap(), everything());
        let defaults = PeerConfig::new([10, 0, 0, 1].into(), Asn::new(64513));
        let minimal = json!({"address": "10.0.0.1", "remote_as": 64513});
        assert_eq!(read(minimal).unwrap(), defaults);
        let written = serde_json::to_value(&defaults).unwrap();
        assert_eq!(read(written).unwrap(), defaults);
        // A new setting belongs into the form and into `everything`, except for functions.
        let other = PeerConfig::new([10, 0, 0, 2].into(), Asn::new(64514));
        let unchanged: Vec<_> = fields(&other)
            .into_iter()
            .zip(fields(&config))
            .filter_map(|(default, set)| (default == set).then_some(default))
            .collect();
        assert_eq!(unchanged, ["open_check: None,", "export_filter: None,"]);
    }

    /// Returns the fields of a configuration as text.
    fn fields(config: &PeerConfig) -> Vec<String> {
        let mut fields: Vec<String> = Vec::new();
        for line in format!("{config:#?}").lines().skip(1) {
            let inner = line.strip_prefix("    ").unwrap_or_default();
            match fields.last_mut() {
                Some(last) if !inner.starts_with(char::is_alphabetic) => last.push_str(inner),
                _ => fields.push(inner.to_owned()),
            }
        }
        fields
    }

    #[test]
    fn remote_as_is_a_number_or_a_kind() {
        for (value, expected) in [
            (json!(64513), RemoteAs::Is(Asn::new(64513))),
            (json!("external"), RemoteAs::External),
            (json!("internal"), RemoteAs::Internal),
        ] {
            let config = read(json!({"address": "10.0.0.1", "remote_as": value})).unwrap();
            assert_eq!(config.remote_as(), expected);
            assert_eq!(serde_json::to_value(&config).unwrap()["remote_as"], value);
        }
        // A template has the address of its prefix.
        assert!(read(json!({"address": "0.0.0.0", "remote_as": "external"})).is_ok());
    }

    #[test]
    fn secrets_are_read_and_never_written() {
        let with = |key: Value| {
            let mut value = json!({"address": "10.0.0.1", "remote_as": 64513});
            value
                .as_object_mut()
                .unwrap()
                .extend(key.as_object().unwrap().clone());
            value
        };
        let algorithm = "hmac_sha1";
        for key in [
            json!({"md5_key": "hunter2"}),
            json!({"ao_key": {"send_id": 1, "receive_id": 2, "algorithm": algorithm, "secret": "hunter2"}}),
        ] {
            let config = read(with(key)).unwrap();
            assert!(config.md5_key().is_some() || config.ao_key().is_some());
            let text = serde_json::to_string(&config).unwrap();
            assert!(!text.contains("hunter2") && text.contains("***"), "{text}");
            let error = serde_json::from_str::<PeerConfig>(&text).unwrap_err();
            assert!(error.to_string().contains("missing key"), "{error}");
        }
        let long = "x".repeat(81);
        let error = read(with(json!({ "md5_key": long }))).unwrap_err();
        assert_eq!(error, "a key has 1 to 80 octets");
    }

    #[test]
    fn invalid_values_are_refused_with_their_name() {
        for (field, value, expected) in [
            ("ttl", json!(0), "ttl 0 is out of range"),
            ("dscp", json!(64), "dscp 64 is out of range"),
            ("source_address", json!("::1"), "cannot reach 10.0.0.1"),
            ("remote_as", json!(0), "remote_as 0 is reserved"),
            ("remote_as", json!("any"), "AS number"),
            (
                "retry",
                json!({"connect_timeout": 0}),
                "connect_timeout 0ns is out of range",
            ),
            ("delay_open", json!(-1), "out of range"),
            (
                "retry",
                json!({"damping": [60, 1]}),
                "damping 1s is out of range: 60s",
            ),
            ("families", json!([]), "missing family"),
            (
                "graceful_restart",
                json!({"restart_time": 5000}),
                "restart_time 5000s is out of range",
            ),
            ("capabilities", json!(["RouteRefresh"]), "`capabilities`"),
            ("hold_timer", json!(90), "unknown field `hold_timer`"),
            (
                "export",
                json!({"only": [{"prefix": "10.0.0.1/8"}]}),
                "host bits",
            ),
            (
                "export",
                json!({"only": [{"prefix": "10.0.0.0/8", "max_length": 33}]}),
                "no prefix",
            ),
        ] {
            let mut config = json!({"address": "10.0.0.1", "remote_as": 64513});
            config[field] = value;
            let error = read(config).unwrap_err();
            assert!(error.contains(expected), "{field}: {error}");
        }
    }
}
