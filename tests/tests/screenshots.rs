//! Every window at two sizes, light and dark, as pictures for somebody to look at: `make screenshots`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use snag_e2e::desktop::{Desktop, EVERYTHING};
use snag_e2e::process::{Agent, Server, binary};
use snag_e2e::session::Session;
use snag_e2e::webdriver::Driver;

/// Names another folder than a passing one.
const FOLDER: &str = "SNAG_SCREENSHOTS";

#[test]
fn every_window_draws_something_at_two_sizes_light_and_dark() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let into = std::env::var_os(FOLDER).map_or_else(|| folder.path().join("out"), PathBuf::from);
    std::fs::create_dir_all(&into)?;
    let mut server = Server::new(folder.path(), &[])?;
    let tokens = server.create_org("Desk Ltd", 5)?;
    server.start()?;
    for theme in ["light", "dark"] {
        let agent = Agent::new(folder.path().join(theme));
        agent.enroll(&server.url(), &tokens.enroll)?;
        let settings = format!(r#"{{"theme":"{theme}","language":"en"}}"#);
        std::fs::write(agent.data().join("settings.json"), settings)?;
        let desktop = Desktop::start(EVERYTHING);
        let _session = Session::start(&desktop)?;
        let mut app = desktop.command(binary("snag-desktop")?);
        app.arg("--data-dir")
            .arg(agent.data())
            .env("HOME", folder.path().join("home"));
        let log = std::fs::File::create(folder.path().join(format!("{theme}.log")))?;
        let driver = Driver::start(&desktop, &app, &log)?;
        for window in ["first-run", "feedback", "knows", "settings"] {
            if window != "first-run" {
                let mut link = Command::new(app.get_program());
                link.args(app.get_args()).arg(format!("snag://{window}"));
                for (name, value) in app.get_envs() {
                    match value {
                        Some(value) => link.env(name, value),
                        None => link.env_remove(name),
                    };
                }
                ensure!(link.status()?.success(), "{window}");
            }
            driver.go_to(window)?;
            for (width, height) in [(760, 560), (1100, 720)] {
                driver.resize(width, height)?;
                let picture = driver.picture()?;
                let name = format!("{window}-{theme}-{width}x{height}.png");
                std::fs::write(into.join(&name), &picture)?;
                let pixels = image::load_from_memory(&picture)
                    .context("a picture")?
                    .to_rgb8();
                let colours: BTreeSet<[u8; 3]> = pixels.pixels().map(|pixel| pixel.0).collect();
                ensure!(colours.len() > 20, "{name}: {} colours", colours.len());
                let corner = pixels.get_pixel(2, pixels.height() - 3).0;
                let is_light = corner.iter().map(|part| u32::from(*part)).sum::<u32>() > 384;
                ensure!(
                    is_light == (theme == "light"),
                    "{name}: the corner is {corner:?}"
                );
            }
        }
    }
    Ok(())
}
