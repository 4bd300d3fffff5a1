//! The command line as a configuration: `--peer ADDRESS[:PORT][@AS]` and `--pool RANGE`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use bgp_wire::Asn;
use ipnet::IpNet;

use super::check::{self, PoolDraft};
use super::diagnostic::{Located, Problem, Report};
use super::{BGP_PORT, Config, ConfigError, Peer, Protocol, RouteDefaults, value};

/// The value of `--peer`: `192.168.0.254`, `192.168.0.254:1790`, `[2001:db8::1]:1790`, each with `@65001` behind it if
/// the router is in another AS.
///
/// ```
/// use speakerd::config::PeerArgument;
/// let peer: PeerArgument = "[2001:db8::1]:1790@65001".parse()?;
/// assert_eq!(peer.port, 1790);
/// assert_eq!(peer.to_string(), "[2001:db8::1]:1790@65001");
/// # Ok::<(), speakerd::config::ParseArgumentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerArgument {
    /// The router's address.
    pub address: IpAddr,
    /// The router's port, 179 if it was not given.
    pub port: u16,
    /// The router's AS; `None`: the local one.
    pub remote_as: Option<Asn>,
}

impl fmt::Display for PeerArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            BGP_PORT => write!(f, "{}", self.address)?,
            port => write!(f, "{}", SocketAddr::new(self.address, port))?,
        }
        match self.remote_as {
            Some(remote_as) => write!(f, "@{remote_as}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PeerArgument {
    type Err = ParseArgumentError;

    fn from_str(text: &str) -> Result<Self, ParseArgumentError> {
        let (endpoint, remote_as) = match text.split_once('@') {
            Some((endpoint, remote_as)) => (endpoint, Some(autonomous_system(remote_as)?)),
            None => (text, None),
        };
        let bare = endpoint
            .strip_prefix('[')
            .and_then(|endpoint| endpoint.strip_suffix(']'))
            .unwrap_or(endpoint);
        let (address, port) = match endpoint.parse::<SocketAddr>() {
            Ok(socket) => (socket.ip().to_string(), socket.port()),
            // What is left before a colon is the address, as far as the error goes; IPv6 has more than one.
            Err(_) => match bare.split_once(':') {
                Some((address, port)) if !port.contains(':') => {
                    return Err(not_an_endpoint(endpoint, address, port));
                }
                _ => (bare.to_owned(), BGP_PORT),
            },
        };
        value::port(port.into())?;
        Ok(Self {
            address: value::address(&address)?,
            port,
            remote_as,
        })
    }
}

fn not_an_endpoint(endpoint: &str, address: &str, port: &str) -> ParseArgumentError {
    let problem = match value::address(address) {
        Err(problem) => problem,
        Ok(_) if port.parse::<u16>().is_err() => {
            Problem::new(format!("`{port}` is not a port")).help("a port is 1 to 65535")
        }
        Ok(_) => Problem::new(format!("`{endpoint}` is not an address with a port"))
            .help("write ADDRESS:PORT, or [ADDRESS]:PORT for IPv6"),
    };
    problem.into()
}

fn autonomous_system(text: &str) -> Result<Asn, Problem> {
    match text.parse() {
        Ok(number) if number != Asn::new(0) => Ok(number),
        _ => Err(Problem::new(format!("`{text}` is not an AS number"))
            .help("write the router's AS behind the @, such as 192.168.0.254@65001")),
    }
}

/// The value of `--pool`: `192.168.10.0/24` or `192.168.10.1-192.168.10.9`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolArgument {
    text: String,
    ranges: Vec<IpNet>,
}

impl PoolArgument {
    /// The addresses, as the fewest networks, ascending.
    #[must_use]
    pub fn ranges(&self) -> &[IpNet] {
        &self.ranges
    }
}

impl fmt::Display for PoolArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PoolArgument {
    type Err = ParseArgumentError;

    fn from_str(text: &str) -> Result<Self, ParseArgumentError> {
        Ok(Self {
            text: text.to_owned(),
            ranges: value::ranges(text)?,
        })
    }
}

/// The value of an option is not what the option takes; the text says what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseArgumentError(Problem);

impl From<Problem> for ParseArgumentError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl fmt::Display for ParseArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for ParseArgumentError {}

/// The configuration of these options. An error shows them on one line, as they were typed.
pub(super) fn config(
    local_as: Asn,
    peers: &[PeerArgument],
    pools: &[PoolArgument],
) -> Result<Config, ConfigError> {
    let mut line = "speakerd".to_owned();
    let mut option = |name: &str, value: &dyn fmt::Display| {
        line.push_str(name);
        let start = line.len();
        line.push_str(&value.to_string());
        start..line.len()
    };
    option(" --local-as ", &local_as);
    let peers = peers
        .iter()
        .map(|argument| Located {
            span: option(" --peer ", argument),
            value: Peer {
                port: argument.port,
                ..Peer::new(
                    argument.address,
                    argument.remote_as.unwrap_or(local_as),
                    local_as,
                )
            },
        })
        .collect();
    let pools = pools
        .iter()
        .zip(1..)
        .map(|(argument, number)| {
            let span = option(" --pool ", argument);
            let name = match number {
                1 => "default".to_owned(),
                number => format!("pool-{number}"),
            };
            pool(name, argument, span)
        })
        .collect();
    let mut report = Report::new("command line", &line);
    let config = Config {
        local_as,
        router_id: None,
        listen: Vec::new(),
        control_socket: None,
        state_directory: None,
        peers: check::peers(&mut report, peers),
        pools: check::pools(&mut report, pools),
        defaults: RouteDefaults::NATIVE,
    };
    report.finish().map(|_| config)
}

fn pool(name: String, argument: &PoolArgument, span: std::ops::Range<usize>) -> PoolDraft {
    PoolDraft {
        name: Located {
            value: name,
            span: span.clone(),
        },
        entries: vec![Located {
            value: argument.ranges.clone(),
            span,
        }],
        avoid_buggy_addresses: true,
        auto_assign: true,
        protocol: Protocol::Bgp,
        advertisements: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_in_text() {
        for text in [
            "192.168.0.254",
            "192.168.0.254:1790",
            "192.168.0.254@65001",
            "192.168.0.254:1790@65001",
            "2001:db8::1",
            "2001:db8::1@4200000000",
            "[2001:db8::1]:1790",
        ] {
            assert_eq!(text.parse::<PeerArgument>().unwrap().to_string(), text);
        }
        assert_eq!(
            "[2001:db8::1]@1.10"
                .parse::<PeerArgument>()
                .unwrap()
                .to_string(),
            "2001:db8::1@65546"
        );
    }

    #[test]
    fn what_is_not_a_peer() {
        for (text, error) in [
            (
                "router",
                "`router` is not an IP address: write an address such as 192.168.0.254 or 2001:db8::1; host names are not looked up",
            ),
            (
                "router:179",
                "`router` is not an IP address: write an address such as 192.168.0.254 or 2001:db8::1; host names are not looked up",
            ),
            (
                "192.168.0.254:bgp",
                "`bgp` is not a port: a port is 1 to 65535",
            ),
            (
                "192.168.0.254:70000",
                "`70000` is not a port: a port is 1 to 65535",
            ),
            ("192.168.0.254:0", "`0` is not a port: a port is 1 to 65535"),
            (
                "192.168.0.0/24",
                "`192.168.0.0/24` is not an IP address: leave the prefix length out",
            ),
            (
                "192.168.0.254@",
                "`` is not an AS number: write the router's AS behind the @, such as 192.168.0.254@65001",
            ),
            (
                "192.168.0.254@0",
                "`0` is not an AS number: write the router's AS behind the @, such as 192.168.0.254@65001",
            ),
            (
                "0.0.0.0",
                "`0.0.0.0` is not the address of a host: write the address of one interface, such as 192.168.0.254",
            ),
        ] {
            assert_eq!(text.parse::<PeerArgument>().unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn pools_that_overlap() {
        let pools =
            ["192.168.10.0/24", "192.168.9.5 - 192.168.10.0"].map(|text| text.parse().unwrap());
        let error = Config::from_arguments(Asn::new(64512), &[], &pools).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\
error: 192.168.10.0/32 of the pool `pool-2` overlaps 192.168.10.0/24 of the pool `default`
 --> command line:1:57
  |
1 | speakerd --local-as 64512 --pool 192.168.10.0/24 --pool 192.168.9.5 - 192.168.10.0
  |                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: the other is in line 1; an address can be in one pool, once"
        );
    }
}
