//! FRR's table, a row for each route.

use speakerd_testkit::{Router, eventually, vtysh};

fn table(router: &Router) -> String {
    vtysh(router, &["show bgp ipv4 unicast"])
}

/// The row of the table that begins with this prefix.
pub(crate) fn row(router: &Router, prefix: &str) -> Option<String> {
    table(router)
        .lines()
        .find(|line| line.get(3..).is_some_and(|rest| rest.starts_with(prefix)))
        .map(str::to_owned)
}

/// Waits until the table has exactly this row; FRR takes a moment to choose the best path.
pub(crate) fn expect_row(router: &Router, row: &str) {
    eventually(&format!("the row {row}"), || {
        table(router).lines().any(|line| line == row).then_some(())
    });
}
