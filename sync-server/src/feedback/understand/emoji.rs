//! What an emoji says, on VADER's scale of -4 to 4.
//!
//! VADER reads an emoji by the words of its name, so that a thumbs up ("thumbs up") says
//! nothing and a pouting face neither. These are the ones that people put under feedback.

/// The valence of an emoji; None where it isn't one that says how something is meant.
pub(super) fn valence(emoji: char) -> Option<f64> {
    let strength = match emoji {
        '😍' | '🤩' | '🥰' | '😻' | '💯' | '🏆' => 3.0,
        '❤' | '♥' | '💖' | '💕' | '💗' | '💙' | '💚' | '💛' | '🧡' | '💜' | '🖤' | '🤍' | '😘' => {
            2.8
        }
        '👍' | '👏' | '🎉' | '🥳' | '😀' | '😃' | '😄' | '😁' | '😊' | '🤗' | '😎' | '🙌'
        | '👌' | '🔥' | '⭐' | '🌟' | '🚀' | '💪' | '😇' | '🥇' | '🎊' => 2.2,
        '🙂' | '☺' | '😌' | '😉' | '😋' | '🙏' | '✅' | '✨' | '😺' | '😸' | '🤝' | '👋' => {
            1.4
        }
        '😂' | '🤣' | '😆' => 0.8,
        '😐' | '😑' | '🤔' | '😶' | '🤷' => -0.3,
        '😕' | '🙁' | '☹' | '😟' | '🙄' | '😒' | '😬' | '😓' | '😞' | '😔' | '🐌' | '🐛' => {
            -1.5
        }
        '👎' | '😢' | '😭' | '😣' | '😖' | '😫' | '😩' | '😤' | '😠' | '💔' | '🤦' | '😱'
        | '😿' | '❌' | '🚫' | '☠' | '💀' | '😰' | '😨' | '🤯' => -2.2,
        '😡' | '🤬' | '💩' | '🤮' | '🤢' | '🖕' | '👿' | '🗑' => -3.0,
        _ => return None,
    };
    Some(strength)
}

/// Whether a character is part of an emoji and says nothing by itself: the variation
/// selectors, the joiner, the skin tones.
pub(super) fn is_modifier(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}')
}
