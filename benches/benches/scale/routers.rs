//! Other speakers, as senders and as receivers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::child::{Child, directory, find, wait_for};
use crate::namespace::{OURS, ROUTER};

/// A receiver that says how many routes it has.
pub(crate) trait Receiver {
    fn routes(&mut self) -> u64;
}

/// BIRD, and its control socket.
pub(crate) struct Bird {
    pub(crate) process: Child,
    control: BufReader<UnixStream>,
    protocol: &'static str,
}

impl Bird {
    /// BIRD as ourselves, with so many static routes, waiting for the router.
    pub(crate) fn sender(routes: u32) -> Option<Self> {
        let path = directory("bird-sender");
        let file = path.join(format!("routes-{routes}.conf"));
        let mut text = String::new();
        for number in 0..routes {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + number);
            text.push_str(&format!("route {address}/32 blackhole;\n"));
        }
        fs::write(&file, text).expect("the target directory is writable");
        let configuration = format!(
            "router id {OURS};\nprotocol device {{}}\nprotocol static st {{ ipv4;\ninclude \"{}\";\n}}\n\
             protocol bgp peer1 {{ local {OURS} as 64512; neighbor {ROUTER} as 64512; passive; multihop;\n\
             error wait time 1,2; ipv4 {{ import none; next hop self; export filter {{ bgp_local_pref = 0;\n\
             bgp_origin = ORIGIN_INCOMPLETE; accept; }}; }}; }}\n",
            file.display()
        );
        let mut bird = Self::start(&path, &configuration, "st")?;
        bird.wait_until(routes.into());
        Some(bird)
    }

    /// BIRD as the router, waiting for us.
    pub(crate) fn receiver() -> Option<Self> {
        let configuration = format!(
            "router id {ROUTER};\nprotocol device {{}}\nprotocol direct {{ ipv4; }}\n\
             protocol bgp peer1 {{ local {ROUTER} as 64512; neighbor {OURS} as 64512; passive; multihop;\n\
             error wait time 1,2; ipv4 {{ import all; export none; }}; }}\n"
        );
        Self::start(&directory("bird-receiver"), &configuration, "peer1")
    }

    fn start(path: &Path, configuration: &str, protocol: &'static str) -> Option<Self> {
        let program = find("bird")?;
        let (file, socket) = (path.join("bird.conf"), path.join("bird.ctl"));
        fs::write(&file, configuration).expect("the target directory is writable");
        fs::remove_file(&socket).ok();
        let pid = path.join("bird.pid");
        let path = |path: &Path| path.to_str().expect("text").to_owned();
        let process = Child::start(
            program,
            &[
                "-f",
                "-c",
                &path(&file),
                "-s",
                &path(&socket),
                "-P",
                &path(&pid),
            ],
        );
        let control = wait_for("BIRD", Duration::from_millis(20), || {
            UnixStream::connect(&socket).ok()
        });
        let mut bird = Self {
            process,
            control: BufReader::new(control),
            protocol,
        };
        bird.answer();
        Some(bird)
    }

    fn answer(&mut self) -> String {
        let mut text = String::new();
        loop {
            let start = text.len();
            let read = self.control.read_line(&mut text).expect("it answers");
            assert!(read > 0, "BIRD has ended");
            let line = text.as_bytes().get(start..).unwrap_or_default();
            if line.get(4) == Some(&b' ') && line.iter().take(4).all(u8::is_ascii_digit) {
                return text;
            }
        }
    }

    fn wait_until(&mut self, routes: u64) {
        wait_for("BIRD's table", Duration::from_millis(50), || {
            (self.routes() >= routes).then_some(())
        });
    }
}

impl Receiver for Bird {
    fn routes(&mut self) -> u64 {
        let question = format!("show protocols all {}\n", self.protocol);
        let socket = self.control.get_mut();
        socket.write_all(question.as_bytes()).expect("it listens");
        let answer = self.answer();
        let (_, rest) = answer.split_once("Routes:").unwrap_or_default();
        let count = rest.split_whitespace().next();
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

/// FRR's bgpd without zebra, and its terminal.
pub(crate) struct Frr {
    _process: Child,
    terminal: UnixStream,
}

impl Frr {
    pub(crate) fn receiver() -> Option<Self> {
        let program = PathBuf::from("/usr/lib/frr/bgpd");
        if !program.is_file() {
            return None;
        }
        // The path of a socket is short.
        let path = PathBuf::from(format!("/tmp/scale-frr-{}", std::process::id()));
        fs::create_dir_all(&path).expect("/tmp is writable");
        let file = path.join("bgpd.conf");
        let configuration = format!(
            "frr defaults traditional\nrouter bgp 64512\n bgp router-id {ROUTER}\n neighbor {OURS} remote-as 64512\n \
             neighbor {OURS} update-source {ROUTER}\n neighbor {OURS} passive\n"
        );
        fs::write(&file, configuration).expect("it is ours");
        let text = |name: &str| path.join(name).to_str().expect("text").to_owned();
        let (file, pid, directory) = (text("bgpd.conf"), text("bgpd.pid"), text(""));
        let process = Child::start(
            program,
            &[
                "-S",
                "-Z",
                "-n",
                "-f",
                &file,
                "-i",
                &pid,
                "--vty_socket",
                &directory,
                "-A",
                "127.0.0.1",
                "-P",
                "0",
                "-l",
                ROUTER,
            ],
        );
        let socket = path.join("bgpd.vty");
        let terminal = wait_for("bgpd", Duration::from_millis(20), || {
            UnixStream::connect(&socket).ok()
        });
        let mut frr = Self {
            _process: process,
            terminal,
        };
        frr.ask("enable");
        fs::remove_dir_all(&path).ok();
        Some(frr)
    }

    fn ask(&mut self, question: &str) -> String {
        let terminal = &mut self.terminal;
        terminal.write_all(question.as_bytes()).expect("it listens");
        terminal.write_all(&[0]).expect("it listens");
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        // Three zeros and a status end an answer.
        while !answer.iter().rev().skip(1).take(3).eq([0, 0, 0].iter()) {
            let read = terminal.read(&mut part).expect("it answers");
            assert!(read > 0, "bgpd has ended");
            answer.extend_from_slice(&part[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Receiver for Frr {
    fn routes(&mut self) -> u64 {
        let answer = self.ask("show bgp ipv4 unicast summary json");
        let (_, rest) = answer.split_once("\"pfxRcd\":").unwrap_or_default();
        let digits = rest.split(|other: char| !other.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }
}
