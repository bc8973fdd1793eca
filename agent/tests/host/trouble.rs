//! A server that doesn't take the token, and one whose certificate nobody here vouches for.

use std::sync::atomic::Ordering;

use snag_spool::{Spool, SpoolOptions};

use super::*;
use crate::click::clicks;

/// Leaves records as an earlier run would.
fn leave_records(folder: &Path, count: u32) {
    let paths = Paths::at(folder.join("snag")).unwrap();
    let (spool, _) = Spool::open(paths.root(), SpoolOptions::default()).unwrap();
    spool.append(&clicks(count), None).unwrap();
}

/// The problems that the person reads, by key.
fn keys(host: &Host) -> Vec<String> {
    let problems = host.overview().problems;
    problems.into_iter().map(|problem| problem.key).collect()
}

fn server_line(host: &Host) -> String {
    let lines = host.health();
    let line = lines.iter().find(|line| line.source == "server");
    line.expect("a line for the server").sentence.key.clone()
}

/// Says something while nothing can leave.
async fn say(host: &Host) -> Uuid {
    until("the enrolment", || !host.overview().organisation.is_empty()).await;
    let form = host.feedback_open(Opening::default()).await;
    let mut draft = form.draft;
    draft.description = "It stays".into();
    host.feedback_send(&draft).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_taken_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    server.shared.knows_nobody.store(true, Ordering::SeqCst);
    enrol(folder.path(), &server.address());
    leave_records(folder.path(), 7);
    let host = start(folder.path()).await;
    let mut events = host.events();
    say(&host).await;
    until("the sentence", || {
        keys(&host) == ["problem.unauthorized"]
            && server_line(&host) == "health.server_unauthorized"
    })
    .await;
    let overview = host.overview();
    // All that waits, as everywhere: seven records and what was said.
    assert_eq!(overview.problems[0].values["count"], "8");
    assert_eq!(overview.waiting(), 8);
    assert_eq!(overview.server_problem, Some(overview.problems[0].clone()));
    let refused = host.sync_now().await;
    assert_eq!(refused.unwrap_err().key, "problem.unauthorized");
    let overview = host.overview();
    assert_eq!(
        (overview.waiting_records, overview.waiting_feedback),
        (7, 1)
    );
    assert_eq!(
        host.conversations()[0].state,
        SubmissionState::Waiting,
        "not refused: it may go later"
    );
    assert!(folder.path().join("snag/identity.json").exists());

    server.shared.knows_nobody.store(false, Ordering::SeqCst);
    sync_all(&host).await;
    // Told once that it waits, however often it was tried, and then that it has arrived.
    let kept = told(&mut events).await;
    let HostEvent::FeedbackKept { why } = kept else {
        panic!("{kept:?}");
    };
    assert_eq!(why.key, "problem.unauthorized");
    let sent = told(&mut events).await;
    assert!(matches!(sent, HostEvent::FeedbackSent { .. }), "{sent:?}");
    let overview = host.overview();
    assert_eq!(
        (overview.waiting_records, overview.waiting_feedback),
        (0, 0)
    );
    assert!(
        keys(&host).is_empty() && overview.server_problem.is_none(),
        "{overview:?}"
    );
    let seen = server.shared.seen.lock().clone();
    assert_eq!(seen.records, (1..=7).collect::<Vec<_>>());
    assert_eq!(seen.words.len(), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_answers_is_said_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    enrol(folder.path(), &server.address());
    leave_records(folder.path(), 3);
    *server.shared.everything.lock() = Some((500, true));
    let host = start(folder.path()).await;
    until("the enrolment", || !host.overview().organisation.is_empty()).await;
    for (status, its_own, problem, line, needs_somebody) in [
        (
            500,
            true,
            "problem.server_internal",
            "health.server_fault",
            false,
        ),
        (
            503,
            true,
            "problem.server_down",
            "health.server_busy",
            false,
        ),
        (
            507,
            true,
            "problem.server_full",
            "health.server_full",
            false,
        ),
        (200, false, "problem.strange", "health.server_strange", true),
        (404, false, "problem.strange", "health.server_strange", true),
    ] {
        *server.shared.everything.lock() = Some((status, its_own));
        let said = sync_until(problem, &host, |came_to| {
            came_to.as_ref().is_err_and(|said| said.key == problem)
        });
        let said = said.await.unwrap_err();
        let overview = host.overview();
        assert_eq!(overview.server_problem, Some(said.clone()), "{status}");
        assert_eq!(overview.concern, Some(said.clone()), "{status}");
        assert_eq!(said.needs_somebody(), needs_somebody, "{status}");
        assert_eq!(server_line(&host), line, "{status}");
    }
    // What people said may be all that waits, and all that fails.
    *server.shared.everything.lock() = None;
    sync_all(&host).await;
    assert_eq!(host.overview().server_problem, None);
    server.shared.say([500; 1_000]);
    let mut events = host.events();
    say(&host).await;
    let kept = told(&mut events).await;
    let HostEvent::FeedbackKept { why } = kept else {
        panic!("{kept:?}");
    };
    assert_eq!(why.key, "problem.server_internal");
    assert_eq!(host.overview().server_problem, Some(why.clone()));
    assert_eq!(host.sync_now().await, Err(why));
    assert_eq!(host.overview().waiting(), 1);
    assert!(events.try_recv().is_err(), "told once");

    // The server has its measure for feedback, and then takes nothing at all: that is the reason by now.
    *server.shared.statuses.lock() = [MEASURE; 1_000].into();
    until("the measure", || {
        let problems = keys(&host);
        problems == ["problem.too_many"] && host.overview().server_problem.is_none()
    })
    .await;
    *server.shared.everything.lock() = Some((500, true));
    let failed = sync_until("the fault", &host, |came_to| {
        let said = came_to.as_ref().err();
        said.is_some_and(|said| said.key == "problem.server_internal")
    });
    failed.await.unwrap_err();
    say(&host).await;
    let kept = told(&mut events).await;
    let HostEvent::FeedbackKept { why } = kept else {
        panic!("{kept:?}");
    };
    assert_eq!(why.key, "problem.server_internal");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_enrolment_it_is_kept_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let host = start(folder.path()).await;
    let mut events = host.events();
    let form = host.feedback_open(Opening::default()).await;
    let mut draft = form.draft;
    draft.description = "Nobody yet".into();
    host.feedback_send(&draft).unwrap();
    let kept = told(&mut events).await;
    let HostEvent::FeedbackKept { why } = kept else {
        panic!("{kept:?}");
    };
    assert_eq!(why.key, "problem.not_enrolled");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_server_that_nobody_vouches_for_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (tls::authority(), tls::authority());
    let server = Server::with(Some(tls::rustls_config(&ours, &["http/1.1"]))).await;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &others.pem).unwrap();
    enrol_by(folder.path(), &server.address(), Some(ca.clone()));
    leave_records(folder.path(), 3);
    let host = start(folder.path()).await;
    say(&host).await;
    until("the sentence", || {
        keys(&host) == ["problem.certificate"] && server_line(&host) == "health.server_certificate"
    })
    .await;
    let refused = host.sync_now().await;
    assert_eq!(refused.unwrap_err().key, "problem.certificate");
    let looked = host.knows_looked().await;
    assert_eq!(looked.unwrap_err().key, "problem.certificate");
    let overview = host.overview();
    assert_eq!(
        (overview.waiting_records, overview.waiting_feedback),
        (3, 1)
    );
    host.stop().await;
    drop(host);
    assert_eq!(server.shared.seen.lock().requests, 0, "not even a request");

    // IT names the right authority: all of it goes.
    std::fs::write(&ca, &ours.pem).unwrap();
    let host = start(folder.path()).await;
    until("everything is sent", || {
        let overview = host.overview();
        overview.waiting_feedback == 0 && !overview.organisation.is_empty()
    })
    .await;
    sync_all(&host).await;
    let seen = server.shared.seen.lock().clone();
    assert_eq!((seen.records.len(), seen.words.len()), (3, 1));
    assert!(keys(&host).is_empty());
    host.stop().await;
}
