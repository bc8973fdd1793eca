//! What more than one test does or asks.

use std::path::Path;

use anyhow::{Context, Result};
use image::RgbImage;
use serde_json::{Value, json};
use snag_e2e::desktop::{Hand, Program, wait_until};
use snag_e2e::search::files;
use snag_e2e::webdriver::Driver;
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _};

/// The colour of a desktop behind its windows, where it was coloured.
pub(crate) const BEHIND: [u8; 3] = [0xd8, 0x1b, 0x60];

/// Gives the desktop a colour that no window has.
pub(crate) fn colour_desktop(hand: &Hand) -> Result<()> {
    let colour = u32::from_be_bytes([0, BEHIND[0], BEHIND[1], BEHIND[2]]);
    let behind = ChangeWindowAttributesAux::new().background_pixel(colour);
    let connection = &hand.connection;
    connection.change_window_attributes(hand.root, &behind)?;
    connection
        .clear_area(false, hand.root, 0, 0, 0, 0)?
        .check()?;
    Ok(())
}

/// Where a window's inside is on the screen: left, top, width and height in pixels.
pub(crate) fn inside(hand: &Hand, window: u32) -> Result<(f64, f64, f64, f64)> {
    let at = hand
        .connection
        .translate_coordinates(window, hand.root, 0, 0)?
        .reply()?;
    let size = hand.connection.get_geometry(window)?.reply()?;
    let [left, top] = [at.dst_x, at.dst_y].map(f64::from);
    let [width, height] = [size.width, size.height].map(f64::from);
    Ok((left, top, width, height))
}

/// Clicks something of the program whose window came first, and sees that it had each click.
pub(crate) fn click(program: &Program, hand: &Hand, what: &str, times: usize) {
    let before = program.clicks(what);
    hand.activate(hand.windows()[0]);
    for _ in 0..times {
        hand.click_at(program.place(what));
    }
    wait_until("the program saw the clicks", || {
        program.clicks(what) == before + times
    });
}

/// The clicks that wait, as they would leave, once there are so many.
pub(crate) fn clicks_that_wait(driver: &Driver, count: usize) -> Result<Vec<Value>> {
    driver.until("the clicks to be stored", || {
        let page = driver.invoke("knows_waiting", &json!({"after": null}))?;
        let items = page["items"].as_array().context("items")?;
        let records = items.iter().filter_map(|item| item["json"].as_str());
        let mut records: Vec<Value> = records
            .filter_map(|record| serde_json::from_str(record).ok())
            .collect();
        records.retain(|record| record["kind"] == "click");
        Ok((records.len() == count).then_some(records))
    })
}

/// The pictures of the screen among the files below a folder; the tray's icons are no such.
pub(crate) fn pictures_in(folder: &Path) -> Result<Vec<RgbImage>> {
    let mut pictures = Vec::new();
    for file in files(folder)? {
        // A file may be replaced at any moment.
        let bytes = std::fs::read(file).unwrap_or_default();
        if let Ok(picture) = image::load_from_memory(&bytes)
            && picture.width() > 640
        {
            pictures.push(picture.to_rgb8());
        }
    }
    Ok(pictures)
}
