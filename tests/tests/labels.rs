//! Titles of twenty devices: those that at least five share become readable, those that
//! one device saw are found nowhere, neither on the server nor on a disk.

use anyhow::{Result, ensure};
use snag_e2e::generate;
use snag_e2e::process::{Agent, Server};
use snag_e2e::search::files_with;
use snag_e2e::sql::Sql;

const DEVICES: usize = 20;

/// A word that no rule of normalisation knows: what is rare has to stay hidden even so.
fn rare_word(device: usize) -> String {
    const SYLLABLES: [&str; 10] = ["ka", "lo", "mi", "ru", "te", "vo", "ze", "pa", "ni", "su"];
    let mut word = String::from("quox");
    for digit in [device / 10, device % 10, (device * 7) % 10] {
        word.push_str(SYLLABLES[digit]);
    }
    word
}

#[test]
fn shared_titles_become_readable_and_rare_ones_never() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(folder.path(), &[])?;
    let tokens = server.create_org("Clinic", 5)?;
    server.start()?;

    let agents: Vec<_> = (0..DEVICES)
        .map(|n| Agent::new(folder.path().join(format!("agent-{n}"))))
        .collect();
    for agent in &agents {
        agent.enroll(&server.url(), &tokens.enroll)?;
    }
    let recordings = tempfile::tempdir()?;
    for round in 0..2_u64 {
        for (number, agent) in agents.iter().enumerate() {
            let rare = format!("{} file", rare_word(number));
            // Four devices share one title: fewer than k.
            let few = if number < 4 {
                "almost common"
            } else {
                "appointments"
            };
            let titles = ["appointments", "lab results", &rare, few];
            let file = recordings.path().join("recording.jsonl");
            std::fs::write(
                &file,
                generate::morning(round * 100 + number as u64, 20, "clinic", &titles),
            )?;
            agent.run(&["replay", &file.to_string_lossy(), "--send"])?;
        }
    }

    let hotspots = curl(&server, &tokens.analyst, "/v1/insights/hotspots?limit=100")?;
    for title in ["appointments", "lab results"] {
        ensure!(
            hotspots.contains(title),
            "{title} isn't readable: {hotspots}"
        );
    }
    server.stop()?;
    for number in 0..DEVICES {
        let word = rare_word(number);
        let found = files_with(folder.path(), &word)?;
        ensure!(found.is_empty(), "{word} is in {found:?}");
        ensure!(!hotspots.contains(&word));
    }
    ensure!(
        files_with(folder.path(), "almost common")?.is_empty(),
        "four people's title was stored"
    );

    // Files on the server are compressed: the tables themselves are asked as well.
    let sql = Sql::over(&server)?;
    let texts = sql.rows("SELECT DISTINCT text FROM labels ORDER BY text")?;
    let texts: Vec<_> = texts
        .iter()
        .filter_map(|row| row["text"].as_str())
        .collect();
    ensure!(
        texts.contains(&"appointments") && texts.contains(&"lab results"),
        "{texts:?}"
    );
    for number in 0..DEVICES {
        ensure!(
            !texts.iter().any(|text| text.contains(&rare_word(number))),
            "{texts:?}"
        );
    }
    ensure!(!texts.contains(&"almost common"), "{texts:?}");
    for table in [
        "events",
        "sessions",
        "screens",
        "incidents",
        "labels",
        "devices",
        "organisations",
        "tokens",
    ] {
        let rows = sql.rows(&format!(
            "SELECT * FROM {table} WHERE toString(tuple(*)) ILIKE '%quox%'"
        ))?;
        ensure!(rows.is_empty(), "{table}: {rows:?}");
    }
    Ok(())
}

fn curl(server: &Server, token: &str, path: &str) -> Result<String> {
    let output = std::process::Command::new("curl")
        .args(["-s", "--fail-with-body", "--max-time", "20", "-H"])
        .arg(format!("Authorization: Bearer {token}"))
        .arg(format!("{}{path}", server.url()))
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{path}: {text}");
    Ok(text)
}
