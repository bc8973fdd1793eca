//! The right moment to ask.

use snag_core::IncidentKind;
use snag_core::prompt::{Asked, Candidate, Rules, Surroundings, WhyNot, decide, forget};

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

fn candidate(kind: IncidentKind, found_ms: u64) -> Candidate {
    Candidate {
        kind,
        app: "excel".into(),
        found_ms,
    }
}

fn rules() -> Rules {
    Rules {
        enabled: true,
        per_day: 3,
        never_apps: Vec::new(),
    }
}

fn calm() -> Surroundings {
    Surroundings {
        full_screen: Some(false),
        ..Surroundings::default()
    }
}

fn asked(at_ms: u64) -> Asked {
    Asked {
        at_ms,
        about: candidate(IncidentKind::ErrorLoop, at_ms),
    }
}

fn rage() -> Candidate {
    candidate(IncidentKind::RageClick, NOW)
}

#[test]
fn only_three_kinds_ask() {
    for &kind in IncidentKind::ALL {
        let verdict = decide(&candidate(kind, NOW), &rules(), &calm(), &[], NOW);
        let asks = matches!(
            kind,
            IncidentKind::RageClick | IncidentKind::ErrorLoop | IncidentKind::AbandonedTask
        );
        assert_eq!(
            verdict,
            if asks { Ok(()) } else { Err(WhyNot::Kind) },
            "{kind:?}"
        );
    }
}

#[test]
fn each_reason_against() {
    let ask = |rules: &Rules, around: &Surroundings, history: &[Asked]| {
        decide(&rage(), rules, around, history, NOW)
    };
    let off = Rules {
        enabled: false,
        ..rules()
    };
    assert_eq!(ask(&off, &calm(), &[]), Err(WhyNot::Off));
    let none = Rules {
        per_day: 0,
        ..rules()
    };
    assert_eq!(ask(&none, &calm(), &[]), Err(WhyNot::Off));
    for pattern in ["excel", "EX*", "*", ""] {
        let never = Rules {
            never_apps: vec![pattern.into()],
            ..rules()
        };
        assert_eq!(ask(&never, &calm(), &[]), Err(WhyNot::App), "{pattern}");
    }
    let other = Rules {
        never_apps: vec!["word".into()],
        ..rules()
    };
    assert_eq!(ask(&other, &calm(), &[]), Ok(()));
    let same = Asked {
        at_ms: NOW - 30 * HOUR,
        about: rage(),
    };
    assert_eq!(ask(&rules(), &calm(), &[same]), Err(WhyNot::SameIncident));
    let busy = Surroundings {
        busy: true,
        ..calm()
    };
    assert_eq!(ask(&rules(), &busy, &[]), Err(WhyNot::Busy));
    let quiet = Surroundings {
        do_not_disturb: true,
        ..calm()
    };
    assert_eq!(ask(&rules(), &quiet, &[]), Err(WhyNot::DoNotDisturb));
    for full_screen in [Some(true), None] {
        let presenting = Surroundings {
            full_screen,
            ..calm()
        };
        assert_eq!(ask(&rules(), &presenting, &[]), Err(WhyNot::FullScreen));
    }
    let typing = |ago| Surroundings {
        last_key_ms: Some(NOW - ago),
        ..calm()
    };
    assert_eq!(ask(&rules(), &typing(1_999), &[]), Err(WhyNot::Typing));
    assert_eq!(ask(&rules(), &typing(2_000), &[]), Ok(()));
}

#[test]
fn one_an_hour_and_three_a_day_over_a_week_of_trouble() {
    let generous = Rules {
        per_day: 200,
        ..rules()
    };
    for (rules, per_day) in [
        (rules(), 3),
        (generous, 3),
        (
            Rules {
                per_day: 1,
                ..rules()
            },
            1,
        ),
    ] {
        let mut history: Vec<Asked> = Vec::new();
        let mut times = Vec::new();
        for minute in 0..7 * 24 * 60 {
            let now = NOW + minute * 60_000;
            let about = candidate(IncidentKind::RageClick, now);
            if decide(&about, &rules, &calm(), &history, now).is_ok() {
                times.push(now);
                history.push(Asked { at_ms: now, about });
            }
            forget(&mut history, now);
            assert!(history.len() <= 3);
        }
        assert_eq!(times.len(), 7 * per_day);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= HOUR));
        for (first, &from) in times.iter().enumerate() {
            let day = times[first..]
                .iter()
                .filter(|&&at| at < from + 24 * HOUR)
                .count();
            assert!(day <= per_day);
        }
    }
}

#[test]
fn a_clock_that_was_set_back_asks_no_more_often() {
    let verdict = decide(&rage(), &rules(), &calm(), &[asked(NOW + 5 * HOUR)], NOW);
    assert_eq!(verdict, Err(WhyNot::Lately));
}
