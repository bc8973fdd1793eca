//! The picture is cut and marked with a real mouse and real keys, and arrives so.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::{CONTROL, Hand, Pace, wait_for};
use snag_e2e::stage::Stage;
use snag_e2e::webdriver::Driver;
use std::time::Duration;

use crate::acts::{BEHIND, colour_desktop, inside, pictures_in};

const TAB: u32 = 0xff09;
const ENTER: u32 = 0xff0d;
const DELETE: u32 = 0xffff;
const RIGHT: u32 = 0xff53;
const DOWN: u32 = 0xff54;
const SHIFT: u32 = 0xffe1;

/// A point of the picture.
type Point = (f64, f64);

#[test]
fn a_picture_is_cut_and_marked_by_mouse_and_by_keyboard() -> Result<()> {
    let stage = Stage::set()?;
    let hand = stage.desktop.hand();
    colour_desktop(&hand)?;
    let _program = stage.program("Accounts");
    let shown = wait_for("the program's window", || hand.active());
    let (left, top, width, height) = inside(&hand, shown)?;
    let (right, bottom) = (left + width, top + height);
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.open(&driver, "feedback")?;
    driver.type_into("//textarea", "The sum is wrong")?;
    driver.click("//label[contains(., 'Problem')]")?;
    driver.is_so("document.hasFocus() && document.querySelector('svg.canvas image') !== null")?;

    // With the mouse.
    let canvas = Canvas::of(&driver, &hand)?;
    let at = |x: f64, y: f64| (left + x, top + y);
    canvas.draw("Box", at(40.0, 40.0), at(200.0, 120.0))?;
    canvas.draw("Arrow", at(400.0, 300.0), at(250.0, 100.0))?;
    canvas.draw("Highlight", at(60.0, 200.0), at(300.0, 260.0))?;
    let cut = (at(20.0, 20.0), (right - 20.0, bottom - 20.0));
    canvas.draw("Crop", cut.0, cut.1)?;
    let by_mouse = [
        ("box", at(40.0, 40.0), at(200.0, 120.0)),
        ("arrow", at(400.0, 300.0), at(250.0, 100.0)),
        ("highlight", at(60.0, 200.0), at(300.0, 260.0)),
    ];
    canvas.holds(&by_mouse, Some(cut))?;
    driver.click("//button[@aria-label='Undo']")?;
    canvas.holds(&by_mouse, None)?;
    driver.click("//button[@aria-label='Redo']")?;
    canvas.holds(&by_mouse, Some(cut))?;

    // By the keyboard alone, from the text on.
    driver.eval("document.querySelector('textarea').focus()")?;
    driver.until("the picture to have the focus", || {
        if driver.eval("return document.activeElement.matches('svg.canvas')")? == true {
            return Ok(Some(()));
        }
        // One at a time: a key that is still on its way would lead on from the picture.
        driver.eval("window.left = document.activeElement; return null")?;
        hand.key(TAB);
        driver.is_so("document.activeElement !== window.left")?;
        Ok(None)
    })?;
    hand.control(u32::from('z'));
    hand.control(u32::from('z'));
    canvas.holds(&by_mouse[..2], None)?;
    hand.control(u32::from('y'));
    hand.chord(&[CONTROL, SHIFT], u32::from('z'));
    canvas.holds(&by_mouse, Some(cut))?;
    // In the middle of a screen of 1280 x 800, a quarter of it; moved, and made larger.
    hand.key(u32::from('b'));
    hand.key(ENTER);
    let middle = ("box", (480.0, 300.0), (800.0, 500.0));
    let with = |last| [by_mouse[0], by_mouse[1], by_mouse[2], last];
    canvas.holds(&with(middle), Some(cut))?;
    let step = canvas.step();
    hand.key(RIGHT);
    hand.chord(&[SHIFT], DOWN);
    let moved = ("box", (480.0 + step, 300.0), (800.0 + step, 500.0 + step));
    canvas.holds(&with(moved), Some(cut))?;
    hand.key(DELETE);
    canvas.holds(&by_mouse, Some(cut))?;
    hand.control(u32::from('z'));
    canvas.holds(&with(moved), Some(cut))?;

    driver.click_away("//button[normalize-space()='Send']")?;
    stage.closed(&driver, "feedback");
    let _ = stage
        .session
        .notification("it has arrived", |n| n.title == "Your feedback has arrived");
    let list: Value = serde_json::from_slice(&stage.ask("/v1/feedback")?)?;
    let id = list["items"][0]["id"].as_str().context("an id")?;
    let item: Value = serde_json::from_slice(&stage.ask(&format!("/v1/feedback/{id}"))?)?;
    let sent = item["annotation"].as_array().context("marks")?;
    // In the pixels of the picture that left.
    let shifted = |(x, y): Point| (x - left - 20.0, y - top - 20.0);
    let expected = with(moved).map(|(shape, from, to)| (shape, shifted(from), shifted(to)));
    ensure!(canvas.are(sent, &expected), "{sent:?} aren't {expected:?}");
    let stored = stage.ask(&format!("/v1/feedback/{id}/screenshot"))?;
    let picture = image::load_from_memory(&stored)?.to_rgb8();
    let near = |is: u32, should: f64| canvas.near(f64::from(is), should - 40.0);
    ensure!(
        near(picture.width(), width) && near(picture.height(), height),
        "{} x {}",
        picture.width(),
        picture.height()
    );
    ensure!(
        picture.pixels().all(|pixel| pixel.0 != BEHIND),
        "what was cut away is there"
    );
    ensure!(
        pictures_in(stage.agent.data())?.is_empty(),
        "a picture is left here"
    );
    stage.quit()
}

/// The form's picture under a hand.
struct Canvas<'a> {
    driver: &'a Driver,
    hand: &'a Hand,
    /// Its upper left corner on the screen.
    origin: Point,
    /// Pixels of the screen in one of the picture.
    scale: f64,
}

impl<'a> Canvas<'a> {
    fn of(driver: &'a Driver, hand: &'a Hand) -> Result<Self> {
        let area = driver.eval(
            "const r = document.querySelector('svg.canvas').getBoundingClientRect(); return [r.left, r.top, r.width]",
        )?;
        let number = |index: usize| area[index].as_f64().context("a number");
        let (left, top, ..) = inside(hand, hand.active().context("the form")?)?;
        Ok(Self {
            driver,
            hand,
            origin: (left + number(0)?, top + number(1)?),
            scale: number(2)? / 1280.0,
        })
    }

    /// Draws with a tool.
    fn draw(&self, tool: &str, from: Point, to: Point) -> Result<()> {
        self.driver
            .click(&format!("//button[@aria-label='{tool}']"))?;
        self.driver.find(&format!(
            "//button[@aria-label='{tool}'][@aria-pressed='true']"
        ))?;
        let on_screen = |share: f64| {
            let x = from.0 + (to.0 - from.0) * share;
            let y = from.1 + (to.1 - from.1) * share;
            let (x, y) = (
                self.origin.0 + x * self.scale,
                self.origin.1 + y * self.scale,
            );
            #[expect(clippy::cast_possible_truncation, reason = "a screen is small")]
            (x.round() as i16, y.round() as i16)
        };
        let mut pace = Pace::of(Duration::from_millis(30));
        self.hand.move_to(on_screen(0.0));
        pace.step();
        self.hand.press(1);
        for step in 1..=5 {
            pace.step();
            self.hand.move_to(on_screen(f64::from(step) / 5.0));
        }
        pace.step();
        self.hand.release(1);
        Ok(())
    }

    /// How far an arrow key moves something.
    fn step(&self) -> f64 {
        (16.0 / self.scale).round()
    }

    /// Whether two places of the picture are one for a hand on the screen.
    fn near(&self, one: f64, other: f64) -> bool {
        (one - other).abs() <= 2.0 / self.scale + 1.0
    }

    /// Waits until the draft has these marks, and is cut or not.
    fn holds(&self, marks: &[(&str, Point, Point)], cut: Option<(Point, Point)>) -> Result<()> {
        self.driver.until(&format!("{marks:?}, cut: {cut:?}"), || {
            let form = self.driver.invoke("feedback_form", &json!({}))?;
            let drawn = form["draft"]["marks"].as_array().context("marks")?;
            let crop = &form["draft"]["crop"];
            let is_cut = cut.map_or(crop.is_null(), |((left, top), (right, bottom))| {
                let fields = [
                    ("x", left),
                    ("y", top),
                    ("width", right - left),
                    ("height", bottom - top),
                ];
                fields.iter().all(|(name, should)| {
                    crop[name].as_f64().is_some_and(|is| self.near(is, *should))
                })
            });
            Ok((self.are(drawn, marks) && is_cut).then_some(()))
        })
    }

    fn are(&self, drawn: &[Value], marks: &[(&str, Point, Point)]) -> bool {
        let is_at = |drawn: &Value, (x, y): Point| {
            let near = |name: &str, should: f64| {
                drawn[name].as_f64().is_some_and(|is| self.near(is, should))
            };
            near("x", x) && near("y", y)
        };
        drawn.len() == marks.len()
            && drawn.iter().zip(marks).all(|(drawn, (shape, from, to))| {
                drawn["shape"] == *shape && is_at(&drawn["from"], *from) && is_at(&drawn["to"], *to)
            })
    }
}
