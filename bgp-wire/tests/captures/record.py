#!/usr/bin/env python3
"""Records the messages of other BGP speakers in captures/*.txt.

Usage: python3 record.py DAEMON..., as root. The daemons are frr, bird, gobgp, openbgpd and exabgp, from the packages of
Debian 12 (frr, bird2, gobgpd, openbgpd, exabgp).

Each daemon runs in a network namespace that this script creates and removes. The recorder connects from another one,
offers every capability, and keeps every message that differs from those before it. Each session overwrites one file."""

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OURS, THEIRS = "10.0.0.1", "10.0.0.2"
FAMILIES = [(1, 1), (2, 1), (1, 2), (2, 2), (1, 4), (2, 4), (1, 128), (2, 128),
            (1, 133), (2, 133), (1, 134), (2, 134), (25, 70), (1, 132)]
NAMES = {1: "open", 2: "update", 3: "notification", 4: "keepalive", 5: "route-refresh"}
MARKER = b"\xff" * 16


def sh(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=60).stdout


def capability(code, value=b""):
    return bytes([code, len(value)]) + value


def message(kind, body):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def our_open(asn, add_path, four_octets):
    capabilities = b"".join(capability(1, struct.pack("!HBB", afi, 0, safi)) for afi, safi in FAMILIES)
    capabilities += capability(2) + capability(70) + capability(6)
    capabilities += capability(5, struct.pack("!HHH", 1, 1, 2))
    capabilities += capability(64, struct.pack("!H", 0x4078) + struct.pack("!HBB", 1, 1, 0))
    if four_octets:
        capabilities += capability(65, struct.pack("!I", asn))
    if add_path:
        capabilities += capability(69, b"".join(struct.pack("!HBB", afi, safi, 1) for afi, safi in add_path))
    parameters = bytes([2, len(capabilities)]) + capabilities
    return message(1, struct.pack("!BHH4sB", 4, asn if asn < 65536 else 23456, 90, bytes([10, 0, 0, 1]), len(parameters)) + parameters)


# We have no routes. Some speakers wait for End-of-RIB before they send theirs (RFC 4724 section 4.1).
END_OF_RIB = message(2, bytes(4)) + b"".join(
    message(2, struct.pack("!HHBBBHB", 0, 6, 0x80, 15, 3, afi, safi)) for afi, safi in FAMILIES[1:])


def record(seconds, asn, add_path=(), four_octets=True, then=(), address=THEIRS):
    """Connects, and returns the messages received within the given number of seconds."""
    for _ in range(100):
        try:
            connection = socket.create_connection((address, 179), 5)
            break
        except OSError:
            time.sleep(0.2)
    else:
        raise SystemExit(f"connection to {address} port 179 refused")
    connection.sendall(our_open(asn, add_path, four_octets))
    connection.settimeout(0.5)
    buffer, messages, end, pending = b"", [], time.time() + seconds, list(then)
    while time.time() < end:
        try:
            octets = connection.recv(65536)
            if not octets:
                break
            buffer += octets
        except ConnectionResetError:
            break
        except TimeoutError:
            if pending and time.time() > end - seconds / 2:
                connection.sendall(pending.pop(0))
        while len(buffer) >= 19 and len(buffer) >= (length := struct.unpack("!H", buffer[16:18])[0]):
            one, buffer = buffer[:length], buffer[length:]
            if one[18] == 1:
                connection.sendall(message(4, b"") + END_OF_RIB)
            if one not in messages:
                messages.append(one)
    connection.close()
    return messages


def save(name, head, context, messages):
    with open(os.path.join(HERE, f"{name}.txt"), "w", encoding="ascii") as file:
        print(f"# {head}", file=file)
        print(f"context {context}", file=file)
        for one in messages:
            if len(one) <= 1200:
                print(f"{NAMES.get(one[18], 'other')} ff*16 {one[16:].hex()}", file=file)
    print(f"{name}: {len(messages)} messages")


def start(*command):
    log = open(f"/tmp/record-{os.path.basename(command[0])}.log", "w", encoding="utf-8")
    environment = {**os.environ, "exabgp.daemon.user": "root", "exabgp.api.cli": "false", "exabgp.tcp.bind": THEIRS,
                   "exabgp.tcp.port": "179", "exabgp.log.all": "true"}
    return subprocess.Popen(["ip", "netns", "exec", "record-b", *command], stdout=log, stderr=log, env=environment)


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


REFRESH = message(5, struct.pack("!HBB", 1, 0, 1))
BAD_TYPE = message(9, b"")


def sessions(directory, name, version, configuration, command, variants, after=None):
    """Runs the variants of a session against one speaker, which is started for each of them."""
    for suffix, (asn, context, options) in variants.items():
        path = os.path.join(directory, f"{name}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(configuration(asn, context))
        os.chmod(path, 0o600 if name == "openbgpd" else 0o644)
        if os.path.exists(f"{directory}/{name}.sock"):
            os.unlink(f"{directory}/{name}.sock")
        process = start(*command(path))
        try:
            time.sleep(2)
            if after:
                after(asn)
            messages = record(options.pop("seconds", 8), asn, **options)
        finally:
            stop(process)
        save(name + suffix, f"{version}, {context}", context, messages)


VARIANTS = {
    "": (65001, "external", {"then": [REFRESH, BAD_TYPE]}),
    "-ibgp": (65000, "internal", {"then": [REFRESH, BAD_TYPE]}),
    "-as2": (65001, "external as2", {"four_octets": False}),
    "-addpath": (65001, "external add-path", {"add_path": FAMILIES}),
}


def bird(directory):
    def configuration(asn, context):
        add_path = "add paths tx;" if "add-path" in context else ""
        routes = {
            "st4": ("ipv4", 'route 10.1.0.0/16 blackhole; route 10.2.3.4/32 blackhole { bgp_med = 50; }; route 0.0.0.0/0 blackhole;'),
            "st6": ("ipv6", 'route 2001:db8:1::/48 blackhole; route ::/0 blackhole;'),
            "sv4": ("vpn4", 'route 65000:1 10.3.0.0/16 via 10.0.0.1 mpls 1000;'),
            "sv6": ("vpn6", 'route 65000:2 2001:db8:3::/48 via 2001:db8::1 mpls 1001;'),
            "sf4": ("flow4", 'route flow4 { dst 10.4.0.0/16; proto = 6; dport 80 || 443 || 1024..2048; tcp flags 0x02/0x12; length 100..200; dscp = 46; fragment is_fragment; };'
                             'route flow4 { src 10.5.5.5/32; icmp type = 8; icmp code = 0; };'),
            "sf6": ("flow6", 'route flow6 { dst 2001:db8:4::/48; next header = 17; sport 53; label = 5; };'),
        }
        statics = "\n".join(f"protocol static {n} {{ {t}; {r} }}" for n, (t, r) in routes.items())
        attributes = ("bgp_community.add((65000,100)); bgp_community.add((65535,65281)); bgp_large_community.add((65000,1,2));"
                      "bgp_ext_community.add((rt,65000,100)); bgp_ext_community.add((ro,10.0.0.2,7));")
        channel = lambda t, more="": f"{t} {{ import all; export filter {{ {attributes} {more} accept; }}; {add_path} }};"
        own = 65000
        channels = channel("ipv4", "bgp_path.prepend(4200000001); bgp_origin = ORIGIN_INCOMPLETE;" if asn != own else "bgp_local_pref = 200;")
        channels += channel("ipv6") + channel("vpn4 mpls") + channel("vpn6 mpls") + channel("flow4") + channel("flow6")
        return f"""router id 10.0.0.2; protocol device {{}}
ipv4 table master4; ipv6 table master6; vpn4 table vt4; vpn6 table vt6; flow4 table ft4; flow6 table ft6;
{statics}
protocol bgp peer1 {{ local 10.0.0.2 as {own}; neighbor 10.0.0.1 as {asn}; passive; graceful restart; enable extended messages;
 {'' if asn == own else 'local role peer; '} {channels} }}
"""
    version = "BIRD 2.0.12 (Debian 12)"
    sessions(directory, "bird", version, configuration,
             lambda path: ["bird", "-f", "-c", path, "-s", f"{directory}/bird.ctl"], VARIANTS)


def frr(directory):
    def configuration(asn, context):
        families = {
            "ipv4 unicast": ["network 10.1.0.0/16 route-map SET", "network 10.2.3.4/32", "aggregate-address 10.0.0.0/8"],
            "ipv6 unicast": ["network 2001:db8:1::/48 route-map SET"],
            "ipv4 multicast": ["network 10.6.0.0/16"],
        }
        text = "".join(f" address-family {family}\n  neighbor 10.0.0.1 activate\n" +
                       ("  neighbor 10.0.0.1 addpath-tx-all-paths\n" if "add-path" in context else "") +
                       ("  neighbor 10.0.0.1 send-community all\n") +
                       "".join(f"  {line}\n" for line in lines) + " exit-address-family\n" for family, lines in families.items())
        return f"""hostname recorded
domainname example.org
router bgp 65000
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 neighbor 10.0.0.1 remote-as {asn}
 neighbor 10.0.0.1 passive
 neighbor 10.0.0.1 capability extended-nexthop
{text}!
route-map SET permit 10
 set metric 77
 set origin egp
 set community 65000:100 no-export additive
 set large-community 65000:1:2
 set extcommunity rt 65000:100 10.0.0.2:7
 set as-path prepend 65000 4200000001
"""
    def command(path):
        state = os.path.join(directory, "frr")
        os.makedirs(state, exist_ok=True)
        shutil.copy(path, f"{state}/bgpd.conf")
        sh("chown", "-R", "frr:frr", state)
        return ["/usr/lib/frr/bgpd", "-f", f"{state}/bgpd.conf", "-i", f"{state}/bgpd.pid", "-z", f"{state}/zserv.api",
                "--vty_socket", state, "-A", "127.0.0.1", "-P", "0", "-Z", "-n"]
    sessions(directory, "frr", "FRR 8.4.4 (Debian 12)", configuration, command, VARIANTS)


GOBGP_ROUTES = """
-a ipv4 10.1.0.0/16 origin egp med 50 community 65000:100,no-export large-community 65000:1:2 rt 65000:100 aigp metric 10
-a ipv4 10.2.3.4/32 nexthop 10.0.0.9 aspath "65010 {65011,65012}"
-a ipv4 10.2.3.5/32 nexthop 10.0.0.9 aspath 4200000001
-a ipv6 2001:db8:1::/48 nexthop 2001:db8::9
-a ipv4 10.7.0.0/16 nexthop 2001:db8::9
-a ipv4-mpls 10.6.0.0/16 1000 nexthop 10.0.0.9
-a ipv6-mpls 2001:db8:6::/48 1001 nexthop 2001:db8::9
-a vpnv4 10.3.0.0/16 label 100 rd 65000:1 rt 65000:100 nexthop 10.0.0.9
-a vpnv6 2001:db8:3::/48 label 101 rd 10.0.0.2:5 rt 65000:100 nexthop 2001:db8::9
-a ipv4-flowspec match destination 10.4.0.0/16 protocol tcp destination-port '==80' '>=1024&<=2048' tcp-flags '=SA' then discard
-a ipv4-flowspec match source 10.5.0.0/16 protocol udp fragment is-fragment packet-length '>100' dscp 46 then rate-limit 1000 as 65000
-a ipv6-flowspec match destination 2001:db8:4::/48 protocol ipv6-icmp icmp-type '==128' then redirect 65000:5
-a ipv4-l3vpn-flowspec rd 65000:7 match destination 10.4.0.0/16 protocol udp then discard
-a evpn a-d esi ARBITRARY 11:22:33:44:55:66:77:88:99 etag 5 label 200 rd 65000:1 rt 65000:100
-a evpn macadv 00:00:5e:00:53:01 10.8.8.8 esi single-homed etag 0 label 300 rd 65000:1 rt 65000:100 encap vxlan
-a evpn macadv 00:00:5e:00:53:02 2001:db8::8 esi single-homed etag 7 label 300 rd 65000:1 rt 65000:100
-a evpn multicast 10.0.0.9 etag 0 rd 65000:1 rt 65000:100 encap vxlan pmsi ingress-repl 300 10.0.0.9
-a evpn esi 10.0.0.9 esi ARBITRARY 11:22:33:44:55:66:77:88:99 rd 65000:1 rt 65000:100
-a evpn prefix 10.9.0.0/16 gw 10.0.0.9 esi single-homed etag 0 label 400 rd 65000:1 rt 65000:100
-a evpn prefix 2001:db8:9::/48 gw 2001:db8::9 esi single-homed etag 0 label 400 rd 65000:1 rt 65000:100
""".strip().splitlines()


def gobgp(directory):
    families = ["ipv4-unicast", "ipv6-unicast", "ipv4-multicast", "ipv6-multicast", "ipv4-labelled-unicast",
                "ipv6-labelled-unicast", "l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "ipv4-flowspec", "ipv6-flowspec",
                "l3vpn-ipv4-flowspec", "l3vpn-ipv6-flowspec", "l2vpn-evpn"]
    def configuration(asn, context):
        add_path = "[neighbors.afi-safis.add-paths.config]\n send-max = 8\n" if "add-path" in context else ""
        # With both, the OPEN exceeds the length that GoBGP can encode. With ADD-PATH, GoBGP also writes path identifiers
        # into the prefixes inside flow specifications, which no receiver can parse.
        graceful = "" if add_path else "[neighbors.afi-safis.mp-graceful-restart.config]\n enabled = true\n"
        text = "".join(f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\n afi-safi-name = "{family}"\n'
                       f"{graceful}{add_path}" for family in families
                       if not (add_path and "flowspec" in family))
        return f"""[global.config]
 as = 65000
 router-id = "10.0.0.2"
[[neighbors]]
[neighbors.config]
 neighbor-address = "10.0.0.1"
 peer-as = {asn}
[neighbors.transport.config]
 passive-mode = true
[neighbors.graceful-restart.config]
 enabled = true
 notification-enabled = true
 restart-time = 120
{text}"""
    control = f"unix://{directory}/gobgp.sock"

    def load(_):
        for line in GOBGP_ROUTES:
            command = f"ip netns exec record-b gobgp --target {control} global rib add {line}"
            done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=20, check=False)
            if done.returncode or "rror" in done.stdout:
                print("gobgp refused:", line, done.stdout[:100], done.stderr[:100])
    sessions(directory, "gobgp", "GoBGP 3.10.0 (Debian 12)", configuration,
             lambda path: ["gobgpd", "-t", "toml", "-f", path, "--api-hosts", control, "--pprof-disable"], VARIANTS, load)


def openbgpd(directory):
    os.makedirs("/run/openbgpd", exist_ok=True)
    def configuration(asn, context):
        return f"""AS 65000
router-id 10.0.0.2
fib-update no
socket "{directory}/bgpd.sock"
listen on 10.0.0.2
network 10.1.0.0/16 set {{ med 50 community 65000:100 community NO_EXPORT large-community 65000:1:2 ext-community rt 65000:100 }}
network 10.2.3.4/32 set {{ prepend-self 3 }}
network 2001:db8:1::/48 set {{ community BLACKHOLE ext-community soo 10.0.0.2:7 }}
neighbor 10.0.0.1 {{
 remote-as {asn}
 passive
 announce IPv4 unicast
 announce IPv6 unicast
 announce enhanced refresh yes
 {'announce add-path send all' if 'add-path' in context else ''}
 announce restart yes
}}
allow to any
allow from any
"""
    # OpenBGPD ignores an ADD-PATH capability that contains an unknown family.
    variants = {**VARIANTS, "-addpath": (65001, "external add-path", {"add_path": FAMILIES[:2]})}
    sessions(directory, "openbgpd", "OpenBGPD 7.7 (Debian 12)", configuration,
             lambda path: ["/usr/sbin/bgpd", "-d", "-f", path], variants)


def exabgp(directory):
    def configuration(asn, context):
        add_path = "add-path send;" if "add-path" in context else ""
        path = "path-information 0.0.0.7" if "add-path" in context else ""
        local = "local-preference 300 originator-id 10.0.0.7 cluster-list [ 10.0.0.8 10.0.0.9 ]" if asn == 65000 else ""
        return f"""neighbor 10.0.0.1 {{
 router-id 10.0.0.2; local-address 10.0.0.2; local-as 65000; peer-as {asn}; passive; host-name recorded; domain-name example.org;
 capability {{ graceful-restart 120; {add_path} route-refresh; }}
 family {{ ipv4 unicast; ipv4 multicast; ipv4 nlri-mpls; ipv4 mpls-vpn; ipv4 flow; ipv4 flow-vpn; ipv6 unicast; ipv6 nlri-mpls;
  ipv6 mpls-vpn; ipv6 flow; ipv6 flow-vpn; l2vpn evpn; }}
 static {{
  route 10.1.0.0/16 {path} next-hop 10.0.0.9 origin egp med 50 {local} as-path [ 65010 65011 ] community [ 65000:100 no-export ] large-community [ 65000:1:2 ] extended-community [ target:65000:100 origin:10.0.0.2:7 ];
  route 10.2.3.4/32 {path} next-hop self atomic-aggregate aggregator ( 65000:10.0.0.2 );
  route 10.2.3.5/32 {path} next-hop 10.0.0.9 attribute [ 0x63 0xe0 0x01020304 ] aigp 100;
  route 10.2.3.6/32 {path} next-hop 10.0.0.9 as-path [ 65010 4200000001 ];
  route 10.6.0.0/16 {path} next-hop 10.0.0.9 label 1000;
  route 10.3.0.0/16 {path} next-hop 10.0.0.9 rd 65000:1 label 100 extended-community [ target:65000:100 ];
  route 2001:db8:1::/48 {path} next-hop 2001:db8::9;
  route 2001:db8:6::/48 {path} next-hop 2001:db8::9 label 1001;
  route 2001:db8:3::/48 {path} next-hop 2001:db8::9 rd 65000:2 label 101 extended-community [ target:65000:100 ];
  route 10.11.0.0/16 {path} next-hop 10.0.0.9 label 1000 bgp-prefix-sid [ 5 ];
 }}
 flow {{
  route one {{ match {{ destination 10.4.0.0/16; protocol tcp; destination-port [ =80 >=1024&<=2048 ]; tcp-flags [ =syn ]; }} then {{ discard; }} }}
  route two {{ match {{ source 10.5.0.0/16; fragment [ is-fragment ]; packet-length >100; dscp =46; icmp-type [ =8 ]; }} then {{ rate-limit 9600; }} }}
  route three {{ match {{ destination 2001:db8:4::/48; next-header =udp; flow-label =5; }} then {{ redirect 65000:5; }} }}
  route four {{ rd 65000:7; match {{ destination 10.4.0.0/16; protocol udp; }} then {{ mark 46; action sample-terminal; }} }}
 }}
}}
"""
    sessions(directory, "exabgp", "ExaBGP 4.2.21 (Debian 12)", configuration, lambda path: ["exabgp", path], VARIANTS)


def main():
    sh("ip", "netns", "add", "record-a")
    sh("ip", "netns", "add", "record-b")
    try:
        sh("ip", "link", "add", "record", "netns", "record-a", "type", "veth", "peer", "record", "netns", "record-b")
        for name, number in (("record-a", 1), ("record-b", 2)):
            for command in (["link", "set", "lo", "up"], ["addr", "add", f"10.0.0.{number}/24", "dev", "record"],
                            ["addr", "add", f"2001:db8::{number}/64", "dev", "record", "nodad"], ["link", "set", "record", "up"]):
                sh("ip", "-n", name, *command)
        time.sleep(2)
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            for name in sys.argv[1:]:
                # The recorder connects from the other namespace.
                with open("/run/netns/record-a", "rb") as namespace:
                    setns(namespace.fileno())
                {"bird": bird, "frr": frr, "gobgp": gobgp, "openbgpd": openbgpd, "exabgp": exabgp}[name](directory)
    finally:
        sh("ip", "netns", "del", "record-a", check=False)
        sh("ip", "netns", "del", "record-b", check=False)


def setns(descriptor):
    """Moves the process into a network namespace, like os.setns of Python 3.12."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    main()
