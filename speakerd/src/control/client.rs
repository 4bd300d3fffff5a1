//! The client's end of the control socket: blocking, one request at a time.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::protocol::{ControlError, Reply, Request};

/// A connection to a running `speakerd`.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    requests: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon refused the request.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// The daemon cannot be reached, or has gone.
    #[error("cannot reach speakerd: {0}")]
    Unreachable(#[from] io::Error),
    /// What answers does not speak this protocol.
    #[error("not an answer of speakerd: {0}")]
    Protocol(#[from] serde_json::Error),
}

/// A granted request: the items of a list, and what ended it.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The items, for a list.
    pub items: Vec<Value>,
    /// The answer; for a list `{"count": ...}`.
    pub data: Value,
}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    ///
    /// Nobody listens there, or permission is missing.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        Ok(Self {
            stream: BufReader::new(stream),
            requests: 0,
        })
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// The request was refused, or the daemon has gone.
    pub fn request(&mut self, request: &Request) -> Result<Granted, ClientError> {
        self.requests += 1;
        let mut object = serde_json::to_value(request)?;
        if let Value::Object(fields) = &mut object {
            fields.insert("v".into(), super::VERSION.into());
            fields.insert("id".into(), self.requests.into());
        }
        let written = self
            .stream
            .get_mut()
            .write_all(format!("{object}\n").as_bytes());
        let mut items = Vec::new();
        loop {
            // A daemon that has no room for us says so before it hears us.
            let reply = match (self.reply(), &written) {
                (Err(ClientError::Unreachable(_)), Err(error)) => {
                    return Err(io::Error::new(error.kind(), error.to_string()).into());
                }
                (reply, _) => reply?,
            };
            if let Some(error) = reply.error {
                return Err(error.into());
            }
            items.extend(reply.item);
            if let Some(data) = reply.data {
                return Ok(Granted { items, data });
            }
        }
    }

    fn reply(&mut self) -> Result<Reply, ClientError> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it has closed the connection",
            )
            .into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::Nothing;
    use super::*;

    #[test]
    fn requests_are_numbered_from_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut answers = stream.try_clone().unwrap();
            let mut received = Vec::new();
            for line in BufReader::new(stream).lines() {
                let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
                writeln!(
                    answers,
                    r#"{{"id":{},"ok":true,"data":{{}}}}"#,
                    request["id"]
                )
                .unwrap();
                received.push(request);
            }
            received
        });
        let mut client = Client::connect(&path).unwrap();
        for _ in 0..3 {
            client.request(&Request::Routes(Nothing {})).unwrap();
        }
        drop(client);
        let expected = [1, 2, 3].map(|id| serde_json::json!({"v": 1, "id": id, "cmd": "routes"}));
        assert_eq!(daemon.join().unwrap(), expected);
    }
}
