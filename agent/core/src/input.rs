//! What a person's hands did, as the core sees it. The serde form of an [`Input`] is
//! a line of a recording, so that replaying a file and capturing a desktop are one path.
//!
//! **Invariant:** reading is strict (unknown kinds and fields are errors), so that a
//! recording can't carry more than the core knows of; and `Debug` never shows text
//! that an input holds (titles, task names, error codes, element ids).

use std::fmt;

use serde::de::{self, MapAccess};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One input and when it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Milliseconds since the recording, or the capture, began. Never falling; the
    /// engine lifts a time that falls to the latest one.
    pub t: u64,
    /// What happened.
    pub kind: InputKind,
}

/// What happened.
#[derive(Clone, PartialEq)]
pub enum InputKind {
    /// What the capture can see from here on.
    Capture {
        /// Whether it sees the interface's reactions; without them no click is called dead.
        reactions: bool,
    },
    /// The pointer moved, in pixels.
    Move {
        /// Pixels from the left.
        x: f64,
        /// Pixels from the top.
        y: f64,
    },
    /// A button went down.
    Press {
        /// Which.
        button: Button,
        /// Pixels from the left.
        x: f64,
        /// Pixels from the top.
        y: f64,
        /// What lay under the pointer, where accessibility told.
        element: Option<Element>,
    },
    /// A button went up.
    Release {
        /// Which.
        button: Button,
        /// Pixels from the left.
        x: f64,
        /// Pixels from the top.
        y: f64,
        /// What lay under the pointer, where accessibility told.
        element: Option<Element>,
    },
    /// One wheel step.
    Wheel {
        /// Steps to the right.
        dx: f64,
        /// Steps down.
        dy: f64,
        /// Pixels from the left.
        x: f64,
        /// Pixels from the top.
        y: f64,
    },
    /// A key was hit; which one is never known.
    Key {
        /// Its class.
        class: KeyClass,
    },
    /// Another app, window or screen of an app has the focus.
    Focus {
        /// The program.
        app: String,
        /// The window.
        window: String,
        /// The screen: what the person would call the place.
        screen: String,
    },
    /// The interface answered: its content, title or focus changed.
    Reaction,
    /// A program said that a task began or ended.
    Task {
        /// Which of the two, and how.
        event: TaskEvent,
        /// The task.
        name: String,
    },
    /// A program reported an error.
    Error {
        /// Which.
        code: String,
    },
}

/// What lay under the pointer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Element {
    /// Its accessibility role, such as `push_button`.
    pub role: String,
    /// A hash that stands for it; never a label.
    pub id: String,
}

macro_rules! words {
    ($(#[$meta:meta])* $vis:vis $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        $vis enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every value.
            $vis const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in recordings and records.
            #[must_use]
            $vis fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// A mouse button.
    pub Button {
        /// Left.
        Left = "left",
        /// Right.
        Right = "right",
        /// Middle.
        Middle = "middle",
        /// Any other.
        Other = "other",
    }
}

words! {
    /// What kind of key was hit.
    pub KeyClass {
        /// A key that makes a character.
        Char = "char",
        /// The space bar.
        Space = "space",
        /// Enter.
        Enter = "enter",
        /// Tab.
        Tab = "tab",
        /// Escape.
        Escape = "escape",
        /// Backspace.
        Backspace = "backspace",
        /// Delete.
        Delete = "delete",
        /// Undo.
        Undo = "undo",
        /// Redo.
        Redo = "redo",
        /// Copy.
        Copy = "copy",
        /// Cut.
        Cut = "cut",
        /// Paste.
        Paste = "paste",
        /// Save.
        Save = "save",
        /// Find.
        Find = "find",
        /// Arrows, Home, End, Page Up, Page Down.
        Navigation = "navigation",
        /// Shift, Control, Alt, Meta.
        Modifier = "modifier",
        /// A function key.
        Function = "function",
        /// Any other.
        Other = "other",
    }
}

words! {
    /// What became of a task.
    pub TaskEvent {
        /// It began.
        Start = "start",
        /// It was completed.
        Complete = "complete",
        /// It was given up on purpose.
        Cancel = "cancel",
    }
}

impl InputKind {
    /// The word in a recording's `in`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Capture { .. } => "capture",
            Self::Move { .. } => "move",
            Self::Press { .. } => "press",
            Self::Release { .. } => "release",
            Self::Wheel { .. } => "wheel",
            Self::Key { .. } => "key",
            Self::Focus { .. } => "focus",
            Self::Reaction => "reaction",
            Self::Task { .. } => "task",
            Self::Error { .. } => "error",
        }
    }
}

/// Says what happened and where the pointer was, but no text that came with it.
impl fmt::Debug for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(self.as_str());
        match self {
            Self::Capture { reactions } => out.field("reactions", reactions),
            Self::Move { x, y } => out.field("x", x).field("y", y),
            Self::Press {
                button,
                x,
                y,
                element,
            }
            | Self::Release {
                button,
                x,
                y,
                element,
            } => out
                .field("button", button)
                .field("x", x)
                .field("y", y)
                .field("element", element),
            Self::Wheel { dx, dy, .. } => out.field("dx", dx).field("dy", dy),
            Self::Key { class } => out.field("class", class),
            Self::Focus { .. } | Self::Reaction | Self::Error { .. } => &mut out,
            Self::Task { event, .. } => out.field("event", event),
        };
        out.finish_non_exhaustive()
    }
}

/// Says that there is an element, not which: a foreign recording may hold a label.
impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Element").finish_non_exhaustive()
    }
}

/// A coordinate as recordings write it: an integer where it is one.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and below 2^53, so the cast is exact"
            )]
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("t", &self.t)?;
        map.serialize_entry("in", self.kind.as_str())?;
        match &self.kind {
            InputKind::Capture { reactions } => map.serialize_entry("reactions", reactions)?,
            InputKind::Move { x, y } => {
                map.serialize_entry("x", &Number(*x))?;
                map.serialize_entry("y", &Number(*y))?;
            }
            InputKind::Press {
                button,
                x,
                y,
                element,
            }
            | InputKind::Release {
                button,
                x,
                y,
                element,
            } => {
                map.serialize_entry("button", button)?;
                map.serialize_entry("x", &Number(*x))?;
                map.serialize_entry("y", &Number(*y))?;
                if let Some(element) = element {
                    map.serialize_entry("element", element)?;
                }
            }
            InputKind::Wheel { dx, dy, x, y } => {
                map.serialize_entry("dx", &Number(*dx))?;
                map.serialize_entry("dy", &Number(*dy))?;
                map.serialize_entry("x", &Number(*x))?;
                map.serialize_entry("y", &Number(*y))?;
            }
            InputKind::Key { class } => map.serialize_entry("class", class)?,
            InputKind::Focus {
                app,
                window,
                screen,
            } => {
                map.serialize_entry("app", app)?;
                map.serialize_entry("window", window)?;
                map.serialize_entry("screen", screen)?;
            }
            InputKind::Reaction => {}
            InputKind::Task { event, name } => {
                map.serialize_entry("event", event)?;
                map.serialize_entry("name", name)?;
            }
            InputKind::Error { code } => map.serialize_entry("code", code)?,
        }
        map.end()
    }
}

macro_rules! fields {
    ($($name:ident: $type:ty = $word:literal,)*) => {
        /// The fields of a line, before it is known which of them its kind has.
        #[derive(Default)]
        struct Fields { $($name: Option<$type>,)* }

        #[derive(Deserialize)]
        #[serde(field_identifier)]
        enum Field { $(#[serde(rename = $word)] #[expect(non_camel_case_types, reason = "named as the fields")] $name,)* }

        impl Fields {
            fn read<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
                let mut fields = Self::default();
                while let Some(field) = map.next_key()? {
                    match field {
                        $(Field::$name => {
                            if fields.$name.is_some() {
                                return Err(de::Error::duplicate_field($word));
                            }
                            fields.$name = Some(map.next_value()?);
                        })*
                    }
                }
                Ok(fields)
            }

            /// What is left over belongs to no field of the kind that was read.
            fn finish<E: de::Error>(&self) -> Result<(), E> {
                $(if self.$name.is_some() {
                    return Err(E::custom(concat!("field `", $word, "` does not belong to this kind of input")));
                })*
                Ok(())
            }
        }
    };
}

fields! {
    t: u64 = "t",
    kind: Kind = "in",
    reactions: bool = "reactions",
    button: Button = "button",
    x: f64 = "x",
    y: f64 = "y",
    dx: f64 = "dx",
    dy: f64 = "dy",
    element: Option<Element> = "element",
    class: KeyClass = "class",
    app: String = "app",
    window: String = "window",
    screen: String = "screen",
    event: TaskEvent = "event",
    name: String = "name",
    code: String = "code",
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Capture,
    Move,
    Press,
    Release,
    Wheel,
    Key,
    Focus,
    Reaction,
    Task,
    Error,
}

fn need<T, E: de::Error>(field: &mut Option<T>, name: &'static str) -> Result<T, E> {
    field.take().ok_or_else(|| E::missing_field(name))
}

/// serde's own tagged enums can't refuse unknown fields beside a flattened tag and
/// buffer every line, so lines are read by hand.
impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an input: an object with `t` and `in`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Input, A::Error> {
                let mut fields = Fields::read(&mut map)?;
                let input = Input {
                    t: need(&mut fields.t, "t")?,
                    kind: kind(&mut fields)?,
                };
                fields.finish()?;
                Ok(input)
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

fn kind<E: de::Error>(fields: &mut Fields) -> Result<InputKind, E> {
    Ok(match need::<_, E>(&mut fields.kind, "in")? {
        Kind::Capture => InputKind::Capture {
            reactions: need(&mut fields.reactions, "reactions")?,
        },
        Kind::Move => InputKind::Move {
            x: need(&mut fields.x, "x")?,
            y: need(&mut fields.y, "y")?,
        },
        Kind::Press => InputKind::Press {
            button: need(&mut fields.button, "button")?,
            x: need(&mut fields.x, "x")?,
            y: need(&mut fields.y, "y")?,
            element: fields.element.take().flatten(),
        },
        Kind::Release => InputKind::Release {
            button: need(&mut fields.button, "button")?,
            x: need(&mut fields.x, "x")?,
            y: need(&mut fields.y, "y")?,
            element: fields.element.take().flatten(),
        },
        Kind::Wheel => InputKind::Wheel {
            dx: need(&mut fields.dx, "dx")?,
            dy: need(&mut fields.dy, "dy")?,
            x: need(&mut fields.x, "x")?,
            y: need(&mut fields.y, "y")?,
        },
        Kind::Key => InputKind::Key {
            class: need(&mut fields.class, "class")?,
        },
        Kind::Focus => InputKind::Focus {
            app: need(&mut fields.app, "app")?,
            window: need(&mut fields.window, "window")?,
            screen: need(&mut fields.screen, "screen")?,
        },
        Kind::Reaction => InputKind::Reaction,
        Kind::Task => InputKind::Task {
            event: need(&mut fields.event, "event")?,
            name: need(&mut fields.name, "name")?,
        },
        Kind::Error => InputKind::Error {
            code: need(&mut fields.code, "code")?,
        },
    })
}
