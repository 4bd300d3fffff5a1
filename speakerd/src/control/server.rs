//! The daemon's end of the control socket.

use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::codec::{Decoder, LinesCodec, LinesCodecError};

use super::protocol::{Answer, ControlError, ErrorCode, Reply, Request, parse_request};
use crate::exit::Failure;

/// Answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one request; may block for as long as storage takes.
    fn handle(&self, request: Request) -> Result<Answer, ControlError>;

    /// Returns once every Established peer has acknowledged what was changed before.
    fn flush(&self) -> impl Future<Output = ()> + Send;
}

/// Binds the socket, in place of one that no daemon listens on any more.
///
/// # Errors
///
/// Another daemon listens there, the path is no socket, or permission is missing.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, Failure> {
    let what = || format!("cannot open the control socket {}", path.display());
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        let mut builder = std::fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o750)
            .create(directory)
            .map_err(|error| Failure::system(what(), &error))?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                let message = format!("{}: another speakerd listens there", what());
                return Err(Failure::new(Failure::UNAVAILABLE, message));
            }
            std::fs::remove_file(path).map_err(|error| Failure::system(what(), &error))?;
        }
        Ok(_) => {
            return Err(Failure::new(
                Failure::UNAVAILABLE,
                format!("{}: it is not a socket", what()),
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::system(what(), &error)),
    }
    let listener = UnixListener::bind(path).map_err(|error| Failure::system(what(), &error))?;
    let permissions = std::fs::Permissions::from_mode(0o660);
    std::fs::set_permissions(path, permissions).map_err(|error| Failure::system(what(), &error))?;
    Ok(listener)
}

/// Serves clients until the task is dropped.
pub(crate) async fn serve(listener: UnixListener, handler: Arc<impl Handler>) {
    let clients = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: tries again shortly.
            tokio::time::sleep(RETRY).await;
            continue;
        };
        let Ok(place) = Arc::clone(&clients).try_acquire_owned() else {
            let error = ControlError::new(
                ErrorCode::Busy,
                format!("{CLIENTS} clients are connected already"),
            );
            tokio::spawn(async move { stream.write_all(&refusal(Value::Null, error)).await });
            continue;
        };
        let handler = Arc::clone(&handler);
        tokio::spawn(async move {
            // A client that goes away in the middle has had what it asked for, or not been granted it.
            if let Err(error) = serve_client(stream, handler).await {
                tracing::debug!(%error, "control client");
            }
            drop(place);
        });
    }
}

/// Reads no further while the client does not read its replies.
async fn serve_client(mut stream: UnixStream, handler: Arc<impl Handler>) -> io::Result<()> {
    let mut lines = LinesCodec::new_with_max_length(LINE);
    let mut received = BytesMut::new();
    loop {
        match lines.decode(&mut received) {
            Ok(Some(line)) if line.trim().is_empty() => {}
            Ok(Some(line)) => answer(&mut stream, &handler, &line).await?,
            Ok(None) => {
                if stream.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            }
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                let error = ControlError::new(
                    ErrorCode::BadRequest,
                    format!("a line may have {LINE} octets"),
                );
                return stream.write_all(&refusal(Value::Null, error)).await;
            }
            Err(LinesCodecError::Io(error)) => {
                let error =
                    ControlError::new(ErrorCode::BadRequest, format!("not a request: {error}"));
                stream.write_all(&refusal(Value::Null, error)).await?;
            }
        }
    }
}

async fn answer(
    stream: &mut UnixStream,
    handler: &Arc<impl Handler>,
    line: &str,
) -> io::Result<()> {
    let (id, request) = parse_request(line);
    let request = match request {
        Ok(request) => request,
        Err(error) => return stream.write_all(&refusal(id, error)).await,
    };
    let waits = request.waits();
    let blocking = Arc::clone(handler);
    // Making a change durable may take its time; sessions must not wait for it.
    let handled = tokio::task::spawn_blocking(move || blocking.handle(request))
        .await
        .map_err(io::Error::other)?;
    let answer = match handled {
        Ok(answer) => answer,
        Err(error) => return stream.write_all(&refusal(id, error)).await,
    };
    if waits {
        handler.flush().await;
    }
    let granted = |item, data| Reply {
        id: id.clone(),
        ok: true,
        item,
        data,
        error: None,
    };
    match answer {
        Answer::One(data) => stream.write_all(&line_of(&granted(None, Some(data)))).await,
        Answer::List(items) => {
            let count = items.len();
            for item in items {
                stream
                    .write_all(&line_of(&granted(Some(item), None)))
                    .await?;
            }
            stream
                .write_all(&line_of(&granted(None, Some(json!({ "count": count })))))
                .await
        }
    }
}

fn refusal(id: Value, error: ControlError) -> Vec<u8> {
    line_of(&Reply {
        id,
        ok: false,
        item: None,
        data: None,
        error: Some(error),
    })
}

fn line_of(reply: &Reply) -> Vec<u8> {
    // JSON values always serialize.
    let mut line = serde_json::to_vec(reply).unwrap_or_default();
    line.push(b'\n');
    line
}

/// How long a request may be.
const LINE: usize = 64 * 1024;

/// How many clients are served at a time.
const CLIENTS: usize = 64;

const RETRY: Duration = Duration::from_millis(100);
