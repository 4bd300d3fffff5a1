//! What is wrong in a configuration, where, and what would be right: printed the way rustc prints it.

use std::fmt;
use std::ops::Range;

/// Whether a [`Diagnostic`] keeps the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is used, though not all of it has an effect.
    Warning,
}

/// The part of a file that a [`Diagnostic`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The line as it stands in the file; a password in it is blotted out.
    pub snippet: String,
    /// How many characters the caret underlines, at least 1.
    pub width: usize,
}

/// One thing to say about a configuration.
///
/// ```
/// use speakerd::config::Config;
/// let error = Config::parse("speakerd.toml", "local-as = 64512\nrouter_id = \"192.0.2.1\"\n").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "error: unknown key `router_id`
///  --> speakerd.toml:2:1
///   |
/// 2 | router_id = \"192.0.2.1\"
///   | ^^^^^^^^^
///   = help: did you mean `router-id`?"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The file, as it was named to the program.
    pub file: String,
    /// Where in the file; `None` if it is about the whole.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        let gutter = match &self.place {
            Some(place) => place.line.to_string().len(),
            None => 1,
        };
        match &self.place {
            None => write!(f, "\n{:gutter$}--> {}", "", self.file)?,
            Some(Place {
                line,
                column,
                snippet,
                width,
            }) => {
                write!(f, "\n{:gutter$}--> {}:{line}:{column}", "", self.file)?;
                write!(f, "\n{:gutter$} |", "")?;
                write!(f, "\n{line} | {}", snippet.replace('\t', " "))?;
                write!(f, "\n{:gutter$} | {:>column$}", "", '^')?;
                write!(f, "{:^<rest$}", "", rest = width.saturating_sub(1))?;
            }
        }
        match &self.help {
            Some(help) => write!(f, "\n{:gutter$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

/// The configuration cannot be used; this says all that is wrong with it, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    diagnostics: Vec<Diagnostic>,
}

impl ConfigError {
    /// An error that is about a file as a whole.
    pub(super) fn whole(file: String, problem: Problem) -> Self {
        Self {
            diagnostics: vec![Diagnostic {
                severity: Severity::Error,
                file,
                place: None,
                message: problem.message,
                help: problem.help,
            }],
        }
    }

    /// The errors, at least one.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong with a value, before it is known where the value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.help {
            Some(help) => write!(f, "{}: {help}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Problem {}

/// A value and the octets of the file that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Collects what there is to say about one file.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<(usize, Diagnostic)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
        }
    }

    /// The file's name.
    pub(super) fn file(&self) -> &'a str {
        self.file
    }

    /// The number of the line that holds this octet.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.before(offset).matches('\n').count() + 1
    }

    pub(super) fn error(&mut self, span: &Range<usize>, problem: Problem) {
        let place = self.place(span);
        self.push(Severity::Error, span.start, place, problem);
    }

    pub(super) fn warn(&mut self, span: &Range<usize>, problem: Problem) {
        let place = self.place(span);
        self.push(Severity::Warning, span.start, place, problem);
    }

    /// The value, or its error reported.
    pub(super) fn take<T>(&mut self, span: &Range<usize>, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.error(span, problem);
                None
            }
        }
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        let severities = self.found.iter().map(|(_, diagnostic)| diagnostic.severity);
        severities
            .filter(|severity| *severity == Severity::Error)
            .count()
    }

    /// The warnings; or, if there are errors, those.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, ConfigError> {
        self.found.sort_by_key(|(offset, _)| *offset);
        let found = self.found.into_iter().map(|(_, diagnostic)| diagnostic);
        let (diagnostics, warnings): (Vec<_>, Vec<_>) =
            found.partition(|diagnostic| diagnostic.severity == Severity::Error);
        if diagnostics.is_empty() {
            Ok(warnings)
        } else {
            Err(ConfigError { diagnostics })
        }
    }

    fn push(&mut self, severity: Severity, offset: usize, place: Place, problem: Problem) {
        let diagnostic = Diagnostic {
            severity,
            file: self.file.to_owned(),
            place: Some(place),
            message: problem.message,
            help: problem.help,
        };
        self.found.push((offset, diagnostic));
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.before(span.start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text.get(line_start..).unwrap_or_default();
        let snippet = line.lines().next().unwrap_or_default().trim_end();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let rest = snippet.get(before.len() - line_start..).unwrap_or_default();
        // A collection has no text of its own: then the caret underlines what is left of its first line.
        let shown = match span.len() {
            0 => rest,
            length => rest.get(..length).unwrap_or(rest),
        };
        Place {
            line: self.line(span.start),
            column,
            snippet: without_password(snippet),
            width: shown.chars().count().max(1),
        }
    }

    fn before(&self, offset: usize) -> &'a str {
        self.text.get(..offset).unwrap_or(self.text)
    }
}

/// The line with what stands behind the key `password` blotted out, column by column.
fn without_password(line: &str) -> String {
    let key = line.match_indices("password").find_map(|(at, key)| {
        let rest = line.get(at + key.len()..)?;
        let separator = rest.trim_start_matches(['"', '\'', ' ']);
        let is_key = separator.starts_with([':', '=']);
        is_key.then(|| line.len() - separator.len() + 1)
    });
    let (shown, secret) = key
        .and_then(|end| line.split_at_checked(end))
        .unwrap_or((line, ""));
    let blot = |char: char| if char == ' ' { ' ' } else { '*' };
    shown.chars().chain(secret.chars().map(blot)).collect()
}

/// The error for a key that is not one of `known`.
pub(super) fn unknown_key<'k>(key: &str, known: impl Iterator<Item = &'k str>) -> Problem {
    let known: Vec<_> = known.collect();
    // Upstream's resources write in camelCase what its ConfigMap writes with hyphens.
    let distance = |other: &str| strsim::damerau_levenshtein(&key.to_lowercase(), other);
    let nearest = known.iter().min_by_key(|other| distance(other));
    let problem = Problem::new(format!("unknown key `{key}`"));
    match nearest {
        Some(nearest) if distance(nearest) <= key.len() / 3 + 1 => {
            problem.help(format!("did you mean `{nearest}`?"))
        }
        _ => problem.help(format!("the keys here are `{}`", known.join("`, `"))),
    }
}
