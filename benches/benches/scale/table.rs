//! The rows: what was measured, beside what, and the goal.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

/// One figure and what it is held against.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    /// Who else was measured, and what it took.
    pub(crate) other: Option<(&'static str, f64)>,
    /// The most of the other's figure, or without one the most there may be; `None` where it is only told.
    pub(crate) goal: Option<f64>,
}

impl Row {
    /// A figure with a limit of its own.
    pub(crate) fn limit(name: impl Into<String>, unit: &'static str, ours: f64, most: f64) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            other: None,
            goal: Some(most),
        }
    }

    /// A figure beside that of another, of which it is to be at most so much.
    pub(crate) fn beside(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        other: (&'static str, f64),
        most: f64,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            other: Some(other),
            goal: Some(most),
        }
    }

    /// A figure without a goal.
    pub(crate) fn told(name: impl Into<String>, unit: &'static str, ours: f64) -> Self {
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

/// The median.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    figures.get(middle).copied().unwrap_or(f64::NAN)
}

/// The least.
pub(crate) fn least(figures: Vec<f64>) -> f64 {
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
        let other = row.other.map_or_else(String::new, |(who, figure)| {
            format!("{} {who}", round(figure))
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
        "other": row.other.map(|(who, figure)| json!({ "who": who, "figure": figure })),
    })
}

/// Writes the rows as JSON beside the other benchmarks' output.
pub(crate) fn write(rows: &[Row], left_out: &[String]) {
    let program = std::env::current_exe().expect("this program is a file");
    let target = program.ancestors().nth(3).map(PathBuf::from);
    let directory = target.expect("it is in a target directory").join("bench");
    fs::create_dir_all(&directory).expect("the target directory is writable");
    let file = directory.join("scale.json");
    let rows: Vec<_> = rows.iter().map(value).collect();
    let text = serde_json::to_string_pretty(&json!({ "rows": rows, "left_out": left_out }));
    fs::write(&file, text.expect("it is JSON")).expect("the target directory is writable");
    println!("as JSON: {}", file.display());
}
