//! Submissions that are taken, and every one that isn't.

use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-20T12:00:00Z";

fn whole() -> Value {
    json!({
        "id": "0190d0c0-0000-7000-8000-000000000001",
        "created_at": "2026-11-20T11:59:00Z",
        "category": "bug",
        "description": "The export hangs.\n\tEvery time \u{1f622}",
        "rating": 2,
        "tags": ["export", "slow"],
        "product": "erp",
        "target": {"app": "excel", "screen": "Export", "url": "https://erp.example/export?x=1"},
        "session": 7,
        "friction_trail": [
            {"before_ms": 100, "text": "Clicked", "incident": "rage_click", "app": "excel", "screen": "Export"},
            {"before_ms": 5_000, "text": "Opened Export"},
        ],
        "app_state": {"rows": 12, "nested": {"a": [1, null, "x"]}},
        "os": "Debian 13",
        "screen_resolution": {"width": 1920, "height": 1080},
        "viewport_size": {"width": 1200, "height": 800},
        "agent_version": "0.1.0",
        "annotation": [
            {"shape": "arrow", "from": {"x": 1.5, "y": 2}, "to": {"x": 30, "y": 40}},
            {"shape": "text", "at": {"x": 5, "y": 6}, "text": "here"},
        ],
    })
}

fn read_value(value: &Value) -> Result<Checked, ApiError> {
    read(value.to_string().as_bytes(), NOW.parse().unwrap())
}

fn with(path: &str, value: Value) -> Value {
    let mut whole = whole();
    if whole.pointer(path).is_none() {
        let (parent, name) = path.rsplit_once('/').unwrap();
        whole.pointer_mut(parent).unwrap()[name] = Value::Null;
    }
    *whole.pointer_mut(path).unwrap() = value;
    whole
}

#[test]
fn a_whole_submission_is_taken() {
    let checked = read_value(&whole()).unwrap();
    assert_eq!(checked.submission.friction_trail[0].before_ms, 5_000);
    assert_eq!(checked.submission.product, "erp");
    // The order of keys and spaces don't matter, every value does.
    let spaced = serde_json::to_string_pretty(&whole()).unwrap();
    let again = read(spaced.as_bytes(), NOW.parse().unwrap()).unwrap();
    assert_eq!(again.digest, checked.digest);
    let other = read_value(&with("/description", json!("Other."))).unwrap();
    assert_ne!(other.digest, checked.digest);
}

#[test]
fn a_state_keeps_its_numbers_or_is_refused() {
    let with_state = |state: &str| {
        let whole = whole().to_string();
        let state = whole.replace(r#""rows":12"#, state);
        assert_ne!(state, whole);
        read(state.as_bytes(), NOW.parse().unwrap())
    };
    for number in ["18446744073709551615", "-9223372036854775808", "0.25"] {
        let checked = with_state(&format!(r#""rows":{number}"#)).unwrap();
        let kept = serde_json::to_string(&checked.submission.app_state).unwrap();
        assert!(kept.contains(&format!(r#""rows":{number}"#)), "{kept}");
    }
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "[1,123456789012345678901]",
    ] {
        let error = with_state(&format!(r#""rows":{number}"#)).unwrap_err();
        assert_eq!(error.field(), Some("app_state"), "{number}");
    }
    with_state(r#""rows":"123456789012345678901""#).unwrap();
}

#[test]
fn the_least_is_enough() {
    let least = json!({"id": "0190d0c0-0000-7000-8000-000000000001", "category": "praise",
        "created_at": "2026-11-20T12:00:00+01:00", "description": "x"});
    let checked = read_value(&least).unwrap();
    assert_eq!(checked.submission.product, "default");
    assert_eq!(checked.submission.rating, None);
}

#[test]
fn each_fault_names_its_field() {
    let long = |length: usize| json!("x".repeat(length));
    let step = |name: &str, value: Value| {
        let mut step = json!({"before_ms": 1, "text": "x"});
        step[name] = value;
        json!([step])
    };
    let huge: serde_json::Map<String, Value> =
        serde_json::Map::from_iter([("a".to_owned(), long(limits::APP_STATE_BYTES_MAX))]);
    for (path, value, field) in [
        ("/id", json!("7"), "id"),
        ("/id", json!("00000000-0000-0000-0000-000000000000"), "id"),
        ("/id", Value::Null, "id"),
        ("/created_at", json!("yesterday"), "created_at"),
        ("/created_at", json!("2025-11-20T12:00:00Z"), "created_at"),
        ("/created_at", json!("2027-11-20T12:00:00Z"), "created_at"),
        ("/created_at", json!("2026-05-24T11:59:59Z"), "created_at"),
        ("/created_at", json!("2026-11-21T12:00:01Z"), "created_at"),
        ("/category", json!("rant"), "category"),
        ("/category", json!("Bug"), "category"),
        ("/description", json!(""), "description"),
        ("/description", json!(" \n"), "description"),
        ("/description", json!("a\u{0}b"), "description"),
        ("/description", json!("a\u{1b}[2J"), "description"),
        ("/description", json!("a\u{85}b"), "description"),
        ("/description", long(10_001), "description"),
        ("/description", json!(["x"]), "description"),
        ("/rating", json!(0), "rating"),
        ("/rating", json!(6), "rating"),
        ("/rating", json!(2.5), "rating"),
        ("/rating", json!(-1), "rating"),
        ("/rating", json!("5"), "rating"),
        (
            "/tags",
            json!((0..21).map(|i| format!("t{i}")).collect::<Vec<_>>()),
            "tags",
        ),
        ("/tags", json!("export"), "tags"),
        ("/tags/1", json!("export"), "tags[1]"),
        ("/tags/0", json!(""), "tags[0]"),
        ("/tags/0", json!(" x"), "tags[0]"),
        ("/tags/0", long(41), "tags[0]"),
        ("/tags/0", json!("a\nb"), "tags[0]"),
        ("/tags/0", json!(7), "tags[0]"),
        ("/product", long(65), "product"),
        ("/product", json!("a\u{7}"), "product"),
        ("/target/app", long(65), "target.app"),
        ("/target/screen", long(201), "target.screen"),
        ("/target/url", long(2_001), "target.url"),
        ("/target/url", json!(" JavaScript:alert(1)"), "target.url"),
        ("/target/window", json!("x"), "target.window"),
        ("/target", json!("excel"), "target"),
        ("/session", json!(-1), "session"),
        ("/session", json!(4_294_967_296_u64), "session"),
        (
            "/friction_trail",
            json!(vec![json!({"before_ms": 1, "text": "x"}); 101]),
            "friction_trail",
        ),
        (
            "/friction_trail",
            step("before_ms", json!(limits::DURATION_MS_MAX + 1)),
            "friction_trail[0].before_ms",
        ),
        (
            "/friction_trail",
            step("before_ms", json!(-1)),
            "friction_trail[0].before_ms",
        ),
        (
            "/friction_trail",
            step("text", json!("")),
            "friction_trail[0].text",
        ),
        (
            "/friction_trail",
            step("text", long(201)),
            "friction_trail[0].text",
        ),
        (
            "/friction_trail",
            step("app", long(65)),
            "friction_trail[0].app",
        ),
        (
            "/friction_trail",
            step("screen", json!("a\tb")),
            "friction_trail[0].screen",
        ),
        (
            "/friction_trail",
            step("incident", json!("tantrum")),
            "friction_trail[0].incident",
        ),
        (
            "/friction_trail",
            step("key", json!("a")),
            "friction_trail[0].key",
        ),
        ("/app_state", Value::Object(huge), "app_state"),
        ("/app_state", json!([1]), "app_state"),
        ("/os", long(65), "os"),
        (
            "/screen_resolution/width",
            json!(0),
            "screen_resolution.width",
        ),
        (
            "/screen_resolution/height",
            json!(100_001),
            "screen_resolution.height",
        ),
        ("/viewport_size", json!("1200x800"), "viewport_size"),
        ("/viewport_size/height", json!(1.5), "viewport_size.height"),
        ("/agent_version", long(65), "agent_version"),
        (
            "/annotation",
            json!(vec![
                json!({"shape": "text", "at": {"x": 1, "y": 1}, "text": "x"});
                201
            ]),
            "annotation",
        ),
        ("/annotation/0/from/x", json!(1e9), "annotation[0].from.x"),
        ("/annotation/0/to/y", json!(-1e9), "annotation[0].to.y"),
        ("/annotation/1/text", json!(""), "annotation[1].text"),
        ("/annotation/1/at/x", json!(1e6), "annotation[1].at.x"),
        (
            "/annotation/0/shape",
            json!("circle"),
            "annotation[0].shape",
        ),
        ("/device", json!("x"), "device"),
    ] {
        let error = read_value(&with(path, value.clone())).unwrap_err();
        assert_eq!(error.code(), Code::InvalidBody, "{path}");
        assert_eq!(error.field(), Some(field), "{path}: {error}");
    }
    for missing in ["id", "created_at", "category", "description"] {
        let mut value = whole();
        value.as_object_mut().unwrap().remove(missing);
        let error = read_value(&value).unwrap_err();
        assert_eq!(error.field(), Some(missing), "{error}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let now = NOW.parse().unwrap();
    let text = whole().to_string();
    let twice = text.replacen('{', "{\"rating\": 1,", 1);
    let endless = text.replacen("1.5", "1e999", 1);
    let surrogate = text.replacen("The export", "\\ud800", 1);
    let deep = text.replacen("12", &format!("{}1{}", "[".repeat(500), "]".repeat(500)), 1);
    for (body, field) in [
        (&b""[..], None),
        (b"null", None),
        (b"[]", None),
        (b"{", None),
        (&text.as_bytes()[..text.len() - 1], None),
        (format!("{text}{text}").as_bytes(), None),
        (twice.as_bytes(), Some("rating")),
        (b"{\"id\": \"\xff\xfe\"}", None),
        (b"{\"id\": NaN}", Some("id")),
    ] {
        let error = read(body, now).unwrap_err();
        assert_eq!(error.code(), Code::InvalidBody);
        assert_eq!(error.field(), field, "{error}");
    }
    for body in [endless, surrogate, deep] {
        let error = read(body.as_bytes(), now).unwrap_err();
        assert_eq!(error.code(), Code::InvalidBody, "{error}");
    }
    let error = read(&vec![b' '; limits::SUBMISSION_BYTES_MAX + 1], now).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
}
