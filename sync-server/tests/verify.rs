//! Rollups that went wrong are found to the hour, and rebuilt to the last digit.

mod harness;

use std::collections::BTreeSet;
use std::sync::Arc;

use harness::{Server, mixed};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use snag_server::verify::{self, Report, Window};

const ROLLUPS: [&str; 9] = [
    "devices_by_day",
    "events_by_hour",
    "feedback_rollup",
    "flows_by_hour",
    "incidents_by_hour",
    "labels_seen",
    "screens_by_hour",
    "sessions_by_day",
    "sessions_by_hour",
];

async fn look(server: &Server, window: &Window) -> Report {
    verify::verify(&server.warehouse, window, None)
        .await
        .expect("a report")
}

async fn repair(server: &Server, window: &Window) -> Report {
    let gate = Arc::clone(&server.state.write_gate);
    verify::verify(&server.warehouse, window, Some(&gate))
        .await
        .expect("a report")
}

fn wrong(report: &Report) -> BTreeSet<&str> {
    report
        .differences
        .iter()
        .map(|d| d.rollup.as_str())
        .collect()
}

/// What a rollup says, merged and in order.
async fn contents(server: &Server, rollup: &str) -> String {
    let sql = match rollup {
        "events_by_hour" => {
            "SELECT hour, app, screen, kind, sum(records), sum(count), uniqMerge(people) \
             FROM events_by_hour GROUP BY ALL ORDER BY ALL"
        }
        "devices_by_day" => {
            "SELECT day, device, sum(records), sum(count), uniqMerge(sessions), min(first_at), \
             max(last_at) FROM devices_by_day GROUP BY ALL ORDER BY ALL"
        }
        "labels_seen" => {
            "SELECT hash, day, uniqMerge(people) FROM labels_seen GROUP BY ALL ORDER BY ALL"
        }
        "incidents_by_hour" => {
            "SELECT hour, kind, app, screen, sum(incidents), sum(time_lost_ms) \
             FROM incidents_by_hour GROUP BY ALL ORDER BY ALL"
        }
        "sessions_by_hour" => {
            "SELECT hour, sum(sessions) FROM sessions_by_hour GROUP BY ALL ORDER BY ALL"
        }
        "sessions_by_day" => {
            "SELECT day, sum(sessions), quantilesBFloat16Merge(0.5, 0.9, 0.99)(frustration), \
             sum(frustration_micro) FROM sessions_by_day GROUP BY ALL ORDER BY ALL"
        }
        "screens_by_hour" => {
            "SELECT hour, app, screen, sum(sessions), sum(dwell_ms) FROM screens_by_hour GROUP BY ALL ORDER BY ALL"
        }
        "flows_by_hour" => {
            "SELECT hour, path_screens, sum(sessions) FROM flows_by_hour GROUP BY ALL ORDER BY ALL"
        }
        "feedback_rollup" => {
            "SELECT dimension, hour, quarter, tag, app, screen, category, sum(submissions), sum(rated), \
             sum(rating_sum), sum(rating_1), sum(negative), sum(polarity_micro), \
             arraySort(groupUniqArrayArray(devices)) FROM feedback_rollup GROUP BY ALL ORDER BY ALL"
        }
        other => panic!("no contents of {other}"),
    };
    server.sql(sql).await
}

/// Three devices over four days, some of them in another month.
async fn filled() -> Server {
    let server = Server::start().await;
    for device in 0..3_u64 {
        let device_ = server.enroll().await;
        for (index, days) in [40_i64, 2, 1, 0].into_iter().enumerate() {
            let from = 1 + index as u64 * 100;
            let mut records: Vec<Value> = mixed(from, 20 + device);
            for record in &mut records {
                let t_ms = record["t_ms"].as_i64().unwrap_or(0);
                record["t_ms"] = json!(t_ms - days * 86_400_000);
            }
            let answer = server.batch(&device_, &device_.of(records)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    // Feedback of the same days, four a day.
    let sql = format!(
        "INSERT INTO submissions SELECT '{}', 'default', generateUUIDv4(), \
         toUUID('00000000-0000-0000-0000-00000000000' || toString(number % 3)), \
         now64(3, 'UTC') - toIntervalDay([0, 1, 2, 40][1 + number % 4]) - toIntervalMinute(number * 20), \
         now('UTC'), '', ['bug', 'idea'][1 + number % 2], number % 6, \
         ['', 'positive', 'negative'][1 + number % 3], [0, 400000, -300000][1 + number % 3], \
         [['slow'], ['slow', 'PDF'], []][1 + number % 3], 'excel', toString(number % 2), '0.1.0', '' \
         FROM numbers(16)",
        server.org.org
    );
    server.execute(&sql).await;
    server
}

#[tokio::test]
async fn every_rollup_is_looked_at_and_right_after_ingest() {
    let server = filled().await;
    let report = look(&server, &Window::All).await;
    assert_eq!(report.rollups, ROLLUPS);
    assert!(report.days >= 4 * ROLLUPS.len(), "{report:?}");
    assert_eq!(report.differences, []);
    let views = "SELECT count() FROM system.tables WHERE database = currentDatabase() \
                 AND engine = 'MaterializedView'";
    assert_eq!(server.sql(views).await, ROLLUPS.len().to_string());
}

#[tokio::test]
async fn what_a_view_missed_is_found_and_rebuilt() {
    let server = filled().await;
    let mut before = Vec::new();
    for rollup in ROLLUPS {
        before.push(contents(&server, rollup).await);
    }
    // As if the process had died between table and view, for one device and one day.
    for (rollup, condition) in [
        (
            "events_by_hour",
            "toDate(hour) = (SELECT max(toDate(hour)) FROM events_by_hour)",
        ),
        (
            "devices_by_day",
            "day = (SELECT min(day) FROM devices_by_day)",
        ),
        ("labels_seen", "day = (SELECT max(day) FROM labels_seen)"),
        (
            "incidents_by_hour",
            "toDate(hour) = (SELECT min(toDate(hour)) FROM incidents_by_hour)",
        ),
        ("sessions_by_hour", "1"),
        (
            "sessions_by_day",
            "day = (SELECT max(day) FROM sessions_by_day)",
        ),
        (
            "screens_by_hour",
            "toDate(hour) = (SELECT max(toDate(hour)) FROM screens_by_hour)",
        ),
        ("flows_by_hour", "1"),
        (
            "feedback_rollup",
            "dimension = 'day' AND hour = (SELECT min(hour) FROM feedback_rollup WHERE dimension = 'day') \
             OR dimension = 'hour' AND toDate(hour) = (SELECT max(toDate(hour)) FROM feedback_rollup) \
             OR dimension = 'target' OR tag = 'PDF'",
        ),
    ] {
        let sql =
            format!("ALTER TABLE {rollup} DELETE WHERE {condition} SETTINGS mutations_sync = 2");
        server.execute(&sql).await;
    }
    let report = look(&server, &Window::All).await;
    assert_eq!(wrong(&report), BTreeSet::from(ROLLUPS));
    assert_eq!(report.repaired, [], "looking changes nothing");
    let report = repair(&server, &Window::All).await;
    assert_eq!(wrong(&report), BTreeSet::from(ROLLUPS));
    assert_eq!(report.remaining, []);
    for (rollup, before) in ROLLUPS.iter().zip(&before) {
        assert_eq!(&contents(&server, rollup).await, before, "{rollup}");
    }
    assert_eq!(look(&server, &Window::All).await.differences, []);
    let left = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%rebuild%'";
    assert_eq!(server.sql(left).await, "0");
}

#[tokio::test]
async fn what_two_racing_servers_stored_twice_counts_once() {
    let server = filled().await;
    let before = contents(&server, "events_by_hour").await;
    server.execute("SYSTEM STOP MERGES events").await;
    server
        .execute("INSERT INTO events SELECT * FROM events WHERE seq % 7 = 0")
        .await;
    server
        .execute("INSERT INTO sessions SELECT * FROM sessions")
        .await;
    assert_ne!(contents(&server, "events_by_hour").await, before);
    let report = repair(&server, &Window::All).await;
    // Sets and extremes don't mind a row twice; counts do.
    assert_eq!(
        wrong(&report),
        BTreeSet::from([
            "devices_by_day",
            "events_by_hour",
            "flows_by_hour",
            "sessions_by_day",
            "sessions_by_hour"
        ])
    );
    assert_eq!(report.remaining, []);
    assert_eq!(contents(&server, "events_by_hour").await, before);
    assert_eq!(look(&server, &Window::All).await.differences, []);
}

#[tokio::test]
async fn rows_that_no_record_stands_behind_are_found() {
    let server = filled().await;
    let before = contents(&server, "incidents_by_hour").await;
    // One row of an hour that has none, one person too many in one that has.
    server
        .execute(
            "INSERT INTO incidents_by_hour SELECT org, product, version, segment, hour + 7200, kind, app, \
             screen, incidents, time_lost_ms, people FROM incidents_by_hour LIMIT 1",
        )
        .await;
    server
        .execute(
            "INSERT INTO labels_seen SELECT org, hash, day, uniqState(generateUUIDv4()) FROM labels_seen \
             GROUP BY org, hash, day LIMIT 1",
        )
        .await;
    let report = look(&server, &Window::All).await;
    assert_eq!(
        wrong(&report),
        BTreeSet::from(["incidents_by_hour", "labels_seen"])
    );
    assert_eq!(report.differences.len(), 2, "{report:?}");
    assert_eq!(repair(&server, &Window::All).await.remaining, []);
    assert_eq!(contents(&server, "incidents_by_hour").await, before);
}

#[tokio::test]
async fn a_window_leaves_the_rest_alone() {
    let server = filled().await;
    let all = "ALTER TABLE events_by_hour DELETE WHERE 1 SETTINGS mutations_sync = 2";
    server.execute(all).await;
    let since = Window::Since(Timestamp::now() - SignedDuration::from_hours(60));
    let report = repair(&server, &since).await;
    assert_eq!(report.remaining, []);
    assert!((3..=4).contains(&report.repaired.len()), "{report:?}");
    let days = "SELECT uniq(toDate(hour)) FROM events_by_hour";
    let rebuilt: usize = server.sql(days).await.parse().expect("a number");
    assert!(
        (3..=4).contains(&rebuilt),
        "the day 40 days back is still missing"
    );
    // The last received rows lie on every day: they were sent just now.
    let report = repair(&server, &Window::RecentlyReceived(3_600)).await;
    assert_eq!(report.remaining, []);
    assert_eq!(look(&server, &Window::All).await.differences, []);
}
