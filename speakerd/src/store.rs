//! The journal: the durable parts of the intent, in a file of checked lines.
//!
//! A line is a checksum and a change, which is a version and a list of records: a change is whole or not at all. It is durable
//! once its line is synced. A line that a crash cut short is the last one and was never acknowledged. Any other line that does
//! not match its checksum is damage, and the journal is refused. From time to time the records of the whole intent are written
//! to a new file, which then replaces the journal.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::intent::{Owner, Record};

/// Where changes are made durable.
#[derive(Debug)]
pub(crate) enum Store {
    /// Nowhere: no state directory is configured.
    Memory,
    /// In a file that nobody else writes to.
    Journal(Journal),
}

#[derive(Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
    file: File,
    /// How much of the file is whole lines: where the next one goes.
    length: u64,
    /// A write has failed: the file may hold more than `length`.
    torn: bool,
    /// When to write the journal anew.
    compact_at: u64,
    /// Held as long as the daemon lives.
    _lock: File,
}

impl Store {
    /// Opens the journal in `directory`. Returns its records also.
    ///
    /// # Errors
    ///
    /// The directory cannot be used, another daemon uses it, or the journal is damaged other than at its end.
    pub(crate) fn open(directory: Option<&Path>) -> Result<(Self, Vec<Record>), Failure> {
        let Some(directory) = directory else {
            return Ok((Self::Memory, Vec::new()));
        };
        let failed = |what: &str| {
            let what = format!("{what} in the state directory {}", directory.display());
            move |error: io::Error| Failure::system(&what, &error)
        };
        std::fs::create_dir_all(directory).map_err(failed("cannot work"))?;
        let lock = lock(&directory.join("lock")).map_err(failed("cannot create the lock"))?;
        let Some(lock) = lock else {
            let message = format!(
                "another speakerd uses the state directory {}",
                directory.display()
            );
            return Err(Failure::new(Failure::UNAVAILABLE, message));
        };
        let path = directory.join(JOURNAL);
        let (records, length) = match std::fs::read(&path) {
            Ok(octets) => replay(&path, &octets)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
            Err(error) => return Err(failed("cannot read the journal")(error)),
        };
        let file = options()
            .append(true)
            .open(&path)
            .map_err(failed("cannot open the journal"))?;
        let journal = Journal {
            directory: directory.to_owned(),
            file,
            length,
            torn: true,
            compact_at: 0,
            _lock: lock,
        };
        Ok((Self::Journal(journal), records))
    }

    /// Makes a change durable, whole.
    ///
    /// # Errors
    ///
    /// It is not durable, and the journal says what it said before.
    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        match self {
            Self::Memory => Ok(()),
            Self::Journal(journal) => journal.append(records).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("{}: {error}", journal.directory.display()),
                )
            }),
        }
    }

    /// Returns `true` if changes survive a restart.
    pub(crate) fn is_durable(&self) -> bool {
        matches!(self, Self::Journal(_))
    }

    /// Writes the journal anew with these records, if it is long enough that this is worth it.
    ///
    /// Where that fails, the old journal stays, and changes are appended to it.
    pub(crate) fn compact(&mut self, records: impl Iterator<Item = Record>) {
        let Self::Journal(journal) = self else {
            return;
        };
        if journal.length < journal.compact_at {
            return;
        }
        if let Err(error) = journal.compact(records) {
            let directory = journal.directory.display();
            tracing::warn!(%directory, "the journal cannot be compacted: {error}");
            journal.compact_at = (journal.length * 2).max(LEAST_COMPACTED);
        }
    }
}

impl Journal {
    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if self.torn {
            self.mend()?;
        }
        let line = encode(records)?;
        self.torn = true;
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.torn = false;
        self.length += u64::try_from(line.len()).unwrap_or(0);
        Ok(())
    }

    /// Cuts off what a failed write may have left, before anything is written behind it.
    fn mend(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()?;
        self.torn = false;
        Ok(())
    }

    /// Replaces the journal, in one step, by one of these records.
    fn compact(&mut self, records: impl Iterator<Item = Record>) -> io::Result<()> {
        let fresh = self.directory.join("journal.new");
        let mut file = options().write(true).truncate(true).open(&fresh)?;
        let mut length = 0;
        let mut writer = BufWriter::new(&mut file);
        for record in records {
            let line = encode(&[record])?;
            length += u64::try_from(line.len()).unwrap_or(0);
            writer.write_all(&line)?;
        }
        writer.flush()?;
        drop(writer);
        file.sync_all()?;
        let path = self.directory.join(JOURNAL);
        std::fs::rename(&fresh, &path)?;
        self.file = options().append(true).open(&path)?;
        self.length = length;
        self.torn = false;
        self.compact_at = (self.length * 4).max(LEAST_COMPACTED);
        File::open(&self.directory)?.sync_all()
    }
}

/// A lock that is held as long as the file is open; `None` if somebody else holds it.
pub(crate) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = options().write(true).open(path)?;
    Ok(file.try_lock().is_ok().then_some(file))
}

/// For its owner only.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// The version of the records that this program writes.
const VERSION: u64 = 2;

fn encode(records: &[Record]) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(&json!({ "v": VERSION, "records": records }))?;
    let mut line = Vec::with_capacity(json.len() + 10);
    write!(line, "{:08x} ", crc32fast::hash(&json))?;
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

/// Returns the records of a journal, and the number of octets in its whole lines.
fn replay(path: &Path, octets: &[u8]) -> Result<(Vec<Record>, u64), Failure> {
    let (mut records, mut length) = (Vec::new(), 0);
    for (number, line) in octets.split_inclusive(|octet| *octet == b'\n').enumerate() {
        match decode(line) {
            Ok(change) => records.extend(change),
            Err(LineError::Damaged) if !line.ends_with(b"\n") => {
                tracing::warn!(journal = %path.display(), "the last line was cut short by a crash and is dropped");
                break;
            }
            Err(error) => {
                let message = format!("{}:{}: {error}", path.display(), number + 1);
                return Err(Failure::new(Failure::IO, message));
            }
        }
        length += u64::try_from(line.len()).unwrap_or(0);
    }
    Ok((records, length))
}

/// A line of the journal cannot be used.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error(
        "the line does not match its checksum; the state is damaged. Restore the file, or remove it to start with no \
         announced routes and no leases"
    )]
    Damaged,
    #[error(
        "the records have version {0}, and this speakerd knows versions 1 to {VERSION}; start the one that wrote them"
    )]
    Version(u64),
    #[error(
        "the checksum is right, but this speakerd does not know the records ({0}); start the one that wrote them"
    )]
    Unknown(serde_json::Error),
}

fn decode(line: &[u8]) -> Result<Vec<Record>, LineError> {
    let json = checked(line).ok_or(LineError::Damaged)?;
    let change: Value = serde_json::from_slice(json).map_err(LineError::Unknown)?;
    match change {
        // Version 1 was a list without a version.
        Value::Array(records) => records.into_iter().map(first_version).collect(),
        Value::Object(mut change) => match change.get("v").and_then(Value::as_u64) {
            Some(VERSION) => {
                let records = change.remove("records").unwrap_or_default();
                serde_json::from_value(records).map_err(LineError::Unknown)
            }
            version => Err(LineError::Version(version.unwrap_or(0))),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(LineError::Version(0))
        }
    }
}

/// Returns the content of a line if its checksum is right.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, json) = line.split_at_checked(8)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    (checksum == crc32fast::hash(json)).then_some(json)
}

/// Reads a record of version 1, whose only owner was the operator.
fn first_version(mut record: Value) -> Result<Record, LineError> {
    if let Value::Object(fields) = &mut record {
        let operator = json!(Owner::Operator);
        match fields.get("op").and_then(Value::as_str) {
            Some("announce") => {
                let (op, prefix) = (fields.remove("op"), fields.remove("prefix"));
                let announcement = std::mem::take(fields);
                record = json!({ "op": op, "owner": operator, "prefix": prefix, "announcement": announcement });
            }
            Some("withdraw") => drop(fields.insert("owner".into(), operator)),
            Some("lease") => drop(fields.insert("holder".into(), operator)),
            _ => {}
        }
    }
    Record::deserialize(record).map_err(LineError::Unknown)
}

const JOURNAL: &str = "journal";

/// A journal shorter than this is not worth writing anew.
const LEAST_COMPACTED: u64 = 1 << 20;

#[cfg(test)]
mod tests;
