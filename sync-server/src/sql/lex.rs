//! A lexer of ClickHouse's SQL, just good enough to find clauses.
//!
//! It follows ClickHouse's own lexer in what it takes for a comment, a quoted
//! name, a string or a here-document, because the front has to see the same
//! `FORMAT`, `;` and `VALUES` that the engine will see. It works on bytes: the
//! data of an `INSERT` need not be text.
//!
//! Invariant: tokens are contiguous, not empty, and together cover the input
//! exactly. No input makes the lexer panic, and each byte is looked at a
//! bounded number of times.

/// What a [`Token`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// White space.
    Space,
    /// `-- …`, `// …`, `# …`, `#!…` or `/* … */`, which nests.
    Comment,
    /// A bare word: keyword, name, or something that looks like it.
    Word,
    /// A name in double quotes or backquotes.
    QuotedName,
    /// A string in single quotes, or a here-document.
    Text,
    /// A number.
    Number,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// `;`.
    Semicolon,
    /// `,`.
    Comma,
    /// `.`.
    Dot,
    /// `=` or `==`.
    Equals,
    /// `\G`, which ends a statement like `;` does.
    VerticalDelimiter,
    /// Any other byte.
    Other,
    /// A comment, string or name that the input ends in the middle of.
    Unclosed,
}

/// A piece of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub kind: Kind,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset behind its last byte.
    pub end: usize,
}

impl Token {
    /// Whether it carries meaning, unlike space and comments.
    pub(super) fn is_significant(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment)
    }

    /// The token's bytes.
    pub(super) fn bytes<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.start..self.end]
    }

    /// Whether it is the bare word `keyword`, in any case.
    pub(super) fn is_word(&self, text: &[u8], keyword: &str) -> bool {
        self.kind == Kind::Word && self.bytes(text).eq_ignore_ascii_case(keyword.as_bytes())
    }
}

/// Here-documents whose end is missing may be looked for this often; each
/// search reads to the end of the input, so they must not be unlimited.
const FAILED_HEREDOC_SEARCHES_MAX: u32 = 64;

/// Splits SQL into [`Token`]s.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    pos: usize,
    after_dot: bool,
    failed_heredocs: u32,
    complete: bool,
}

impl<'a> Lexer<'a> {
    /// A lexer over `text`. `complete` says that nothing follows `text`; when
    /// more may follow, what could still close is [`Kind::Unclosed`].
    pub(super) fn new(text: &'a [u8], complete: bool) -> Self {
        Self {
            text,
            pos: 0,
            after_dot: false,
            failed_heredocs: 0,
            complete,
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.pos + ahead).copied()
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&accept) {
            self.pos += 1;
        }
    }

    fn line_comment(&mut self) -> Kind {
        self.skip_while(|b| b != b'\n');
        Kind::Comment
    }

    fn quoted(&mut self, quote: u8, kind: Kind) -> Kind {
        self.pos += 1;
        while let Some(byte) = self.peek(0) {
            self.pos += 1;
            if byte == b'\\' {
                if self.peek(0).is_none() {
                    return Kind::Unclosed;
                }
                self.pos += 1;
            } else if byte == quote {
                if self.peek(0) != Some(quote) {
                    return kind;
                }
                self.pos += 1;
            }
        }
        Kind::Unclosed
    }

    fn block_comment(&mut self) -> Kind {
        self.pos += 2;
        let mut depth = 1u32;
        while let (Some(a), Some(b)) = (self.peek(0), self.peek(1)) {
            match (a, b) {
                (b'/', b'*') => {
                    self.pos += 2;
                    depth += 1;
                }
                (b'*', b'/') => {
                    self.pos += 2;
                    depth -= 1;
                    if depth == 0 {
                        return Kind::Comment;
                    }
                }
                _ => self.pos += 1,
            }
        }
        self.pos = self.text.len();
        Kind::Unclosed
    }

    /// A number; what follows its digits without a break makes it a word.
    fn number(&mut self) -> Kind {
        let digits = |b: u8| b.is_ascii_digit() || b == b'_';
        if self.after_dot {
            // `x.1.1` is `x . 1 . 1`, not `x . 1.1`.
            self.skip_while(digits);
        } else {
            let radix = match (self.peek(0), self.peek(1), self.peek(2)) {
                (Some(b'0'), Some(b'x' | b'X'), Some(c)) if c.is_ascii_hexdigit() => 16,
                (Some(b'0'), Some(b'b' | b'B'), Some(b'0' | b'1')) => 2,
                _ => 10,
            };
            if radix != 10 {
                self.pos += 2;
            }
            let digit = move |b: u8| {
                b == b'_'
                    || (if radix == 16 {
                        b.is_ascii_hexdigit()
                    } else {
                        b.is_ascii_digit()
                    })
            };
            self.skip_while(digit);
            if self.peek(0) == Some(b'.') {
                self.pos += 1;
                self.skip_while(digit);
            }
            let exponent: &[u8] = if radix == 16 { b"pP" } else { b"eE" };
            if self.peek(0).is_some_and(|b| exponent.contains(&b)) && self.peek(1).is_some() {
                self.pos += 1;
                if matches!(self.peek(0), Some(b'-' | b'+')) && self.peek(1).is_some() {
                    self.pos += 1;
                }
                self.skip_while(digits);
            }
        }
        if self.peek(0).is_some_and(is_word_byte) {
            self.skip_while(is_word_byte);
            return Kind::Word;
        }
        Kind::Number
    }

    /// `$tag$ … $tag$`; `None` when there is none here.
    fn heredoc(&mut self) -> Option<Kind> {
        let rest = &self.text[self.pos..];
        let tag_len = 2 + rest[1..].iter().position(|b| !is_word_byte(*b))?;
        if rest.get(tag_len - 1) != Some(&b'$') {
            return None;
        }
        if self.failed_heredocs >= FAILED_HEREDOC_SEARCHES_MAX {
            self.pos = self.text.len();
            return Some(Kind::Unclosed);
        }
        let (tag, body) = rest.split_at(tag_len);
        match find(body, tag) {
            Some(at) => {
                self.pos += 2 * tag_len + at;
                Some(Kind::Text)
            }
            None if !self.complete => {
                self.pos = self.text.len();
                Some(Kind::Unclosed)
            }
            None => {
                self.failed_heredocs += 1;
                None
            }
        }
    }

    fn next_kind(&mut self, first: u8) -> Kind {
        match first {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                self.skip_while(is_space);
                Kind::Space
            }
            b'0'..=b'9' => self.number(),
            b'\'' => self.quoted(b'\'', Kind::Text),
            b'"' => self.quoted(b'"', Kind::QuotedName),
            b'`' => self.quoted(b'`', Kind::QuotedName),
            b'-' if self.peek(1) == Some(b'-') => self.line_comment(),
            b'/' if self.peek(1) == Some(b'/') => self.line_comment(),
            b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
            b'#' if matches!(self.peek(1), Some(b' ' | b'!')) => self.line_comment(),
            b'$' => match self.heredoc() {
                Some(kind) => kind,
                None => {
                    self.pos += 1;
                    if self.peek(0).is_some_and(is_word_byte) {
                        self.skip_while(|b| is_word_byte(b) || b == b'$');
                        Kind::Word
                    } else {
                        Kind::Other
                    }
                }
            },
            b if is_word_byte(b) => {
                self.skip_while(|b| is_word_byte(b) || b == b'$');
                Kind::Word
            }
            b'\\' if self.peek(1) == Some(b'G') => {
                self.pos += 2;
                Kind::VerticalDelimiter
            }
            b'=' => {
                self.pos += 1 + usize::from(self.peek(1) == Some(b'='));
                Kind::Equals
            }
            // `.5` is a number unless a name or another value stands before
            // it; for finding clauses both are the same.
            _ => {
                self.pos += 1;
                match first {
                    b'(' | b'[' | b'{' => Kind::Open,
                    b')' | b']' | b'}' => Kind::Close,
                    b';' => Kind::Semicolon,
                    b',' => Kind::Comma,
                    b'.' => Kind::Dot,
                    _ => Kind::Other,
                }
            }
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let start = self.pos;
        let first = self.peek(0)?;
        let kind = self.next_kind(first);
        let token = Token {
            kind,
            start,
            end: self.pos,
        };
        if token.is_significant() {
            self.after_dot = kind == Kind::Dot;
        }
        Some(token)
    }
}

/// Whether `byte` may stand in a bare word.
pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// The value of a string literal or quoted name: quotes removed, escapes
/// resolved. Anything else is returned as it is.
pub(super) fn unquote(token: &[u8]) -> Vec<u8> {
    let (Some(&quote), true) = (token.first(), token.len() >= 2) else {
        return token.to_vec();
    };
    if quote == b'$' {
        // A here-document: the tag is the same on both sides.
        return match token[1..].iter().position(|b| *b == b'$') {
            Some(at) if token.len() >= 2 * (at + 2) => token[at + 2..token.len() - at - 2].to_vec(),
            _ => token.to_vec(),
        };
    }
    if !matches!(quote, b'\'' | b'"' | b'`') || token[token.len() - 1] != quote {
        return token.to_vec();
    }
    let mut out = Vec::with_capacity(token.len());
    let mut bytes = token[1..token.len() - 1].iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => out.push(b'\n'),
                Some(b't') => out.push(b'\t'),
                Some(b'r') => out.push(b'\r'),
                Some(b'0') => out.push(0),
                Some(b'b') => out.push(8),
                Some(b'f') => out.push(12),
                Some(b'a') => out.push(7),
                Some(b'v') => out.push(11),
                Some(b'e') => out.push(27),
                Some(c @ (b'\\' | b'\'' | b'"' | b'`' | b'/' | b'=')) => out.push(c),
                Some(c) => out.extend([b'\\', c]),
                None => out.push(b'\\'),
            },
            b if b == quote => {
                bytes.next();
                out.push(b);
            }
            b => out.push(b),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        Lexer::new(text.as_bytes(), true)
            .filter(Token::is_significant)
            .map(|t| (t.kind, &text[t.start..t.end]))
            .collect()
    }

    #[test]
    fn tells_comments_strings_and_names_apart() {
        use Kind::*;
        let cases: &[(&str, &[(Kind, &str)])] = &[
            ("SELECT 1", &[(Word, "SELECT"), (Number, "1")]),
            ("a--b\nc", &[(Word, "a"), (Word, "c")]),
            (
                "a - -b",
                &[(Word, "a"), (Other, "-"), (Other, "-"), (Word, "b")],
            ),
            ("a//b\nc", &[(Word, "a"), (Word, "c")]),
            ("# x\nc #y", &[(Word, "c"), (Other, "#"), (Word, "y")]),
            ("#!x\nc", &[(Word, "c")]),
            ("/* ; /* ' */ */ c", &[(Word, "c")]),
            ("/* open", &[(Unclosed, "/* open")]),
            ("'it''s; \\' x'c", &[(Text, "'it''s; \\' x'"), (Word, "c")]),
            (
                "`a``b;` \"c\\\"d\"",
                &[(QuotedName, "`a``b;`"), (QuotedName, "\"c\\\"d\"")],
            ),
            ("'open", &[(Unclosed, "'open")]),
            ("'open\\", &[(Unclosed, "'open\\")]),
            (
                "$$;'$$ $x$ $y$ $x$",
                &[(Text, "$$;'$$"), (Text, "$x$ $y$ $x$")],
            ),
            ("$x", &[(Word, "$x")]),
            ("$ x", &[(Other, "$"), (Word, "x")]),
            (
                "t.1.1",
                &[
                    (Word, "t"),
                    (Dot, "."),
                    (Number, "1"),
                    (Dot, "."),
                    (Number, "1"),
                ],
            ),
            (
                "1e5 0xFFp1 0b01 1_000.5",
                &[
                    (Number, "1e5"),
                    (Number, "0xFFp1"),
                    (Number, "0b01"),
                    (Number, "1_000.5"),
                ],
            ),
            ("1st", &[(Word, "1st")]),
            (
                "{a:UInt8}",
                &[
                    (Open, "{"),
                    (Word, "a"),
                    (Other, ":"),
                    (Word, "UInt8"),
                    (Close, "}"),
                ],
            ),
            ("x\\G", &[(Word, "x"), (VerticalDelimiter, "\\G")]),
        ];
        for (text, expected) in cases {
            assert_eq!(&kinds(text), expected, "{text}");
        }
    }

    #[test]
    fn an_unfinished_heredoc_waits_for_more() {
        let text = b"$tag$ ; FORMAT x";
        let waiting: Vec<_> = Lexer::new(text, false).collect();
        assert_eq!(waiting[0].kind, Kind::Unclosed);
        assert_eq!(Lexer::new(text, true).next().unwrap().kind, Kind::Word);
    }

    #[test]
    fn values_are_unquoted() {
        let cases: &[(&str, &str)] = &[
            ("'it''s'", "it's"),
            ("'a\\'b\\n'", "a'b\n"),
            ("`a``b`", "a`b"),
            ("$x$a'b$x$", "a'b"),
            ("$$$$", ""),
            ("word", "word"),
            ("'", "'"),
            ("'\\d'", "\\d"),
        ];
        for (token, expected) in cases {
            assert_eq!(
                String::from_utf8(unquote(token.as_bytes())).unwrap(),
                *expected,
                "{token}"
            );
        }
    }

    proptest! {
        #[test]
        fn tokens_cover_any_input(bytes in proptest::collection::vec(any::<u8>(), 0..300), complete: bool) {
            covers(&bytes, complete);
        }

        #[test]
        fn tokens_cover_sql_like_input(text in "([a-zFORMAT ]|\\$|\\$a\\$|'|\"|`|/\\*|\\*/|--|\\\\|\n|[0-9]|\\.|;|0x|e|#){0,80}", complete: bool) {
            covers(text.as_bytes(), complete);
        }

        #[test]
        fn unquoting_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            unquote(&bytes);
        }
    }

    fn covers(bytes: &[u8], complete: bool) {
        let mut at = 0;
        for token in Lexer::new(bytes, complete) {
            assert_eq!(token.start, at);
            assert!(token.end > token.start && token.end <= bytes.len());
            at = token.end;
        }
        assert_eq!(at, bytes.len());
    }
}
