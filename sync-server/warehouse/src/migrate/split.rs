//! Splitting a file of SQL into statements.

/// The statements of a text, in order, without the semicolons between them. Semicolons
/// in quotes, comments and heredocs separate nothing; what holds only comments is dropped.
#[must_use]
pub fn statements(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    // Where the statement began, and whether it holds anything but spaces and comments.
    let (mut start, mut content) = (0, false);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("--") || rest.starts_with("#!") || rest.starts_with("# ") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else if bytes[at] == b';' {
            if content {
                found.push(text[start..at].trim());
            }
            (start, content) = (at + 1, false);
            1
        } else {
            content |= !bytes[at].is_ascii_whitespace();
            match bytes[at] {
                quote @ (b'\'' | b'"' | b'`') => quoted(&bytes[at..], quote),
                b'$' => heredoc(rest),
                _ => rest.chars().next().map_or(1, char::len_utf8),
            }
        };
        at += end;
    }
    if content {
        found.push(text[start..].trim());
    }
    found
}

/// The length of a quoted piece, its quotes included. A doubled quote is two pieces.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of `$tag$…$tag$`, or of the dollar alone where it begins none.
fn heredoc(text: &str) -> usize {
    let Some(end) = text[1..].find('$').map(|end| end + 2) else {
        return 1;
    };
    let tag = &text[..end];
    if !tag[1..end - 1]
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        return 1;
    }
    text[end..]
        .find(tag)
        .map_or(text.len(), |body| end + body + tag.len())
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn only_semicolons_between_statements_separate() {
        let text = "-- a; comment\nSELECT 'a;''b\\';', \"c;\", `d;` /* e; */; ; -- only; a comment\n/* f; */;\n\
                    SELECT $x$ ; $y$ ; $x$, 'é;' # g;\n;SELECT 3 - 2--h;";
        assert_eq!(
            statements(text),
            [
                "-- a; comment\nSELECT 'a;''b\\';', \"c;\", `d;` /* e; */",
                "SELECT $x$ ; $y$ ; $x$, 'é;' # g;",
                "SELECT 3 - 2--h;",
            ]
        );
        assert!(statements("  -- nothing\n;;").is_empty());
        // Unfinished pieces end with the text and never panic.
        for text in ["'a", "/*", "$a$ b", "a\\", "'\\", "--", "$", "$a"] {
            assert_eq!(
                statements(text).len(),
                usize::from(!text.starts_with(['/', '-'])),
                "{text}"
            );
        }
    }
}
