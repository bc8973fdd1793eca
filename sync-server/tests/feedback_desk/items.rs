//! Items of known content, put into the table as submissions are, and a client.
#![allow(unreachable_pub, reason = "the tests beside use it")]

use axum::body::Body;
use axum::http::{Request, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_warehouse::Query;
use uuid::Uuid;

use crate::harness::{Answer, Server};

pub const NIL: Uuid = Uuid::nil();

/// An item as it is generated.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: Uuid,
    pub at_ms: i64,
    pub device: Uuid,
    pub category: &'static str,
    pub description: String,
    pub rating: u8,
    pub sentiment: &'static str,
    pub tags: Vec<String>,
    pub app: String,
    pub screen: String,
    pub screenshot: bool,
    pub status: &'static str,
    pub read: bool,
    pub archived: bool,
    pub assignee: String,
    pub merged_into: Uuid,
}

pub const CATEGORIES: [&str; 5] = ["bug", "idea", "question", "praise", "other"];
pub const STATUSES: [&str; 5] = ["new", "in_progress", "resolved", "declined", "spam"];
pub const SENTIMENTS: [&str; 4] = ["positive", "neutral", "negative", ""];
const WORDS: [&str; 12] = [
    "the",
    "Printer",
    "crashes",
    "\u{dc}ber",
    "stra\u{df}e",
    "\u{6f22}\u{5b57}",
    "\u{1f600}",
    "don\u{2019}t",
    "save",
    "SAVE",
    "e\u{301}cole",
    "loses",
];

/// The same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut y = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        y = (y ^ (y >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((y ^ (y >> 31)) % below as u64).expect("small")
    }
}

/// `count` items of the 30 days before `now_ms`, several of them in the same millisecond.
pub fn generate(count: usize, seed: u64, now_ms: i64) -> Vec<Item> {
    let mut random = Random(seed);
    let mut items: Vec<Item> = Vec::with_capacity(count);
    for number in 0..count {
        let r = &mut random;
        let words: Vec<&str> = (0..1 + r.below(6))
            .map(|_| WORDS[r.below(WORDS.len())])
            .collect();
        let merged_into = if number > 10 && r.below(8) == 0 {
            items[r.below(10)].id
        } else {
            NIL
        };
        let tags = (0..r.below(3)).map(|k| format!("tag{}", r.below(4) + 4 * k));
        let tags = tags.collect();
        items.push(Item {
            id: Uuid::from_u64_pair(r.below(usize::MAX) as u64, number as u64),
            at_ms: now_ms - i64::try_from(r.below(30 * 24)).expect("small") * 3_600_000,
            device: Uuid::from_u64_pair(7, r.below(5) as u64),
            category: CATEGORIES[r.below(5)],
            description: words.join(", "),
            rating: u8::try_from(r.below(6)).expect("small"),
            sentiment: SENTIMENTS[r.below(4)],
            tags,
            app: format!("app{}", r.below(4)),
            screen: format!("screen{}", r.below(9)),
            screenshot: r.below(3) == 0,
            status: STATUSES[r.below(5)],
            read: r.below(2) == 0,
            archived: r.below(5) == 0,
            assignee: ["", "token:ana", "user:bo"][r.below(3)].to_owned(),
            merged_into,
        });
    }
    items
}

/// Puts items into the table.
pub async fn insert(server: &Server, org: &str, items: &[Item]) {
    let mut lines = String::new();
    for item in items {
        let most = u64::MAX >> 1;
        let line = json!({
            "newest": most - u64::try_from(item.at_ms).expect("after 1970"),
            "id": item.id, "version": item.at_ms, "device": item.device, "at_ms": item.at_ms,
            "category": item.category, "description": item.description, "rating": item.rating,
            "sentiment": item.sentiment, "tags": item.tags, "app": item.app,
            "screen": item.screen,
            "screenshot": if item.screenshot { "ab".repeat(32) } else { String::new() },
            "status": item.status, "read": u8::from(item.read),
            "archived": u8::from(item.archived), "assignee": item.assignee,
            "merged_into": item.merged_into,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    let insert = Query::new(
        "INSERT INTO feedback (org, product, newest, id, version, device, at, received_at, \
         category, description, rating, sentiment, tags, app, screen, screenshot, status, read, \
         archived, assignee, merged_into, changed_at) \
         SELECT {org:String}, 'default', newest, id, version, device, \
         fromUnixTimestamp64Milli(at_ms, 'UTC') AS moment, moment, category, description, rating, \
         sentiment, tags, app, screen, screenshot, status, read, archived, assignee, merged_into, \
         moment FROM format(JSONEachRow, 'newest UInt64, id UUID, version UInt64, device UUID, \
         at_ms Int64, category String, description String, rating UInt8, sentiment String, \
         tags Array(String), app String, screen String, screenshot String, status String, \
         read UInt8, archived UInt8, assignee String, merged_into UUID', {lines:String})",
    );
    let insert = insert.param("org", org).param("lines", lines);
    server.warehouse.execute(insert).await.expect("items go in");
}

impl Server {
    pub async fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        self.send(request).await
    }

    /// All items of a list, page by page, with what is done between the pages.
    pub async fn pages(&self, query: &str, limit: usize) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/feedback?limit={limit}&{query}{cursor}");
            let answer = self.get(&path, &self.org.analyst_token).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let items = answer.body["items"].as_array().expect("items").clone();
            assert!(items.len() <= limit);
            all.extend(items);
            match answer.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }
}

pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

pub fn ids(items: &[Value]) -> Vec<String> {
    items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect()
}
