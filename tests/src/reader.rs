//! The form as a screen reader is told of it, and so without a driver.

use crate::desktop::Desktop;

/// Says what is in the first text field on the screen.
const WRITTEN: &str = "\
import gi
gi.require_version('Atspi', '2.0')
from gi.repository import Atspi
def walk(node):
    if node is None:
        return
    if node.get_role() == Atspi.Role.ENTRY:
        print('text', node.get_text_iface().get_text(0, -1))
        raise SystemExit
    for index in range(node.get_child_count()):
        walk(node.get_child_at_index(index))
walk(Atspi.get_desktop(0))
";

/// What is in the first text field on the screen, without spaces and the ends of its lines; none where there is no
/// such field.
#[must_use]
pub fn written(desktop: &Desktop) -> Option<String> {
    let mut python = desktop.command("/usr/bin/python3");
    let output = python.args(["-c", WRITTEN]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.strip_prefix("text")?.split_whitespace().collect())
}
