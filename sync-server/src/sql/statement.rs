//! What a piece of SQL asks for: which of the warehouse's ways it has to take,
//! and for an `INSERT` with data, where the statement ends and the data begins.
//!
//! This is not a parser. It finds the few words that decide and leaves the
//! judgement of everything else to the engine. Invariant: the bytes behind
//! [`Split::Insert::data_start`] are never looked at, whatever they hold.

use super::lex::{Kind as T, Lexer, Token, unquote};

/// Where the data of an `INSERT` begins, see [`split_insert`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Split {
    /// Undecided: the statement goes on behind what was given.
    More,
    /// No insert with data: the whole text is the statement.
    Whole,
    /// An insert whose data stands behind the statement.
    Insert {
        /// The statement without its format clause and data, `INSERT INTO …`.
        statement: Vec<u8>,
        /// Offset of the first byte of data in the given text.
        data_start: usize,
        /// The data's format.
        format: String,
    },
    /// `FORMAT x;`: what follows would be data, but begins with `;`.
    SemicolonBeforeData,
    /// An `INSERT … SELECT … FROM input(…)`, whose data goes through a query.
    ThroughInput,
}

/// What kind of statement a text holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing but space and comments.
    Empty,
    /// Answers with rows and changes nothing.
    Read,
    /// Answers with rows and may change something (`KILL`, `BACKUP`, …).
    Report,
    /// Changes something and answers with nothing.
    Write,
    /// `SET name = value, …`, values as SQL text or text.
    Set(Vec<(String, String)>),
    /// `USE database`.
    Use(String),
    /// Creates, drops or fills a table that lives as long as a session.
    TemporaryTable,
    /// `BEGIN`, `COMMIT`, `ROLLBACK`, `SET TRANSACTION`.
    Transaction,
    /// `SET ROLE`, `SET DEFAULT ROLE`.
    Role,
    /// `SYSTEM SHUTDOWN` and what else would end the process around the engine.
    Shutdown,
}

/// What [`analyse`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// What it asks for.
    pub action: Action,
    /// The output format that the text names itself.
    pub format: Option<String>,
    /// Offset of a second statement, if there is one.
    pub second_at: Option<usize>,
    /// Whether it writes its result to a file of the server.
    pub into_outfile: bool,
    /// Whether it reads a file of the server as `INSERT`'s data.
    pub from_infile: bool,
    /// Offset just behind the statement, without a closing `;`.
    pub end: usize,
}

/// A cursor over significant tokens.
struct Cursor<'a> {
    text: &'a [u8],
    tokens: Vec<Token>,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a [u8], complete: bool) -> Self {
        Self {
            text,
            tokens: Lexer::new(text, complete)
                .filter(Token::is_significant)
                .collect(),
            at: 0,
        }
    }

    fn get(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    fn is(&self, keyword: &str) -> bool {
        self.get().is_some_and(|t| t.is_word(self.text, keyword))
    }

    fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|k| self.is(k))
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.is(keyword);
        self.at += usize::from(found);
        found
    }

    fn take_kind(&mut self, kind: T) -> Option<Token> {
        let token = self.get().filter(|t| t.kind == kind)?;
        self.at += 1;
        Some(token)
    }

    fn take_name(&mut self) -> Option<String> {
        let token = self
            .get()
            .filter(|t| matches!(t.kind, T::Word | T::QuotedName))?;
        self.at += 1;
        Some(String::from_utf8_lossy(&unquote(token.bytes(self.text))).into_owned())
    }

    /// Skips a bracketed group; `false` when here is none or it has no end.
    fn take_brackets(&mut self) -> bool {
        let mut depth = 0usize;
        for (offset, token) in self.tokens[self.at..].iter().enumerate() {
            match token.kind {
                T::Open => depth += 1,
                T::Close if depth > 0 => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let found = offset > 0;
                self.at += if found { offset + 1 } else { 0 };
                return found;
            }
        }
        false
    }
}

/// Tells whether `text` is an insert with data, and where the data begins.
/// `complete` says that nothing follows `text`.
pub(super) fn split_insert(text: &[u8], complete: bool) -> Split {
    let mut lexer = Lexer::new(text, complete).filter(Token::is_significant);
    let mut found = InsertScan::default();
    loop {
        let Some(token) = lexer.next() else {
            return if complete { Split::Whole } else { Split::More };
        };
        // What touches the end may go on in what is still to come.
        if !complete && token.end == text.len() {
            return Split::More;
        }
        match found.step(text, token) {
            Step::On => {}
            Step::NotData => return Split::Whole,
            Step::Values(keyword) => return values_data(text, keyword, complete),
            Step::Format { .. } if found.reads_input => return Split::ThroughInput,
            Step::Format { keyword, name } => return format_data(text, keyword, name, complete),
        }
    }
}

/// What a scan of an `INSERT` says after a token.
enum Step {
    On,
    NotData,
    Values(Token),
    Format { keyword: Token, name: Token },
}

/// How far into `INSERT INTO [TABLE] [db.]t [(columns)] …` a scan is.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum Part {
    #[default]
    Start,
    /// A leading `WITH`, whose expressions may stand before `INSERT`.
    With,
    Insert,
    Into,
    /// The name is read; a dot may follow.
    Name,
    Dot,
    FunctionName,
    /// Behind the target: columns, settings, then the word that decides.
    Rest,
    /// A bracket opened behind the target; a SELECT may be inside.
    RestOpen,
    Select,
    FormatName,
}

#[derive(Default)]
struct InsertScan {
    part: Part,
    depth: usize,
    /// `input(` was seen in the SELECT, so that data may follow a FORMAT.
    reads_input: bool,
    last_was_input: bool,
    format_keyword: Option<Token>,
}

impl InsertScan {
    fn step(&mut self, text: &[u8], token: Token) -> Step {
        let is = |keyword| token.is_word(text, keyword);
        let name = matches!(token.kind, T::Word | T::QuotedName);
        match token.kind {
            T::Open => {
                self.depth += 1;
                self.reads_input |= self.last_was_input;
                self.last_was_input = false;
                if self.depth == 1 {
                    self.part = match self.part {
                        // `{name:Identifier}` in the place of a name.
                        Part::Into | Part::Dot => Part::Name,
                        Part::FunctionName | Part::Name | Part::Rest => Part::RestOpen,
                        Part::With | Part::Select => self.part,
                        _ => return Step::NotData,
                    };
                }
                return Step::On;
            }
            T::Close => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 && self.part == Part::RestOpen {
                    self.part = Part::Rest;
                }
                return Step::On;
            }
            T::Unclosed => return Step::NotData,
            T::Semicolon | T::VerticalDelimiter if self.depth == 0 => return Step::NotData,
            _ => {}
        }
        if self.depth > 0 {
            if self.part == Part::RestOpen && self.depth == 1 && (is("SELECT") || is("WITH")) {
                self.part = Part::Select;
            } else if self.part == Part::RestOpen {
                // Columns; only the first word can begin a SELECT.
                self.part = if self.depth == 1 {
                    Part::Rest
                } else {
                    self.part
                };
            }
            self.last_was_input = self.part == Part::Select && is("input");
            return Step::On;
        }
        self.part = match self.part {
            Part::Start if is("INSERT") => Part::Insert,
            Part::Start if is("WITH") => Part::With,
            Part::Start => return Step::NotData,
            Part::With if is("INSERT") => Part::Insert,
            Part::With if is("SELECT") => return Step::NotData,
            Part::With => Part::With,
            Part::Insert if is("INTO") => Part::Into,
            // INTO may be left out.
            Part::Insert if is("TABLE") => Part::Into,
            Part::Insert if is("FUNCTION") => Part::FunctionName,
            Part::Insert if name => Part::Name,
            Part::Into if is("FUNCTION") => Part::FunctionName,
            Part::Into if is("TABLE") => Part::Into,
            Part::Into | Part::Dot if name => Part::Name,
            Part::FunctionName if name => Part::FunctionName,
            Part::Name if token.kind == T::Dot => Part::Dot,
            Part::Name | Part::Rest | Part::RestOpen => {
                if is("VALUES") {
                    return Step::Values(token);
                }
                if is("FORMAT") {
                    self.format_keyword = Some(token);
                    Part::FormatName
                } else if is("SELECT") || is("WITH") || is("FROM") {
                    Part::Select
                } else if is("WATCH") || is("INFILE") {
                    return Step::NotData;
                } else {
                    Part::Rest
                }
            }
            Part::Select => {
                self.last_was_input = is("input");
                if is("FORMAT") && self.reads_input {
                    self.format_keyword = Some(token);
                    Part::FormatName
                } else if is("INFILE") {
                    return Step::NotData;
                } else {
                    Part::Select
                }
            }
            Part::FormatName if name => {
                let keyword = self.format_keyword.unwrap_or(token);
                return Step::Format {
                    keyword,
                    name: token,
                };
            }
            _ => return Step::NotData,
        };
        Step::On
    }
}

/// `VALUES …`: the data begins behind the word, and its format is `Values`.
fn values_data(text: &[u8], keyword: Token, complete: bool) -> Split {
    // Space and comments before the data belong to the statement.
    let mut data_start = keyword.end;
    for token in Lexer::new(&text[keyword.end..], complete) {
        if !complete && keyword.end + token.end == text.len() {
            return Split::More;
        }
        if token.is_significant() {
            break;
        }
        data_start = keyword.end + token.end;
    }
    if complete
        && text.get(data_start) == Some(&b';')
        && text[data_start + 1..].iter().all(u8::is_ascii_whitespace)
    {
        data_start = text.len();
    }
    Split::Insert {
        statement: text[..keyword.start].trim_ascii_end().to_vec(),
        data_start,
        format: "Values".to_owned(),
    }
}

/// `FORMAT name`: the data begins behind the line break, when only blanks are
/// before it, else at the first byte that is no blank.
fn format_data(text: &[u8], keyword: Token, name: Token, complete: bool) -> Split {
    let mut at = name.end;
    if text.get(at) == Some(&b';') {
        return Split::SemicolonBeforeData;
    }
    while matches!(text.get(at), Some(b' ' | b'\t' | 0x0c)) {
        at += 1;
    }
    if text.get(at) == Some(&b'\r') {
        at += 1;
    }
    match text.get(at) {
        Some(b'\n') => at += 1,
        None if !complete => return Split::More,
        _ => {}
    }
    Split::Insert {
        statement: text[..keyword.start].trim_ascii_end().to_vec(),
        data_start: at,
        format: String::from_utf8_lossy(&unquote(name.bytes(text))).into_owned(),
    }
}

/// Looks at a complete statement.
pub(super) fn analyse(text: &[u8]) -> Statement {
    let cursor = Cursor::new(text, true);
    let mut depth = 0usize;
    let mut end_token = cursor.tokens.len();
    let mut second_at = None;
    let (mut into_outfile, mut from_infile) = (false, false);
    let mut previous = None::<Token>;
    for (index, token) in cursor.tokens.iter().enumerate() {
        match token.kind {
            T::Open => depth += 1,
            T::Close => depth = depth.saturating_sub(1),
            // Several at the end are one.
            T::Semicolon | T::VerticalDelimiter => end_token = end_token.min(index),
            _ if index > end_token && second_at.is_none() => second_at = Some(token.start),
            _ => {}
        }
        // At any depth: an outfile is never wanted, wherever it hides.
        let follows = |word| previous.is_some_and(|p| p.is_word(text, word));
        into_outfile |= token.is_word(text, "OUTFILE") && follows("INTO");
        from_infile |= token.is_word(text, "INFILE") && follows("FROM");
        previous = Some(*token);
    }
    let end = match cursor.tokens.get(end_token) {
        Some(token) => token.start,
        None => text.len(),
    };
    let mut inner = Cursor {
        text,
        tokens: cursor.tokens[..end_token].to_vec(),
        at: 0,
    };
    Statement {
        format: output_format(&inner),
        action: action(&mut inner),
        second_at,
        into_outfile,
        from_infile,
        end,
    }
}

/// The name behind the last `FORMAT` that stands where the clause can stand:
/// outside brackets, with only a `SETTINGS` clause or nothing behind it.
fn output_format(cursor: &Cursor<'_>) -> Option<String> {
    let mut depth = 0usize;
    let mut found = None;
    let tokens = &cursor.tokens;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            T::Open => depth += 1,
            T::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 || !token.is_word(cursor.text, "FORMAT") => {}
            _ => {
                let name = tokens.get(index + 1);
                let behind = tokens.get(index + 2);
                let last = behind.is_none_or(|t| t.is_word(cursor.text, "SETTINGS"));
                if let Some(name) = name
                    && last
                    && matches!(name.kind, T::Word | T::QuotedName)
                {
                    found = Some(
                        String::from_utf8_lossy(&unquote(name.bytes(cursor.text))).into_owned(),
                    );
                }
            }
        }
    }
    found
}

fn action(cursor: &mut Cursor<'_>) -> Action {
    while cursor.get().is_some_and(|t| t.kind == T::Open) {
        cursor.at += 1;
    }
    let Some(first) = cursor.get() else {
        return Action::Empty;
    };
    if first.kind != T::Word {
        // The engine says what is wrong with it.
        return Action::Read;
    }
    if cursor.is("WITH") {
        return with_action(cursor);
    }
    if cursor.is_any(&[
        "SELECT", "FROM", "SHOW", "DESC", "DESCRIBE", "EXISTS", "EXPLAIN", "CHECK", "VALUES",
    ]) {
        return Action::Read;
    }
    if cursor.is_any(&["KILL", "BACKUP", "RESTORE", "WATCH"]) {
        return Action::Report;
    }
    if cursor.is_any(&["BEGIN", "COMMIT", "ROLLBACK"]) {
        return Action::Transaction;
    }
    if cursor.take("USE") {
        cursor.take("DATABASE");
        return match (cursor.take_name(), cursor.get()) {
            (Some(database), None) => Action::Use(database),
            _ => Action::Read,
        };
    }
    if cursor.take("SYSTEM") {
        return if cursor.is_any(&["SHUTDOWN", "KILL", "SUSPEND"]) {
            Action::Shutdown
        } else {
            Action::Write
        };
    }
    if cursor.take("SET") {
        return set_action(cursor);
    }
    if cursor.is_any(&["CREATE", "ATTACH", "DROP", "DETACH", "TRUNCATE", "REPLACE"]) {
        cursor.at += 1;
        if cursor.take("OR") {
            cursor.take("REPLACE");
        }
        let temporary = cursor.is_any(&["TEMPORARY", "TEMP"]);
        // CREATE NAMED COLLECTION and the like take no notice of the word.
        return if temporary {
            Action::TemporaryTable
        } else {
            Action::Write
        };
    }
    Action::Write
}

/// `WITH … SELECT`, or `WITH … INSERT INTO … SELECT`.
fn with_action(cursor: &mut Cursor<'_>) -> Action {
    let mut depth = 0usize;
    for token in &cursor.tokens[cursor.at + 1..] {
        match token.kind {
            T::Open => depth += 1,
            T::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if token.is_word(cursor.text, "SELECT") => return Action::Read,
            _ if token.is_word(cursor.text, "INSERT") => return Action::Write,
            _ => {}
        }
    }
    Action::Read
}

fn set_action(cursor: &mut Cursor<'_>) -> Action {
    if cursor.is("ROLE") || cursor.is("DEFAULT") {
        return Action::Role;
    }
    if cursor.is("TRANSACTION") {
        return Action::Transaction;
    }
    if cursor.is("TIME") {
        cursor.at += 1;
        let zone = cursor
            .take("ZONE")
            .then(|| cursor.take_kind(T::Text))
            .flatten();
        return match zone {
            Some(zone) => Action::Set(vec![(
                "session_timezone".to_owned(),
                literal(cursor, zone.start, zone.end),
            )]),
            None => Action::Read,
        };
    }
    let mut settings = Vec::new();
    loop {
        let Some(mut name) = cursor.take_name() else {
            return Action::Read;
        };
        while cursor.take_kind(T::Dot).is_some() {
            let Some(more) = cursor.take_name() else {
                return Action::Read;
            };
            name = format!("{name}.{more}");
        }
        // `SET name` alone sets a switch.
        if cursor.take_kind(T::Equals).is_none() {
            settings.push((name, "1".to_owned()));
        } else {
            let Some(first) = cursor.get() else {
                return Action::Read;
            };
            let mut end = first.start;
            while let Some(token) = cursor.get().filter(|t| t.kind != T::Comma) {
                if token.kind == T::Open {
                    if !cursor.take_brackets() {
                        return Action::Read;
                    }
                } else {
                    cursor.at += 1;
                }
                end = cursor.tokens[cursor.at - 1].end;
            }
            if end == first.start {
                return Action::Read;
            }
            settings.push((name, literal(cursor, first.start, end)));
        }
        if cursor.take_kind(T::Comma).is_none() {
            return if cursor.get().is_none() {
                Action::Set(settings)
            } else {
                Action::Read
            };
        }
    }
}

fn literal(cursor: &Cursor<'_>, start: usize, end: usize) -> String {
    String::from_utf8_lossy(&unquote(&cursor.text[start..end])).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn insert(statement: &str, data: &str, format: &str) -> (Split, String) {
        let text_len = data.len();
        (
            Split::Insert {
                statement: statement.as_bytes().to_vec(),
                data_start: text_len,
                format: format.to_owned(),
            },
            data.to_owned(),
        )
    }

    #[test]
    fn finds_where_the_data_begins() {
        // text, statement, data, format
        let cases: &[(&str, &str, &str, &str)] = &[
            (
                "INSERT INTO t FORMAT JSONEachRow\n{\"a\":1}",
                "INSERT INTO t",
                "{\"a\":1}",
                "JSONEachRow",
            ),
            (
                "insert into t format JSONEachRow {\"a\":1}",
                "insert into t",
                "{\"a\":1}",
                "JSONEachRow",
            ),
            (
                "INSERT INTO t FORMAT TSV \t\r\n\n;x",
                "INSERT INTO t",
                "\n;x",
                "TSV",
            ),
            ("INSERT INTO t FORMAT TSV", "INSERT INTO t", "", "TSV"),
            (
                "INSERT INTO `a;b`.\"c\" (x, `format`) FORMAT `CSV`\n1,2",
                "INSERT INTO `a;b`.\"c\" (x, `format`)",
                "1,2",
                "CSV",
            ),
            (
                "INSERT INTO format FORMAT CSV\n1",
                "INSERT INTO format",
                "1",
                "CSV",
            ),
            (
                "INSERT INTO db.values VALUES (1)",
                "INSERT INTO db.values",
                "(1)",
                "Values",
            ),
            (
                "INSERT INTO TABLE t VALUES/* c */ (1), (2);",
                "INSERT INTO TABLE t",
                "(1), (2);",
                "Values",
            ),
            (
                "INSERT INTO t VALUES -- (0)\n(1)",
                "INSERT INTO t",
                "(1)",
                "Values",
            ),
            ("INSERT INTO t VALUES", "INSERT INTO t", "", "Values"),
            (
                "INSERT INTO t(*) Values(1)",
                "INSERT INTO t(*)",
                "(1)",
                "Values",
            ),
            ("INSERT t VALUES (1)", "INSERT t", "(1)", "Values"),
            (
                "INSERT INTO t (* EXCEPT(b)) FORMAT Native\nx",
                "INSERT INTO t (* EXCEPT(b))",
                "x",
                "Native",
            ),
            (
                "INSERT INTO t SETTINGS async_insert=1, format_csv_delimiter=';' FORMAT CSV\n1;2",
                "INSERT INTO t SETTINGS async_insert=1, format_csv_delimiter=';'",
                "1;2",
                "CSV",
            ),
            (
                "/* FORMAT x */ INSERT -- y\n INTO t FORMAT CSV\n1",
                "/* FORMAT x */ INSERT -- y\n INTO t",
                "1",
                "CSV",
            ),
            (
                "INSERT INTO {table:Identifier} FORMAT CSV\n1",
                "INSERT INTO {table:Identifier}",
                "1",
                "CSV",
            ),
            (
                "INSERT INTO {d:Identifier}.{t:Identifier} FORMAT CSV\n1",
                "INSERT INTO {d:Identifier}.{t:Identifier}",
                "1",
                "CSV",
            ),
            (
                "INSERT INTO FUNCTION remote('h', d.t) (a) FORMAT CSV\n1",
                "INSERT INTO FUNCTION remote('h', d.t) (a)",
                "1",
                "CSV",
            ),
        ];
        for (text, statement, data, format) in cases {
            let (mut expected, _) = insert(statement, data, format);
            if let Split::Insert { data_start, .. } = &mut expected {
                *data_start = text.len() - data.len();
            }
            assert_eq!(split_insert(text.as_bytes(), true), expected, "{text:?}");
        }
    }

    #[test]
    fn leaves_whole_what_has_no_data() {
        let cases = [
            "SELECT 1 FORMAT JSON",
            "INSERT INTO t SELECT 1",
            "INSERT INTO t (a, b) SELECT 1, 2 FORMAT Null",
            "INSERT INTO t (SELECT 1)",
            "INSERT INTO t (a) (WITH 1 AS x SELECT x)",
            "INSERT INTO t WITH 1 AS x SELECT x",
            "WITH 1 AS x INSERT INTO t SELECT x",
            "WITH x AS (SELECT 1) SELECT * FROM x FORMAT JSON",
            "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
            "INSERT INTO t (a) FROM INFILE 'x' FORMAT CSV",
            "INSERT INTO t FROM format SELECT 1",
            "INSERT INTO t",
            "INSERT INTO t; FORMAT x",
            "INSERT INTO t (a, 'open FORMAT CSV",
            "EXPLAIN INSERT INTO t FORMAT CSV",
            "",
            "   ",
            "-- only\n",
            "{",
        ];
        for text in cases {
            assert_eq!(
                split_insert(text.as_bytes(), true),
                Split::Whole,
                "{text:?}"
            );
        }
        assert_eq!(
            split_insert(b"INSERT INTO t FORMAT CSV;", true),
            Split::SemicolonBeforeData
        );
        assert_eq!(
            split_insert(
                b"INSERT INTO t SELECT x FROM input('x UInt8') FORMAT CSV\n1",
                true
            ),
            Split::ThroughInput
        );
    }

    #[test]
    fn inserts_through_input_are_told() {
        let text = b"INSERT INTO t SELECT x FROM input('x UInt8') FORMAT CSV\n1";
        assert_eq!(split_insert(text, true), Split::ThroughInput);
    }

    #[test]
    fn tells_what_a_statement_does() {
        use Action::*;
        let set = |pairs: &[(&str, &str)]| {
            Set(pairs
                .iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect())
        };
        let cases = [
            ("SELECT 1", Read),
            (" ((SELECT 1) UNION ALL (SELECT 2))", Read),
            ("with 1 as x select x", Read),
            ("WITH x AS (INSERT) SELECT x", Read),
            ("WITH 1 AS x INSERT INTO t SELECT x", Write),
            ("FROM t SELECT *", Read),
            ("show tables", Read),
            ("DESC t", Read),
            ("EXPLAIN SELECT 1", Read),
            ("INSERT INTO t SELECT 1", Write),
            ("CREATE TABLE temporary (a UInt8) ENGINE Memory", Write),
            ("CREATE TEMPORARY TABLE t (a UInt8)", TemporaryTable),
            (
                "CREATE OR REPLACE /**/ TEMPORARY TABLE t (a UInt8)",
                TemporaryTable,
            ),
            ("DROP TEMPORARY TABLE t", TemporaryTable),
            ("DROP TABLE t", Write),
            ("ALTER TABLE t DELETE WHERE 1", Write),
            ("OPTIMIZE TABLE t FINAL", Write),
            ("SYSTEM FLUSH LOGS", Write),
            ("SYSTEM SHUTDOWN", Shutdown),
            ("KILL QUERY WHERE 1", Report),
            ("BEGIN TRANSACTION", Transaction),
            ("USE `d b`", Use("d b".into())),
            ("USE DATABASE x;", Use("x".into())),
            (
                "SET a = 1, b.c = 'x''y', d = [1, 2], e",
                set(&[("a", "1"), ("b.c", "x'y"), ("d", "[1, 2]"), ("e", "1")]),
            ),
            ("SET a = -1;", set(&[("a", "-1")])),
            ("SET TIME ZONE 'UTC'", set(&[("session_timezone", "UTC")])),
            ("SET ROLE x", Role),
            ("SET", Read),
            ("SET a = , b = 1", Read),
            ("; ", Empty),
            ("-- x", Empty),
            ("'x'", Read),
            ("!", Read),
        ];
        for (text, expected) in cases {
            assert_eq!(analyse(text.as_bytes()).action, expected, "{text}");
        }
    }

    #[test]
    fn finds_the_output_format() {
        let cases = [
            ("SELECT 1 FORMAT JSON", Some("JSON")),
            ("SELECT 1 format `JSON` ;", Some("JSON")),
            ("SELECT 1 FORMAT CSV SETTINGS a=1", Some("CSV")),
            ("SELECT 1 SETTINGS a=1 FORMAT CSV", Some("CSV")),
            ("SELECT format FROM t", None),
            ("SELECT 'FORMAT JSON'", None),
            ("SELECT (SELECT 1 FORMAT JSON)", None),
            ("SELECT 1 -- FORMAT JSON", None),
            ("SELECT format('{}', 1)", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                analyse(text.as_bytes()).format.as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn finds_a_second_statement_and_files() {
        assert_eq!(analyse(b"SELECT 1; ").second_at, None);
        assert_eq!(analyse(b"SELECT 1; -- x\n").second_at, None);
        assert_eq!(analyse(b"SELECT ';'").second_at, None);
        assert_eq!(analyse(b"SELECT 1;;; ;").second_at, None);
        assert_eq!(analyse(b"SELECT 1;;; ;").end, 8);
        assert_eq!(analyse(b"SELECT 1; SELECT 2").second_at, Some(10));
        assert_eq!(analyse(b"SELECT 1\\GSELECT 2").second_at, Some(10));
        assert_eq!(analyse(b"SELECT 1 ;").end, 9);
        assert!(analyse(b"SELECT 1 INTO /**/ OUTFILE 'x'").into_outfile);
        assert!(!analyse(b"SELECT 'INTO OUTFILE'").into_outfile);
        assert!(analyse(b"INSERT INTO t FROM INFILE 'x' FORMAT CSV").from_infile);
    }

    proptest! {
        #[test]
        fn data_bytes_are_untouched_however_they_arrive(
            head in "(-- c\n)?INSERT INTO (TABLE )?(a\\.)?`t`( \\(x, y\\))?( SETTINGS a='FORMAT')? FORMAT [A-Z][A-Za-z]{0,12}",
            gap in "[ \t]{0,3}\r?\n",
            data in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let text = [head.as_bytes(), gap.as_bytes(), &data].concat();
            let whole = split_insert(&text, true);
            let Split::Insert { data_start, statement, .. } = &whole else { panic!("{whole:?}") };
            prop_assert_eq!(&text[*data_start..], &data[..]);
            prop_assert_eq!(&statement[..], &head.as_bytes()[..head.rfind(" FORMAT ").unwrap()]);
            for cut in 0..text.len() {
                let part = split_insert(&text[..cut], false);
                prop_assert!(part == Split::More || part == whole, "{} {:?}", cut, part);
            }
        }

        #[test]
        fn values_are_found_however_they_arrive(gap in "( |\n|/\\* c \\*/|-- c\n){0,3}", data in "\\([-0-9'a-z/*]{0,20}") {
            let text = format!("INSERT INTO t VALUES{gap}{data}");
            let whole = split_insert(text.as_bytes(), true);
            let Split::Insert { data_start, .. } = &whole else { panic!("{whole:?}") };
            prop_assert_eq!(&text[*data_start..], &data[..]);
            for cut in 0..text.len() {
                let part = split_insert(&text.as_bytes()[..cut], false);
                prop_assert!(part == Split::More || part == whole, "{} {:?}", cut, part);
            }
        }

        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), complete: bool) {
            split_insert(&bytes, complete);
            analyse(&bytes);
        }

        #[test]
        fn nothing_like_sql_makes_it_panic(
            text in "((INSERT|INTO|t|\\(|\\)|FORMAT|VALUES|SELECT|WITH|SET|=|,|;|'|\\.|USE|FROM|INFILE|input|FUNCTION|[{}])[ \n]?){0,25}",
            complete: bool,
        ) {
            if let Split::Insert { data_start, .. } = split_insert(text.as_bytes(), complete) {
                prop_assert!(data_start <= text.len());
            }
            let found = analyse(text.as_bytes());
            prop_assert!(found.end <= text.len());
        }
    }
}
