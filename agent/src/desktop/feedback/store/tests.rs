//! What waits survives, in order.

use std::path::Path;

use snag_wire::{FeedbackSubmission, Target};

use super::*;
use crate::screenshot::Encoded;

fn outgoing(number: u128, picture: bool) -> Outgoing {
    let submission: FeedbackSubmission = serde_json::from_value(serde_json::json!({
        "id": Uuid::from_u128(number),
        "created_at": "2026-11-20T12:00:00Z",
        "category": "bug",
        "description": format!("words {number}"),
        "target": Target { app: "excel".into(), ..Target::default() },
    }))
    .unwrap();
    Outgoing {
        body: serde_json::to_vec(&submission).unwrap(),
        submission,
        picture: picture.then(|| Encoded {
            bytes: vec![1, 2, 3],
            mime: "image/webp",
        }),
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn in_order_words_before_the_picture_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::load(folder.path().to_owned());
    let store = open();
    store.add(&outgoing(2, true)).unwrap();
    store.add(&outgoing(1, false)).unwrap();
    store.add(&outgoing(2, true)).unwrap();
    assert_eq!(store.counts().waiting, 2);
    let first = Uuid::from_u128(2);
    assert_eq!(store.next(Lane::Pictures), None, "words first");
    let Some(Next::Words { id, body }) = store.next(Lane::Words) else {
        panic!("words first")
    };
    assert_eq!((id, body), (first, outgoing(2, true).body));
    let now = Timestamp::UNIX_EPOCH;
    assert!(!store.words_sent(first, now).unwrap());
    let store = open();
    let Some(Next::Picture { id, mime, path }) = store.next(Lane::Pictures) else {
        panic!("then the picture")
    };
    assert_eq!((id, mime.as_str()), (first, "image/webp"));
    assert_eq!(std::fs::read(&path).unwrap(), [1, 2, 3]);
    store.picture_sent(first, now).unwrap();
    assert!(!path.exists(), "the picture goes once the server has it");
    let Some(Next::Words { id, .. }) = store.next(Lane::Words) else {
        panic!("then the next")
    };
    store.refused(id, "no").unwrap();
    assert_eq!(store.next(Lane::Words), None);
    let states: Vec<_> = open()
        .conversations()
        .into_iter()
        .map(|c| c.state)
        .collect();
    assert_eq!(
        states,
        [
            SubmissionState::Refused {
                reason: "no".into()
            },
            SubmissionState::Sent { at: now }
        ]
    );
}

#[test]
fn replies_are_told_once_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::load(folder.path().to_owned());
    store.add(&outgoing(1, false)).unwrap();
    let id = Uuid::from_u128(1);
    store.words_sent(id, Timestamp::UNIX_EPOCH).unwrap();
    let reply = |number| Reply {
        id: Uuid::from_u128(number),
        feedback: id,
        at: Timestamp::UNIX_EPOCH,
        author: "Desk".into(),
        text: "Thank you".into(),
    };
    let foreign = Reply {
        feedback: Uuid::from_u128(9),
        ..reply(12)
    };
    let new = store
        .replies(vec![reply(10), reply(11), foreign], "b")
        .unwrap();
    assert_eq!(new.len(), 2);
    assert!(store.replies(vec![reply(10)], "b").unwrap().is_empty());
    let store = Store::load(folder.path().to_owned());
    assert_eq!(store.replies_after(), "b");
    assert_eq!(store.counts().unread, 2);
    store.read(id).unwrap();
    assert_eq!(store.counts().unread, 0);
    assert_eq!(
        store.read(Uuid::from_u128(9)).unwrap_err().key,
        "problem.unknown"
    );
}

#[test]
fn too_many_and_what_nobody_wants() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::load(folder.path().to_owned());
    for number in 0..WAITING_MAX as u128 {
        store.add(&outgoing(number + 1, false)).unwrap();
    }
    let refused = store.add(&outgoing(999, true)).unwrap_err();
    assert_eq!(refused.key, "problem.too_many_waiting");
    assert_eq!(files(folder.path()).len(), WAITING_MAX);
    std::fs::write(
        folder
            .path()
            .join(format!("{}.picture", Uuid::from_u128(77))),
        b"x",
    )
    .unwrap();
    std::fs::write(folder.path().join("half.tmp"), b"x").unwrap();
    let store = Store::load(folder.path().to_owned());
    assert_eq!(files(folder.path()).len(), WAITING_MAX);
    store.delete_waiting().unwrap();
    assert!(files(folder.path()).is_empty() && store.conversations().is_empty());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to_loses_nothing_silently() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("items");
    // A file where the folder has to be: as unwritable for root as for anybody.
    std::fs::write(&inner, b"").unwrap();
    let store = Store::load(inner.clone());
    let refused = store.add(&outgoing(1, true)).unwrap_err();
    assert!(refused.key.starts_with("problem."), "{}", refused.key);
    assert_eq!(store.counts(), Counts::default());
    std::fs::remove_file(&inner).unwrap();
    store.add(&outgoing(1, true)).unwrap();
    let mode = |name: &str| {
        let path = inner.join(format!("{}.{name}", Uuid::from_u128(1)));
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("json"), mode("picture")), (0o600, 0o600));
}

#[test]
fn the_last_one_that_was_sent_whole_says_when() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::load(folder.path().to_owned());
    for (number, picture) in [(1, false), (2, true), (3, false)] {
        store.add(&outgoing(number, picture)).unwrap();
    }
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    store.refused(Uuid::from_u128(3), "no").unwrap();
    store.words_sent(Uuid::from_u128(2), at(5)).unwrap();
    assert_eq!(store.counts().last_sent_at, None, "its picture waits");
    store.picture_sent(Uuid::from_u128(2), at(9)).unwrap();
    store.words_sent(Uuid::from_u128(1), at(7)).unwrap();
    let counts = Store::load(folder.path().to_owned()).counts();
    assert_eq!(counts.last_sent_at, Some(at(9)));
    assert_eq!((counts.sent, counts.refused), (2, 1));
}
