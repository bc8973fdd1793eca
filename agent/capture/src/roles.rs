//! Accessibility roles by the names that recordings and detectors use.

/// Roles whose name tends to be what the person wrote or reads, not what the program's maker called it. Their name is
/// never asked for.
const CONTENT: [&str; 12] = [
    "document",
    "entry",
    "heading",
    "list_item",
    "paragraph",
    "password_text",
    "section",
    "static",
    "table_cell",
    "terminal",
    "text",
    "tree_item",
];

/// Roles that decorate what is clicked: where one of them lies in something made to answer, that is the target.
const DECORATION: [&str; 9] = [
    "caption", "filler", "icon", "image", "label", "panel", "section", "static", "text",
];

/// Roles made to answer, and list entries, which a decoration may belong to.
const MADE_TO_ANSWER: [&str; 10] = [
    "push_button",
    "link",
    "check_box",
    "radio_button",
    "menu_item",
    "tab",
    "toggle_button",
    "combo_box",
    "list_item",
    "menu",
];

/// The name of a role, from the name that AT-SPI gives it.
pub(crate) fn role_name(atspi: &str) -> String {
    match atspi {
        "button" | "push button" | "push button menu" => "push_button".into(),
        "page tab" => "tab".into(),
        "check menu item" | "radio menu item" | "tearoff menu item" => "menu_item".into(),
        "document frame"
        | "document spreadsheet"
        | "document presentation"
        | "document text"
        | "document web"
        | "document email" => "document".into(),
        other => other.replace([' ', '-'], "_"),
    }
}

/// Whether the name of such an element may be read.
pub(crate) fn may_read_name(role: &str) -> bool {
    !CONTENT.contains(&role)
}

pub(crate) fn is_decoration(role: &str) -> bool {
    DECORATION.contains(&role)
}

pub(crate) fn is_made_to_answer(role: &str) -> bool {
    MADE_TO_ANSWER.contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_as_in_recordings() {
        for (atspi, ours) in [
            ("push button", "push_button"),
            ("button", "push_button"),
            ("check box", "check_box"),
            ("page tab", "tab"),
            ("radio menu item", "menu_item"),
            ("entry", "entry"),
            ("password text", "password_text"),
            ("document web", "document"),
            ("html container", "html_container"),
        ] {
            assert_eq!(role_name(atspi), ours);
        }
    }

    #[test]
    fn what_people_write_is_never_read() {
        for role in [
            "password_text",
            "entry",
            "text",
            "paragraph",
            "terminal",
            "document",
            "table_cell",
        ] {
            assert!(!may_read_name(role), "{role}");
        }
        assert!(may_read_name("push_button"));
    }
}
