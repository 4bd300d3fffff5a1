//! Messages before independent judges: tshark reads what we write and what FRR, BIRD, GoBGP, OpenBGPD and ExaBGP sent, and
//! says the same of every field as we; scapy writes what we read.
//!
//! Where tshark or scapy is missing the test says that it is left out, and fails if SPEAKERD_LAB=require.

#![cfg(test)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of a message only that is looked at which the judge knows, too"
)]

mod common;
#[path = "judges/fields.rs"]
#[expect(clippy::too_many_lines, reason = "tshark has many fields")]
mod fields;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bgp_wire::{
    AddPathFamily, Afi, Asn, AttributeSet, Capability, CapabilityBuf, Context, ExtendedNextHop,
    Family, Frame, HoldTime, Message, MessageLimit, NotificationBuf, OpenBuf, PeerKind, Reason,
    RefreshSubtype, RouteRefresh, RouterId, UpdateBuf, encode_end_of_rib,
};
use bytes::BytesMut;
use common::{frame, hex};
use fields::{Fields, NAMES, fields};
use libtest_mimic::{Arguments, Completion, Trial};

/// Messages of one session: who sent them, what was negotiated, and what they are called.
struct Session {
    name: String,
    context: String,
    messages: Vec<(String, Vec<u8>)>,
}

impl Session {
    /// A file of `captures/`: `context WORDS`, then lines of a name and octets.
    fn recorded(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut session = Self {
            name: path.file_stem().unwrap().to_string_lossy().into(),
            context: String::new(),
            messages: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(' ').unwrap() {
                ("context", words) => session.context = words.into(),
                (kind, octets) => {
                    let title = format!("{kind} {}", session.messages.len());
                    let octets = hex(&octets.replace("ff*16", &"ff".repeat(16)));
                    session.messages.push((title, octets));
                }
            }
        }
        session
    }

    /// The families for which the sender's OPEN offers path identifiers.
    fn open(&self) -> Option<Vec<Family>> {
        let (_, octets) = self
            .messages
            .iter()
            .find(|(title, _)| title.starts_with("open "))?;
        let frame = Frame::from_bytes(octets.clone().into(), MessageLimit::Standard).unwrap();
        let context = Context::new(PeerKind::External);
        let Ok(Message::Open(open)) = frame.decode(&context) else {
            panic!("{}: not an OPEN", self.name)
        };
        let families = open.capabilities().flat_map(|capability| match capability {
            Capability::AddPath(entries) => entries
                .iter()
                .filter(|entry| entry.sends())
                .map(|entry| entry.family)
                .collect(),
            _ => Vec::new(),
        });
        Some(families.collect())
    }

    fn context(&self) -> Context {
        let has = |word| self.context.split(' ').any(|it| it == word);
        let peer = match self.context.split(' ').next() {
            Some("internal") => PeerKind::Internal,
            Some("confederation") => PeerKind::Confederation,
            _ => PeerKind::External,
        };
        // Path identifiers are there where the sender has said that it sends them, and the recorder takes all.
        let add_path: Vec<Family> = match self.open() {
            Some(open) if has("add-path") => open,
            None if has("add-path") => Family::PARSED.into(),
            _ => Vec::new(),
        };
        let families = |yes| if yes { &Family::PARSED[..] } else { &[] }.iter().copied();
        Context::new(peer)
            .with_families(Family::PARSED)
            .with_extended_next_hop(Family::PARSED)
            .with_multiple_labels(families(has("multiple-labels")))
            .with_add_path(add_path)
            .with_four_octet_as(!has("as2"))
            .with_as_sets(true)
            .with_message_limit(MessageLimit::Extended)
    }
}

fn recorded() -> Vec<Session> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let files = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|it| it == "txt"))
        .collect();
    files.sort();
    files.iter().map(|path| Session::recorded(path)).collect()
}

/// The golden messages, which our encoder writes as they stand there (see golden.rs), by their contexts.
fn golden() -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    for file in [
        include_str!("golden/routes.txt"),
        include_str!("golden/attributes.txt"),
    ] {
        for text in file.split("\n\n").filter(|text| text.starts_with("= ")) {
            let title = text.lines().next().unwrap().to_owned();
            let context = text
                .lines()
                .find_map(|line| line.strip_prefix("context "))
                .unwrap();
            let (_, octets) = text.split_once("\noctets\n").unwrap();
            let octets = hex(&octets.replace("ff*16", &"ff".repeat(16)));
            let position = sessions
                .iter()
                .position(|session| session.context == context);
            let position = position.unwrap_or_else(|| {
                sessions.push(Session {
                    name: format!("golden {context}"),
                    context: context.into(),
                    messages: Vec::new(),
                });
                sessions.len() - 1
            });
            sessions[position].messages.push((title, octets));
        }
    }
    sessions
}

/// What our encoder makes of values beside UPDATEs.
fn written() -> Session {
    let mut messages = Vec::new();
    let mut write = |title: &str, encode: &dyn Fn(&mut BytesMut)| {
        let mut octets = BytesMut::new();
        encode(&mut octets);
        messages.push((title.to_owned(), octets.to_vec()));
    };
    let entry = |family| AddPathFamily {
        family,
        directions: 3,
    };
    let open = OpenBuf {
        asn: Asn::new(4_200_000_001),
        hold_time: HoldTime::DEFAULT,
        router_id: RouterId::new(192, 0, 2, 1).unwrap(),
        capabilities: vec![
            CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST),
            CapabilityBuf::Multiprotocol(Family::L2VPN_EVPN),
            CapabilityBuf::RouteRefresh,
            CapabilityBuf::ExtendedNextHop(vec![ExtendedNextHop {
                family: Family::IPV4_UNICAST,
                next_hop: Afi::IPV6,
            }]),
            CapabilityBuf::ExtendedMessage,
            CapabilityBuf::GracefulRestart {
                restarted: true,
                notification: true,
                restart_time: 120,
                families: Vec::new(),
            },
            CapabilityBuf::FourOctetAs(Asn::new(4_200_000_001)),
            CapabilityBuf::AddPath(vec![entry(Family::IPV4_UNICAST), entry(Family::IPV6_VPN)]),
            CapabilityBuf::EnhancedRouteRefresh,
        ],
    };
    write("open", &|out| open.encode(out).unwrap());
    for reason in Reason::REGISTERED {
        let notification = NotificationBuf::with_text(*reason, "maintenance until noon");
        write(&reason.to_string(), &|out| notification.encode(out));
    }
    for family in Family::PARSED {
        let subtype = RefreshSubtype::REQUEST;
        write("refresh", &|out| {
            RouteRefresh { family, subtype }.encode(out);
        });
        write("End-of-RIB", &|out| encode_end_of_rib(family, out));
    }
    Session {
        name: "written".into(),
        context: "external".into(),
        messages,
    }
}

/// A capture of one connection from port 179, a message a segment.
fn pcap(messages: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut file = [
        &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..],
        &[0; 8],
        &[0, 0, 1, 0, 1, 0, 0, 0],
    ]
    .concat();
    let mut sequence: u32 = 1;
    for (_, message) in messages {
        let length = u16::try_from(message.len()).unwrap();
        let ethernet = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &[8, 0]].concat();
        let addresses = [10, 0, 0, 2, 10, 0, 0, 1];
        let ip = [
            &[0x45, 0],
            &(40 + length).to_be_bytes()[..],
            &[0, 0, 0x40, 0, 64, 6, 0, 0],
            &addresses,
        ]
        .concat();
        let tcp = [
            &[0, 179, 0xc0, 0][..],
            &sequence.to_be_bytes(),
            &[0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0],
        ]
        .concat();
        let packet = [ethernet, ip, tcp, message.clone()].concat();
        let octets = u32::try_from(packet.len()).unwrap().to_le_bytes();
        file.extend([&[0; 8][..], &octets, &octets, &packet].concat());
        sequence += u32::from(length);
    }
    file
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bgp-wire-judges-{}-{name}", std::process::id()))
}

/// Whether a judge is here. Where everything has to be, its absence is a failure.
fn present(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        assert!(
            std::env::var("SPEAKERD_LAB").as_deref() != Ok("require"),
            "{program} is missing"
        );
        eprintln!("LEFT OUT: {program} {arguments:?} does not run here");
    }
    found
}

/// What tshark says of each message.
fn tshark(session: &Session) -> Vec<Fields> {
    let file = temporary(&session.name.replace(' ', "-"));
    std::fs::write(&file, pcap(&session.messages)).unwrap();
    let mut command = Command::new("tshark");
    let width = if session.context().four_octet_as() {
        "4 octet"
    } else {
        "2 octet"
    };
    command
        .args(["-n", "-r"])
        .arg(&file)
        .args(["-o", &format!("bgp.asn_len:{width}")]);
    command.args(["-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"]);
    for name in NAMES {
        command.args(["-e", &format!("bgp.{name}")]);
    }
    let output = command.output().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| {
        let cells = NAMES
            .iter()
            .zip(line.split('\t'))
            .filter(|(_, cell)| !cell.is_empty());
        cells
            .map(|(name, cell)| (*name, cell.split('|').map(str::to_owned).collect()))
            .collect()
    };
    text.lines().map(row).collect()
}

/// What tshark 4.0 does not know: path identifiers in front of routes that are not plain prefixes, VPN-IPv6 routes, and
/// the offset of an IPv6 flow specification.
fn is_gap(name: &str, frame: &Frame, context: &Context) -> bool {
    let Ok(Message::Update(update)) = frame.decode(context) else {
        return false;
    };
    let checked = update.check().unwrap();
    let mut routes = checked.announced_routes().chain(checked.withdrawn_routes());
    let of_route = ["rd", "prefix_length", "nlri_path_id"].contains(&name) || name.contains("nlri");
    routes.any(|route| match route.family {
        Family::IPV6_VPN => of_route,
        // It takes the zeros of a default route for a path identifier.
        _ if route.destination.to_string().ends_with("/0") => of_route,
        Family::IPV6_FLOWSPEC if route.to_string().contains("/64/32") => of_route,
        Family::IPV4_UNICAST
        | Family::IPV6_UNICAST
        | Family::IPV4_MULTICAST
        | Family::IPV6_MULTICAST => false,
        // It looks for attributes where the routes are.
        Family::IPV4_FLOWSPEC_VPN | Family::IPV6_FLOWSPEC_VPN if route.path_id.is_some() => true,
        _ => of_route && route.path_id.is_some(),
    })
}

fn main() -> ExitCode {
    let judge = |name, program, arguments: &'static [&str], run: fn()| {
        Trial::ignorable_test(name, move || {
            if !present(program, arguments) {
                return Ok(Completion::ignored_with("it is not installed"));
            }
            run();
            Ok(Completion::Completed)
        })
    };
    let trials = vec![
        judge("tshark agrees", "tshark", &["--version"], tshark_agrees),
        judge(
            "scapy is understood",
            PYTHON,
            &["-c", "import scapy.contrib.bgp"],
            scapy_is_understood,
        ),
        Trial::test("recorded routes survive", || {
            recorded_routes_survive();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Debian's, for which Debian's scapy is installed.
const PYTHON: &str = "/usr/bin/python3";

fn tshark_agrees() {
    let (mut wrong, mut compared, mut values) = (Vec::new(), 0, BTreeSet::new());
    for session in golden().into_iter().chain(recorded()).chain([written()]) {
        let seen = tshark(&session);
        assert_eq!(seen.len(), session.messages.len(), "{}", session.name);
        for ((title, octets), theirs) in session.messages.iter().zip(seen) {
            let frame = frame(octets.clone());
            let ours = fields(&frame, &session.context());
            let names = NAMES
                .iter()
                .filter(|name| !is_gap(name, &frame, &session.context()));
            for name in names {
                let (ours, theirs) = (ours.get(name), theirs.get(name));
                if ours != theirs {
                    wrong.push(format!(
                        "{}, {title}: {name}: {ours:?}, tshark {theirs:?}",
                        session.name
                    ));
                }
                compared += usize::from(ours.is_some());
                values.extend(ours.map(|_| *name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared >= 5000, "{compared} values");
    let never: Vec<_> = NAMES
        .iter()
        .filter(|name| !values.contains(*name))
        .collect();
    assert!(never.is_empty(), "in no message: {never:?}");
}

/// What the five daemons sent says the same once we have written it ourselves.
fn recorded_routes_survive() {
    let mut updates = 0;
    for session in recorded() {
        let context = session.context();
        for (title, octets) in &session.messages {
            let frame = frame(octets.clone());
            let Ok(Message::Update(update)) = frame.decode(&context) else {
                continue;
            };
            let sent = UpdateBuf::from(&update.check().unwrap());
            let mut octets = BytesMut::new();
            let written = sent.encode(&context, &mut octets);
            assert!(written.is_ok(), "{}, {title}: {written:?}", session.name);
            let (mut announced, mut withdrawn) = (Vec::new(), Vec::new());
            while let Some(frame) = Frame::split(&mut octets, MessageLimit::Extended).unwrap() {
                let Ok(Message::Update(update)) = frame.decode(&context) else {
                    panic!("not an UPDATE")
                };
                let received = UpdateBuf::from(&update.check().unwrap());
                announced.extend(received.announced);
                withdrawn.extend(received.withdrawn.iter().map(ToString::to_string));
            }
            assert_eq!(announced, sent.announced, "{}, {title}", session.name);
            assert_eq!(withdrawn.len(), sent.withdrawn.len());
            updates += 1;
        }
    }
    assert!(updates >= 250, "{updates} UPDATEs");
}

/// Prints messages in hex, and behind each what is in it.
const SCAPY: &str = r#"
from scapy.contrib.bgp import *
def out(name, packet, says):
    print(name, bytes(packet).hex(), says, sep="\t")
out("keepalive", BGPKeepAlive(), "")
out("open", BGPHeader(type=1)/BGPOpen(version=4, my_as=64512, hold_time=90, bgp_id="192.0.2.1", opt_params=[
    BGPOptParam(param_type=2, param_value=BGPCapMultiprotocol(afi=2, safi=1)),
    BGPOptParam(param_type=2, param_value=BGPCapFourBytesASN(asn=4200000001))]), "4200000001 ipv6 unicast")
path = lambda *asns: BGPPathAttr(type_flags=0x40, type_code=2, attribute=BGPPAAS4BytesPath(segments=[
    BGPPAAS4BytesPath.ASPathSegment(segment_type=2, segment_length=len(asns), segment_value=list(asns))]))
attributes = [BGPPathAttr(type_flags=0x40, type_code=1, attribute=BGPPAOrigin(origin=2)), path(64512, 4200000001),
    BGPPathAttr(type_flags=0x40, type_code=3, attribute=BGPPANextHop(next_hop="192.0.2.1")),
    BGPPathAttr(type_flags=0x80, type_code=4, attribute=BGPPAMultiExitDisc(med=50)),
    BGPPathAttr(type_flags=0xc0, type_code=8, attribute=BGPPACommunity(community=0xfc000064))]
out("update", BGPHeader(type=2)/BGPUpdate(path_attr=attributes, nlri=[BGPNLRI_IPv4(prefix="192.168.10.0/24"),
    BGPNLRI_IPv4(prefix="10.0.0.0/8")]),
    "origin incomplete as-path [ 64512 4200000001 ] med 50 community [ 64512:100 ] 192.168.10.0/24 10.0.0.0/8")
out("withdrawal", BGPHeader(type=2)/BGPUpdate(withdrawn_routes=[BGPNLRI_IPv4(prefix="192.168.10.1/32")]),
    "origin incomplete 192.168.10.1/32")
reach = BGPPathAttr(type_flags=0x80, type_code=14, attribute=BGPPAMPReachNLRI(afi=2, safi=1, nh_addr_len=16,
    nh_v6_addr="2001:db8::1", nlri=[BGPNLRI_IPv6(prefix="2001:db8:10::/48")]))
out("multiprotocol", BGPHeader(type=2)/BGPUpdate(path_attr=[reach] + attributes[:2], nlri=[]),
    "origin incomplete as-path [ 64512 4200000001 ] 2001:db8:10::/48")
out("notification", BGPHeader(type=3)/BGPNotification(error_code=6, error_subcode=2), "Cease/Administrative Shutdown (6/2)")
out("refresh", BGPHeader(type=5)/BGPRouteRefresh(afi=1, safi=1), "ipv4 unicast")
"#;

/// What a message says, in the words of the script above.
fn says(octets: Vec<u8>) -> String {
    let frame = Frame::from_bytes(octets.into(), MessageLimit::Standard).unwrap();
    match frame.decode(&Context::new(PeerKind::External)).unwrap() {
        Message::Open(open) => {
            let families = open
                .capabilities()
                .filter_map(|capability| match capability {
                    Capability::Multiprotocol(family) => Some(family.to_string()),
                    _ => None,
                });
            format!("{} {}", open.asn(), families.collect::<Vec<_>>().join(" "))
        }
        Message::Update(update) => {
            let checked = update.check().unwrap();
            assert_eq!(checked.fault(), None);
            let routes = checked.announced_routes().chain(checked.withdrawn_routes());
            let routes: Vec<_> = routes.map(|route| route.to_string()).collect();
            format!("{} {}", AttributeSet::from(&checked), routes.join(" "))
        }
        Message::Notification(notification) => notification.reason().to_string(),
        Message::RouteRefresh(refresh) => refresh.family.to_string(),
        Message::Keepalive => String::new(),
    }
}

fn scapy_is_understood() {
    let output = Command::new(PYTHON).args(["-c", SCAPY]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        let parts: Vec<_> = line.split('\t').collect();
        let [name, octets, expected] = parts[..] else {
            panic!("{line}")
        };
        assert_eq!(says(hex(octets)), expected, "{name}");
    }
    assert_eq!(text.lines().count(), 7);
}
