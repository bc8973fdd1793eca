//! `snag://` links: what they open, and nothing else.

use crate::window::Window;

/// What a link opens; none for a link that says something else.
///
/// Any page may hold such a link, so it opens a window and carries nothing into it.
#[must_use]
pub fn target(link: &str) -> Option<Window> {
    let rest = link.strip_prefix("snag:")?;
    let name = rest.trim_start_matches('/');
    let name = name.split(['?', '#']).next().unwrap_or_default();
    match name.trim_end_matches('/') {
        "feedback" => Some(Window::Feedback),
        "knows" => Some(Window::Knows),
        "settings" => Some(Window::Settings),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_links_and_no_other() {
        assert_eq!(target("snag://feedback"), Some(Window::Feedback));
        assert_eq!(target("snag://knows/"), Some(Window::Knows));
        assert_eq!(target("snag:settings?x=1"), Some(Window::Settings));
        for other in [
            "snag://",
            "snag://quit",
            "https://feedback",
            "snag://first-run",
            "feedback",
        ] {
            assert_eq!(target(other), None, "{other}");
        }
    }
}
