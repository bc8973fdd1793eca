//! Filters and pages.

use std::collections::HashSet;

use serde_json::json;

use crate::harness::Server;
use crate::items::{Item, NIL, generate, ids, insert, now_ms};

/// What a filter leaves, by looking at every item; the newest first. Items of the same
/// millisecond come in no order that matters here.
fn naive(items: &[Item], keep: impl Fn(&Item) -> bool) -> HashSet<String> {
    let kept = items.iter().filter(|item| keep(item));
    kept.map(|item| item.id.to_string()).collect()
}

fn has_word(item: &Item, word: &str) -> bool {
    item.description.split(", ").any(|w| w == word)
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_what_a_naive_filter_leaves() {
    let server = Server::start().await;
    let items = generate(600, 1, now_ms());
    // In several inserts, so that rows lie in several parts.
    for part in items.chunks(100) {
        insert(&server, &server.org.org.to_string(), part).await;
    }
    let day = |days: i64| {
        let at = jiff::Timestamp::from_millisecond(now_ms() - days * 86_400_000).expect("a time");
        (at.to_string(), at.as_millisecond())
    };
    let ((from, from_ms), (to, to_ms)) = (day(20), day(10));
    type Keep = Box<dyn Fn(&Item) -> bool>;
    let cases: Vec<(String, Keep)> = vec![
        ("".into(), Box::new(|_| true)),
        ("status=new".into(), Box::new(|i| i.status == "new")),
        (
            "status=new,spam&category=bug,idea".into(),
            Box::new(|i| {
                ["new", "spam"].contains(&i.status) && ["bug", "idea"].contains(&i.category)
            }),
        ),
        (
            "rating=1,5".into(),
            Box::new(|i| [1, 5].contains(&i.rating)),
        ),
        (
            "rating_min=2&rating_max=3".into(),
            Box::new(|i| (2..=3).contains(&i.rating)),
        ),
        (
            "rating_max=3".into(),
            Box::new(|i| (1..=3).contains(&i.rating)),
        ),
        (
            "sentiment=negative,unknown".into(),
            Box::new(|i| ["negative", ""].contains(&i.sentiment)),
        ),
        (
            "tag=tag1".into(),
            Box::new(|i| i.tags.iter().any(|t| t == "tag1")),
        ),
        (
            "tag=tag1&tag=tag5".into(),
            Box::new(|i| {
                ["tag1", "tag5"]
                    .iter()
                    .all(|w| i.tags.iter().any(|t| t == w))
            }),
        ),
        (
            "app=app2&screen=screen3".into(),
            Box::new(|i| i.app == "app2" && i.screen == "screen3"),
        ),
        (
            format!("from={from}&to={to}"),
            Box::new(move |i| (from_ms..to_ms).contains(&i.at_ms)),
        ),
        (
            format!("from={from}"),
            Box::new(move |i| i.at_ms >= from_ms),
        ),
        (
            "read=true&archived=false".into(),
            Box::new(|i| i.read && !i.archived),
        ),
        (
            "read=false&archived=true".into(),
            Box::new(|i| !i.read && i.archived),
        ),
        ("has_screenshot=true".into(), Box::new(|i| i.screenshot)),
        (
            "has_screenshot=false&rating=4".into(),
            Box::new(|i| !i.screenshot && i.rating == 4),
        ),
        (
            "assignee=token:ana".into(),
            Box::new(|i| i.assignee == "token:ana"),
        ),
        ("assignee=none".into(), Box::new(|i| i.assignee.is_empty())),
        ("q=printer".into(), Box::new(|i| has_word(i, "Printer"))),
        (
            "q=PRINTER+crashes".into(),
            Box::new(|i| has_word(i, "Printer") && has_word(i, "crashes")),
        ),
        ("q=%C3%BCber".into(), Box::new(|i| has_word(i, "\u{dc}ber"))),
        (
            "q=Save".into(),
            Box::new(|i| has_word(i, "save") || has_word(i, "SAVE")),
        ),
        // A composed letter finds a decomposed one.
        (
            "q=%C3%A9cole".into(),
            Box::new(|i| has_word(i, "e\u{301}cole")),
        ),
        (
            "q=%E6%BC%A2".into(),
            Box::new(|i| has_word(i, "\u{6f22}\u{5b57}")),
        ),
        (
            "q=%F0%9F%98%80".into(),
            Box::new(|i| has_word(i, "\u{1f600}")),
        ),
        // Said to be drawn in colours, it is the same.
        (
            "q=%F0%9F%98%80%EF%B8%8F".into(),
            Box::new(|i| has_word(i, "\u{1f600}")),
        ),
        (
            "q=don%27t".into(),
            Box::new(|i| has_word(i, "don\u{2019}t")),
        ),
        ("q=print".into(), Box::new(|_| false)),
        ("q=nowhere".into(), Box::new(|_| false)),
        ("product=other".into(), Box::new(|_| false)),
        (
            "product=default&q=the&status=new&read=true".into(),
            Box::new(|i| has_word(i, "the") && i.status == "new" && i.read),
        ),
    ];
    for (query, keep) in &cases {
        for (merged, also) in [("", 0), ("&merged=include", 1), ("&merged=only", 2)] {
            let wanted = naive(&items, |item| {
                keep(item)
                    && match also {
                        0 => item.merged_into == NIL,
                        1 => true,
                        _ => item.merged_into != NIL,
                    }
            });
            let query = format!("{query}{merged}");
            let listed = server.pages(&query, 37).await;
            let times: Vec<&str> = listed.iter().filter_map(|i| i["at"].as_str()).collect();
            let mut sorted = times.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(times, sorted, "{query}: the newest first");
            let found = ids(&listed);
            assert_eq!(found.len(), wanted.len(), "{query}");
            assert_eq!(found.into_iter().collect::<HashSet<_>>(), wanted, "{query}");
        }
    }
    let text = server
        .get("/v1/feedback?limit=200", &server.org.analyst_token)
        .await;
    let text = text.body.to_string();
    assert!(!text.contains("device") && !text.contains(&items[0].device.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_repeat_nor_miss_while_items_come_in_and_change() {
    let server = Server::start().await;
    let org = server.org.org.to_string();
    let items = generate(300, 2, now_ms() - 3_600_000);
    insert(&server, &org, &items).await;
    let token = &server.org.analyst_token;
    let wanted = naive(&items, |_| true);
    let (mut seen, mut cursor, mut round) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("/v1/feedback?merged=include&limit=20{cursor}");
        let answer = server.get(&path, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        seen.extend(ids(answer.body["items"].as_array().expect("items")));
        let Some(next) = answer.body["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        round += 1;
        // Newer items come in, and items before and after this page change.
        insert(&server, &org, &generate(5, 1_000 + round, now_ms())).await;
        let changed: Vec<String> = items
            .iter()
            .skip(usize::try_from(round).expect("small") % 7)
            .step_by(7)
            .map(|item| item.id.to_string())
            .collect();
        let body = json!({"ids": changed, "change": {"add_tags": [format!("round{round}")]}});
        let answer = server.ask("POST", "/v1/feedback/bulk", token, &body).await;
        assert_eq!(answer.body["changed"], changed.len(), "{answer:?}");
    }
    let old: Vec<String> = seen
        .iter()
        .filter(|id| wanted.contains(*id))
        .cloned()
        .collect();
    let once: HashSet<String> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "no item twice");
    assert_eq!(
        old.into_iter().collect::<HashSet<_>>(),
        wanted,
        "none missed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_rows_are_not_listed_however_many_there_are() {
    let server = Server::start().await;
    server.execute("SYSTEM STOP MERGES feedback").await;
    let items = generate(400, 3, now_ms());
    insert(&server, &server.org.org.to_string(), &items).await;
    let token = &server.org.analyst_token;
    let all: Vec<String> = items.iter().map(|item| item.id.to_string()).collect();
    for (change, changed) in [
        (json!({"status": "in_progress"}), "in_progress"),
        (json!({"status": "resolved"}), "resolved"),
    ] {
        let body = json!({"ids": all, "change": change});
        let answer = server.ask("POST", "/v1/feedback/bulk", token, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let listed = server
            .pages(&format!("merged=include&status={changed}"), 50)
            .await;
        assert_eq!(listed.len(), items.len());
        assert!(
            server
                .pages("merged=include&status=new", 50)
                .await
                .is_empty()
        );
    }
    // One of the last is what it was: it has to be found behind all the replaced rows.
    let last = items.iter().min_by_key(|item| item.at_ms).expect("items");
    let path = format!("/v1/feedback/{}", last.id);
    server
        .ask("PATCH", &path, token, &json!({"status": "new"}))
        .await;
    let listed = server.pages("merged=include&status=new", 3).await;
    assert_eq!(ids(&listed), [last.id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_questions_are_refused_by_name() {
    let server = Server::start().await;
    let token = &server.org.analyst_token;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("colour=red", "colour"),
        ("status=old", "status"),
        ("q=%25", "q"),
        ("q=%E2%82%AC", "q"),
    ] {
        let answer = server.get(&format!("/v1/feedback?{query}"), token).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.body["field"], field, "{query}");
        assert_eq!(answer.code(), "invalid_parameter", "{query}");
    }
    let device = server.enroll().await;
    assert_eq!(server.get("/v1/feedback", &device.token).await.status, 403);
    assert_eq!(server.get("/v1/feedback", "nobody").await.status, 401);
}
