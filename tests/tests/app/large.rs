//! A screen of 4K that is scaled by two, and a desktop that has all its text larger.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::{Hand, wait_for, wait_until};
use snag_e2e::stage::Stage;
use snag_e2e::webdriver::Driver;

use x11rb::protocol::xproto::{AtomEnum, PropMode};
use x11rb::wrapper::ConnectionExt as _;

use crate::acts::{BEHIND, colour_desktop, inside};

/// What the screen is scaled by.
const SCALE: f64 = 2.0;

/// How often in a row something is in one place before it is clicked.
const STEADY: u32 = 6;

/// A point of the screen.
type Point = (f64, f64);

#[test]
fn what_is_hidden_is_hidden_on_a_large_and_scaled_screen() -> Result<()> {
    let stage = Stage::of_size("3840x2160")?;
    let hand = stage.desktop.hand();
    colour_desktop(&hand)?;
    let _program = stage.program("Accounts");
    let shown = wait_for("the program's window", || hand.active());
    let (left, top, width, height) = inside(&hand, shown)?;
    let mut app = stage.app()?;
    app.env("GDK_SCALE", "2");
    let driver = Driver::start(&stage.desktop, &app, &stage.log()?)?;
    let page = Page {
        driver: &driver,
        hand: &hand,
    };
    driver.go_to("first-run")?;
    page.click("//button[contains(., 'I understand, start')]")?;
    stage.closed(&driver, "first-run");
    stage.captures();
    stage.open(&driver, "feedback")?;
    driver.is_so("window.devicePixelRatio === 2")?;
    driver.is_so("document.hasFocus() && document.activeElement.tagName === 'TEXTAREA'")?;
    hand.type_text("too small to read");
    // A click overtakes keys that the page hasn't read yet.
    driver.is_so("document.querySelector('textarea').value === 'too small to read'")?;
    page.click("//label[contains(., 'Problem')]")?;
    driver.is_so("document.querySelector('svg.canvas image') !== null")?;
    page.click("//button[@aria-label='Hide']")?;
    // The program's window with its frame, and more than a pixel of the page, which is six of the screen here.
    page.drag(
        (left - 12.0, top - 36.0),
        (left + width + 12.0, top + height + 12.0),
    )?;
    driver.is_so("document.querySelectorAll('.hidden-area').length === 1")?;
    page.click("//button[normalize-space()='Send']")?;
    stage.closed(&driver, "feedback");

    let _ = stage
        .session
        .notification("it has arrived", |n| n.title == "Your feedback has arrived");

    let list: Value = serde_json::from_slice(&stage.ask("/v1/feedback")?)?;
    let item = &list["items"][0];
    ensure!(item["description"] == "too small to read", "{item}");
    let id = item["id"].as_str().context("an id")?;
    let stored = stage.ask(&format!("/v1/feedback/{id}/screenshot"))?;
    let picture = image::load_from_memory(&stored)?.to_rgb8();
    let size = picture.dimensions();
    ensure!(size == (3_840, 2_160), "{size:?}");
    let at = |x: f64, y: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "on the screen"
        )]
        picture.get_pixel(x as u32, y as u32).0
    };
    let hidden = at(left, top);
    ensure!(hidden != BEHIND);
    for share in 0..=100 {
        let share = f64::from(share) / 100.0;
        for (x, y) in [
            (share, share),
            (share, 1.0 - share),
            (share, 0.02),
            (0.01, share),
        ] {
            let is = at(left + x * (width - 1.0), top + y * (height - 1.0));
            ensure!(is == hidden, "{is:?} at {x}, {y} of the window");
        }
    }
    // Around it nothing is hidden but what was drawn over.
    for (x, y) in [
        (left - 60.0, top),
        (left + width + 60.0, top),
        (left, top + height + 60.0),
        (left, top - 90.0),
    ] {
        ensure!(at(x, y) == BEHIND, "{:?} at {x}, {y}", at(x, y));
    }
    stage.quit()
}

#[test]
fn a_window_is_as_large_as_its_text_needs() -> Result<()> {
    let stage = Stage::of_size("1920x1080")?;
    let hand = stage.desktop.hand();
    // Half as large again as usual.
    let resources = b"Xft.dpi:\t144\n";
    let (to, kind) = (AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING);
    hand.connection
        .change_property8(PropMode::REPLACE, hand.root, to, kind, resources)?
        .check()?;
    let driver = stage.driven()?;
    driver.go_to("first-run")?;
    // As many columns as with the usual text.
    driver.is_so(
        "getComputedStyle(document.querySelector('.promises')).gridTemplateColumns.split(' ').length === 3",
    )?;
    wait_until("the window is shown", || hand.active().is_some());
    let (.., width, _) = inside(&hand, hand.active().context("the window")?)?;
    ensure!((width - 1_350.0).abs() < 2.0, "{width}");
    stage.quit()
}

/// The page of the window in use, under a real hand: the driver's own clicks miss what is scaled.
struct Page<'a> {
    driver: &'a Driver,
    hand: &'a Hand,
}

impl Page<'_> {
    fn click(&self, xpath: &str) -> Result<()> {
        self.driver.find(xpath)?;
        let xpath = json!(xpath);
        let script = format!(
            "const found = document.evaluate({xpath}, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue; \
             found.scrollIntoView({{block: 'nearest'}}); const r = found.getBoundingClientRect(); \
             return [r.left + r.width / 2, r.top + r.height / 2]"
        );
        // What is drawn first moves as more is drawn.
        let (mut middle, mut steady) = (Value::Null, 0);
        while steady < STEADY {
            std::thread::sleep(Duration::from_millis(50));
            let now = self.driver.eval(&script)?;
            steady = if now == middle { steady + 1 } else { 0 };
            middle = now;
        }
        self.go(&middle)?;
        self.hand.click();
        Ok(())
    }

    /// Draws from one point of the pictured screen to another.
    fn drag(&self, from: Point, to: Point) -> Result<()> {
        self.go(&self.pictured(from)?)?;
        self.hand.press(1);
        self.go(&self.pictured(((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0))?)?;
        self.go(&self.pictured(to)?)?;
        self.hand.release(1);
        Ok(())
    }

    /// Where a point of the pictured screen is on the page.
    fn pictured(&self, (x, y): Point) -> Result<Value> {
        self.driver.eval(&format!(
            "const r = document.querySelector('svg.canvas').getBoundingClientRect(); \
             return [r.left + {x} * r.width / 3840, r.top + {y} * r.height / 2160]"
        ))
    }

    /// Moves to a point of the page.
    fn go(&self, at: &Value) -> Result<()> {
        self.driver.is_so("document.hasFocus()")?;
        let window = wait_for("a window in use", || self.hand.active());
        let (left, top, ..) = inside(self.hand, window)?;
        let on_the_screen = |from: f64, index: usize| -> Result<i16> {
            let at = at[index].as_f64().context("a number")?;
            #[expect(clippy::cast_possible_truncation, reason = "on the screen")]
            let pixel = (from + at * SCALE).round() as i16;
            Ok(pixel)
        };
        self.hand
            .move_to((on_the_screen(left, 0)?, on_the_screen(top, 1)?));
        Ok(())
    }
}
