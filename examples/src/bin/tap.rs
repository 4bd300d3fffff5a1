//! Forwards a session between two speakers and prints its messages and routes.
//!
//! Usage: `tap 127.0.0.1:1790 192.168.0.254:179`; one speaker then dials the first address.

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::error::Error;

use bgp_wire::{Context, Family, Frame, FrameCodec, Message, MessageLimit, PeerKind};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Framed;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [listen, speaker] = arguments.as_slice() else {
        return Err("usage: tap LISTEN SPEAKER".into());
    };
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (caller, address) = listener.accept().await?;
        let called = TcpStream::connect(speaker).await?;
        if let Err(error) = pass(caller, called).await {
            println!("{address}: {error}");
        }
    }
}

/// Forwards frames in both directions until one side closes.
async fn pass(caller: TcpStream, called: TcpStream) -> Result<(), Box<dyn Error>> {
    // The two speakers may negotiate extended messages (RFC 8654), so the tap accepts them in any case.
    let codec = FrameCodec {
        limit: MessageLimit::Extended,
    };
    let (mut caller, mut called) = (Framed::new(caller, codec), Framed::new(called, codec));
    loop {
        let (direction, frame) = tokio::select! {
            frame = caller.next() => (">", frame),
            frame = called.next() => ("<", frame),
        };
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame?;
        print(direction, &frame);
        let other = if direction == ">" {
            &mut called
        } else {
            &mut caller
        };
        other.send(frame).await?;
    }
}

fn print(direction: &str, frame: &Frame) {
    let context = Context::new(PeerKind::Internal)
        .with_families(Family::PARSED.iter().copied())
        .with_as_sets(true);
    println!(
        "{direction} {} of {} octets",
        frame.message_type(),
        frame.octets().len()
    );
    let update = match frame.decode(&context) {
        Ok(Message::Update(update)) => update.check(),
        Ok(_) => return,
        Err(error) => Err(error),
    };
    match update {
        Ok(checked) => {
            checked
                .withdrawn_routes()
                .for_each(|route| println!("  - {} {route}", route.family));
            checked
                .announced_routes()
                .for_each(|route| println!("  + {} {route}", route.family));
        }
        Err(error) => println!("  {error}"),
    }
}
