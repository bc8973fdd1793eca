//! What can't be followed is an error that names itself, never a setting skipped.

use std::collections::BTreeMap;

use snag_core::{
    AppRules, LabelAction, LabelRule, Policy, PolicyError, PolicySettings, Thresholds,
};

fn error(settings: &PolicySettings) -> PolicyError {
    Policy::from_settings(settings).expect_err("a policy that can't be followed")
}

fn threshold(name: &str, value: u64) -> PolicySettings {
    PolicySettings {
        thresholds: BTreeMap::from([(name.to_owned(), value)]),
        ..PolicySettings::default()
    }
}

#[test]
fn thresholds_have_names_and_limits() {
    assert_eq!(
        Policy::from_settings(&threshold("rage_click_known", 5))
            .unwrap()
            .thresholds,
        Thresholds {
            rage_click_known: 5,
            ..Thresholds::default()
        }
    );
    assert_eq!(
        error(&threshold("rage_clicks", 5)),
        PolicyError::UnknownThreshold {
            name: "rage_clicks".into()
        }
    );
    for (name, least, most) in Thresholds::NAMES {
        assert!(
            Policy::from_settings(&threshold(name, *most)).is_ok() || *name != "rage_click_gap_ms"
        );
        for value in [least.wrapping_sub(1), most + 1] {
            let wrong = error(&threshold(name, value));
            assert!(
                matches!(wrong, PolicyError::Threshold { .. }),
                "{name} = {value}: {wrong}"
            );
            assert!(wrong.to_string().contains(name));
        }
    }
    let mut contradictory = threshold("session_gap_ms", 60_000);
    contradictory
        .thresholds
        .insert("error_loop_gap_ms".into(), 61_000);
    assert_eq!(
        error(&contradictory),
        PolicyError::AboveSessionGap {
            name: "error_loop_gap_ms"
        }
    );
}

#[test]
fn rules_that_do_not_parse_are_named_by_their_position() {
    let rule = |app: &str, label: &str| LabelRule {
        app: app.into(),
        label: label.into(),
        action: LabelAction::Readable,
    };
    let with = |rules: Vec<LabelRule>| PolicySettings {
        label_rules: rules,
        ..PolicySettings::default()
    };
    let wrong = error(&with(vec![rule("*", "ok"), rule("crm", "(unclosed")]));
    assert!(matches!(wrong, PolicyError::LabelRule { position: 2, .. }));
    assert!(wrong.to_string().contains("label rule 2"));
    // An expression can't break out of having to match all of a label.
    assert!(matches!(
        error(&with(vec![rule("*", "a)|(?:b")])),
        PolicyError::LabelRule { position: 1, .. }
    ));
    assert_eq!(
        error(&with(vec![rule("", "a")])),
        PolicyError::LabelRuleApp { position: 1 }
    );
    let bomb = error(&with(vec![rule("*", r"(?:\w{100}){100}")]));
    assert!(
        matches!(bomb, PolicyError::LabelRule { position: 1, .. }),
        "{bomb}"
    );
    let apps = |patterns: &[&str]| PolicySettings {
        apps: AppRules::Deny(patterns.iter().map(|p| (*p).to_owned()).collect()),
        ..PolicySettings::default()
    };
    assert_eq!(
        error(&apps(&["a", " "])),
        PolicyError::AppPattern { position: 2 }
    );
    let many = vec!["a"; 1_001];
    assert!(matches!(
        error(&apps(&many)),
        PolicyError::TooMany { count: 1_001, .. }
    ));
}

#[test]
fn a_key_is_64_digits_and_is_never_shown() {
    let key = "0123456789abcdef".repeat(4);
    let with = |label_key: &str| PolicySettings {
        label_key: label_key.to_owned(),
        ..PolicySettings::default()
    };
    let policy = Policy::from_settings(&with(&key)).unwrap();
    assert!(!format!("{policy:?}{:?}", with(&key)).contains("0123456789"));
    for wrong in ["0", &key[1..], &"g".repeat(64)] {
        let wrong = error(&with(wrong));
        assert_eq!(wrong, PolicyError::LabelKey);
    }
}

/// The hash that the server checks a text against.
#[test]
fn a_label_hash_is_the_hmac_of_the_text() {
    let settings = PolicySettings {
        label_key: "0b".repeat(32),
        ..PolicySettings::default()
    };
    let redactor = snag_core::Redactor::new(&Policy::from_settings(&settings).unwrap());
    // printf 'Hi There' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b…0b (32 bytes)
    assert_eq!(
        redactor.label_hash("Hi There").to_string(),
        "198a607eb44bfbc6"
    );
}

#[test]
fn a_program_that_the_person_left_out_is_left_out_of_either_list() {
    for apps in [
        AppRules::Allow(vec!["*".into()]),
        AppRules::Deny(vec!["game".into()]),
    ] {
        let policy = Policy::from_settings(&PolicySettings {
            apps,
            never_apps: vec!["diary*".into()],
            ..PolicySettings::default()
        })
        .unwrap();
        let redactor = snag_core::Redactor::new(&policy);
        assert!(redactor.allows("excel"));
        assert!(!redactor.allows("Diary 2.exe"));
    }
    let empty = Policy::from_settings(&PolicySettings {
        never_apps: vec![String::new()],
        ..PolicySettings::default()
    });
    assert!(empty.is_err());
}
