//! What survives a restart: announced routes and leases, in a journal of checked lines.
//!
//! A line is a checksum and a change, which is a list of records: a change is whole or not at all. It is durable once
//! its line is synced. A line that a crash cut short is the last one and was never acknowledged; anything else that does
//! not check is not guessed at. Now and then the journal is written anew, without what is no longer true, to a file that
//! then takes its place; where there is no room for that, the old one goes on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::control::Announce;
use crate::exit::Failure;
use crate::value::Prefix;

/// One part of a change.
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
    directory: PathBuf,
    file: File,
    /// How much of the file is whole lines: where the next one goes.
    length: u64,
    /// A write has failed: the file may hold more than `length`.
    torn: bool,
    /// What the whole lines amount to.
    state: State,
    /// When to write the journal anew.
    compact_at: u64,
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
        let lock = lock(&directory.join("lock")).map_err(failed("cannot create the lock"))?;
        let Some(lock) = lock else {
            let message = format!(
                "another speakerd uses the state directory {}",
                directory.display()
            );
            return Err(Failure::new(Failure::UNAVAILABLE, message));
        };
        let path = directory.join(JOURNAL);
        let (state, length) = match std::fs::read(&path) {
            Ok(octets) => replay(&path, &octets)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
            Err(error) => return Err(failed("cannot read the journal")(error)),
        };
        let file = options()
            .append(true)
            .open(&path)
            .map_err(failed("cannot open the journal"))?;
        let (directory, compact_at) = (directory.to_owned(), 0);
        let returned = state.clone();
        let mut journal = Journal {
            directory,
            file,
            length,
            torn: true,
            state,
            compact_at,
            _lock: lock,
        };
        if let Err(error) = journal.mend().and_then(|()| journal.compact()) {
            // What was acknowledged is announced all the same; changes are refused as long as they cannot be kept.
            tracing::error!(directory = %journal.directory.display(), "the journal cannot be written: {error}");
        }
        Ok((Self::Journal(journal), returned))
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

    pub(crate) fn is_durable(&self) -> bool {
        matches!(self, Self::Journal(_))
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
        records
            .iter()
            .cloned()
            .for_each(|record| self.state.apply(record));
        if self.length >= self.compact_at
            && let Err(error) = self.compact()
        {
            // The change is durable already; the journal is only longer than it need be.
            tracing::warn!("the journal cannot be compacted: {error}");
            self.compact_at = self.length * 2;
        }
        Ok(())
    }

    /// Cuts off what a failed write may have left, before anything is written behind it.
    fn mend(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()?;
        self.torn = false;
        Ok(())
    }

    /// Replaces the journal by one that says the same in fewer lines, in one step.
    fn compact(&mut self) -> io::Result<()> {
        let fresh = self.directory.join("journal.new");
        let mut file = options().write(true).truncate(true).open(&fresh)?;
        let mut octets = Vec::new();
        for record in self.state.records() {
            octets.extend(encode(&[record])?);
        }
        file.write_all(&octets)?;
        file.sync_all()?;
        let path = self.directory.join(JOURNAL);
        std::fs::rename(&fresh, &path)?;
        self.file = options().append(true).open(&path)?;
        self.length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
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

fn encode(records: &[Record]) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(records)?;
    let mut line = Vec::with_capacity(json.len() + 10);
    write!(line, "{:08x} ", crc32fast::hash(&json))?;
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

/// What the journal says, and how much of it is whole lines.
fn replay(path: &Path, octets: &[u8]) -> Result<(State, u64), Failure> {
    let (mut state, mut length) = (State::default(), 0);
    for (number, line) in octets.split_inclusive(|octet| *octet == b'\n').enumerate() {
        match decode(line) {
            Some(records) => records.into_iter().for_each(|record| state.apply(record)),
            None if !line.ends_with(b"\n") => {
                tracing::warn!(journal = %path.display(), "the last line was cut short by a crash and is dropped");
                break;
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
        length += u64::try_from(line.len()).unwrap_or(0);
    }
    Ok((state, length))
}

fn decode(line: &[u8]) -> Option<Vec<Record>> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, json) = line.split_at_checked(8)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    if checksum != crc32fast::hash(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

const JOURNAL: &str = "journal";

/// A journal shorter than this is not worth writing anew.
const LEAST_COMPACTED: u64 = 1 << 20;

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

    /// A journal of two lines.
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
            // What is written next does not run into what was cut.
            let (mut store, _) = open(directory.path());
            store.append(&[lease("d", 4)]).unwrap();
            drop(store);
            assert_eq!(
                open(directory.path()).1.leases.len(),
                lines + 1,
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
    fn the_journal_does_not_grow_with_changes_that_undo_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = open(directory.path());
        let Store::Journal(journal) = &mut store else {
            panic!()
        };
        journal.compact_at = 10_000;
        for round in 0..2000 {
            journal
                .append(&[lease("a", u8::try_from(round % 200).unwrap())])
                .unwrap();
            if journal.compact_at == LEAST_COMPACTED {
                journal.compact_at = 10_000;
            }
            assert!(journal.length <= 10_000);
        }
        drop(store);
        assert_eq!(open(directory.path()).1.leases.len(), 1);
    }

    fn journal(store: &mut Store) -> &mut Journal {
        match store {
            Store::Journal(journal) => journal,
            Store::Memory => panic!("a store with a directory"),
        }
    }

    fn lines(directory: &Path) -> usize {
        let text = std::fs::read_to_string(directory.join(JOURNAL)).unwrap();
        text.lines().count()
    }

    #[test]
    fn journal_is_compacted_once_it_reaches_its_limit() {
        let line = u64::try_from(encode(&[lease("a", 1)]).unwrap().len()).unwrap();
        for (room, expected) in [(line + 1, 2), (line, 1), (line - 1, 1)] {
            let directory = tempfile::tempdir().unwrap();
            let (mut store, _) = open(directory.path());
            let journal = journal(&mut store);
            journal.append(&[lease("a", 1)]).unwrap();
            assert_eq!(journal.length, line);
            journal.compact_at = line + room;
            journal.append(&[lease("a", 2)]).unwrap();
            assert_eq!(lines(directory.path()), expected, "room for {room} octets");
        }
    }

    #[test]
    fn journal_grows_to_four_times_its_length_before_next_compaction() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = open(directory.path());
        let journal = journal(&mut store);
        assert_eq!(
            journal.compact_at, 1_048_576,
            "the limit of a short journal"
        );
        // Long enough that four times its length is more than the limit of a short one.
        let leases: Vec<_> = (0..3000)
            .map(|number| lease(&format!("{number:0100}"), 1))
            .collect();
        journal.append(&leases).unwrap();
        journal.compact().unwrap();
        assert!(journal.length > 1_048_576 / 4, "{}", journal.length);
        assert_eq!(journal.compact_at, 4 * journal.length);
    }

    #[test]
    fn journal_that_cannot_be_compacted_is_left_alone_until_twice_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = open(directory.path());
        let journal = journal(&mut store);
        let in_the_way = directory.path().join("journal.new");
        std::fs::create_dir(&in_the_way).unwrap();
        journal.compact_at = 0;
        journal.append(&[lease("a", 1)]).unwrap();
        assert_eq!(journal.compact_at, 2 * journal.length);
        // The next attempt would succeed, but it does not come with every change.
        std::fs::remove_dir(&in_the_way).unwrap();
        journal.compact_at += 1;
        journal.append(&[lease("a", 2)]).unwrap();
        assert_eq!(lines(directory.path()), 2);
        journal.append(&[lease("a", 3)]).unwrap();
        assert_eq!(lines(directory.path()), 1);
    }

    #[test]
    fn where_nothing_can_be_written_what_was_acknowledged_is_still_there() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        // A directory in the way of the new journal stands for a full disk.
        std::fs::create_dir(directory.path().join("journal.new")).unwrap();
        let (mut store, state) = open(directory.path());
        assert_eq!(state.leases.len(), 2);
        store.append(&[lease("d", 4)]).unwrap();
        drop(store);
        assert_eq!(open(directory.path()).1.leases.len(), 3);
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
