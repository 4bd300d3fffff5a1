//! The rows of the results: the figure, the figure of another program, and the goal.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

/// One figure with its goal.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    /// The name and the figure of another program.
    pub(crate) other: Option<(&'static str, f64)>,
    /// The maximum of `ours / other`, or of `ours` without another program. `None` for a figure without a goal.
    pub(crate) goal: Option<f64>,
}

impl Row {
    /// Returns a row whose figure has a maximum.
    pub(crate) fn limit(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        maximum: f64,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            other: None,
            goal: Some(maximum),
        }
    }

    /// Returns a row whose figure has a maximum ratio to that of another program.
    pub(crate) fn beside(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        other: (&'static str, f64),
        maximum: f64,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            other: Some(other),
            goal: Some(maximum),
        }
    }

    /// Returns a row without a goal.
    pub(crate) fn info(name: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            other: None,
            goal: None,
        }
    }

    fn ratio(&self) -> Option<f64> {
        self.other.map(|(_, other)| self.ours / other)
    }

    fn met(&self) -> Option<bool> {
        self.goal
            .map(|goal| self.ratio().unwrap_or(self.ours) <= goal)
    }
}

/// Returns the median, or NaN without figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    // A figure that could not be read is NaN, which `partial_cmp` cannot order.
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    figures.get(middle).copied().unwrap_or(f64::NAN)
}

/// Returns the minimum, or infinity without figures.
pub(crate) fn minimum(figures: Vec<f64>) -> f64 {
    figures.into_iter().fold(f64::INFINITY, f64::min)
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "| {:<62} | {:<8} | {:>10} | {:<22} | {:>6} | {:>7} | {:<3} |",
        "", "unit", "ours", "other", "ratio", "goal", "met"
    );
    println!(
        "|{:-<64}|{:-<10}|{:->11}:|{:-<24}|{:->7}:|{:->8}:|{:-<5}|",
        "", "", "", "", "", "", ""
    );
    for row in rows {
        let other = row.other.map_or_else(String::new, |(name, figure)| {
            format!("{} {name}", round(figure))
        });
        let ratio = row
            .ratio()
            .map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let met = match row.met() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        let goal = row.goal.map_or_else(String::new, round);
        println!(
            "| {:<62} | {:<8} | {:>10} | {other:<22} | {ratio:>6} | {goal:>7} | {met:<3} |",
            row.name,
            row.unit,
            round(row.ours)
        );
    }
}

/// Formats a figure with three or more significant digits.
fn round(figure: f64) -> String {
    match figure.abs() {
        10_000.0.. => format!("{figure:.0}"),
        100.0.. => format!("{figure:.1}"),
        1.0.. => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

fn value(row: &Row) -> Value {
    json!({
        "row": row.name, "unit": row.unit, "ours": row.ours, "goal": row.goal, "met": row.met(), "ratio": row.ratio(),
        "other": row.other.map(|(name, figure)| json!({ "who": name, "figure": figure })),
    })
}

/// Writes the rows to `target/bench/scale.json`.
pub(crate) fn write(rows: &[Row], left_out: &[String]) {
    let program = std::env::current_exe().expect("the path of this program");
    // The program is in TARGET/PROFILE/deps.
    let target = program.ancestors().nth(3).map(PathBuf::from);
    let directory = target.expect("a target directory").join("bench");
    fs::create_dir_all(&directory).expect("a writable target directory");
    let file = directory.join("scale.json");
    let rows: Vec<_> = rows.iter().map(value).collect();
    let text = serde_json::to_string_pretty(&json!({ "rows": rows, "left_out": left_out }));
    fs::write(&file, text.expect("valid JSON")).expect("a writable target directory");
    println!("as JSON: {}", file.display());
}
