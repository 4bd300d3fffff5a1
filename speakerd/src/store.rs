//! What survives a restart: announced routes and leases, in a journal of checked lines.
//!
//! A line is a checksum and a JSON record. A change is durable once its line is synced. A line that a crash cut short
//! is the last one and was never acknowledged; anything else that does not check is not guessed at. At start the
//! journal is written anew, without what is no longer true, to a file that then takes its place.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::control::{Announce, Prefix};
use crate::exit::Failure;

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Record {
    Announce(Announce),
    Withdraw { prefix: Prefix },
    Lease { name: String, address: IpAddr },
    Release { name: String },
}

/// What the changes amount to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) announced: BTreeMap<Prefix, Announce>,
    pub(crate) leases: BTreeMap<String, IpAddr>,
}

impl State {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Announce(announce) => drop(self.announced.insert(announce.prefix, announce)),
            Record::Withdraw { prefix } => drop(self.announced.remove(&prefix)),
            Record::Lease { name, address } => drop(self.leases.insert(name, address)),
            Record::Release { name } => drop(self.leases.remove(&name)),
        }
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        let announced = self.announced.values().cloned().map(Record::Announce);
        let lease = |(name, address): (&String, &IpAddr)| Record::Lease {
            name: name.clone(),
            address: *address,
        };
        announced.chain(self.leases.iter().map(lease))
    }
}

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
    file: File,
    path: PathBuf,
    /// How much of the file is whole lines: where the next one goes.
    length: u64,
    /// Held as long as the daemon lives.
    _lock: File,
}

impl Store {
    /// Opens the journal in `directory` and reads what it says.
    ///
    /// # Errors
    ///
    /// The directory cannot be used, another daemon uses it, or the journal is damaged other than at its end.
    pub(crate) fn open(directory: Option<&Path>) -> Result<(Self, State), Failure> {
        let Some(directory) = directory else {
            return Ok((Self::Memory, State::default()));
        };
        let failed = |what: &str| {
            let what = format!("{what} in the state directory {}", directory.display());
            move |error: io::Error| Failure::system(&what, &error)
        };
        std::fs::create_dir_all(directory).map_err(failed("cannot work"))?;
        let lock =
            File::create(directory.join("lock")).map_err(failed("cannot create the lock"))?;
        if lock.try_lock().is_err() {
            let message = format!(
                "another speakerd uses the state directory {}",
                directory.display()
            );
            return Err(Failure::new(Failure::UNAVAILABLE, message));
        }
        let path = directory.join("journal");
        let state = match std::fs::read(&path) {
            Ok(octets) => replay(&path, &octets)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(failed("cannot read the journal")(error)),
        };
        let file = rewrite(directory, &path, &state).map_err(failed("cannot write the journal"))?;
        let length = file
            .metadata()
            .map_err(failed("cannot write the journal"))?
            .len();
        Ok((
            Self::Journal(Journal {
                file,
                path,
                length,
                _lock: lock,
            }),
            state,
        ))
    }

    /// Makes a change durable.
    ///
    /// # Errors
    ///
    /// It is not durable, and the journal says what it said before.
    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        match self {
            Self::Memory => Ok(()),
            Self::Journal(journal) => journal.append(records),
        }
    }

    pub(crate) fn is_durable(&self) -> bool {
        matches!(self, Self::Journal(_))
    }
}

impl Journal {
    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let lines = encode(records)?;
        let written = self
            .file
            .write_all(&lines)
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += u64::try_from(lines.len()).unwrap_or(0);
                Ok(())
            }
            Err(error) => {
                // A part of the line may be there: it must not stand in front of the next one.
                self.file.set_len(self.length)?;
                let path = self.path.display();
                Err(io::Error::new(
                    error.kind(),
                    format!("cannot write {path}: {error}"),
                ))
            }
        }
    }
}

fn encode(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        let json = serde_json::to_vec(record)?;
        write!(lines, "{:08x} ", crc32fast::hash(&json))?;
        lines.extend(json);
        lines.push(b'\n');
    }
    Ok(lines)
}

fn replay(path: &Path, octets: &[u8]) -> Result<State, Failure> {
    let mut state = State::default();
    let mut lines = octets
        .split_inclusive(|octet| *octet == b'\n')
        .enumerate()
        .peekable();
    while let Some((number, line)) = lines.next() {
        match decode(line) {
            Some(record) => state.apply(record),
            None if lines.peek().is_none() && !line.ends_with(b"\n") => {
                tracing::warn!(journal = %path.display(), "the last line was cut short by a crash and is dropped");
            }
            None => {
                let message = format!(
                    "{}:{}: the line does not match its checksum; the state is damaged. Restore the file, or remove it \
                     to start with no announced routes and no leases",
                    path.display(),
                    number + 1
                );
                return Err(Failure::new(Failure::IO, message));
            }
        }
    }
    Ok(state)
}

fn decode(line: &[u8]) -> Option<Record> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, json) = line.split_at_checked(8)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    if checksum != crc32fast::hash(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// Replaces the journal by one that says `state`, in one step.
fn rewrite(directory: &Path, path: &Path, state: &State) -> io::Result<File> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&encode(&state.records().collect::<Vec<_>>())?)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(directory)?.sync_all()?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(name: &str, last: u8) -> Record {
        Record::Lease {
            name: name.into(),
            address: [192, 168, 10, last].into(),
        }
    }

    fn open(directory: &Path) -> (Store, State) {
        Store::open(Some(directory)).unwrap()
    }

    fn filled(directory: &Path) -> State {
        let (mut store, _) = open(directory);
        store.append(&[lease("a", 1), lease("b", 2)]).unwrap();
        store
            .append(&[Record::Release { name: "a".into() }, lease("c", 3)])
            .unwrap();
        drop(store);
        open(directory).1
    }

    #[test]
    fn changes_survive() {
        let directory = tempfile::tempdir().unwrap();
        let state = filled(directory.path());
        assert_eq!(state.leases.keys().collect::<Vec<_>>(), ["b", "c"]);
        let lines = std::fs::read_to_string(directory.path().join("journal")).unwrap();
        assert_eq!(lines.lines().count(), 2, "compacted at start: {lines}");
    }

    #[test]
    fn a_crash_at_any_octet_loses_only_what_was_not_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let path = directory.path().join("journal");
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let lines = whole[..length]
                .iter()
                .filter(|octet| **octet == b'\n')
                .count();
            assert_eq!(
                open(directory.path()).1.leases.len(),
                lines,
                "cut at {length}"
            );
        }
    }

    #[test]
    fn damage_is_not_guessed_at() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let path = directory.path().join("journal");
        let whole = std::fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            match Store::open(Some(directory.path())) {
                Err(failure) => assert_eq!(failure.code(), Failure::IO),
                // The final line end is what makes the last line whole.
                Ok(_) => assert_eq!(position, whole.len() - 1, "position {position}"),
            }
        }
    }

    #[test]
    fn one_daemon_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let _first = open(directory.path());
        let failure = Store::open(Some(directory.path())).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("another speakerd uses the state directory"),
            "{failure}"
        );
    }
}
