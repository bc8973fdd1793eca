//! Readable without revealing: which texts the server asks for, takes, and refuses.

mod harness;

use harness::{Device, Server};
use serde_json::{Value, json};
use snag_server::orgs::OrgPolicy;
use snag_server::{AppState, labels};
use snag_wire::{LabelAction, LabelHash, LabelRule};

fn seen(seq: u64, screen: LabelHash) -> (Value, Value) {
    let context = json!({"session": 1, "app": "excel", "screen": screen.to_string()});
    let record = json!({"type": "event", "seq": seq, "kind": "focus", "context": 0, "t_ms": 0});
    (context, record)
}

async fn see(server: &Server, device: &Device, seq: u64, screen: LabelHash) {
    let (context, record) = seen(seq, screen);
    let mut batch = device.of(vec![record]);
    batch["contexts"] = json!([context]);
    let answer = server.batch(device, &batch).await;
    assert_eq!(answer.counts(), (1, 0, 0), "{answer:?}");
}

async fn say(server: &Server, device: &Device, seq: u64, hash: LabelHash, text: &str) -> String {
    let label = json!({"type": "label", "seq": seq, "hash": hash.to_string(), "kind": "screen",
        "app": "excel", "text": text, "t_ms": 0});
    let answer = server.batch(device, &device.of(vec![label])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        !answer.body.to_string().contains(text),
        "no content in answers"
    );
    match answer.rejected().pop() {
        Some((_, code)) => code,
        None => "accepted".to_owned(),
    }
}

fn rule(label: &str, action: LabelAction) -> LabelRule {
    LabelRule {
        app: "Ex*".to_owned(),
        label: label.to_owned(),
        action,
    }
}

#[test]
fn the_hash_is_the_agents() {
    // HMAC-SHA-256 of the text under a key of 32 bytes 0x01, cut to 8 bytes; computed with
    // Python's hmac module.
    assert_eq!(
        labels::hash(&[1; 32], "Invoice <n> - Excel").to_string(),
        "9497cd535a01ae1a"
    );
    assert_eq!(labels::hash(&[1; 32], "").to_string(), "2e72eb6626e1d4f7");
    let settings = snag_core::PolicySettings {
        label_key: "01".repeat(32),
        ..snag_core::PolicySettings::default()
    };
    let policy = snag_core::Policy::from_settings(&settings).expect("a policy");
    let redactor = snag_core::redact::Redactor::new(&policy);
    for text in ["Invoice <n> - Excel", "", "Überweisung"] {
        let ours = labels::hash(&[1; 32], text);
        assert_eq!(
            redactor.label_hash(text).to_string(),
            ours.to_string(),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_text_is_asked_for_and_taken_when_k_people_share_it() {
    let rules = vec![
        rule("Home", LabelAction::Readable),
        rule("Secret .*", LabelAction::Never),
    ];
    let policy = OrgPolicy {
        label_rules: rules,
        ..OrgPolicy::default()
    };
    let server = Server::with(5, policy, AppState::system_clock()).await;
    let org = server
        .state
        .orgs
        .get(&server.warehouse, server.org.org)
        .await
        .expect("the warehouse")
        .expect("the organisation");
    let hash = |text: &str| labels::hash(&org.label_key, text);
    let (common, rare, secret, home) = ("Invoice", "Four know", "Secret plan", "Home");
    let mut devices = Vec::new();
    for _ in 0..20 {
        devices.push(server.enroll().await);
    }
    let policy = |device: usize| {
        let token = devices[device].token.clone();
        let server = &server;
        async move { server.get("/v1/policy", &token).await.body }
    };
    for (number, device) in devices.iter().enumerate() {
        // Nothing is wanted before five have seen it.
        if number == 4 {
            assert_eq!(policy(0).await["wanted_labels"], json!([]));
            assert_eq!(
                say(&server, device, 1, hash(common), common).await,
                "label_not_wanted"
            );
        }
        see(&server, device, 10, hash(common)).await;
        see(&server, device, 11, hash(secret)).await;
        see(&server, device, 12, hash("")).await;
        see(&server, device, 13, hash(&format!("Patient {number}"))).await;
        if number < 4 {
            see(&server, device, 14, hash(rare)).await;
        }
    }
    let before = policy(0).await;
    let mut wanted = vec![hash(common).to_string(), hash(secret).to_string()];
    wanted.sort();
    let mut asked: Vec<String> =
        serde_json::from_value(before["wanted_labels"].clone()).expect("hashes");
    asked.sort();
    assert_eq!(
        asked, wanted,
        "what five share and nobody said; never the empty title"
    );

    let device = &devices[0];
    for (seq, hash, text, outcome) in [
        (20, hash(rare), rare, "label_not_wanted"),
        (21, hash("Patient 0"), "Patient 0", "label_not_wanted"),
        (22, hash(common), "Patient 0", "label_hash_mismatch"),
        (23, hash(secret), secret, "label_not_wanted"),
        (24, hash(common), common, "accepted"),
        (25, hash(home), home, "accepted"),
    ] {
        assert_eq!(
            say(&server, device, seq, hash, text).await,
            outcome,
            "{text}"
        );
    }
    let stored = "SELECT groupArray(text) FROM (SELECT text FROM labels ORDER BY seq)";
    assert_eq!(server.sql(stored).await, "['Invoice','Home']");
    let texts = server
        .state
        .labels
        .texts(&server.state, &org)
        .await
        .expect("texts");
    assert_eq!(texts.get(hash(common)), Some(common));
    assert_eq!(texts.get_hex(&hash(home).to_string()), Some(home));
    assert_eq!(texts.get(hash(rare)), None);

    // A fifth person makes the rare one common: the version rises, and it is taken.
    let after = policy(0).await;
    assert_eq!(
        after["wanted_labels"],
        json!([hash(secret).to_string()]),
        "known is not wanted"
    );
    assert!(after["version"].as_u64() > before["version"].as_u64());
    see(&server, &devices[9], 30, hash(rare)).await;
    let now = policy(0).await;
    assert!(now["version"].as_u64() > after["version"].as_u64());
    assert_eq!(
        say(&server, &devices[9], 31, hash(rare), rare).await,
        "accepted"
    );
    // What only one ever saw is a hash for ever.
    assert_eq!(
        server
            .sql("SELECT count() FROM labels WHERE text LIKE 'Patient%'")
            .await,
        "0"
    );
}

#[tokio::test]
async fn texts_that_are_no_labels_are_refused() {
    let policy = OrgPolicy {
        label_rules: vec![rule("(?s).*", LabelAction::Readable)],
        ..OrgPolicy::default()
    };
    let server = Server::with(5, policy, AppState::system_clock()).await;
    let org = server
        .state
        .orgs
        .get(&server.warehouse, server.org.org)
        .await;
    let key = org
        .expect("the warehouse")
        .expect("the organisation")
        .label_key;
    let device = server.enroll().await;
    for (seq, text, outcome) in [
        (1, "a".repeat(200), "accepted"),
        (2, "a".repeat(201), "bad_label"),
        (3, "a\nb".to_owned(), "bad_label"),
        (4, String::new(), "bad_label"),
    ] {
        let hash = labels::hash(&key, &text);
        let label = json!({"type": "label", "seq": seq, "hash": hash.to_string(), "kind": "screen",
            "app": "excel", "text": text, "t_ms": 0});
        let answer = server.batch(&device, &device.of(vec![label])).await;
        let got = answer
            .rejected()
            .pop()
            .map_or("accepted".to_owned(), |(_, code)| code);
        assert_eq!(got, outcome, "{seq}");
    }
}
