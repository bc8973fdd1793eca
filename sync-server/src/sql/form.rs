//! Requests whose body is a `multipart/form-data`: clients send the query and
//! its parameters this way when they would be too long for a URL.

use super::exception::{Exception, code};

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name.
    pub name: String,
    /// Whether it is a file, as external tables are.
    pub is_file: bool,
    /// Its value.
    pub value: Vec<u8>,
}

/// The boundary, if `content_type` says that the body is a form.
pub(super) fn boundary(content_type: &str) -> Option<Result<String, Exception>> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').to_owned())
    });
    // 70 is the most that RFC 2046 allows.
    Some(match boundary {
        Some(boundary) if (1..=70).contains(&boundary.len()) => Ok(boundary),
        _ => Err(malformed()),
    })
}

/// Reads all fields of a form.
pub(super) fn fields(body: &[u8], boundary: &str) -> Result<Vec<Field>, Exception> {
    let delimiter = format!("--{boundary}");
    let mut rest = match find(body, delimiter.as_bytes()) {
        Some(at) => &body[at + delimiter.len()..],
        None => return Err(malformed()),
    };
    let line_and_delimiter = format!("\r\n--{boundary}");
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        // Blanks may stand behind a delimiter.
        let line_end = find(rest, b"\r\n").ok_or_else(malformed)?;
        rest = &rest[line_end + 2..];
        let (head, value_start) = if rest.starts_with(b"\r\n") {
            (&rest[..0], 2)
        } else {
            let end = find(rest, b"\r\n\r\n").ok_or_else(malformed)?;
            (&rest[..end], end + 4)
        };
        let value_end =
            find(&rest[value_start..], line_and_delimiter.as_bytes()).ok_or_else(malformed)?;
        let value = &rest[value_start..value_start + value_end];
        let (name, is_file) = disposition(head).ok_or_else(malformed)?;
        fields.push(Field {
            name,
            is_file,
            value: value.to_vec(),
        });
        rest = &rest[value_start + value_end + line_and_delimiter.len()..];
    }
}

/// Name and kind of a field, by its `Content-Disposition`.
fn disposition(head: &[u8]) -> Option<(String, bool)> {
    let head = std::str::from_utf8(head).ok()?;
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let mut name = None;
    let mut is_file = false;
    let mut rest = line.split_once(';')?.1;
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.char_indices().scan(false, |escaped, (i, c)| {
                    let is_end = c == '"' && !*escaped;
                    *escaped = c == '\\' && !*escaped;
                    Some((i, is_end))
                });
                let end = end.into_iter().find(|(_, is_end)| *is_end)?.0;
                (
                    quoted[..end].replace("\\\"", "\"").replace("%22", "\""),
                    &quoted[end + 1..],
                )
            }
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(value),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
        rest = next.trim_start().trim_start_matches(';');
    }
    Some((name?, is_file))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn malformed() -> Exception {
    Exception::new(
        code::CANNOT_PARSE_TEXT,
        "The body is no well-formed multipart/form-data",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_form_is_read() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {a:String}\r\n--b\r\n\
            content-disposition: form-data; name=param_a\r\nContent-Type: text/plain\r\n\r\nx\r\n-y\r\n--b\r\n\
            Content-Disposition: form-data; name=\"t\"; filename=\"a;b\"\r\n\r\n\r\n--b--\r\n";
        let found = fields(body, "b").unwrap();
        let all: Vec<_> = found
            .iter()
            .map(|f| (f.name.as_str(), f.is_file, &f.value[..]))
            .collect();
        assert_eq!(
            all,
            [
                ("query", false, &b"SELECT {a:String}"[..]),
                ("param_a", false, b"x\r\n-y"),
                ("t", true, b""),
            ]
        );
        assert_eq!(fields(b"--b--\r\n", "b").unwrap(), []);
    }

    #[test]
    fn the_boundary_is_found() {
        assert_eq!(
            boundary("multipart/form-data; boundary=\"a b\"")
                .unwrap()
                .unwrap(),
            "a b"
        );
        assert!(boundary("text/plain").is_none());
        assert!(boundary("multipart/form-data").unwrap().is_err());
    }

    #[test]
    fn a_broken_form_is_refused() {
        for body in [
            &b""[..],
            b"--b",
            b"--b\r\n",
            b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx",
            b"--b\r\nX: y\r\n\r\nx\r\n--b--",
            b"--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--",
        ] {
            assert!(
                fields(body, "b").is_err(),
                "{:?}",
                String::from_utf8_lossy(body)
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(--b|\r\n|Content-Disposition: form-data;|name=|\"|x|=|;|--|\\\\){0,30}") {
            let _ = fields(text.as_bytes(), "b");
        }
    }
}
