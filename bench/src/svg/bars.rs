//! Horizontal bars from zero, each with its value beside it.

use std::fmt::Write;

use super::{Anchor, Colour, picture, rule, text};

const WIDTH: f64 = 720.0;
const LABEL_WIDTH: f64 = 190.0;
const VALUE_WIDTH: f64 = 110.0;
const TOP: f64 = 34.0;
const STEP: f64 = 26.0;
const THICKNESS: f64 = 16.0;

/// One bar.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    /// The value, for people.
    pub(crate) text: String,
    pub(crate) colour: Colour,
    /// A value to compare with.
    pub(crate) mark: Option<f64>,
}

/// A chart.
pub(crate) struct Bars {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

impl Bars {
    /// The chart as SVG.
    pub(crate) fn draw(&self) -> String {
        let values = self.bars.iter().flat_map(|bar| [Some(bar.value), bar.mark]);
        let most = values.flatten().fold(0.0, f64::max);
        let room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
        let length = |value: f64| if most > 0.0 { value / most * room } else { 0.0 };
        let mut out = String::new();
        let mut top = TOP;
        for bar in &self.bars {
            let (base, long) = (top + THICKNESS - 4.0, length(bar.value));
            text(
                &mut out,
                "label",
                LABEL_WIDTH - 8.0,
                base,
                Anchor::End,
                &bar.label,
            );
            let _ = writeln!(
                out,
                "<rect x=\"{LABEL_WIDTH:.1}\" y=\"{top:.1}\" width=\"{long:.1}\" \
                 height=\"{THICKNESS:.1}\" rx=\"2\" fill=\"{}\"/>",
                bar.colour.hex()
            );
            let mut value_at = long;
            if let Some(mark) = bar.mark {
                let x = LABEL_WIDTH + length(mark);
                rule(&mut out, "mark", [x, top - 3.0], [x, top + THICKNESS + 3.0]);
                value_at = value_at.max(length(mark));
            }
            let x = LABEL_WIDTH + value_at + 6.0;
            text(&mut out, "value", x, base, Anchor::Start, &bar.text);
            top += STEP;
        }
        picture(WIDTH, top + 4.0, &self.title, &out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_room_and_nothing_divides_by_zero() {
        let bar = |value: f64| Bar {
            label: "a".to_owned(),
            value,
            text: "t".to_owned(),
            colour: Colour::Matchbook,
            mark: None,
        };
        let chart = |values: &[f64]| {
            let bars = values.iter().map(|&value| bar(value)).collect();
            let title = "x".to_owned();
            Bars { title, bars }.draw()
        };
        let drawn = chart(&[1.0, 2.0]);
        assert!(drawn.contains("width=\"420.0\""), "{drawn}");
        assert!(drawn.contains("width=\"210.0\""), "{drawn}");
        assert!(!chart(&[0.0]).contains("NaN"));
    }
}
