//! The codec compared with independent implementations.
//!
//! tshark decodes our messages and those of FRR, BIRD, GoBGP, OpenBGPD and ExaBGP; every field has to agree with our
//! decoding. We decode messages that scapy encodes.
//!
//! If tshark or scapy is missing, the test is reported as ignored. It fails instead if SPEAKERD_LAB=require.

#![cfg(test)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "only fields that the other implementation knows are compared"
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

/// The messages of one session, each with a title.
struct Session {
    /// The sender.
    name: String,
    /// The negotiated parameters as words: the kind of peer first, then `add-path` and others.
    context: String,
    messages: Vec<(String, Vec<u8>)>,
}

impl Session {
    /// Reads a file of `captures/`: a line `context WORDS`, then lines of a message type and octets.
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

    /// Returns the families for which the sender's OPEN offers to send path identifiers. `None` without an OPEN.
    fn add_path_offer(&self) -> Option<Vec<Family>> {
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

    /// Returns the context of the session.
    fn context(&self) -> Context {
        let has = |word| self.context.split(' ').any(|it| it == word);
        let peer = match self.context.split(' ').next() {
            Some("internal") => PeerKind::Internal,
            Some("confederation") => PeerKind::Confederation,
            _ => PeerKind::External,
        };
        // The recorder accepts path identifiers in every family, so the sender's OPEN decides (RFC 7911 section 4).
        let add_path: Vec<Family> = match self.add_path_offer() {
            Some(families) if has("add-path") => families,
            None if has("add-path") => Family::PARSED.into(),
            _ => Vec::new(),
        };
        let families = |yes| if yes { Family::PARSED } else { &[] }.iter().copied();
        Context::new(peer)
            .with_families(Family::PARSED.iter().copied())
            .with_extended_next_hop(Family::PARSED.iter().copied())
            .with_multiple_labels(families(has("multiple-labels")))
            .with_add_path(add_path)
            .with_four_octet_as(!has("as2"))
            // tshark reports them without judging (RFC 9774).
            .with_as_sets(true)
            .with_message_limit(MessageLimit::Extended)
    }
}

/// Returns the recorded sessions, in the order of their file names.
fn recorded() -> Vec<Session> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // The directory also contains the recorder.
        .filter(|path| path.extension().is_some_and(|it| it == "txt"))
        .collect();
    files.sort();
    files.iter().map(|path| Session::recorded(path)).collect()
}

/// Returns the golden messages, grouped by context. Our encoder writes the same octets (see golden.rs).
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
            // One session for each context, because tshark reads a file with one set of parameters.
            let position = sessions
                .iter()
                .position(|session| session.context == context)
                .unwrap_or_else(|| {
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

/// Returns encoded messages other than UPDATEs with routes.
fn encoded() -> Session {
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
    // The text is dropped unless the reason is a shutdown (RFC 9003).
    for reason in Reason::REGISTERED {
        let notification = NotificationBuf::with_text(*reason, "maintenance until noon");
        write(&reason.to_string(), &|out| notification.encode(out));
    }
    for &family in Family::PARSED {
        let subtype = RefreshSubtype::REQUEST;
        write("refresh", &|out| {
            RouteRefresh { family, subtype }.encode(out);
        });
        write("End-of-RIB", &|out| encode_end_of_rib(family, out));
    }
    Session {
        name: "encoded".into(),
        context: "external".into(),
        messages,
    }
}

/// Returns a capture file of one connection from port 179, with one message in each segment.
fn pcap(messages: &[(String, Vec<u8>)]) -> Vec<u8> {
    // The header of a pcap file, little endian: magic, version 2.4, two unused numbers, maximum length, Ethernet.
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
        // Checksums are zero, which tshark does not verify by default.
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
        // tshark reassembles the stream by sequence numbers.
        sequence += u32::from(length);
    }
    file
}

/// Returns the path of a temporary file of this process.
fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bgp-wire-judges-{}-{name}", std::process::id()))
}

/// Returns `true` if the program runs. Panics if it does not and SPEAKERD_LAB requires it.
fn is_installed(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        assert!(
            std::env::var("SPEAKERD_LAB").as_deref() != Ok("require"),
            "{program} is missing"
        );
        eprintln!("LEFT OUT: {program} {arguments:?} does not run");
    }
    found
}

/// Returns the fields of each message as tshark decodes them.
fn tshark(session: &Session) -> Vec<Fields> {
    let file = temporary(&session.name.replace(' ', "-"));
    std::fs::write(&file, pcap(&session.messages)).unwrap();
    // tshark does not see the OPENs of every session, so it is told the width of AS numbers.
    let mut command = Command::new("tshark");
    let width = if session.context().four_octet_as() {
        "4 octet"
    } else {
        "2 octet"
    };
    // `-n`: names of addresses would need a resolver.
    command
        .args(["-n", "-r"])
        .arg(&file)
        .args(["-o", &format!("bgp.asn_len:{width}")]);
    // A communication may contain a comma, the default separator of repeated values.
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

/// Returns `true` if tshark 4.0 does not support the field in this message.
///
/// It knows neither path identifiers in front of routes other than prefixes, nor VPN-IPv6 routes, nor the offset of an
/// IPv6 flow specification.
fn is_gap(name: &str, frame: &Frame, context: &Context) -> bool {
    let Ok(Message::Update(update)) = frame.decode(context) else {
        return false;
    };
    let checked = update.check().unwrap();
    let mut routes = checked.announced_routes().chain(checked.withdrawn_routes());
    let of_route = ["rd", "prefix_length", "nlri_path_id"].contains(&name) || name.contains("nlri");
    routes.any(|route| match route.family {
        Family::IPV6_VPN => of_route,
        // tshark takes the zeros of a default route for a path identifier.
        _ if route.destination.to_string().ends_with("/0") => of_route,
        Family::IPV6_FLOWSPEC if route.to_string().contains("/64/32") => of_route,
        Family::IPV4_UNICAST
        | Family::IPV6_UNICAST
        | Family::IPV4_MULTICAST
        | Family::IPV6_MULTICAST => false,
        // tshark reads the routes as attributes.
        Family::IPV4_FLOWSPEC_VPN | Family::IPV6_FLOWSPEC_VPN if route.path_id.is_some() => true,
        _ => of_route && route.path_id.is_some(),
    })
}

// Not the standard harness, which cannot report a test as ignored at run time.
fn main() -> ExitCode {
    let judge = |name, program, arguments: &'static [&str], run: fn()| {
        Trial::ignorable_test(name, move || {
            if !is_installed(program, arguments) {
                return Ok(Completion::ignored_with("not installed"));
            }
            run();
            Ok(Completion::Completed)
        })
    };
    let trials = vec![
        judge(
            "messages_decoded_by_tshark_have_the_same_fields",
            "tshark",
            &["--version"],
            assert_tshark_agrees,
        ),
        judge(
            "messages_encoded_by_scapy_decode_to_its_values",
            PYTHON,
            &["-c", "import scapy.contrib.bgp"],
            assert_scapy_decodes,
        ),
        Trial::test("recorded_routes_encode_and_decode_to_themselves", || {
            assert_recorded_routes_round_trip();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Debian's interpreter, because Debian's scapy is installed for it. Another one may be first in the path.
const PYTHON: &str = "/usr/bin/python3";

/// Compares every field of every message with tshark.
fn assert_tshark_agrees() {
    let (mut wrong, mut compared, mut values) = (Vec::new(), 0, BTreeSet::new());
    for session in golden().into_iter().chain(recorded()).chain([encoded()]) {
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
    // Guards against a comparison of nothing: a misspelt field is never present on either side.
    assert!(compared >= 5000, "{compared} values");
    let never: Vec<_> = NAMES
        .iter()
        .filter(|name| !values.contains(*name))
        .collect();
    assert!(never.is_empty(), "fields in no message: {never:?}");
}

/// Encodes the routes that the five daemons sent, and compares what decodes again.
fn assert_recorded_routes_round_trip() {
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
            // The labels of withdrawals are not kept (RFC 8277 section 2.4), so only the number is compared.
            assert_eq!(withdrawn.len(), sent.withdrawn.len());
            updates += 1;
        }
    }
    // Recordings that are no longer found must not pass.
    assert!(updates >= 250, "{updates} UPDATEs");
}

/// A script that prints a name, a message in hex, and its contents as text, for each of seven messages.
const SCAPY: &str = r#"
from scapy.contrib.bgp import *
def out(name, packet, contents):
    print(name, bytes(packet).hex(), contents, sep="\t")
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

/// Returns the contents of a message as text, in the format of the script.
fn contents(octets: Vec<u8>) -> String {
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

/// Decodes the messages that scapy encodes, and compares their contents.
fn assert_scapy_decodes() {
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
        assert_eq!(contents(hex(octets)), expected, "{name}");
    }
    // A script that prints less must not pass.
    assert_eq!(text.lines().count(), 7);
}
