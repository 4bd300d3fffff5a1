//! Group 4: the latency of one route from the call to the wire, and of the start of the process to Established.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bgp_session::{PeerConfig, Speaker, State};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use crate::child::{Child, now, raw_c};
use crate::established;
use crate::namespace::{OURS, ROUTER};
use crate::sink::Sink;
use crate::speaker::route;
use crate::table::{Row, median};

const SAMPLES: u32 = 300;

/// The pause before and after each sample, so that no sample finds the threads of the previous one awake.
const PAUSE: Duration = Duration::from_millis(3);

fn listener() -> TcpListener {
    TcpListener::bind((ROUTER, 179)).expect("an address of the namespace")
}

/// Reports the time of every read until the connection ends.
fn watch(mut stream: TcpStream, arrivals: &Sender<Instant>) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
        if arrivals.send(now()).is_err() {
            return;
        }
    }
}

/// Starts a neighbor in a thread. It accepts one connection, calls `establish`, and reports the time of every later read.
fn neighbor(
    establish: impl FnOnce(TcpStream) -> TcpStream + Send + 'static,
) -> (Receiver<Instant>, JoinHandle<()>) {
    let listener = listener();
    let (sender, arrivals) = channel();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        watch(establish(stream), &sender);
    });
    (arrivals, thread)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn microseconds(start: Instant, arrivals: &Receiver<Instant>) -> f64 {
    let arrival = arrivals.recv_timeout(Duration::from_secs(5));
    (arrival.expect("octets within 5 s") - start).as_secs_f64() * 1e6
}

/// Returns the median time from `announce` to the octets at the neighbor, with the speaker in this thread.
fn announced() -> f64 {
    let (arrivals, neighbor) = neighbor(|stream| {
        let mut sink = Sink::new(stream, 4096);
        sink.establish();
        sink.stream
    });
    let runtime = runtime();
    let figure = runtime.block_on(async {
        let local = established::local();
        let builder = Speaker::builder(local.asn, local.router_id);
        let speaker = builder.spawn().await.expect("a running speaker");
        let config = PeerConfig::new(ROUTER.parse().expect("an address"), local.asn);
        let peer = speaker.add_peer(config).expect("a peer");
        peer.wait_for(|status| status.state == State::Established && status.up_to_date)
            .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        // The End-of-RIBs have arrived, and are no sample.
        while arrivals.try_recv().is_ok() {}
        let mut samples = Vec::new();
        for number in 0..SAMPLES {
            tokio::time::sleep(PAUSE).await;
            let start = now();
            // The runtime has one thread: the speaker's task runs while this one sleeps.
            speaker.announce(&route(number)).expect("it runs");
            tokio::time::sleep(PAUSE).await;
            samples.push(microseconds(start, &arrivals));
        }
        median(samples)
    });
    drop(runtime);
    neighbor.join().expect("the neighbor's thread");
    figure
}

/// Returns the median time of one `write`: the lower bound of every program.
fn written() -> f64 {
    let (arrivals, neighbor) = neighbor(|stream| stream);
    let mut stream = TcpStream::connect((ROUTER, 179)).expect("a listening neighbor");
    stream.set_nodelay(true).expect("a socket");
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        crate::child::pause(PAUSE);
        let start = now();
        stream.write_all(&MESSAGE).expect("room in the socket");
        crate::child::pause(PAUSE);
        samples.push(microseconds(start, &arrivals));
    }
    drop(stream);
    neighbor.join().expect("the neighbor's thread");
    median(samples)
}

/// Returns the median time of a tokio task that is woken and writes: the cost of the runtime without a speaker.
fn handed_over() -> f64 {
    let (arrivals, neighbor) = neighbor(|stream| stream);
    let runtime = runtime();
    let figure = runtime.block_on(async {
        let mut stream = tokio::net::TcpStream::connect((ROUTER, 179))
            .await
            .expect("a listening neighbor");
        stream.set_nodelay(true).expect("a socket");
        let (changed, mut seen) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            while seen.changed().await.is_ok() {
                stream
                    .write_all(&MESSAGE)
                    .await
                    .expect("room in the socket");
            }
        });
        let mut samples = Vec::new();
        for number in 0..SAMPLES {
            tokio::time::sleep(PAUSE).await;
            let start = now();
            changed.send(number).expect("a waiting task");
            tokio::time::sleep(PAUSE).await;
            samples.push(microseconds(start, &arrivals));
        }
        median(samples)
    });
    drop(runtime);
    neighbor.join().expect("the neighbor's thread");
    figure
}

/// The size of an UPDATE with one /32: 49 octets.
const MESSAGE: [u8; 49] = [0; 49];

/// Returns the median time from the start of a process that dials until its neighbor is in Established.
fn established_after(start: impl Fn() -> Child) -> f64 {
    let mut samples = Vec::new();
    for _ in 0..15 {
        let listener = listener();
        let begin = now();
        let child = start();
        let (stream, _) = listener.accept().expect("a connection");
        let established = Sink::new(stream, 4096).establish();
        samples.push((established - begin).as_secs_f64() * 1e3);
        drop(child);
    }
    median(samples)
}

pub(crate) fn rows() -> Result<Vec<Row>, String> {
    // In turns, so that a change of the machine's speed affects all three.
    let (mut ours, mut task, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(announced());
        task.push(handed_over());
        floor.push(written());
    }
    let floor = ("one write", median(floor));
    let (name, ours) = (
        "4 one route: announced to octets at the neighbor",
        median(ours),
    );
    let mut rows = vec![
        Row::beside(name, "us", ours, floor, 1.2),
        Row::beside(
            name,
            "us",
            ours,
            ("a task of tokio that is woken and writes", median(task)),
            1.2,
        ),
    ];
    let program = std::env::current_exe().expect("the path of this program");
    let ours =
        established_after(|| Child::start(&program, &[crate::speaker::ROLE, "dial", "0", "1"]));
    let name = "4 start of the process to Established";
    rows.push(match raw_c() {
        Some(raw) => {
            let to = format!("{ROUTER}:179");
            let raw = established_after(|| {
                Child::start(
                    &raw,
                    &[
                        "blast", "-c", &to, "-b", OURS, "-n", "1", "-S", "5", "-T", "5",
                    ],
                )
            });
            Row::beside(name, "ms", ours, ("raw C", raw), 2.0)
        }
        None => {
            println!("LEFT OUT: 4: ../shared/lab/src/bgplab.c or cc is missing");
            Row::limit(name, "ms", ours, 6.0)
        }
    });
    Ok(rows)
}
