//! Parameters in pieces that a ClickHouse server takes.
//!
//! Over HTTP each parameter is a field of a form, and unless its operator raised
//! `http_max_field_value_size` a server refuses a field of more than 128 KiB. A setting in
//! the request would come too late: the form is read before. So a text or list that is
//! longer travels as several parameters, and the statement puts them together again. What
//! asks needn't know how many bytes its thousand ids are.

use crate::Query;

/// Bytes of a parameter at most: somewhat less than a server takes.
const FIELD_BYTES_MAX: usize = 120 << 10;

/// The query with no parameter longer than a server takes, as far as that can be: a list
/// is parted between its elements, a text anywhere.
pub(crate) fn in_fields(mut query: Query) -> Query {
    let short = |(_, value): &(String, String)| value.len() <= FIELD_BYTES_MAX;
    if query.params.iter().all(short) {
        return query;
    }
    let mut params = Vec::new();
    for param in std::mem::take(&mut query.params) {
        if short(&param) {
            params.push(param);
        } else {
            params.extend(parted(&mut query.sql, param));
        }
    }
    query.params = params;
    query
}

/// A long parameter as several, which the statement names in its place.
fn parted(sql: &mut String, (name, value): (String, String)) -> Vec<(String, String)> {
    let Some(kind) = placeholder(sql, &name) else {
        return vec![(name, value)];
    };
    let (join, pieces) = match kind.trim() {
        "String" => ("concat", text_pieces(&value)),
        kind if kind.starts_with("Array(") => ("arrayConcat", list_pieces(&value)),
        _ => return vec![(name, value)],
    };
    if pieces.len() < 2 {
        return vec![(name, value)];
    }
    while let Some(kind) = placeholder(sql, &name).map(str::to_owned) {
        let named: Vec<String> = (0..pieces.len())
            .map(|piece| format!("{{{name}_piece{piece}:{kind}}}"))
            .collect();
        let joined = format!("{join}({})", named.join(", "));
        *sql = sql.replace(&format!("{{{name}:{kind}}}"), &joined);
    }
    pieces
        .into_iter()
        .enumerate()
        .map(|(piece, value)| (format!("{name}_piece{piece}"), value))
        .collect()
}

/// The type that the statement gives a parameter.
fn placeholder<'s>(sql: &'s str, name: &str) -> Option<&'s str> {
    let (_, rest) = sql.split_once(&format!("{{{name}:"))?;
    rest.split_once('}').map(|(kind, _)| kind)
}

/// A text in its escaped form, cut where no character and no escape is.
fn text_pieces(value: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let unit = match (first, rest.chars().nth(1)) {
            ('\\', Some('x')) => rest.char_indices().nth(4),
            ('\\', _) => rest.char_indices().nth(2),
            _ => rest.char_indices().nth(1),
        };
        let (unit, after) = rest.split_at(unit.map_or(rest.len(), |(at, _)| at));
        push(&mut pieces, unit, String::new());
        rest = after;
    }
    pieces
}

/// A list in its escaped form, cut between its elements. Texts in it are in quotation
/// marks; an element may itself be a list.
fn list_pieces(value: &str) -> Vec<String> {
    let inner = value
        .trim()
        .strip_prefix('[')
        .and_then(|v| v.strip_suffix(']'));
    let Some(inner) = inner else {
        return vec![value.to_owned()];
    };
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    let mut pieces = vec!["[".to_owned()];
    // The comma stays with what is before it, and goes where that is a piece's last.
    for element in inner.split_inclusive(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => quoted = !quoted,
            '[' | '(' if !quoted => depth += 1,
            ']' | ')' if !quoted => depth = depth.saturating_sub(1),
            ',' => return !quoted && depth == 0,
            _ => {}
        }
        false
    }) {
        push(&mut pieces, element, "[".to_owned());
    }
    for piece in &mut pieces {
        let end = piece.strip_suffix(',').map_or(piece.len(), str::len);
        piece.truncate(end);
        piece.push(']');
    }
    pieces
}

/// Puts a unit into the last piece, or into a new one that begins so where it is full.
fn push(pieces: &mut Vec<String>, unit: &str, begins: String) {
    match pieces.last_mut() {
        Some(last) if last.len() + unit.len() < FIELD_BYTES_MAX || *last == begins => {
            last.push_str(unit);
        }
        _ => pieces.push(begins + unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_stays_as_it_is() {
        let query = Query::read("SELECT {a:String}, {b:Array(String)}")
            .param("a", "x".repeat(FIELD_BYTES_MAX))
            .param_strings("b", ["a", "b"]);
        assert_eq!(in_fields(query.clone()), query);
    }

    #[test]
    fn a_long_list_is_cut_between_its_elements() {
        let values: Vec<String> = (0..5_000)
            .map(|n| format!("{n}, it's [one] \\ of\tmany: \u{1f980}{}", "y".repeat(60)))
            .collect();
        let query = Query::read("SELECT {b:Array(String)}, {bb:UInt8}, {b:Array(String)}")
            .param("bb", 1)
            .param_strings("b", &values);
        let (_, whole) = query.params[1].clone();
        let query = in_fields(query);
        let pieces: Vec<&(String, String)> = query
            .params
            .iter()
            .filter(|(name, _)| name.starts_with("b_piece"))
            .collect();
        assert!(pieces.len() > 2, "{}", pieces.len());
        assert_eq!(query.params.len(), pieces.len() + 1);
        let mut joined = String::new();
        for (name, piece) in pieces {
            assert!(piece.len() <= FIELD_BYTES_MAX);
            assert_eq!(
                query
                    .sql
                    .matches(&format!("{{{name}:Array(String)}}"))
                    .count(),
                2
            );
            let inner = piece.strip_prefix("['").and_then(|p| p.strip_suffix("']"));
            joined += &format!(",'{}'", inner.expect("whole elements"));
        }
        assert!(format!("[{}]", &joined[1..]) == whole, "nothing is lost");
        assert!(!query.sql.contains("{b:") && query.sql.contains("{bb:UInt8}"));
    }

    #[test]
    fn a_long_text_is_cut_beside_its_escapes() {
        let text = "\\\t\u{1f980}z".repeat(40_000);
        let query = Query::read("SELECT {a:String}").param("a", text);
        let (_, whole) = query.params[0].clone();
        let query = in_fields(query);
        assert!(query.sql.starts_with("SELECT concat({a_piece0:String}, "));
        assert!(query.params.len() > 2);
        for (name, piece) in &query.params {
            assert!(piece.len() <= FIELD_BYTES_MAX, "{name}");
            // Only whole escapes of two characters are in it.
            let marks = piece.bytes().filter(|byte| *byte == b'\\').count();
            assert_eq!(
                piece.replace("\\\\", "").matches("\\t").count()
                    + 2 * piece.matches("\\\\").count(),
                marks
            );
        }
        let joined: String = query.params.iter().map(|(_, p)| p.as_str()).collect();
        assert!(joined == whole, "nothing is lost");
    }

    #[test]
    fn what_cannot_be_cut_stays_whole() {
        let long = "x".repeat(2 * FIELD_BYTES_MAX);
        for query in [
            Query::read("SELECT {a:Nullable(String)}").param("a", &long),
            Query::read("SELECT {a:Array(String)}").param_strings("a", [&long]),
            Query::read("SELECT 1").param("a", &long),
        ] {
            assert_eq!(in_fields(query.clone()), query);
        }
    }
}
