//! A statement and everything that goes with it.

/// A statement, its parameters and its settings.
///
/// Parameters are bound by the server to `{name:Type}` placeholders and are never
/// pasted into the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The statement.
    pub sql: String,
    /// Parameters by name, each in ClickHouse's escaped text form (what HTTP's
    /// `param_*` takes). [`Query::param`] escapes for you.
    pub params: Vec<(String, String)>,
    /// ClickHouse settings for this statement alone.
    pub settings: Vec<(String, String)>,
    /// The output format where the text has no `FORMAT` clause, `TabSeparated` when
    /// not given; for [`crate::Warehouse::insert_stream`], the format of the data.
    pub format: Option<String>,
    /// The database that unqualified names mean; the warehouse's own when not given.
    pub database: Option<String>,
    /// Run with `readonly = 1`: no write, no DDL, no `SET`, no `file()`, no `url()`.
    pub readonly: bool,
}

impl Query {
    /// A statement that may write.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            ..Self::default()
        }
    }

    /// A statement that may only read.
    pub fn read(sql: impl Into<String>) -> Self {
        Self {
            readonly: true,
            ..Self::new(sql)
        }
    }

    /// Binds a text, number or date to `{name:Type}`.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.params.push((name.into(), escape(&value.to_string())));
        self
    }

    /// Binds texts to `{name:Array(String)}`.
    #[must_use]
    pub fn param_strings<T: AsRef<str>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut text = String::from("[");
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push('\'');
            text.push_str(&escape(value.as_ref()).replace('\'', "\\'"));
            text.push('\'');
        }
        text.push(']');
        self.params.push((name.into(), text));
        self
    }

    /// Binds NULL to `{name:Nullable(Type)}`.
    #[must_use]
    pub fn param_null(mut self, name: impl Into<String>) -> Self {
        self.params.push((name.into(), "\\N".to_owned()));
        self
    }

    /// Sets a ClickHouse setting for this statement.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// Names the format.
    #[must_use]
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.format = Some(format.into());
        self
    }

    /// Names the database that unqualified names mean.
    #[must_use]
    pub fn database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }
}

impl From<&str> for Query {
    fn from(sql: &str) -> Self {
        Self::new(sql)
    }
}

impl From<String> for Query {
    fn from(sql: String) -> Self {
        Self::new(sql)
    }
}

/// A value as ClickHouse's escaped text has it, so that any text, NUL and line ends
/// included, arrives as it was.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\0"),
            c => text.push(c),
        }
    }
    text
}

/// A name as an identifier in backquotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// The statement without its last `FORMAT x` (or `VALUES`), and that format.
///
/// An insert stream takes statement and format apart; a statement as people write it
/// has them together. Only what ends the text is looked at, so that a quoted word
/// inside it is left alone.
pub(crate) fn split_format(sql: &str) -> (&str, Option<&str>) {
    let text = sql.trim_end().trim_end_matches(';').trim_end();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let head = text.trim_end_matches(is_word);
    let last = &text[head.len()..];
    let boundary = |before: &str| {
        before.ends_with(|c: char| c.is_whitespace() || c == ')' || c == '`' || c == '"')
    };
    if last.eq_ignore_ascii_case("values") && boundary(head) {
        return (head.trim_end(), Some("Values"));
    }
    let before = head.trim_end();
    if !last.is_empty() && before.len() < head.len() {
        let stem = before.trim_end_matches(is_word);
        if before[stem.len()..].eq_ignore_ascii_case("format") && boundary(stem) {
            return (stem.trim_end(), Some(last));
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::{Query, identifier, split_format};

    #[test]
    fn the_format_is_split_from_the_end_only() {
        for (sql, head, format) in [
            ("INSERT INTO t FORMAT CSV", "INSERT INTO t", Some("CSV")),
            (
                "insert into t (a, b)\nformat\tJSONEachRow\n;",
                "insert into t (a, b)",
                Some("JSONEachRow"),
            ),
            (
                "INSERT INTO t (a)VALUES",
                "INSERT INTO t (a)",
                Some("Values"),
            ),
            ("INSERT INTO format", "INSERT INTO format", None),
            ("INSERT INTO `x format`", "INSERT INTO `x format`", None),
            ("INSERT INTO t", "INSERT INTO t", None),
            (
                "INSERT INTO t (a) SETTINGS x = 1 FORMAT Native",
                "INSERT INTO t (a) SETTINGS x = 1",
                Some("Native"),
            ),
        ] {
            assert_eq!(split_format(sql), (head, format), "{sql}");
        }
    }

    #[test]
    fn parameters_are_escaped() {
        let query = Query::new("")
            .param("a", "a\\b\n\t'\0")
            .param_strings("b", ["it's", "a\\"])
            .param_null("c");
        assert_eq!(query.params[0].1, "a\\\\b\\n\\t'\\0");
        assert_eq!(query.params[1].1, "['it\\'s','a\\\\']");
        assert_eq!(query.params[2].1, "\\N");
        assert_eq!(identifier("a`b\\"), "`a\\`b\\\\`");
    }
}
