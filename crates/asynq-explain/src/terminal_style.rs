//! The look of a report on a terminal.

/// Look of [`text`](crate::text), which knows no terminal: the caller asks for its width, and whether it shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Number of columns; fewer than 40 count as 40.
    pub width: usize,
    /// ANSI colours are used. The caller respects `NO_COLOR`.
    pub colour: bool,
    /// The terminal shows more than ASCII.
    pub unicode: bool,
}

impl Default for Style {
    /// 100 columns in Unicode, without colours.
    fn default() -> Self {
        Self { width: 100, colour: false, unicode: true }
    }
}

pub(crate) const BOLD: &str = "1";
pub(crate) const DIM: &str = "2";
pub(crate) const GREEN: &str = "32";
pub(crate) const YELLOW: &str = "1;33";

/// Puts a text in a colour, if the terminal shows colours.
pub(crate) fn paint(text: &str, colour: &str, style: Style) -> String {
    if style.colour && !colour.is_empty() && !text.is_empty() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Replaces what a terminal would obey instead of show.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if obeyed(character) { '\u{fffd}' } else { character }).collect()
}

/// Returns whether a character moves the cursor, changes colours, or turns the direction of the text.
fn obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
