//! The words that the server gives a row are those that the table would give it.

mod harness;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use harness::Server;
use regex::Regex;
use serde_json::Value;
use snag_server::feedback::search;
use snag_warehouse::Query;

/// Characters in a row: few enough that a difference is found quickly.
const CHARACTERS_PER_ROW: usize = 64;

#[tokio::test]
async fn every_character_is_taken_as_the_table_takes_it() {
    let server = Server::start().await;
    // Each side knows the characters of its own release of Unicode: 15.1 at least.
    let known = Regex::new(r"\p{age:15.1}").expect("an expression");
    let characters: Vec<char> = (0..0x32_000_u32)
        .filter_map(char::from_u32)
        .filter(|c| known.is_match(c.encode_utf8(&mut [0; 4])))
        .collect();
    assert!(characters.len() > 140_000);
    // Between letters, after one, and alone: whether it parts words, and what it becomes.
    let texts: Vec<String> = characters
        .chunks(CHARACTERS_PER_ROW)
        .map(|some| some.iter().map(|c| format!("a{c}B {c}. ")).collect())
        .collect();
    let rows = RecordBatch::try_from_iter([(
        "description",
        Arc::new(StringArray::from_iter_values(&texts)) as ArrayRef,
    )]);
    server
        .warehouse
        .insert("feedback", rows.expect("rows"))
        .await
        .expect("rows");
    let query = Query::read("SELECT description, words FROM feedback FORMAT JSONEachRow");
    let rows = server.warehouse.select(query).await.expect("rows");
    let mut differ = Vec::new();
    let mut seen = 0;
    for line in String::from_utf8_lossy(&rows).lines() {
        let row: Value = serde_json::from_str(line).expect("json");
        let text = row["description"].as_str().expect("text");
        let words: Vec<&str> = row["words"]
            .as_array()
            .expect("words")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        seen += 1;
        if words != search::words(text) {
            differ.push((words.join(" "), search::words(text).join(" ")));
        }
    }
    assert_eq!(seen, texts.len());
    assert_eq!(differ, []);
}
