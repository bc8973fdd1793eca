//! Generated submissions with known answers, and every figure of analytics recounted from
//! them the plain way.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use uuid::Uuid;

pub const ZONES: [&str; 3] = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"];
pub const INTERVALS: [&str; 4] = ["hour", "day", "week", "month"];

/// What was said, as far as analytics counts it.
#[derive(Debug, Clone)]
pub struct Said {
    pub id: Uuid,
    pub device: Uuid,
    pub at: Timestamp,
    pub product: &'static str,
    pub category: &'static str,
    pub rating: u8,
    pub sentiment: &'static str,
    pub polarity_micro: i32,
    pub tags: Vec<String>,
    pub app: &'static str,
    pub screen: &'static str,
    pub version: &'static str,
    pub segment: &'static str,
}

pub const APPS: [&str; 4] = ["excel", "outlook", "sap", ""];
pub const SCREENS: [&str; 5] = ["Save as", "00000000000000a1", "Inbox", "Größe/Länge", ""];
pub const TAGS: [&str; 9] = [
    "login",
    "slow",
    "PDF",
    "print",
    "date",
    "ünïcode",
    "v1.2",
    "other",
    "a b",
];
pub const CATEGORIES: [&str; 5] = ["bug", "idea", "question", "praise", "other"];

/// `count` submissions of some devices between two moments, always the same for a seed.
pub fn generate(seed: u64, count: usize, from: Timestamp, to: Timestamp) -> Vec<Said> {
    let mut random = StdRng::seed_from_u64(seed);
    let devices: Vec<Uuid> = (0..300)
        .map(|_| Uuid::from_u128(random.random::<u128>()))
        .collect();
    let span = to.as_millisecond() - from.as_millisecond();
    (0..count)
        .map(|_| {
            let at = from.as_millisecond() + random.random_range(0..span);
            // Many lie exactly where periods begin, or a millisecond before.
            let at = match random.random_range(0..10) {
                0 => at / 900_000 * 900_000,
                1 => at / 900_000 * 900_000 - 1,
                2 => at / 3_600_000 * 3_600_000,
                _ => at,
            };
            let at = at.max(from.as_millisecond());
            let (sentiment, polarity_micro) = match random.random_range(0..5) {
                0 => ("", 0),
                1 => ("neutral", random.random_range(-49_999..50_000)),
                2 => ("positive", random.random_range(50_000..=1_000_000)),
                _ => ("negative", random.random_range(-1_000_000..=-50_000)),
            };
            let mut tags: Vec<String> = (0..random.random_range(0..4))
                .map(|_| TAGS[random.random_range(0..TAGS.len())].to_owned())
                .collect();
            if random.random_range(0..40) == 0 {
                tags.push(format!("rare-{}", random.random_range(0..200)));
            }
            tags.sort();
            tags.dedup();
            Said {
                id: Uuid::from_u128(random.random::<u128>()),
                device: devices[random.random_range(0..devices.len())],
                at: Timestamp::from_millisecond(at).expect("a moment"),
                product: ["default", "erp"][random.random_range(0..2)],
                category: CATEGORIES[random.random_range(0..5)],
                rating: random.random_range(0..6),
                sentiment,
                polarity_micro,
                tags,
                app: APPS[random.random_range(0..APPS.len())],
                screen: SCREENS[random.random_range(0..SCREENS.len())],
                version: ["0.1.0", "0.2.0"][random.random_range(0..2)],
                segment: ["", "lab"][random.random_range(0..2)],
            }
        })
        .collect()
}

/// As a line of JSON for the table `submissions`.
pub fn row(said: &Said, org: &str) -> String {
    let at = said.at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let received = said.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let row = json!({"org": org, "product": said.product, "id": said.id, "device": said.device,
        "at": at, "received_at": received, "digest": "0".repeat(32), "category": said.category,
        "rating": said.rating, "sentiment": said.sentiment,
        "polarity_micro": said.polarity_micro, "tags": said.tags, "app": said.app,
        "screen": said.screen, "version": said.version, "segment": said.segment});
    format!("{row}\n")
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    pub tz: &'a str,
    pub interval: &'a str,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Column and value.
    pub filter: Option<(&'a str, &'a str)>,
}

impl Ask<'_> {
    pub fn query(&self, route: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("from", &self.from.to_string())
            .append_pair("to", &self.to.to_string())
            .append_pair("interval", self.interval)
            .append_pair("tz", self.tz);
        if let Some((column, value)) = self.filter {
            query.append_pair(column, value);
        }
        format!("/v1/feedback/analytics/{route}?{}", query.finish())
    }

    fn counts(&self, said: &Said) -> bool {
        let filtered = self.filter.is_none_or(|(column, value)| {
            value
                == match column {
                    "product" => said.product,
                    "app" => said.app,
                    "screen" => said.screen,
                    "version" => said.version,
                    "segment" => said.segment,
                    "category" => said.category,
                    other => panic!("no column {other}"),
                }
        });
        filtered && self.from <= said.at && said.at < self.to
    }

    /// The beginning of the period that a moment lies in, as text.
    fn period(&self, at: Timestamp, tz: &TimeZone) -> String {
        let at = at.to_zoned(tz.clone());
        let began: Zoned = match self.interval {
            // Of the zones asked for none changes by less than an hour.
            "hour" => at
                .checked_sub(SignedDuration::new(
                    i64::from(at.minute()) * 60 + i64::from(at.second()),
                    at.subsec_nanosecond(),
                ))
                .expect("a moment"),
            "day" => at.start_of_day().expect("a day"),
            "week" => {
                let mut date = at.date();
                while date.weekday() != Weekday::Monday {
                    date = date.yesterday().expect("a day");
                }
                date.to_zoned(tz.clone()).expect("a day")
            }
            _ => at
                .first_of_month()
                .expect("a day")
                .start_of_day()
                .expect("a day"),
        };
        began.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// Every period of the span, found by walking through it.
    fn periods(&self, tz: &TimeZone) -> Vec<String> {
        let mut periods = Vec::new();
        let mut at = self.from;
        while at < self.to {
            let period = self.period(at, tz);
            if periods.last() != Some(&period) {
                periods.push(period);
            }
            at = at.checked_add(15.minutes()).expect("a moment");
        }
        let last = self.to.checked_sub(1.millisecond()).expect("a moment");
        let period = self.period(last, tz);
        if periods.last() != Some(&period) {
            periods.push(period);
        }
        periods
    }
}

fn mean(sum: i64, count: usize) -> Value {
    match count {
        0 => Value::Null,
        _ => json!((sum as f64 / count as f64 * 1e6).round() / 1e6),
    }
}

fn figures(route: &str, said: &[&Said]) -> Value {
    let count = |of: &dyn Fn(&Said) -> bool| said.iter().filter(|s| of(s)).count();
    match route {
        "ratings" => {
            let rated = count(&|s| s.rating > 0);
            let sum: i64 = said.iter().map(|s| i64::from(s.rating)).sum();
            json!({"rated": rated, "average": mean(sum, rated),
                "rating_1": count(&|s| s.rating == 1), "rating_2": count(&|s| s.rating == 2),
                "rating_3": count(&|s| s.rating == 3), "rating_4": count(&|s| s.rating == 4),
                "rating_5": count(&|s| s.rating == 5)})
        }
        "sentiment" => {
            let judged: Vec<_> = said.iter().filter(|s| !s.sentiment.is_empty()).collect();
            let sum: i64 = judged.iter().map(|s| i64::from(s.polarity_micro)).sum();
            let average = match judged.len() {
                0 => Value::Null,
                n => json!((sum as f64 / 1e6 / n as f64 * 1e6).round() / 1e6),
            };
            json!({"judged": judged.len(), "unjudged": said.len() - judged.len(),
                "positive": count(&|s| s.sentiment == "positive"),
                "neutral": count(&|s| s.sentiment == "neutral"),
                "negative": count(&|s| s.sentiment == "negative"),
                "average_polarity": average})
        }
        "usage" => {
            let devices: BTreeSet<Uuid> = said.iter().map(|s| s.device).collect();
            let of = |category: &'static str| count(&move |s| s.category == category);
            json!({"submissions": said.len(), "devices": devices.len(), "bug": of("bug"),
                "idea": of("idea"), "question": of("question"), "praise": of("praise"),
                "other": of("other")})
        }
        other => panic!("no figures of {other}"),
    }
}

/// What ratings, sentiment or usage has to answer: `(total, items)`.
pub fn expected(route: &str, all: &[Said], ask: &Ask<'_>) -> (Value, Value) {
    let tz = TimeZone::get(ask.tz).expect("a zone");
    let counted: Vec<&Said> = all.iter().filter(|said| ask.counts(said)).collect();
    let mut by_period: BTreeMap<String, Vec<&Said>> = BTreeMap::new();
    for said in &counted {
        let period = ask.period(said.at, &tz);
        by_period.entry(period).or_default().push(said);
    }
    let items = ask.periods(&tz).into_iter().map(|period| {
        let said = by_period.remove(&period).unwrap_or_default();
        let mut item = figures(route, &said);
        item["date"] = json!(period[..10]);
        item["period"] = json!(period);
        item
    });
    let items: Value = items.collect();
    assert!(by_period.is_empty(), "periods that nobody walked through");
    (figures(route, &counted), items)
}

/// Compares what tags or targets answered with a recount.
pub fn check_series(route: &str, answer: &Value, all: &[Said], ask: &Ask<'_>) {
    let what = format!("{route} {ask:?}");
    let tz = TimeZone::get(ask.tz).expect("a zone");
    let names = |said: &Said| match route {
        "tags" => said.tags.clone(),
        _ => vec![format!("{}\n{}", said.app, said.screen)],
    };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut by_period: BTreeMap<(String, String), u64> = BTreeMap::new();
    for said in all.iter().filter(|said| ask.counts(said)) {
        for name in names(said) {
            let period = ask.period(said.at, &tz);
            *by_period.entry((period, name.clone())).or_default() += 1;
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut ranked: Vec<(&String, &u64)> = counts.iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    ranked.truncate(10);
    let series = answer[route].as_array().expect(&what);
    assert_eq!(series.len(), ranked.len(), "{what}");
    let mut keys = Vec::new();
    for (found, (name, count)) in series.iter().zip(&ranked) {
        let (found_name, found_count) = match route {
            "tags" => (
                found["tag"].as_str().expect(&what).to_owned(),
                &found["count"],
            ),
            _ => {
                let text = |name: &str| found[name].as_str().expect(&what).to_owned();
                (
                    format!("{}\n{}", text("app"), text("screen")),
                    &found["submissions"],
                )
            }
        };
        assert_eq!((&found_name, found_count), (*name, &json!(count)), "{what}");
        keys.push((found["key"].as_str().expect(&what), *name));
    }
    let total: u64 = counts.values().sum();
    let top: u64 = ranked.iter().map(|(_, count)| **count).sum();
    assert_eq!(answer["total"], json!(total), "{what}");
    assert_eq!(answer["other"], json!(total - top), "{what}");
    assert_eq!(answer["distinct"], json!(counts.len()), "{what}");
    let items = answer["items"].as_array().expect(&what);
    let periods: Vec<&str> = items.iter().filter_map(|i| i["period"].as_str()).collect();
    assert_eq!(periods, ask.periods(&tz), "{what}");
    for (item, period) in items.iter().zip(&periods) {
        let of = |name: &str| by_period.get(&((*period).to_owned(), name.to_owned()));
        let first = ((*period).to_owned(), String::new());
        let mut rest: u64 = by_period
            .range(first..)
            .take_while(|((p, _), _)| p == period)
            .map(|(_, count)| count)
            .sum();
        assert_eq!(item["total"], json!(rest), "{what} {period}");
        for (key, name) in &keys {
            let count = of(name).copied().unwrap_or(0);
            assert_eq!(item[*key], json!(count), "{what} {period} {key}");
            rest -= count;
        }
        assert_eq!(item["other"], json!(rest), "{what} {period}");
        assert_eq!(
            item.as_object().expect(&what).len(),
            keys.len() + 4,
            "{what}"
        );
    }
    if route == "targets" {
        for (found, (_, name)) in series.iter().zip(&keys) {
            let of_target: Vec<&Said> = all
                .iter()
                .filter(|said| ask.counts(said) && names(said)[0] == **name)
                .collect();
            for route in ["ratings", "sentiment"] {
                for (figure, value) in figures(route, &of_target).as_object().expect("figures") {
                    assert_eq!(&found[figure], value, "{what} {figure}");
                }
            }
            let devices: BTreeSet<Uuid> = of_target.iter().map(|said| said.device).collect();
            assert_eq!(found["devices"], json!(devices.len()), "{what}");
        }
    }
}

/// Spans, zones, intervals and filters to ask for, around days on which clocks change.
pub fn asks(from: Timestamp, to: Timestamp) -> Vec<Ask<'static>> {
    let mut asks = Vec::new();
    let inside = SignedDuration::from_millis(3 * 86_400_000 + 4_321_987);
    for tz in ZONES.into_iter().chain(["UTC"]) {
        for interval in INTERVALS {
            asks.push(Ask {
                tz,
                interval,
                from,
                to,
                filter: None,
            });
        }
        // Edges inside a quarter of an hour.
        asks.push(Ask {
            tz,
            interval: "day",
            from: from.checked_add(inside).expect("a moment"),
            to: to.checked_sub(inside).expect("a moment"),
            filter: Some(("app", "excel")),
        });
    }
    for filter in [
        ("product", "erp"),
        ("screen", "Größe/Länge"),
        ("version", "0.2.0"),
        ("segment", "lab"),
        ("category", "praise"),
        ("app", "nobody's"),
    ] {
        for (tz, interval) in [("Asia/Kathmandu", "week"), ("UTC", "month")] {
            asks.push(Ask {
                tz,
                interval,
                from,
                to,
                filter: Some(filter),
            });
        }
    }
    // Less than a quarter of an hour.
    let from = from
        .checked_add(SignedDuration::from_hours(50))
        .expect("a moment");
    asks.push(Ask {
        tz: "Europe/Berlin",
        interval: "hour",
        from: from
            .checked_add(SignedDuration::from_millis(1_234))
            .expect("a moment"),
        to: from
            .checked_add(SignedDuration::from_millis(600_001))
            .expect("a moment"),
        filter: None,
    });
    asks
}

/// Compares one answer with a recount.
pub fn check(route: &str, answer: &Value, all: &[Said], ask: &Ask<'_>) {
    if matches!(route, "tags" | "targets") {
        return check_series(route, answer, all, ask);
    }
    let (total, items) = expected(route, all, ask);
    assert_eq!(answer["total"], total, "{route} {ask:?}");
    let found = answer["items"].as_array().expect(route);
    assert_eq!(
        found.len(),
        items.as_array().expect("items").len(),
        "{route} {ask:?}"
    );
    for (found, expected) in found.iter().zip(items.as_array().expect("items")) {
        assert_eq!(found, expected, "{route} {ask:?}");
    }
}

pub const ROUTES: [&str; 5] = ["ratings", "sentiment", "usage", "tags", "targets"];
