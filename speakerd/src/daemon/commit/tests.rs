//! Changes of many clients at once, and a disk that is full for a while.

use std::path::Path;

use bgp_wire::Asn;

use super::*;
use crate::config::Config;
use crate::intent::{Announcement, LeaseRequest, Owner, Permitted, Record};
use crate::pool::Request;
use crate::value::Prefix;

const CONFIG: &str = r#"
    local-as = 64512
    [[pool]]
    name = "default"
    addresses = ["10.0.0.0/16"]
"#;

fn intent() -> Intent {
    let loaded = Config::parse("speakerd.toml", CONFIG).unwrap();
    Intent::new(Permitted::new(&loaded.config))
}

async fn speaker() -> Speaker {
    let router_id = "192.0.2.1".parse().unwrap();
    let builder = Speaker::builder(Asn::new(64512), router_id);
    builder.spawn().await.unwrap()
}

/// Starts a committer on an empty journal. `full` is the state of the disk.
async fn start(directory: &Path, full: bool) -> (Committer, SharedIntent, Speaker) {
    let (mut store, records) = Store::open(Some(directory)).unwrap();
    assert!(records.is_empty());
    store.set_full(full);
    let (intent, speaker) = (Arc::new(RwLock::new(intent())), speaker().await);
    let committer = Committer::start(Arc::clone(&intent), store, speaker.clone()).unwrap();
    (committer, intent, speaker)
}

/// Returns the records that the journal restores, in the order of the intent.
fn restored(directory: &Path) -> Vec<Record> {
    let (_, records) = Store::open(Some(directory)).unwrap();
    let mut intent = intent();
    for record in records {
        intent.restore(record).unwrap();
    }
    intent.records().collect()
}

fn allocate(name: &str) -> Change {
    let (name, request) = (name.parse().unwrap(), Request::Any);
    Change::Allocate(Owner::Operator, vec![LeaseRequest { name, request }])
}

fn announce(prefix: &str) -> Change {
    let route = (prefix.parse().unwrap(), Announcement::default());
    Change::Announce(Owner::Operator, vec![route])
}

fn withdraw(prefix: &str) -> Change {
    Change::Withdraw(Owner::Operator, vec![prefix.parse().unwrap()])
}

fn announced(speaker: &Speaker) -> Vec<String> {
    let routes = speaker.routes();
    let mut prefixes: Vec<Prefix> = routes
        .iter()
        .filter_map(|route| route.prefix().map(Prefix::from))
        .collect();
    prefixes.sort();
    prefixes.iter().map(Prefix::to_string).collect()
}

#[tokio::test]
async fn changes_of_many_clients_are_made_durable_and_carried_out() {
    let directory = tempfile::tempdir().unwrap();
    let (committer, intent, speaker) = start(directory.path(), false).await;
    let committer = Arc::new(committer);
    let clients = (0..200).map(|number| {
        let committer = Arc::clone(&committer);
        tokio::spawn(async move { committer.commit(allocate(&number.to_string())).await })
    });
    // All of them first, so that they wait together.
    let clients: Vec<_> = clients.collect();
    for client in clients {
        let committed = client.await.unwrap().unwrap();
        assert!(committed.is_durable);
    }
    // Each name has an address of its own.
    assert_eq!(announced(&speaker).len(), 200);
    let records: Vec<_> = read(&intent).records().collect();
    committer.stop().await;
    assert_eq!(restored(directory.path()), records);
    let error = committer.commit(allocate("late")).await.unwrap_err();
    assert!(matches!(error, CommitError::Stopping), "{error}");
}

#[tokio::test]
async fn refused_change_does_not_hinder_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let (committer, _, speaker) = start(directory.path(), false).await;
    let (one, refused, other) = tokio::join!(
        committer.commit(announce("10.0.0.1/32")),
        committer.commit(announce("192.0.2.1/32")),
        committer.commit(announce("10.0.0.2/32")),
    );
    assert!(one.is_ok() && other.is_ok());
    assert!(matches!(refused, Err(CommitError::Refused(_))));
    assert_eq!(announced(&speaker), ["10.0.0.1/32", "10.0.0.2/32"]);
}

#[tokio::test]
async fn last_change_of_a_route_counts() {
    let directory = tempfile::tempdir().unwrap();
    let (committer, _, speaker) = start(directory.path(), false).await;
    let prefix = "10.0.0.1/32";
    for _ in 0..20 {
        let (announced_first, withdrawn, announced_last) = tokio::join!(
            committer.commit(announce(prefix)),
            committer.commit(withdraw(prefix)),
            committer.commit(announce(prefix)),
        );
        assert!(announced_first.is_ok() && withdrawn.is_ok() && announced_last.is_ok());
        assert_eq!(announced(&speaker), [prefix]);
    }
}

#[tokio::test]
async fn full_disk_permits_withdrawals_only() {
    let directory = tempfile::tempdir().unwrap();
    let (committer, _, speaker) = start(directory.path(), false).await;
    for prefix in ["10.0.0.1/32", "10.0.0.2/32"] {
        assert!(committer.commit(announce(prefix)).await.unwrap().is_durable);
    }
    committer.set_full(true);
    let (added, removed) = tokio::join!(
        committer.commit(announce("10.0.0.3/32")),
        committer.commit(withdraw("10.0.0.1/32")),
    );
    assert!(matches!(added, Err(CommitError::Storage(_))), "{added:?}");
    assert!(!removed.unwrap().is_durable);
    assert_eq!(announced(&speaker), ["10.0.0.2/32"]);
    // With room on the disk, the next change brings the withdrawal into the journal.
    committer.set_full(false);
    assert!(
        committer
            .commit(announce("10.0.0.4/32"))
            .await
            .unwrap()
            .is_durable
    );
    committer.stop().await;
    let restored = restored(directory.path());
    let prefixes: Vec<_> = restored
        .iter()
        .map(|record| {
            let Record::Announce { prefix, .. } = record else {
                panic!("{record:?}");
            };
            prefix.to_string()
        })
        .collect();
    assert_eq!(prefixes, ["10.0.0.2/32", "10.0.0.4/32"]);
}
