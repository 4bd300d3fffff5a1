//! The daemon's end of the control socket.

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
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
use crate::store;

/// Answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request)
    -> impl Future<Output = Result<Answer, ControlError>> + Send;

    /// Returns once every Established peer has acknowledged the routes that it is sent, those of earlier changes included.
    fn flush(&self) -> impl Future<Output = ()> + Send;
}

/// The socket, bound.
pub(crate) struct ControlSocket {
    pub(crate) listener: UnixListener,
    pub(crate) path: PathBuf,
    /// Held as long as the socket is used.
    pub(crate) lock: File,
}

impl ControlSocket {
    /// Binds the socket, in place of one that no daemon listens on any more.
    ///
    /// # Errors
    ///
    /// Another daemon listens there, the path is no socket, somebody else may write to its directory, or permission is
    /// missing.
    pub(crate) fn bind(path: PathBuf) -> Result<Self, Failure> {
        let what = format!("cannot open the control socket {}", path.display());
        let failed = |error: io::Error| Failure::system(&what, &error);
        let unavailable = |why: &str| Failure::new(Failure::UNAVAILABLE, format!("{what}: {why}"));
        if let Some(directory) = path
            .parent()
            .filter(|directory| !directory.as_os_str().is_empty())
        {
            let mut builder = std::fs::DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o750)
                .create(directory)
                .map_err(failed)?;
            if !is_trustworthy(&std::fs::metadata(directory).map_err(failed)?) {
                return Err(unavailable(
                    "somebody else can replace files in its directory",
                ));
            }
        }
        let mut lock_path = path.clone().into_os_string();
        lock_path.push(".lock");
        let lock = store::lock(Path::new(&lock_path)).map_err(failed)?;
        let lock = lock.ok_or_else(|| unavailable("another speakerd listens there"))?;
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => {
                std::fs::remove_file(&path).map_err(failed)?;
            }
            Ok(_) => return Err(unavailable("it is not a socket")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).map_err(failed)?;
        Ok(Self {
            listener,
            path,
            lock,
        })
    }
}

/// Whether nobody but root and ourselves can replace what is in a directory.
fn is_trustworthy(directory: &std::fs::Metadata) -> bool {
    let owner = directory.uid();
    let (writable, sticky) = (
        directory.mode() & 0o002 != 0,
        directory.mode() & 0o1000 != 0,
    );
    (owner == 0 || owner == rustix::process::geteuid().as_raw()) && (!writable || sticky)
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
            Ok(Some(line)) => answer(&mut stream, &mut received, &handler, &line).await?,
            Ok(None) => {
                if stream.read_buf(&mut received).await? == 0 {
                    // A last line without its end is a line.
                    return match lines.decode_eof(&mut received) {
                        Ok(Some(line)) => answer(&mut stream, &mut received, &handler, &line).await,
                        Ok(None) | Err(_) => Ok(()),
                    };
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
    received: &mut BytesMut,
    handler: &Arc<impl Handler>,
    line: &str,
) -> io::Result<()> {
    let (id, request) = parse_request(line);
    let request = match request {
        Ok(request) => request,
        Err(error) => return stream.write_all(&refusal(id, error)).await,
    };
    let waits = request.waits();
    let answer = match handler.handle(request).await {
        Ok(answer) => answer,
        Err(error) => return stream.write_all(&refusal(id, error)).await,
    };
    if waits {
        flush(stream, received, handler).await?;
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

/// Waits for the peers, but not for a client that has gone.
async fn flush(
    stream: &mut UnixStream,
    received: &mut BytesMut,
    handler: &Arc<impl Handler>,
) -> io::Result<()> {
    let arrived = handler.flush();
    tokio::pin!(arrived);
    loop {
        tokio::select! {
            () = &mut arrived => return Ok(()),
            read = stream.read_buf(received), if received.len() < LINE => {
                if read? == 0 {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
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
