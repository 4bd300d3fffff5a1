//! Tables as routers print them.

use std::fmt::Write;
use std::net::IpAddr;

use bgp_wire::Origin;
use ipnet::IpNet;

/// One row of FRR's `show bgp ipv4 unicast`.
pub(crate) struct RouterRow {
    pub(crate) network: IpNet,
    pub(crate) next_hop: IpAddr,
    pub(crate) metric: Option<u32>,
    pub(crate) local_pref: Option<u32>,
    pub(crate) as_path: String,
    pub(crate) origin: Origin,
    pub(crate) internal: bool,
}

/// The head of FRR's table.
pub(crate) const ROUTER_HEAD: &str =
    "   Network          Next Hop            Metric LocPrf Weight Path";

impl RouterRow {
    /// The row, column for column as FRR prints the only and best path to a prefix.
    pub(crate) fn text(&self) -> String {
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        let internal = if self.internal { 'i' } else { ' ' };
        let mut row = format!(
            "*>{internal}{:<17}{:<16}{:>10}{:>7}{:>7}",
            self.network.to_string(),
            self.next_hop.to_string(),
            number(self.metric),
            number(self.local_pref),
            0
        );
        if !self.as_path.is_empty() {
            row.push(' ');
            row.push_str(&self.as_path);
        }
        row.push(' ');
        row.push(self.origin.letter());
        row
    }
}

/// Columns as wide as their widest cell.
pub(crate) fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            // Writing to a string does not fail.
            write!(line, "{cell:<width$}  ").ok();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(head);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_frr_prints_it() {
        let row = RouterRow {
            network: "192.168.10.1/32".parse().unwrap(),
            next_hop: "192.168.0.111".parse().unwrap(),
            metric: None,
            local_pref: Some(0),
            as_path: String::new(),
            origin: Origin::INCOMPLETE,
            internal: true,
        };
        assert_eq!(
            row.text(),
            "*>i192.168.10.1/32  192.168.0.111                   0      0 ?"
        );
        let external = RouterRow {
            internal: false,
            local_pref: None,
            as_path: "64513".into(),
            origin: Origin::IGP,
            ..row
        };
        assert_eq!(
            external.text(),
            "*> 192.168.10.1/32  192.168.0.111                          0 64513 i"
        );
    }
}
