//! Tests of the journal: crashes at every octet, damage, versions, compaction.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::*;

fn lease(name: &str, last: u8) -> Record {
    Record::Lease {
        name: name.parse().unwrap(),
        address: [192, 168, 10, last].into(),
        holder: Owner::Operator,
    }
}

fn release(name: &str) -> Record {
    Record::Release {
        name: name.parse().unwrap(),
    }
}

/// Returns the leases that records amount to.
fn leases(records: &[Record]) -> BTreeMap<String, IpAddr> {
    let mut leases = BTreeMap::new();
    for record in records {
        match record {
            Record::Lease { name, address, .. } => drop(leases.insert(name.to_string(), *address)),
            Record::Release { name } => drop(leases.remove(name.as_str())),
            Record::Announce { .. } | Record::Withdraw { .. } => panic!("{record:?}"),
        }
    }
    leases
}

fn open(directory: &Path) -> (Store, Vec<Record>) {
    Store::open(Some(directory)).unwrap()
}

/// Writes a journal of two lines. Returns its leases.
fn filled(directory: &Path) -> BTreeMap<String, IpAddr> {
    let (mut store, _) = open(directory);
    store.append(&[lease("a", 1), lease("b", 2)]).unwrap();
    store.append(&[release("a"), lease("c", 3)]).unwrap();
    drop(store);
    leases(&open(directory).1)
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

/// Writes lines with right checksums.
fn write(directory: &Path, contents: &[&str]) {
    std::fs::create_dir_all(directory).unwrap();
    let line = |json: &&str| format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
    let text: String = contents.iter().map(line).collect();
    std::fs::write(directory.join(JOURNAL), text).unwrap();
}

#[test]
fn changes_survive() {
    let directory = tempfile::tempdir().unwrap();
    let leases = filled(directory.path());
    assert_eq!(leases.keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(lines(directory.path()), 2);
}

#[test]
fn a_crash_at_any_octet_loses_only_what_was_not_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let path = directory.path().join(JOURNAL);
    let whole = std::fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let lines = whole[..length]
            .iter()
            .filter(|octet| **octet == b'\n')
            .count();
        // Two leases after one line, and after the second, which moves one.
        let expected = [0, 2, 2][lines];
        let (mut store, records) = open(directory.path());
        assert_eq!(leases(&records).len(), expected, "cut at {length}");
        // The next line does not run into what was cut.
        store.append(&[lease("d", 4)]).unwrap();
        drop(store);
        let records = open(directory.path()).1;
        assert_eq!(leases(&records).len(), expected + 1, "cut at {length}");
    }
}

#[test]
fn damage_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let path = directory.path().join(JOURNAL);
    let whole = std::fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        match Store::open(Some(directory.path())) {
            Err(failure) => assert_eq!(failure.code(), Failure::IO),
            // Without its line end the last line is one that a crash cut short.
            Ok(_) => assert_eq!(position, whole.len() - 1, "position {position}"),
        }
    }
}

#[test]
fn records_of_version_1_belong_to_the_operator() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        &[
            r#"[{"op":"announce","prefix":"10.0.0.1/32","med":7,"communities":["64512:1"]}]"#,
            r#"[{"op":"lease","name":"a","address":"10.0.0.2"},{"op":"withdraw","prefix":"10.0.0.1/32"}]"#,
            r#"[{"op":"release","name":"a"}]"#,
        ],
    );
    let records = open(directory.path()).1;
    let shown: Vec<_> = records
        .iter()
        .map(|record| serde_json::to_string(record).unwrap())
        .collect();
    assert_eq!(
        shown,
        [
            r#"{"op":"announce","owner":"operator","prefix":"10.0.0.1/32","announcement":{"med":7,"communities":["64512:1"]}}"#,
            r#"{"op":"lease","name":"a","address":"10.0.0.2","holder":"operator"}"#,
            r#"{"op":"withdraw","owner":"operator","prefix":"10.0.0.1/32"}"#,
            r#"{"op":"release","name":"a"}"#,
        ]
    );
}

#[test]
fn unknown_versions_and_records_are_named_and_not_called_damage() {
    let directory = tempfile::tempdir().unwrap();
    for (line, message) in [
        (
            r#"{"v":3,"records":[]}"#,
            "the records have version 3, and this speakerd knows versions 1 to 2",
        ),
        (r#"{"records":[]}"#, "the records have version 0"),
        ("7", "the records have version 0"),
        (
            r#"{"v":2,"records":[{"op":"release","name":"a","why":"x"}]}"#,
            "unknown field `why`",
        ),
        (r#"{"v":2,"records":[{"op":"x"}]}"#, "unknown variant `x`"),
    ] {
        write(directory.path(), &[line]);
        let failure = Store::open(Some(directory.path())).unwrap_err().to_string();
        assert!(failure.contains(message), "{line}: {failure}");
        assert!(failure.contains("journal:1: "), "{failure}");
        assert!(!failure.contains("damaged"), "{failure}");
    }
}

#[test]
fn journal_is_compacted_once_it_reaches_its_limit() {
    let line = u64::try_from(encode(&[lease("a", 1)]).unwrap().len()).unwrap();
    for (room, expected) in [(line + 1, 2), (line, 1), (line - 1, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = open(directory.path());
        store.append(&[lease("a", 1)]).unwrap();
        assert_eq!(journal(&mut store).length, line);
        journal(&mut store).compact_at = line + room;
        store.append(&[lease("a", 2)]).unwrap();
        store.compact([lease("a", 2)].into_iter());
        assert_eq!(lines(directory.path()), expected, "room for {room} octets");
        // The journal goes on in the new file.
        store.append(&[lease("b", 3)]).unwrap();
        drop(store);
        assert_eq!(leases(&open(directory.path()).1).len(), 2);
    }
}

#[test]
fn journal_grows_to_four_times_its_length_before_next_compaction() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.compact(std::iter::empty());
    assert_eq!(
        journal(&mut store).compact_at,
        1_048_576,
        "the limit of a short journal"
    );
    // Long enough that four times its length is more than the limit of a short one.
    let leases = (0..3000).map(|number| lease(&format!("{number:0100}"), 1));
    journal(&mut store).compact_at = 0;
    store.compact(leases);
    let journal = journal(&mut store);
    assert!(journal.length > 1_048_576 / 4, "{}", journal.length);
    assert_eq!(journal.compact_at, 4 * journal.length);
}

#[test]
fn journal_that_cannot_be_compacted_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    // A directory in the way of the new file stands for a full disk.
    let in_the_way = directory.path().join("journal.new");
    std::fs::create_dir(&in_the_way).unwrap();
    store.append(&[lease("a", 1)]).unwrap();
    store.compact([lease("a", 1)].into_iter());
    assert_eq!(journal(&mut store).compact_at, LEAST_COMPACTED);
    store.append(&[lease("a", 2)]).unwrap();
    assert_eq!(lines(directory.path()), 2);
    std::fs::remove_dir(&in_the_way).unwrap();
    // The next attempt does not come with every change.
    store.compact([lease("a", 2)].into_iter());
    assert_eq!(lines(directory.path()), 2);
    journal(&mut store).compact_at = 0;
    store.compact([lease("a", 2)].into_iter());
    assert_eq!(lines(directory.path()), 1);
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
