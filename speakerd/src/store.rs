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

use serde::{Deserialize, Serialize};
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
    /// A write has failed, so that the file may have more than `length` octets.
    torn: bool,
    /// A change was made that is not in the journal.
    is_incomplete: bool,
    /// The file was renamed, and the directory is not synced since: after a crash the old file may be back.
    is_renamed: bool,
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
            is_incomplete: false,
            is_renamed: false,
            compact_at: 0,
            _lock: lock,
        };
        Ok((Self::Journal(journal), records))
    }

    /// Makes changes durable with one write: each of them whole, and all of them or none.
    ///
    /// # Errors
    ///
    /// None of them is durable. The journal has its former content.
    pub(crate) fn append<'a>(
        &mut self,
        changes: impl IntoIterator<Item = &'a [Record]>,
    ) -> io::Result<()> {
        match self {
            Self::Memory => Ok(()),
            Self::Journal(journal) => {
                let appended = journal.append(changes);
                appended.map_err(|error| journal.in_directory(&error))
            }
        }
    }

    /// Returns `true` if a change was made that is not in the journal. Nothing may be appended before [`Self::rewrite`].
    pub(crate) fn is_incomplete(&self) -> bool {
        matches!(self, Self::Journal(journal) if journal.is_incomplete)
    }

    /// Notes that a change was made that is not in the journal.
    pub(crate) fn note_missing_change(&mut self) {
        if let Self::Journal(journal) = self {
            journal.is_incomplete = true;
        }
    }

    /// Replaces the journal by one of these records.
    ///
    /// # Errors
    ///
    /// The journal has its former content.
    pub(crate) fn rewrite(&mut self, records: impl Iterator<Item = Record>) -> io::Result<()> {
        match self {
            Self::Memory => Ok(()),
            Self::Journal(journal) => {
                let written = journal.compact(records);
                written.map_err(|error| journal.in_directory(&error))
            }
        }
    }

    /// Lets every write fail, as on a full disk, or makes room again.
    #[cfg(test)]
    pub(crate) fn set_full(&mut self, full: bool) {
        let Self::Journal(journal) = self else {
            return;
        };
        let path = if full {
            // Every write to it fails with ENOSPC.
            PathBuf::from("/dev/full")
        } else {
            journal.directory.join(JOURNAL)
        };
        journal.file = options().append(true).open(path).unwrap();
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
    fn append<'a>(&mut self, changes: impl IntoIterator<Item = &'a [Record]>) -> io::Result<()> {
        debug_assert!(!self.is_incomplete, "an incomplete journal is rewritten");
        let mut lines = Vec::new();
        for records in changes {
            // A change that changes nothing needs no line, and no disk.
            if !records.is_empty() {
                lines.extend(encode(records)?);
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.sync_directory()?;
        if self.torn {
            self.mend()?;
        }
        self.torn = true;
        self.file.write_all(&lines)?;
        self.file.sync_data()?;
        self.torn = false;
        self.length += u64::try_from(lines.len()).unwrap_or(0);
        Ok(())
    }

    fn in_directory(&self, error: &io::Error) -> io::Error {
        io::Error::new(
            error.kind(),
            format!("{}: {error}", self.directory.display()),
        )
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
        // This handle stays in use: after the rename, nothing that can fail must come before it is.
        let file = options().append(true).open(&fresh)?;
        file.set_len(0)?;
        let mut length = 0;
        let mut writer = BufWriter::new(&file);
        for record in records {
            let line = encode(&[record])?;
            length += u64::try_from(line.len()).unwrap_or(0);
            writer.write_all(&line)?;
        }
        writer.flush()?;
        drop(writer);
        file.sync_all()?;
        std::fs::rename(&fresh, self.directory.join(JOURNAL))?;
        self.file = file;
        self.length = length;
        self.torn = false;
        self.is_incomplete = false;
        self.compact_at = (self.length * 4).max(LEAST_COMPACTED);
        self.is_renamed = true;
        self.sync_directory()
    }

    /// Makes the last rename durable, if it is not yet.
    fn sync_directory(&mut self) -> io::Result<()> {
        if self.is_renamed {
            File::open(&self.directory)?.sync_all()?;
            self.is_renamed = false;
        }
        Ok(())
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

/// The content of a line.
#[derive(Serialize)]
struct Line<'a> {
    v: u64,
    records: &'a [Record],
}

fn encode(records: &[Record]) -> io::Result<Vec<u8>> {
    // The checksum comes first, so its place is left free.
    let mut line = b"00000000 ".to_vec();
    let v = VERSION;
    serde_json::to_writer(&mut line, &Line { v, records })?;
    let (checksum, json) = line.split_at_mut(9);
    write!(&mut *checksum, "{:08x}", crc32fast::hash(json))?;
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
    #[derive(Deserialize)]
    struct Version {
        #[serde(default)]
        v: u64,
    }
    #[derive(Deserialize)]
    struct Records {
        records: Vec<Record>,
    }
    let json = checked(line).ok_or(LineError::Damaged)?;
    // Version 1 was a list without a version.
    if json.starts_with(b"[") {
        let records: Vec<Value> = serde_json::from_slice(json).map_err(LineError::Unknown)?;
        return records.into_iter().map(first_version).collect();
    }
    let Version { v } = serde_json::from_slice(json).map_err(LineError::Unknown)?;
    if v != VERSION {
        return Err(LineError::Version(v));
    }
    let Records { records } = serde_json::from_slice(json).map_err(LineError::Unknown)?;
    Ok(records)
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
