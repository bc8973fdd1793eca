//! IT says that no pictures may leave, when some are here already.

use super::*;

/// Files of pictures below a folder.
fn pictures_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.map(|entry| {
        let path = entry.path();
        let is_picture = path.extension().is_some_and(|end| end == "picture");
        if path.is_dir() {
            pictures_in(&path)
        } else {
            usize::from(is_picture)
        }
    });
    found.sum()
}

fn forbid_pictures(folder: &Path) {
    let rules = r#"{"organisation": "Example IT", "pictures": false}"#;
    std::fs::write(folder.join("policy.json"), rules).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_of_before_goes_on_without_its_picture_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    enrol(folder.path(), &server.address());
    let id = leave_draft(folder.path());
    assert_eq!(pictures_in(folder.path()), 1);
    forbid_pictures(folder.path());
    let host = start(folder.path()).await;
    assert_eq!(
        pictures_in(folder.path()),
        0,
        "gone before the form is opened"
    );
    until("the enrolment", || !host.overview().organisation.is_empty()).await;
    let form = host.feedback_open(Opening::default()).await;
    assert_eq!(form.draft.id, id);
    assert_eq!(
        form.draft.description, "The list stays empty",
        "the words stay"
    );
    assert!(form.picture.is_none() && !form.draft.with_picture);
    let why = form.picture_refused.expect("why there is none");
    assert_eq!(why.key, "problem.picture_removed");
    assert_eq!(why.values["organisation"], "Example IT");
    // A window that still asks for it gets none.
    let mut draft = form.draft;
    draft.with_picture = true;
    assert_eq!(host.feedback_preview(&draft).unwrap().picture_bytes, 0);
    host.feedback_save_draft(draft.clone()).unwrap();
    assert_eq!(pictures_in(folder.path()), 0);
    let mut events = host.events();
    host.feedback_send(&draft).unwrap();
    let sent = told(&mut events).await;
    assert!(matches!(sent, HostEvent::FeedbackSent { .. }), "{sent:?}");
    let seen = server.shared.seen.lock().clone();
    assert_eq!((seen.words.len(), seen.pictures.len()), (1, 0));
    // The next one had none.
    let next = host.feedback_open(Opening::default()).await;
    let why = next.picture_refused.expect("why there is none");
    assert_eq!(why.key, "problem.pictures_not_allowed");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_waits_to_be_sent_is_deleted_and_the_words_go() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    enrol(folder.path(), &server.address());
    server.shared.say([503; 1_000]);
    leave_draft(folder.path());
    let host = start(folder.path()).await;
    until("the enrolment", || !host.overview().organisation.is_empty()).await;
    let form = host.feedback_open(Opening::default()).await;
    assert!(form.picture.is_some() && form.picture_refused.is_none());
    host.feedback_send(&form.draft).unwrap();
    assert_eq!(pictures_in(folder.path()), 1);
    host.stop().await;
    drop(host);

    forbid_pictures(folder.path());
    server.shared.statuses.lock().clear();
    let host = start(folder.path()).await;
    assert_eq!(pictures_in(folder.path()), 0);
    until("the words", || host.overview().sent_feedback == 1).await;
    assert!(server.shared.seen.lock().pictures.is_empty());
    assert!(host.conversations()[0].picture_removed, "and it says so");
    host.stop().await;
}
