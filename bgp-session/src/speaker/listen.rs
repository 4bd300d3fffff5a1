//! The accept loop of one listening socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::{EventSenders, Refusal, RefusalLimit, SpeakerEvent};
use super::log::{self, LogLimit};

/// Passes every accepted connection to `handle` until `closed` is cancelled. Reports the connections that `handle` refuses.
pub(super) async fn accept_all(
    listener: &TcpListener,
    address: SocketAddr,
    closed: CancellationToken,
    events: &EventSenders,
    handle: impl Fn(TcpStream, SocketAddr) -> Result<(), Refusal>,
) {
    let mut failing = false;
    let mut limit = RefusalLimit::default();
    let mut log_limit = LogLimit::default();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    if std::mem::take(&mut failing) {
                        log::write_line!(info, %address, "accepting connections again");
                        events
                            .send(SpeakerEvent::ListenerRecovered { address })
                            .await;
                    }
                    let Err(reason) = handle(stream, remote) else {
                        continue;
                    };
                    // Any host can cause refusals: they must neither flood the log nor make the listener wait.
                    if let Some(suppressed) = log_limit.take(Instant::now().into_std()) {
                        log::write_line!(warn, %remote, suppressed, "connection refused: {reason}");
                    }
                    if limit.allows(Instant::now().into_std()) {
                        // An IPv6 socket reports an IPv4 peer by its mapped address.
                        let remote = remote.ip().to_canonical();
                        events.try_send(SpeakerEvent::ConnectionRefused { remote, reason });
                    }
                }
                Err(error) => {
                    // Usually the process has no free descriptor. Running sessions need none, and closing ones free some.
                    if !std::mem::replace(&mut failing, true) {
                        log::write_line!(warn, %address, %error, "cannot accept connections for now");
                        let error = Arc::new(error);
                        events
                            .send(SpeakerEvent::ListenerFailed { address, error })
                            .await;
                    }
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        }
    };
    tokio::select! {
        // A closed listener must not accept a connection that already waits in its queue.
        biased;
        () = closed.cancelled() => {}
        () = accept => {}
    }
}

/// The interval between attempts to accept a connection while the listener fails.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast;

    use super::super::log::recorder::Recorder;
    use super::*;

    #[tokio::test]
    async fn refused_connections_are_logged_at_a_limited_rate() {
        let recorder = Recorder::new();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (broadcast, mut events) = broadcast::channel(16);
        let senders = EventSenders {
            broadcast,
            channel: None,
        };
        let closed = CancellationToken::new();
        let refuse = |_, _| Err(Refusal::UnknownPeer);
        let accept = accept_all(&listener, address, closed.clone(), &senders, refuse);
        let connect = async {
            for _ in 0..8 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                // The refused connection ends, so that all of them have been handled.
                let mut end = [0];
                assert_eq!(
                    tokio::io::AsyncReadExt::read(&mut stream, &mut end)
                        .await
                        .unwrap(),
                    0
                );
            }
            closed.cancel();
        };
        tokio::join!(accept, connect);
        let expected = "WARN message=connection refused: unknown peer remote=127.0.0.1:";
        let lines = recorder.lines();
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(
            lines.iter().all(|line| line.starts_with(expected)),
            "{lines:?}"
        );
        let refused = events.try_recv().unwrap();
        assert!(matches!(
            refused,
            SpeakerEvent::ConnectionRefused { remote, reason: Refusal::UnknownPeer } if remote == address.ip()
        ));
    }
}
