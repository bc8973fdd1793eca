//! What the person set, and what IT set instead.
//!
//! **Invariants:** a managed value wins and can't be changed here; a managed file that can't be read stops the
//! start, and the person's own file that can't be read stops capture: either may say which programs are never
//! looked at.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::pause::time_of_day;
use super::view::{FormReady, PauseRule, Sentence, Setting, Settings, SettingsChange, Theme};
use crate::config::write_private;

/// Where IT puts its values.
pub const MANAGED_PATH: &str = "/etc/snag/policy.json";

/// Names another file where there is none at [`MANAGED_PATH`].
pub const MANAGED_ENV: &str = "SNAG_MANAGED_POLICY";

/// Most patterns or rules in a list: more than anybody keeps in view.
const LIST_MAX: usize = 200;

/// Longest pattern of a program's name, as the core has it.
const PATTERN_CHARS_MAX: usize = 256;

/// IT's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Managed {
    /// Who set it, as the person is shown it. The enrolled organisation's name where it is empty.
    pub organisation: String,
    /// What is set; every value that is given is locked.
    pub settings: SettingsChange,
    /// Whether pictures of the screen may be sent.
    pub pictures: Option<bool>,
}

/// Why IT's file can't be followed.
#[derive(Debug, thiserror::Error)]
#[error("the policy file {path} can't be used, so Snag does not start: {reason}", path = .path.display())]
pub struct ManagedError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Managed {
    /// Reads IT's file; without one nothing is managed.
    ///
    /// # Errors
    /// When there is one that can't be read, doesn't parse or sets what makes no sense.
    pub fn load(path: &Path) -> Result<Self, ManagedError> {
        let wrong = |reason: String| ManagedError {
            path: path.to_owned(),
            reason,
        };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let managed: Self = read_object(&bytes).map_err(&wrong)?;
        if let Some(field) = first_wrong(&managed.settings) {
            return Err(wrong(format!("the value of `{field}` makes no sense")));
        }
        Ok(managed)
    }

    /// [`MANAGED_PATH`] where there is something, else the file that the environment names: whoever sets the
    /// environment of a session is the person, who can't lift what IT set.
    #[must_use]
    pub fn default_path() -> PathBuf {
        let managed = PathBuf::from(MANAGED_PATH);
        let named = std::env::var_os(MANAGED_ENV).filter(|value| !value.is_empty());
        match (managed.symlink_metadata(), named) {
            // Whatever else keeps it from being looked at keeps it from being read, which is said.
            (Err(error), Some(named)) if error.kind() == io::ErrorKind::NotFound => named.into(),
            _ => managed,
        }
    }
}

/// Reads an object with objects in it: serde takes a list for a struct, too, and `[]` for one that sets nothing.
fn read_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let lists = value.is_array()
        || value
            .get("settings")
            .is_some_and(serde_json::Value::is_array);
    if lists {
        return Err("a list stands where an object has to".to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// The first field whose value makes no sense.
fn first_wrong(change: &SettingsChange) -> Option<&'static str> {
    let patterns = |list: &Option<Vec<String>>| {
        list.as_ref().is_none_or(|list| {
            list.len() <= LIST_MAX
                && list.iter().all(|pattern| {
                    !pattern.trim().is_empty() && pattern.chars().count() <= PATTERN_CHARS_MAX
                })
        })
    };
    let rule = |rule: &PauseRule| {
        !rule.days.is_empty()
            && rule.days.iter().all(|day| (1..=7).contains(day))
            && time_of_day(&rule.from).is_some()
            && time_of_day(&rule.to).is_some()
    };
    let rules = |list: &Option<Vec<PauseRule>>| {
        list.as_ref()
            .is_none_or(|list| list.len() <= LIST_MAX && list.iter().all(rule))
    };
    let language = |language: &String| matches!(language.as_str(), "en" | "de" | "system");
    [
        ("never_apps", patterns(&change.never_apps)),
        ("never_ask_apps", patterns(&change.never_ask_apps)),
        ("pause_rules", rules(&change.pause_rules)),
        (
            "prompts_per_day",
            change
                .prompts_per_day
                .is_none_or(|count| (1..=3).contains(&count)),
        ),
        ("language", change.language.as_ref().is_none_or(language)),
        (
            "shortcut",
            change
                .shortcut
                .as_ref()
                .is_none_or(|keys| keys.len() <= 64 && !keys.contains(char::is_control)),
        ),
    ]
    .into_iter()
    .find_map(|(field, right)| (!right).then_some(field))
}

/// The settings in force, and where the person's are kept.
pub struct SettingsStore {
    path: PathBuf,
    own: SettingsChange,
    managed: Managed,
    damaged: bool,
}

macro_rules! each_field {
    ($call:ident) => {
        $call!(
            never_apps,
            pause_rules,
            prompts,
            prompts_per_day,
            never_ask_apps,
            language,
            theme,
            shortcut,
            form_ready,
            autostart
        )
    };
}

/// Whether a change says all that keeps things from being noticed, but for what IT says.
fn says_what_never(change: &SettingsChange, managed: &Managed) -> bool {
    let by_it = &managed.settings;
    (change.never_apps.is_some() || by_it.never_apps.is_some())
        && (change.pause_rules.is_some() || by_it.pause_rules.is_some())
}

/// Where settings that can't be read are kept until the person said anew what matters of them.
fn aside(path: &Path) -> PathBuf {
    path.with_extension("damaged.json")
}

impl SettingsStore {
    /// Reads what the person set. See [`damaged`](Self::damaged) for a file that can't be read.
    #[must_use]
    pub fn load(path: PathBuf, managed: Managed) -> Self {
        let (own, damaged) = match std::fs::read(&path) {
            Ok(bytes) => match read_object::<SettingsChange>(&bytes) {
                Ok(own) if first_wrong(&own).is_none() => (own, false),
                _ => (SettingsChange::default(), true),
            },
            Err(error) => (
                SettingsChange::default(),
                error.kind() != io::ErrorKind::NotFound,
            ),
        };
        Self {
            damaged: (damaged || aside(&path).try_exists().unwrap_or(true))
                && !says_what_never(&SettingsChange::default(), &managed),
            path,
            own,
            managed,
        }
    }

    /// Whether the person's settings can't be read: nothing is captured until they said anew which programs are never
    /// looked at, and when nothing is.
    #[must_use]
    pub fn damaged(&self) -> bool {
        self.damaged
    }

    /// Whether pictures may be sent.
    #[must_use]
    pub fn pictures_allowed(&self) -> bool {
        self.managed.pictures.unwrap_or(true)
    }

    /// Who is shown as having set what IT's file sets: `organisation` where the file names nobody.
    #[must_use]
    pub fn manager(&self, organisation: &str) -> String {
        match (self.managed.organisation.as_str(), organisation) {
            ("", "") => "IT".to_owned(),
            ("", enrolled) => enrolled.to_owned(),
            (named, _) => named.to_owned(),
        }
    }

    /// What holds, and who set it. `organisation` is shown where IT's file names none.
    #[must_use]
    pub fn settings(&self, organisation: &str) -> Settings {
        let by = self.manager(organisation);
        fn pick<T: Clone>(
            managed: Option<&T>,
            own: Option<&T>,
            default: T,
            by: &str,
        ) -> Setting<T> {
            match (managed, own) {
                (Some(value), _) => Setting {
                    value: value.clone(),
                    locked_by: Some(by.to_owned()),
                },
                (None, Some(value)) => Setting {
                    value: value.clone(),
                    locked_by: None,
                },
                (None, None) => Setting {
                    value: default,
                    locked_by: None,
                },
            }
        }
        let (managed, own) = (&self.managed.settings, &self.own);
        macro_rules! setting {
            ($field:ident, $default:expr) => {
                pick(managed.$field.as_ref(), own.$field.as_ref(), $default, &by)
            };
        }
        Settings {
            never_apps: setting!(never_apps, Vec::new()),
            policy_apps: None,
            pause_rules: setting!(pause_rules, Vec::new()),
            prompts: setting!(prompts, true),
            prompts_per_day: setting!(prompts_per_day, 3),
            never_ask_apps: setting!(never_ask_apps, Vec::new()),
            language: setting!(language, "system".to_owned()),
            theme: setting!(theme, Theme::System),
            shortcut: setting!(shortcut, "Ctrl+Alt+F".to_owned()),
            form_ready: setting!(form_ready, FormReady::Automatic),
            autostart: setting!(autostart, true),
        }
    }

    /// Sets what is given, all of it or nothing.
    ///
    /// # Errors
    /// A value is locked or makes no sense, or the file can't be written: then nothing changed.
    pub fn change(&mut self, change: &SettingsChange, organisation: &str) -> Result<(), Sentence> {
        let mut own = self.own.clone();
        let by = self.manager(organisation);
        macro_rules! take {
            ($($field:ident),*) => {$(
                if let Some(value) = &change.$field {
                    if self.managed.settings.$field.is_some() {
                        return Err(Sentence::new(
                            "problem.setting_locked",
                            [("field", stringify!($field).to_owned()), ("organisation", by)],
                        ));
                    }
                    own.$field = Some(value.clone());
                }
            )*};
        }
        each_field!(take);
        if let Some(field) = first_wrong(&own) {
            return Err(Sentence::new(
                "problem.setting_invalid",
                [("field", field.to_owned())],
            ));
        }
        let bytes = serde_json::to_vec_pretty(&own).map_err(io::Error::other)?;
        let aside = aside(&self.path);
        if self.damaged && !aside.exists() {
            // What it said may be read by somebody yet, and says over a restart that it was damaged.
            let damaged = std::fs::read(&self.path).unwrap_or_default();
            write_private(&aside, &damaged)?;
        }
        write_private(&self.path, &bytes)?;
        self.own = own;
        if self.damaged && says_what_never(change, &self.managed) {
            std::fs::remove_file(&aside)?;
            self.damaged = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &Path, managed: Managed) -> SettingsStore {
        SettingsStore::load(folder.join("settings.json"), managed)
    }

    #[test]
    fn what_it_manages_is_locked_and_what_is_not_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.json");
        std::fs::write(
            &policy,
            br#"{"organisation": "Example IT", "settings": {"never_apps": ["bank*"]}, "pictures": false}"#,
        )
        .unwrap();
        let managed = Managed::load(&policy).unwrap();
        let mut settings = store(folder.path(), managed.clone());
        assert!(!settings.pictures_allowed());
        let shown = settings.settings("Example");
        assert_eq!(shown.never_apps.value, ["bank*"]);
        assert_eq!(shown.never_apps.locked_by.as_deref(), Some("Example IT"));
        assert_eq!(shown.theme.locked_by, None);
        let refused = settings
            .change(
                &SettingsChange {
                    theme: Some(Theme::Dark),
                    never_apps: Some(Vec::new()),
                    ..SettingsChange::default()
                },
                "Example",
            )
            .unwrap_err();
        assert_eq!(refused.key, "problem.setting_locked");
        assert_eq!(
            settings.settings("").theme.value,
            Theme::System,
            "nothing of it"
        );
        let dark = SettingsChange {
            theme: Some(Theme::Dark),
            ..SettingsChange::default()
        };
        settings.change(&dark, "").unwrap();
        let again = store(folder.path(), managed);
        assert_eq!(again.settings("").theme.value, Theme::Dark);
        assert_eq!(again.settings("").never_apps.value, ["bank*"]);
    }

    #[test]
    fn a_managed_file_that_does_not_parse_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.json");
        assert_eq!(Managed::load(&path).unwrap(), Managed::default());
        for wrong in [
            "",
            "{",
            "[]",
            r#"{"settings": []}"#,
            r#"{"setings": {}}"#,
            r#"{"settings": {"never_app": []}}"#,
            r#"{"settings": {"prompts_per_day": 9}}"#,
            r#"{"settings": {"never_apps": [""]}}"#,
            r#"{"settings": {"language": "fr"}}"#,
        ] {
            std::fs::write(&path, wrong).unwrap();
            let error = Managed::load(&path).unwrap_err().to_string();
            assert!(error.contains("policy.json"), "{error}");
            assert!(error.contains("does not start"), "{error}");
        }
    }

    #[test]
    fn senseless_values_and_damaged_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = store(folder.path(), Managed::default());
        assert!(!settings.damaged());
        for wrong in [
            r#"{"prompts_per_day": 0}"#,
            r#"{"pause_rules": [{"days": [8], "from": "12:00", "to": "13:00"}]}"#,
            r#"{"pause_rules": [{"days": [], "from": "12:00", "to": "13:00"}]}"#,
            r#"{"pause_rules": [{"days": [1], "from": "12", "to": "13:00"}]}"#,
            r#"{"never_ask_apps": [" "]}"#,
        ] {
            let change: SettingsChange = serde_json::from_str(wrong).unwrap();
            assert_eq!(
                settings.change(&change, "").unwrap_err().key,
                "problem.setting_invalid",
                "{wrong}"
            );
        }
        std::fs::write(folder.path().join("settings.json"), b"{\"never_apps\": [").unwrap();
        let mut damaged = store(folder.path(), Managed::default());
        assert!(damaged.damaged(), "it may have said which programs never");
        let dark = SettingsChange {
            theme: Some(Theme::Dark),
            ..SettingsChange::default()
        };
        damaged.change(&dark, "").unwrap();
        assert!(damaged.damaged(), "that says nothing of programs");
        let mut again = store(folder.path(), Managed::default());
        assert!(again.damaged() && again.settings("").theme.value == Theme::Dark);
        let mut said = SettingsChange {
            never_apps: Some(Vec::new()),
            ..SettingsChange::default()
        };
        again.change(&said, "").unwrap();
        assert!(again.damaged(), "that says nothing of pauses");
        said.pause_rules = Some(Vec::new());
        again.change(&said, "").unwrap();
        assert!(!again.damaged());
        let again = store(folder.path(), Managed::default());
        assert!(!again.damaged() && again.settings("").theme.value == Theme::Dark);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
