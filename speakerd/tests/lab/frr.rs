//! The BGP table of FRR, with one row for each route.

use speakerd_testkit::{Router, eventually, vtysh};

/// Returns the table as vtysh prints it.
fn table(router: &Router) -> String {
    vtysh(router, &["show bgp ipv4 unicast"])
}

/// Returns the row of the table that begins with `prefix`, or `None` if the table has no such row.
pub(crate) fn row(router: &Router, prefix: &str) -> Option<String> {
    table(router)
        .lines()
        // Three columns with the status of the route come before the prefix.
        .find(|line| line.get(3..).is_some_and(|rest| rest.starts_with(prefix)))
        .map(str::to_owned)
}

/// Waits until the table has exactly this row. FRR takes a moment to select the best path.
pub(crate) fn expect_row(router: &Router, row: &str) {
    eventually(&format!("the row {row}"), || {
        table(router).lines().any(|line| line == row).then_some(())
    });
}
