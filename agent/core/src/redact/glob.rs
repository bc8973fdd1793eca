//! Patterns for program names: `*` stands for any number of any characters.

/// A pattern that matches a whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Box<str>);

/// Longer than any program's name with a few stars.
const CHARS_MAX: usize = 256;

impl Glob {
    /// A pattern, compared in lower case. None where it is empty or absurdly long.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        let pattern = pattern.trim().to_lowercase();
        if pattern.is_empty() || pattern.chars().count() > CHARS_MAX {
            return None;
        }
        Some(Self(pattern.into_boxed_str()))
    }

    /// Whether it matches all of a name that is in lower case already.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go on when a byte differs: the latest star, taking one byte more.
        let mut retry: Option<(usize, usize)> = None;
        while n < name.len() {
            if p < pattern.len() && pattern[p] == b'*' {
                retry = Some((p, n));
                p += 1;
            } else if p < pattern.len() && pattern[p] == name[n] {
                p += 1;
                n += 1;
            } else if let Some((star, taken)) = retry {
                p = star + 1;
                n = taken + 1;
                retry = Some((star, n));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name, expect) in [
            ("excel", "excel", true),
            ("Excel", "excel", true),
            ("excel", "excel2", false),
            ("excel*", "excel2", true),
            ("*", "", true),
            ("*", "anything", true),
            ("*bank*", "my-bank-app", true),
            ("*bank*", "my-ban-app", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1b2c3", false),
            ("a**c", "ac", true),
            ("*ü*", "münchen", true),
            ("a*", "", false),
        ] {
            assert_eq!(
                Glob::new(pattern).unwrap().matches(name),
                expect,
                "{pattern} {name}"
            );
        }
        assert_eq!(Glob::new(" "), None);
        assert_eq!(Glob::new(&"x".repeat(257)), None);
    }
}
