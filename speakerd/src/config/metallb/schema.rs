//! The keys of MetalLB's ConfigMap. Which values they take is not said here: every value is kept as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

/// A value as it is written, and where; a null, or no key, is `None`.
pub(super) type Scalar = Option<Spanned<String>>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) peers: Option<Spanned<Vec<Spanned<Peer>>>>,
    pub(super) bgp_communities: Option<BTreeMap<String, Spanned<String>>>,
    pub(super) address_pools: Option<Vec<Spanned<AddressPool>>>,
    pub(super) bfd_profiles: Option<Spanned<Vec<Spanned<BfdProfile>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Peer {
    pub(super) my_asn: Scalar,
    pub(super) peer_asn: Scalar,
    pub(super) peer_address: Scalar,
    pub(super) peer_port: Scalar,
    pub(super) source_address: Scalar,
    pub(super) hold_time: Scalar,
    pub(super) keepalive_time: Scalar,
    pub(super) router_id: Scalar,
    pub(super) node_selectors: Option<Spanned<Vec<IgnoredAny>>>,
    pub(super) password: Scalar,
    // MetalLB's documentation spells it so.
    #[serde(alias = "bfdProfile")]
    pub(super) bfd_profile: Scalar,
    pub(super) ebgp_multihop: Scalar,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AddressPool {
    pub(super) name: Scalar,
    pub(super) protocol: Scalar,
    pub(super) addresses: Option<Vec<Spanned<String>>>,
    pub(super) avoid_buggy_ips: Scalar,
    pub(super) auto_assign: Scalar,
    pub(super) bgp_advertisements: Option<Spanned<Vec<Spanned<BgpAdvertisement>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BgpAdvertisement {
    pub(super) aggregation_length: Scalar,
    pub(super) aggregation_length_v6: Scalar,
    pub(super) localpref: Scalar,
    pub(super) communities: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BfdProfile {
    pub(super) name: Scalar,
    pub(super) receive_interval: Scalar,
    pub(super) transmit_interval: Scalar,
    pub(super) echo_interval: Scalar,
    pub(super) detect_multiplier: Scalar,
    pub(super) minimum_ttl: Scalar,
    pub(super) echo_mode: Scalar,
    pub(super) passive_mode: Scalar,
}
