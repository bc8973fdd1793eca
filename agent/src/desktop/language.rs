//! Which language texts outside of the windows are in.

/// The variables that name it, in the order in which gettext looks.
const VARIABLES: [&str; 4] = ["LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"];

/// What a setting means, `en`, `de` or `system`: `en` or `de`.
#[must_use]
pub fn of_setting(setting: &str) -> &'static str {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match setting {
        "en" | "de" => named(setting),
        _ => named(
            &VARIABLES
                .iter()
                .find_map(|name| set(name))
                .unwrap_or_default(),
        ),
    }
}

fn named(locale: &str) -> &'static str {
    if locale.starts_with("de") { "de" } else { "en" }
}
