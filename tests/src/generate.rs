//! Recordings made for a test: seeded, so that a failure can be seen again.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A person's morning: `minutes` of clicks, keys, wheel steps and screens of one
/// program, with some friction in it. The same seed gives the same recording.
#[must_use]
pub fn morning(seed: u64, minutes: u64, app: &str, screens: &[&str]) -> String {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut lines = String::from("{\"t\":0,\"in\":\"capture\",\"reactions\":true}\n");
    let mut t = 0;
    let mut line = |t: u64, rest: &str| {
        // Writing into a String can't fail.
        let _ = writeln!(lines, "{{\"t\":{t},{rest}}}");
    };
    while t < minutes * 60_000 {
        let screen = screens[rng.random_range(0..screens.len())];
        let focus = serde_json::json!({"in": "focus", "app": app, "window": "w", "screen": screen});
        let focus = focus.to_string();
        line(t, &focus[1..focus.len() - 1]);
        for _ in 0..rng.random_range(1..12) {
            let (x, y) = (rng.random_range(0..1900), rng.random_range(0..1000));
            match rng.random_range(0..8) {
                0..3 => {
                    let id = format!("{:016x}", rng.random_range(1..20_u64));
                    let clicks = if rng.random_bool(0.1) { 4 } else { 1 };
                    for _ in 0..clicks {
                        let rest = format!(
                            "\"button\":\"left\",\"x\":{x},\"y\":{y},\"element\":{{\"role\":\"push_button\",\"id\":\"{id}\"}}"
                        );
                        line(t, &format!("\"in\":\"press\",{rest}"));
                        t += 70;
                        line(t, &format!("\"in\":\"release\",{rest}"));
                        t += 130;
                    }
                    if rng.random_bool(0.8) {
                        line(t, "\"in\":\"reaction\"");
                    }
                }
                3..6 => {
                    for _ in 0..rng.random_range(3..15) {
                        line(t, "\"in\":\"key\",\"class\":\"char\"");
                        t += rng.random_range(60..300);
                    }
                }
                6 => {
                    for _ in 0..rng.random_range(2..20) {
                        line(t, &format!("\"in\":\"move\",\"x\":{x},\"y\":{y}"));
                        t += 16;
                    }
                }
                _ => line(t, "\"in\":\"error\",\"code\":\"E17\""),
            }
            t += rng.random_range(200..4_000);
        }
    }
    lines
}
