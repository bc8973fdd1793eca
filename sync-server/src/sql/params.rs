//! The parameters of a request's URL, told apart: the query, what the HTTP
//! interface itself takes, what is bound to placeholders, and settings.
//!
//! Invariant: what [`Params::settings`] gives holds no parameter that only the
//! HTTP interface understands; the engine would refuse those as unknown.

use super::exception::{Exception, code};

/// Parameters in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

/// Parameters of the HTTP interface, which are no settings.
const RESERVED: &[&str] = &[
    "buffer_size",
    "client_protocol_version",
    "close_session",
    "compress",
    "database",
    "decompress",
    "default_format",
    "password",
    "query",
    "query_id",
    "quota_key",
    "role",
    "session_check",
    "session_id",
    "session_timeout",
    "stacktrace",
    "user",
    "wait_end_of_query",
];

/// Settings of the engine that concern its own HTTP server, or that this front
/// answers for: it would make no difference to hand them on, or a wrong one.
/// Inserts are never asynchronous here, which keeps more than is asked for: an
/// answer means that the rows are in.
const OWN_SETTINGS: &[&str] = &[
    "add_http_cors_header",
    "allow_experimental_http_compression",
    "async_insert",
    "cancel_http_readonly_queries_on_client_close",
    "enable_http_compression",
    "http_headers_progress_interval_ms",
    "http_max_field_name_size",
    "http_max_field_value_size",
    "http_max_fields",
    "http_native_compression_disable_checksumming_on_decompress",
    "http_receive_timeout",
    "http_response_buffer_size",
    "http_send_timeout",
    "http_wait_end_of_query",
    "http_write_exception_in_output_format",
    "http_zlib_compression_level",
    // The warehouse marks its queries with it, to be able to kill them.
    "log_comment",
    "readonly",
    "send_progress_in_http_headers",
    "wait_for_async_insert",
    "wait_for_async_insert_timeout",
];

impl Params {
    /// Reads a URL's query string.
    pub fn parse(query: &str) -> Self {
        Self {
            pairs: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        }
    }

    /// Adds a parameter that came another way, as a part of a form.
    pub fn push(&mut self, name: String, value: String) {
        self.pairs.push((name, value));
    }

    /// The last value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// A switch: `1` or `true`.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Exception> {
        match self.get(name) {
            None => Ok(default),
            Some("1" | "true" | "True" | "TRUE") => Ok(true),
            Some("0" | "false" | "False" | "FALSE" | "") => Ok(false),
            Some(_) => Err(Exception::new(
                code::BAD_ARGUMENTS,
                format!("Parameter {name} is neither 0 nor 1"),
            )),
        }
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Exception> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Exception::new(
                code::BAD_ARGUMENTS,
                format!("Parameter {name} is no whole number"),
            )),
        }
    }

    /// Values for placeholders, `param_<name>`; the first of a name wins.
    pub fn bound(&self) -> Vec<(String, String)> {
        let mut bound: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.pairs {
            if let Some(name) = name.strip_prefix("param_")
                && !bound.iter().any(|(n, _)| n == name)
            {
                bound.push((name.to_owned(), value.clone()));
            }
        }
        bound
    }

    /// Settings for the engine; the last of a name wins. `form` says that the
    /// body is a form, whose `x_format`, `x_types` and `x_structure` tell of
    /// the external table `x`.
    pub fn settings(&self, form: bool) -> Vec<(String, String)> {
        let mut settings: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.pairs {
            let external = form
                && ["_format", "_types", "_structure"]
                    .iter()
                    .any(|s| name.ends_with(s));
            if name.is_empty()
                || external
                || name.starts_with("param_")
                || RESERVED.contains(&name.as_str())
                || is_own_setting(name)
            {
                continue;
            }
            settings.retain(|(n, _)| n != name);
            settings.push((name.clone(), value.clone()));
        }
        settings
    }
}

/// Whether the front answers for a setting itself.
pub(super) fn is_own_setting(name: &str) -> bool {
    OWN_SETTINGS.contains(&name) || name.starts_with("async_insert_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_apart() {
        let params = Params::parse(
            "?&=&query=SELECT+1%2B%7Ba:UInt8%7D&param_a=1&param_a=2&session_id=s&max_threads=1&max_threads=2&a_format=CSV\
             &enable_http_compression=1&async_insert=1&async_insert_busy_timeout_ms=5&wait_end_of_query=1&role=a&role=b"
                .trim_start_matches('?'),
        );
        assert_eq!(params.get("query"), Some("SELECT 1+{a:UInt8}"));
        assert_eq!(params.bound(), [("a".to_owned(), "1".to_owned())]);
        let settings = |form| {
            params
                .settings(form)
                .into_iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(settings(false), ["max_threads=2", "a_format=CSV"]);
        assert_eq!(settings(true), ["max_threads=2"]);
        assert!(params.flag("wait_end_of_query", false).unwrap());
        assert!(!params.flag("compress", false).unwrap());
        assert!(params.flag("session_id", false).is_err());
        assert!(params.number("session_id").is_err());
        assert_eq!(params.number("max_threads").unwrap(), Some(2));
    }
}
