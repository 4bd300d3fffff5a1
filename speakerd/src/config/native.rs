//! `speakerd.toml`, the native format.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bgp_wire::{Asn, HoldTime, Origin};
use serde::Deserialize;
use toml::Spanned;

use super::check::{self, AdvertisementDraft, PoolDraft};
use super::diagnostic::{Located, Problem, Report, unknown_key};
use super::{Config, ConfigError, Loaded, Password, Peer, Protocol, RouteDefaults, value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    local_as: Option<Spanned<i64>>,
    router_id: Option<Spanned<String>>,
    #[serde(default)]
    listen: Vec<Spanned<String>>,
    control_socket: Option<PathBuf>,
    state_directory: Option<PathBuf>,
    #[serde(default)]
    peer: Vec<Spanned<PeerTable>>,
    #[serde(default)]
    pool: Vec<Spanned<PoolTable>>,
    #[serde(default)]
    routes: RoutesTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PeerTable {
    address: Option<Spanned<String>>,
    port: Option<Spanned<i64>>,
    remote_as: Option<Spanned<i64>>,
    local_as: Option<Spanned<i64>>,
    source_address: Option<Spanned<String>>,
    router_id: Option<Spanned<String>>,
    hold_time: Option<Spanned<i64>>,
    keepalive_time: Option<Spanned<i64>>,
    password: Option<Spanned<String>>,
    password_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    passive: bool,
    next_hop_ipv4: Option<Spanned<String>>,
    next_hop_ipv6: Option<Spanned<String>>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PoolTable {
    name: Option<Spanned<String>>,
    addresses: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    avoid_buggy_addresses: bool,
    auto_assign: Option<bool>,
    #[serde(default)]
    advertisement: Vec<Spanned<AdvertisementTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AdvertisementTable {
    aggregation_length: Option<Spanned<i64>>,
    aggregation_length_v6: Option<Spanned<i64>>,
    local_pref: Option<Spanned<i64>>,
    #[serde(default)]
    communities: Vec<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RoutesTable {
    origin: Option<Spanned<String>>,
    local_pref: Option<Spanned<i64>>,
}

pub(super) fn parse(name: &str, text: &str) -> Result<Loaded, ConfigError> {
    let mut reader = Reader {
        report: Report::new(name, text),
    };
    let config = match toml::from_str(text) {
        Ok(file) => reader.file(file),
        Err(error) => {
            reader.refuse(&error);
            None
        }
    };
    let file = reader.report.file().to_owned();
    let warnings = reader.report.finish()?;
    // Without a reported error there is a configuration; were that ever untrue, the file is refused all the same.
    let config =
        config.ok_or_else(|| ConfigError::whole(file, Problem::new("no configuration")))?;
    Ok(Loaded { config, warnings })
}

struct Reader<'a> {
    report: Report<'a>,
}

impl Reader<'_> {
    /// Reports what the TOML parser, or serde, has against the file.
    fn refuse(&mut self, error: &toml::de::Error) {
        let message = error.message();
        let mut quoted = message.split('`').skip(1).step_by(2);
        let problem = match quoted.next() {
            Some(key) if message.starts_with("unknown field") => unknown_key(key, quoted),
            _ if message == "duplicate key" => {
                Problem::new("this key is there twice").help("keep one of them")
            }
            _ if message == "invalid type: map, expected a sequence" => {
                Problem::new("this is a list of tables").help("write the name in [[ and ]]")
            }
            _ => Problem::new(in_words(message)),
        };
        self.report
            .error(&error.span().unwrap_or_default(), problem);
    }

    fn file(&mut self, file: File) -> Option<Config> {
        if file.peer.is_empty() {
            let problem = Problem::new("there is no peer: nothing is announced to anyone");
            self.report
                .warn(&(0..0), problem.help("add a [[peer]] with its `address`"));
        }
        let local_as = match &file.local_as {
            Some(number) => self.check(number, |number| value::asn(*number)),
            None => {
                let problem = Problem::new("`local-as` is missing");
                self.report.error(
                    &(0..0),
                    problem.help("add the AS of this speaker, such as local-as = 64512"),
                );
                None
            }
        };
        let peers = file
            .peer
            .into_iter()
            .filter_map(|peer| self.peer(peer, local_as))
            .collect();
        let pools = file
            .pool
            .into_iter()
            .filter_map(|pool| self.pool(pool))
            .collect();
        let listen = file
            .listen
            .iter()
            .filter_map(|text| self.check(text, |text| socket_address(text)));
        Some(Config {
            listen: listen.collect(),
            router_id: self.text(file.router_id.as_ref(), value::router_id),
            control_socket: file.control_socket,
            state_directory: file.state_directory,
            peers: check::peers(&mut self.report, peers),
            pools: check::pools(&mut self.report, pools),
            defaults: self.routes(&file.routes),
            local_as: local_as?,
        })
    }

    fn peer(&mut self, table: Spanned<PeerTable>, local_as: Option<Asn>) -> Option<Located<Peer>> {
        let span = table.span();
        let table = table.into_inner();
        let Some(address) = &table.address else {
            let problem = Problem::new("the peer has no `address`");
            self.report.error(
                &span,
                problem.help("add the router's, such as address = \"192.168.0.254\""),
            );
            return None;
        };
        let local_as = self
            .number(table.local_as.as_ref(), value::asn)
            .or(local_as);
        let remote_as = self
            .number(table.remote_as.as_ref(), value::asn)
            .or(local_as);
        let hold_time = self
            .number(table.hold_time.as_ref(), value::hold_time)
            .unwrap_or(HoldTime::DEFAULT);
        let keepalive = |seconds| value::keepalive_time(seconds, hold_time);
        let password = self.password(&table);
        let port = self.number(table.port.as_ref(), value::port);
        let source_address = self.text(table.source_address.as_ref(), value::address);
        let router_id = self.text(table.router_id.as_ref(), value::router_id);
        let keepalive_time = self
            .number(table.keepalive_time.as_ref(), keepalive)
            .flatten();
        let next_hop_ipv4 = self.text(table.next_hop_ipv4.as_ref(), value::address_v4);
        let next_hop_ipv6 = self.text(table.next_hop_ipv6.as_ref(), value::address_v6);
        let span = address.span();
        let address = self.text(Some(address), value::address)?;
        let peer = Peer::new(address, remote_as?, local_as?);
        let value = Peer {
            port: port.unwrap_or(peer.port),
            source_address,
            router_id,
            hold_time,
            keepalive_time,
            password,
            passive: table.passive,
            next_hop_ipv4,
            next_hop_ipv6,
            description: table.description,
            ..peer
        };
        Some(Located { value, span })
    }

    fn password(&mut self, table: &PeerTable) -> Option<Password> {
        let (text, span) = match (&table.password, &table.password_file) {
            (None, None) => return None,
            (Some(password), None) => (password.get_ref().clone(), password.span()),
            (None, Some(path)) => {
                let text = password_file(self.report.file(), path.get_ref());
                (self.report.take(&path.span(), text)?, path.span())
            }
            (Some(_), Some(path)) => {
                let problem = Problem::new("the peer has both `password` and `password-file`");
                self.report
                    .error(&path.span(), problem.help("leave one of them out"));
                return None;
            }
        };
        self.report.take(&span, value::password(&text)).flatten()
    }

    fn pool(&mut self, table: Spanned<PoolTable>) -> Option<PoolDraft> {
        let span = table.span();
        let table = table.into_inner();
        let name = match table.name {
            Some(name) if !name.get_ref().is_empty() => Some(name),
            Some(_) | None => {
                let problem = Problem::new("the pool has no `name`");
                self.report
                    .error(&span, problem.help("add one, such as name = \"default\""));
                None
            }
        };
        let addresses = match table.addresses {
            Some(addresses) if !addresses.get_ref().is_empty() => addresses.into_inner(),
            Some(_) | None => {
                let problem = Problem::new("the pool has no `addresses`");
                self.report.error(
                    &span,
                    problem.help("add some, such as addresses = [\"192.168.10.0/24\"]"),
                );
                Vec::new()
            }
        };
        let entries = addresses
            .iter()
            .filter_map(|entry| {
                let value = self.check(entry, |text| value::ranges(text))?;
                Some(Located {
                    value,
                    span: entry.span(),
                })
            })
            .collect();
        let advertisements = table
            .advertisement
            .iter()
            .filter_map(|advertisement| self.advertisement(advertisement))
            .collect();
        name.map(|name| PoolDraft {
            name: Located {
                span: name.span(),
                value: name.into_inner(),
            },
            entries,
            avoid_buggy_addresses: table.avoid_buggy_addresses,
            auto_assign: table.auto_assign.unwrap_or(true),
            protocol: Protocol::Bgp,
            advertisements,
        })
    }

    /// `None` if a part of it is wrong: then it is not to be compared with others.
    fn advertisement(&mut self, table: &Spanned<AdvertisementTable>) -> Option<AdvertisementDraft> {
        let errors = self.report.errors();
        let span = table.span();
        let table = table.get_ref();
        let mut length = |number: &Option<Spanned<i64>>, most| {
            let number = number.as_ref()?;
            let value = self.check(number, |number| value::prefix_length(*number, most))?;
            Some(Located {
                value,
                span: number.span(),
            })
        };
        let draft = AdvertisementDraft {
            span,
            aggregation_length: length(&table.aggregation_length, 32),
            aggregation_length_v6: length(&table.aggregation_length_v6, 128),
            local_pref: self.number(table.local_pref.as_ref(), value::local_pref),
            communities: table
                .communities
                .iter()
                .filter_map(|text| self.check(text, |text| value::community(text)))
                .collect(),
        };
        (self.report.errors() == errors).then_some(draft)
    }

    fn routes(&mut self, table: &RoutesTable) -> RouteDefaults {
        let defaults = RouteDefaults::NATIVE;
        let origin = self.text(table.origin.as_ref(), origin);
        let local_pref = self.number(table.local_pref.as_ref(), value::local_pref);
        RouteDefaults {
            origin: origin.unwrap_or(defaults.origin),
            local_pref: local_pref.or(defaults.local_pref),
        }
    }

    fn text<T>(
        &mut self,
        text: Option<&Spanned<String>>,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        self.check(text?, |text| parse(text))
    }

    fn number<T>(
        &mut self,
        number: Option<&Spanned<i64>>,
        parse: impl FnOnce(i64) -> Result<T, Problem>,
    ) -> Option<T> {
        self.check(number?, |number| parse(*number))
    }

    fn check<T, U>(
        &mut self,
        value: &Spanned<T>,
        parse: impl FnOnce(&T) -> Result<U, Problem>,
    ) -> Option<U> {
        let span: Range<usize> = value.span();
        self.report.take(&span, parse(value.get_ref()))
    }
}

/// serde's words for types, as words of the file's format. The value is left out: it may be a password.
fn in_words(message: &str) -> String {
    let Some((_, expected)) = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.rsplit_once(", expected "))
    else {
        return message.to_owned();
    };
    let expected = match expected {
        "i64" => "a whole number",
        "a string" | "path string" => "text in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        _ => "a table",
    };
    format!("wrong kind of value: expected {expected}")
}

fn socket_address(text: &str) -> Result<SocketAddr, Problem> {
    text.parse().map_err(|_| {
        Problem::new(format!("`{text}` is not an address with a port"))
            .help("write \"0.0.0.0:179\", or \"[::]:179\" for IPv6")
    })
}

fn origin(text: &str) -> Result<Origin, Problem> {
    match text {
        "igp" => Ok(Origin::IGP),
        "egp" => Ok(Origin::EGP),
        "incomplete" => Ok(Origin::INCOMPLETE),
        _ => Err(Problem::new(format!("`{text}` is not an origin"))
            .help("write \"igp\", \"egp\" or \"incomplete\"")),
    }
}

/// The first line of the file, whose path is relative to the directory of the configuration.
fn password_file(config: &str, path: &Path) -> Result<String, Problem> {
    let directory = Path::new(config).parent().unwrap_or_else(|| Path::new(""));
    let path = directory.join(path);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Problem::new(format!("cannot read `{}`: {error}", path.display())))?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        _ => Err(
            Problem::new(format!("`{}` holds no password", path.display()))
                .help("its first line is the password"),
        ),
    }
}
