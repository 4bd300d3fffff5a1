//! A property test of the checkpoints of a log: random changes, windows of any size, and compaction.

use super::super::entry::{Change, Key};
use super::super::intern::PathKey;
use super::super::log::{ConsumerId, Log};
use super::super::membership::Membership;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Announce(u32),
    Withdraw(u32),
    Checkpoint,
    Read(usize, usize),
    Rewind(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..40u32).prop_map(Step::Announce),
        6 => (0..40u32).prop_map(Step::Withdraw),
        6 => Just(Step::Checkpoint),
        4 => (0..3usize, 1..60usize).prop_map(|(reader, limit)| Step::Read(reader, limit)),
        1 => (0..3usize).prop_map(Step::Rewind),
    ]
}

struct Reader {
    consumer: ConsumerId,
    _membership: Membership,
    /// The newest states that were read since the last rewind.
    read: BTreeMap<u32, Change>,
    /// The highest version that the log has confirmed since then.
    version: Option<u64>,
}

impl Reader {
    fn join(log: &mut Log<Ipv4Net>, table: &TableId) -> Self {
        let membership = Membership::new(table);
        Self {
            consumer: log.join(true, &membership),
            _membership: membership,
            read: BTreeMap::new(),
            version: None,
        }
    }

    fn read(&mut self, log: &mut Log<Ipv4Net>, limit: usize) {
        let mut window = Vec::new();
        log.read(self.consumer, limit, &mut window);
        for entry in window {
            let number = entry.key.destination.addr().to_bits();
            self.read.insert(number, entry.change());
        }
        self.version = self.version.max(log.version_read(self.consumer));
    }

    /// Checks that the reader has the newest state of each path that has not changed after the confirmed version.
    fn check(&self, newest: &BTreeMap<u32, (u64, Change)>) {
        for (number, (version, change)) in newest {
            if Some(*version) > self.version {
                continue;
            }
            let read = self.read.get(number);
            // A withdrawal from before the rewind is not read again.
            let is_absent = *change == Change::Withdrawn && read.is_none();
            assert!(is_absent || read == Some(change), "{number}: {read:?}");
        }
    }
}

fn key(number: u32) -> Key<Ipv4Net> {
    Key {
        destination: Ipv4Net::new(number.into(), 32).unwrap(),
        path_id: crate::route::DEFAULT_PATH,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn version_is_read_when_its_last_changes_are(steps in prop::collection::vec(step(), 0..1000)) {
        let (mut log, table) = (Log::default(), TableId::default());
        let mut readers = [(); 3].map(|()| Reader::join(&mut log, &table));
        let mut newest = BTreeMap::new();
        let (mut version, mut confirmed) = (0_u64, None);
        for step in steps {
            match step {
                Step::Announce(number) => {
                    version += 1;
                    let path = PathKey::from_number(u32::try_from(version).unwrap()).unwrap();
                    prop_assert!(log.set(key(number), path).changed);
                    newest.insert(number, (version, Change::Announced(path)));
                }
                Step::Withdraw(number) => {
                    if log.remove(key(number)).is_some() {
                        version += 1;
                        newest.insert(number, (version, Change::Withdrawn));
                    }
                }
                Step::Checkpoint => {
                    log.add_checkpoint(version);
                    confirmed = Some(version);
                }
                Step::Read(reader, limit) => readers[reader].read(&mut log, limit),
                Step::Rewind(reader) => {
                    let reader = &mut readers[reader];
                    log.rewind(reader.consumer);
                    log.add_checkpoint(version);
                    confirmed = Some(version);
                    reader.read.clear();
                    reader.version = None;
                }
            }
            readers.iter().for_each(|reader| reader.check(&newest));
            // One checkpoint a position, however many changes the log has forgotten.
            prop_assert!(log.checkpoint_count() <= log.positions() + 1);
        }
        for reader in &mut readers {
            while !log.is_at_end(reader.consumer) {
                reader.read(&mut log, 7);
                reader.check(&newest);
            }
            reader.read(&mut log, 7);
            prop_assert!(reader.version >= confirmed, "{:?}", reader.version);
        }
    }
}
