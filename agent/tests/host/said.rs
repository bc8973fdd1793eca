//! What was said, until it is with the server or the person is rid of it.

use super::*;

/// Files below the folder of what was said, by the ends of their names.
fn files(folder: &Path) -> Vec<String> {
    let said = folder.join("snag/feedback");
    let below = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let all = below(said.join("items")).chain(below(said));
    let mut names: Vec<String> = all
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn enrolled(folder: &Path, server: &Server) -> Host {
    enrol(folder, &server.address());
    let host = start(folder).await;
    until("the enrolment", || !host.overview().organisation.is_empty()).await;
    host
}

/// Sends the draft that was left, with its picture.
async fn send_left(host: &Host) -> Uuid {
    let form = host.feedback_open(Opening::default()).await;
    assert!(form.picture.is_some() && form.left_at.is_some());
    host.feedback_send(&form.draft).unwrap()
}

async fn send_words(host: &Host, words: &str) -> Uuid {
    let mut draft = host.feedback_open(Opening::default()).await.draft;
    draft.description = words.into();
    host.feedback_send(&draft).unwrap()
}

/// Waits until words came to the server, whatever it answered.
async fn tried(server: &Server) {
    until("it was tried", || {
        !server.shared.seen.lock().words.is_empty()
    })
    .await;
}

fn state(host: &Host, id: Uuid) -> SubmissionState {
    let said = host.conversations();
    said.into_iter().find(|one| one.id == id).unwrap().state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_there_is_no_room_for_keeps_nobodys_words() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    *server.shared.pictures.lock() = Some((507, true));
    leave_draft(folder.path());
    let host = enrolled(folder.path(), &server).await;
    let with_picture = send_left(&host).await;
    until("its picture was tried", || {
        !server.shared.seen.lock().pictures.is_empty()
    })
    .await;
    let second = send_words(&host, "second").await;
    let third = send_words(&host, "third").await;
    for id in [second, third] {
        until("words arrived", || {
            matches!(state(&host, id), SubmissionState::Sent { .. })
        })
        .await;
    }
    assert_eq!(state(&host, with_picture), SubmissionState::Waiting);
    let overview = host.overview();
    assert_eq!(overview.server_problem, None, "the server takes all else");
    let keys: Vec<_> = overview
        .problems
        .iter()
        .map(|one| one.key.as_str())
        .collect();
    assert_eq!(keys, ["problem.pictures_wait"]);
    // What has words with the server can be answered.
    server.shared.replies.lock().push(Reply {
        id: Uuid::from_u128(1),
        feedback: with_picture,
        at: Timestamp::now(),
        author: "Desk".into(),
        text: "We see.".into(),
    });
    until("the answer", || host.overview().unread_replies == 1).await;

    *server.shared.pictures.lock() = None;
    sync_all(&host).await;
    assert!(matches!(
        state(&host, with_picture),
        SubmissionState::Sent { .. }
    ));
    assert!(host.overview().problems.is_empty());
    assert_eq!(server.shared.seen.lock().words.len(), 3);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_stand_without_a_picture_that_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    *server.shared.pictures.lock() = Some((400, true));
    leave_draft(folder.path());
    let host = enrolled(folder.path(), &server).await;
    let mut events = host.events();
    let id = send_left(&host).await;
    let told = told(&mut events).await;
    let sent = HostEvent::FeedbackSent {
        id,
        category: Category::Bug,
        picture_refused: true,
    };
    assert_eq!(told, sent);
    let said = host.conversations().remove(0);
    assert!(matches!(said.state, SubmissionState::Sent { .. }));
    assert_eq!(
        said.picture_problem.as_deref(),
        Some("what the server says")
    );
    assert_eq!(files(folder.path()), [format!("{id}.json")]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_a_proxy_finds_too_large_is_made_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    *server.shared.pictures.lock() = Some((413, false));
    let size = Size {
        width: 640,
        height: 480,
    };
    let mut seed = 1_u32;
    let noise = (0..size.width * size.height * 3).map(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    });
    let pixels = noise.collect();
    leave_draft_with(folder.path(), Picture::new(size, pixels).unwrap());
    let host = enrolled(folder.path(), &server).await;
    let id = send_left(&host).await;
    until("what became of it", || {
        matches!(state(&host, id), SubmissionState::Sent { .. })
    })
    .await;
    let tried = server.shared.seen.lock().pictures.clone();
    assert!(tried.len() > 1);
    let halved = |pair: &[(Uuid, Vec<u8>)]| pair[1].1.len() <= pair[0].1.len() / 2;
    assert!(tried.windows(2).all(halved));
    for (_, bytes) in &tried {
        assert_eq!(Picture::decode(bytes).unwrap().size(), size, "marks fit");
    }
    let said = host.conversations().remove(0);
    let why = said.picture_problem.expect("it can't be any smaller");
    assert!(why.contains("too large"), "{why}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_can_be_looked_at_and_deleted_before_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    server.shared.say([MEASURE]);
    leave_draft(folder.path());
    let host = enrolled(folder.path(), &server).await;
    let form = host.feedback_open(Opening::default()).await;
    let preview = host.feedback_preview(&form.draft).unwrap();
    let picture = host.feedback_preview_picture(&form.draft).unwrap();
    let id = host.feedback_send(&form.draft).unwrap();
    tried(&server).await;
    let kept = host.feedback_kept(id).unwrap();
    assert_eq!(kept, preview);
    assert_eq!(host.feedback_kept_picture(id).unwrap(), picture.bytes);
    // Not while it is being sent; that ends.
    until("it is deleted", || match host.conversation_delete(id) {
        Ok(()) => true,
        Err(why) => {
            assert_eq!(why.key, "problem.leaving_now");
            false
        }
    })
    .await;
    assert_eq!(files(folder.path()), Vec::<String>::new());
    assert!(host.conversations().is_empty());
    assert_eq!(
        host.feedback_kept(id).unwrap_err().key,
        "problem.feedback_gone"
    );
    assert_eq!(host.overview().waiting_feedback, 0);
    until("nothing is wrong any more", || {
        host.overview().problems.is_empty()
    })
    .await;
    assert_eq!(server.shared.seen.lock().words.len(), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_to_be_forgotten_leaves_no_words_that_waited() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    server.shared.say([MEASURE]);
    leave_draft(folder.path());
    let host = enrolled(folder.path(), &server).await;
    send_left(&host).await;
    tried(&server).await;
    leave_draft(folder.path());
    assert_eq!(files(folder.path()).len(), 4);
    host.request_deletion().await.unwrap();
    assert_eq!(files(folder.path()), Vec::<String>::new());
    assert_eq!(host.overview().waiting_feedback, 0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_begun_beside_a_draft_takes_nothing_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    let left = leave_draft(folder.path());
    let host = enrolled(folder.path(), &server).await;
    // A program's words, which the person closes again.
    let program = Opening {
        description: Some("It takes minutes.".into()),
        ..Opening::default()
    };
    let form = host.feedback_open(program.clone()).await;
    assert!(form.draft.id != left && form.left_at.is_none());
    host.feedback_save_draft(form.draft).unwrap();
    host.feedback_close();
    let form = host.feedback_open(Opening::default()).await;
    assert_eq!(form.draft.id, left);
    assert!(form.picture.is_some() && form.left_at.is_some());
    // The person begins anew beside it, and sends that.
    let anew = host.feedback_anew().await;
    assert!(anew.draft.id != left && anew.left_at.is_none());
    assert_eq!(anew.draft.description, "");
    let mut draft = anew.draft;
    draft.description = "Something else".into();
    host.feedback_save_draft(draft.clone()).unwrap();
    host.feedback_send(&draft).unwrap();
    // Another that is thrown away.
    let form = host.feedback_open(program).await;
    let mut draft = form.draft;
    draft.tags.push("slow".into());
    host.feedback_save_draft(draft).unwrap();
    host.feedback_discard().unwrap();
    let form = host.feedback_open(Opening::default()).await;
    assert_eq!(form.draft.id, left);
    assert_eq!(form.draft.description, "The list stays empty");
    assert!(form.picture.is_some());
    host.stop().await;
}
