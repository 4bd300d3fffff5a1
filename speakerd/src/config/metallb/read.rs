//! MetalLB's values, by the rules of its v0.12; what MetalLB would silently read as something else is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bgp_wire::HoldTime;
use serde_saphyr::Spanned;

use super::Document;
use super::scalar::{boolean, number};
use super::schema::{AddressPool, BfdProfile, BgpAdvertisement, File, Peer as PeerEntry, Scalar};
use crate::config::check::{self, AdvertisementDraft, PoolDraft};
use crate::config::diagnostic::{Located, Problem, Report};
use crate::config::value;
use crate::config::{Config, Peer, Protocol, RouteDefaults};
use crate::value::AnyCommunity;

/// The configuration that the document is. Without one, the report says why.
pub(super) fn config(document: &Document, report: &mut Report<'_>) -> Option<Config> {
    let file = document.read::<File>(report)?;
    let mut reader = Reader {
        document,
        report,
        aliases: BTreeMap::new(),
        profiles: BTreeSet::new(),
    };
    reader.file(file)
}

struct Reader<'r, 'a> {
    document: &'r Document,
    report: &'r mut Report<'a>,
    /// The communities that have a name in the file.
    aliases: BTreeMap<String, AnyCommunity>,
    /// The names of the BFD profiles.
    profiles: BTreeSet<String>,
}

impl Reader<'_, '_> {
    fn file(&mut self, file: File) -> Option<Config> {
        for (alias, community) in file.bgp_communities.unwrap_or_default() {
            let community = self.check(&community, value::community);
            self.aliases
                .extend(community.map(|community| (alias, community)));
        }
        if let Some(profiles) = file
            .bfd_profiles
            .filter(|profiles| !profiles.value.is_empty())
        {
            for profile in &profiles.value {
                self.bfd_profile(profile);
            }
            let problem = Problem::new("the BFD profiles have no effect");
            let span = self.span(&profiles);
            self.report.warn(
                &span,
                problem.help("a session ends when its hold time passes; choose a short one"),
            );
        }
        let place = file
            .peers
            .as_ref()
            .map_or_else(|| self.document.span(0..0), |peers| self.span(peers));
        let entries = file.peers.map_or_else(Vec::new, |peers| peers.value);
        if entries.is_empty() {
            let problem = Problem::new("there is no peer: nothing would be announced to anyone");
            let help = "add to `peers` an entry with `peer-address`, `peer-asn` and `my-asn`";
            self.report.error(&place, problem.help(help));
        }
        let peers = entries
            .iter()
            .filter_map(|entry| self.peer(entry))
            .collect();
        let pools = file
            .address_pools
            .unwrap_or_default()
            .iter()
            .filter_map(|pool| self.pool(pool))
            .collect();
        let peers = check::peers(self.report, peers);
        let pools = check::pools(self.report, pools);
        Some(Config {
            local_as: peers.first()?.local_as,
            router_id: None,
            listen: Vec::new(),
            control_socket: None,
            state_directory: None,
            peers,
            pools,
            defaults: RouteDefaults::METALLB,
        })
    }

    fn peer(&mut self, entry: &Spanned<PeerEntry>) -> Option<Located<Peer>> {
        let place = self.span(entry);
        let entry = &entry.value;
        let address = self.required(&place, "peer-address", "192.168.0.254", &entry.peer_address);
        let asn = |text: &str| value::asn(number(text)?);
        let remote = self.required(&place, "peer-asn", "64512", &entry.peer_asn);
        let remote = remote.and_then(|scalar| self.plain(scalar, asn));
        let local = self.required(&place, "my-asn", "64512", &entry.my_asn);
        let local = local.and_then(|scalar| self.plain(scalar, asn));
        let hold_time = self.text(&entry.hold_time, |text| {
            value::hold_time(value::go_duration(text)?)
        });
        let hold_time = hold_time.unwrap_or(HoldTime::DEFAULT);
        let keepalive = |text: &str| value::keepalive_time(value::go_duration(text)?, hold_time);
        let keepalive_time = self.text(&entry.keepalive_time, keepalive).flatten();
        let source_address = self.text(&entry.source_address, value::address);
        let router_id = self.text(&entry.router_id, value::router_id);
        let password = self.text(&entry.password, value::password).flatten();
        let port = entry
            .peer_port
            .as_ref()
            .and_then(|scalar| self.plain(scalar, port));
        let multihop = self.boolean(&entry.ebgp_multihop).unwrap_or(false);
        if let Some(scalar) = &entry.ebgp_multihop
            && multihop
            && remote.is_some()
            && remote == local
        {
            let problem = Problem::new("`ebgp-multihop` is on, and the router is in the same AS");
            let span = self.span(scalar);
            self.report.error(
                &span,
                problem.help("leave it out: it is for routers of other ASes"),
            );
        }
        self.without_effect(entry);
        let span = self.span(address?);
        let address = self.check(address?, value::address)?;
        let peer = Peer::new(address, remote?, local?);
        let value = Peer {
            port: port.flatten().unwrap_or(peer.port),
            source_address,
            router_id,
            hold_time,
            keepalive_time,
            password,
            ..peer
        };
        Some(Located { value, span })
    }

    /// Keys that are read and not acted on.
    fn without_effect(&mut self, entry: &PeerEntry) {
        if let Some(selectors) = &entry.node_selectors
            && !selectors.value.is_empty()
        {
            let problem = Problem::new(
                "`node-selectors` has no effect: this host always peers with the router",
            );
            let span = self.span(selectors);
            self.report.warn(
                &span,
                problem.help("give each host a file with its own peers"),
            );
        }
        if let Some(profile) = entry
            .bfd_profile
            .as_ref()
            .filter(|profile| !profile.value.is_empty())
        {
            let span = self.span(profile);
            if self.profiles.contains(&profile.value) {
                let problem = Problem::new("`bfd-profile` has no effect");
                self.report.warn(
                    &span,
                    problem.help("the hold time alone supervises the session"),
                );
            } else {
                let problem = Problem::new(format!("there is no BFD profile `{}`", profile.value));
                self.report.error(
                    &span,
                    problem.help("define it in `bfd-profiles`, or leave `bfd-profile` out"),
                );
            }
        }
    }

    fn pool(&mut self, entry: &Spanned<AddressPool>) -> Option<PoolDraft> {
        let place = self.span(entry);
        let entry = &entry.value;
        let name = self.required(&place, "name", "default", &entry.name);
        let protocol = self.required(&place, "protocol", "bgp", &entry.protocol);
        let protocol = protocol.and_then(|scalar| self.check(scalar, protocol_of));
        let addresses = entry.addresses.as_deref().unwrap_or_default();
        if addresses.is_empty() {
            let problem = Problem::new("the pool has no `addresses`");
            self.report.error(
                &place,
                problem.help("add some, such as addresses: [192.168.10.0/24]"),
            );
        }
        let entries = addresses
            .iter()
            .filter_map(|entry| {
                let value = self.check(entry, value::ranges)?;
                let span = self.span(entry);
                Some(Located { value, span })
            })
            .collect();
        let advertisements = entry.bgp_advertisements.as_ref();
        if protocol == Some(Protocol::Layer2)
            && let Some(list) = advertisements.filter(|list| !list.value.is_empty())
        {
            let span = self.span(list);
            let problem = Problem::new("a layer2 pool has no BGP advertisements");
            self.report.error(
                &span,
                problem.help("remove `bgp-advertisements`, or write protocol: bgp"),
            );
        }
        let list = advertisements
            .map(|list| list.value.as_slice())
            .unwrap_or_default();
        let advertisements = list
            .iter()
            .filter_map(|entry| self.advertisement(entry))
            .collect();
        let avoid_buggy_addresses = self.boolean(&entry.avoid_buggy_ips).unwrap_or(false);
        let auto_assign = self.boolean(&entry.auto_assign).unwrap_or(true);
        let name = Located {
            span: self.span(name?),
            value: name?.value.clone(),
        };
        if protocol == Some(Protocol::Layer2) {
            let problem = Problem::new(format!("pool `{}` is not announced by BGP", name.value));
            self.report.warn(
                &name.span,
                problem.help("to announce its addresses, write protocol: bgp"),
            );
        }
        Some(PoolDraft {
            name,
            entries,
            avoid_buggy_addresses,
            auto_assign,
            protocol: protocol?,
            advertisements,
        })
    }

    /// `None` if a part of it is wrong: then it is not to be compared with others.
    fn advertisement(&mut self, entry: &Spanned<BgpAdvertisement>) -> Option<AdvertisementDraft> {
        let errors = self.report.errors();
        let span = self.span(entry);
        let entry = &entry.value;
        let mut length = |scalar: &Scalar, most| {
            let scalar = scalar.as_ref()?;
            let value = self.plain(scalar, |text| value::prefix_length(number(text)?, most))?;
            let span = self.span(scalar);
            Some(Located { value, span })
        };
        let aggregation_length = length(&entry.aggregation_length, 32);
        let aggregation_length_v6 = length(&entry.aggregation_length_v6, 128);
        let local_pref = |text: &str| value::local_pref(number(text)?);
        let draft = AdvertisementDraft {
            span,
            aggregation_length,
            aggregation_length_v6,
            local_pref: entry
                .localpref
                .as_ref()
                .and_then(|scalar| self.plain(scalar, local_pref)),
            communities: self.communities(entry.communities.as_deref().unwrap_or_default()),
        };
        (self.report.errors() == errors).then_some(draft)
    }

    fn communities(&mut self, list: &[Spanned<String>]) -> Vec<AnyCommunity> {
        let mut seen = BTreeSet::new();
        let mut communities = Vec::with_capacity(list.len());
        for scalar in list {
            if !seen.insert(&scalar.value) {
                let problem =
                    Problem::new(format!("the community `{}` is there twice", scalar.value));
                let span = self.span(scalar);
                self.report.error(&span, problem.help("keep one of them"));
                continue;
            }
            communities.extend(match self.aliases.get(&scalar.value) {
                Some(community) => Some(*community),
                None => self.check(scalar, |text| {
                    value::community(text).map_err(|problem| match problem.help {
                        Some(help) if !text.contains(':') => Problem::new(problem.message)
                            .help(format!("define it in `bgp-communities`; {help}")),
                        help => Problem { help, ..problem },
                    })
                }),
            });
        }
        communities
    }

    fn bfd_profile(&mut self, entry: &Spanned<BfdProfile>) {
        let place = self.span(entry);
        let entry = &entry.value;
        if let Some(name) = self.required(&place, "name", "fast", &entry.name)
            && !self.profiles.insert(name.value.clone())
        {
            let problem = Problem::new(format!("the BFD profile `{}` is there twice", name.value));
            let span = self.span(name);
            self.report
                .error(&span, problem.help("give each profile its own name"));
        }
        for (scalar, least, most) in [
            (&entry.receive_interval, 10, 60_000),
            (&entry.transmit_interval, 10, 60_000),
            (&entry.echo_interval, 10, 60_000),
            (&entry.detect_multiplier, 2, 255),
            (&entry.minimum_ttl, 1, 254),
        ] {
            let within = |text: &str| match number(text)? {
                number if (least..=most).contains(&number) => Ok(()),
                number => Err(Problem::new(format!("`{number}` is out of range"))
                    .help(format!("write {least} to {most}"))),
            };
            scalar
                .as_ref()
                .and_then(|scalar| self.plain(scalar, within));
        }
        for scalar in [&entry.echo_mode, &entry.passive_mode] {
            self.boolean(scalar);
        }
    }

    /// The value of a key that must be there; an empty one is none.
    fn required<'s>(
        &mut self,
        place: &Range<usize>,
        key: &str,
        example: &str,
        scalar: &'s Scalar,
    ) -> Option<&'s Spanned<String>> {
        let scalar = scalar.as_ref().filter(|scalar| !scalar.value.is_empty());
        if scalar.is_none() {
            let problem = Problem::new(format!("`{key}` is missing"));
            self.report.error(
                place,
                problem.help(format!("add it, such as {key}: {example}")),
            );
        }
        scalar
    }

    /// The value of a key that takes text; an empty one is none.
    fn text<T>(
        &mut self,
        scalar: &Scalar,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let scalar = scalar.as_ref().filter(|scalar| !scalar.value.is_empty())?;
        self.check(scalar, parse)
    }

    fn boolean(&mut self, scalar: &Scalar) -> Option<bool> {
        self.plain(scalar.as_ref()?, boolean)
    }

    /// The value of a key that takes a number or a boolean, neither of which YAML knows in quotes.
    fn plain<T>(
        &mut self,
        scalar: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let written = self.document.offsets(scalar.defined).start;
        let written = self.document.text.get(written..).unwrap_or_default();
        let quoted = written.starts_with(['"', '\'']);
        self.check(scalar, |text| match parse(text) {
            Ok(_) if quoted => Err(Problem::new(format!(
                "\"{text}\" is in quotes, which makes it text"
            ))
            .help(format!("write {text}"))),
            result => result,
        })
    }

    fn check<T>(
        &mut self,
        scalar: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let span = self.span(scalar);
        self.report.take(&span, parse(&scalar.value))
    }

    fn span<T>(&self, value: &Spanned<T>) -> Range<usize> {
        self.document.span(self.document.offsets(value.defined))
    }
}

/// A port; 0 is the default one.
fn port(text: &str) -> Result<Option<u16>, Problem> {
    match number(text)? {
        0 => Ok(None),
        number => value::port(number).map(Some),
    }
}

fn protocol_of(text: &str) -> Result<Protocol, Problem> {
    match text {
        "bgp" => Ok(Protocol::Bgp),
        "layer2" => Ok(Protocol::Layer2),
        _ => Err(Problem::new(format!("`{text}` is not a protocol")).help("write bgp or layer2")),
    }
}
