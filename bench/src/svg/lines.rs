//! Lines over a few places, on a logarithmic scale, each named at its end.

use std::fmt::Write;

use super::{Anchor, Colour, picture, rule, text};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 550.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 330.0;

/// Names at the ends of lines are at least so far apart.
const NAME_HEIGHT: f64 = 15.0;

/// One line.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    /// A value for each place, where there is one.
    pub(crate) values: Vec<Option<f64>>,
    /// Whether it stands for something that does not quite compare.
    pub(crate) is_dashed: bool,
}

/// A chart.
pub(crate) struct Lines {
    pub(crate) title: String,
    /// Below the places.
    pub(crate) places_title: String,
    pub(crate) places: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

/// From the power of ten at or below the least value to the one at or above the greatest.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    least: f64,
    greatest: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let powers = values.filter(|value| *value > 0.0).map(f64::log10);
        let least = powers.clone().min_by(f64::total_cmp)?.floor();
        let greatest = powers.max_by(f64::total_cmp)?.ceil();
        Some(Self {
            least,
            greatest: greatest.max(least + 1.0),
        })
    }

    fn y(self, value: f64) -> f64 {
        let share = (value.log10() - self.least) / (self.greatest - self.least);
        BOTTOM - share * (BOTTOM - TOP)
    }
}

impl Lines {
    /// The chart as SVG.
    pub(crate) fn draw(&self) -> String {
        let values = self.lines.iter().flat_map(|line| &line.values);
        let Some(scale) = Scale::of(values.flatten().copied()) else {
            return picture(WIDTH, HEIGHT, &self.title, "");
        };
        let mut out = String::new();
        self.axes(&mut out, scale);
        let mut names: Vec<(f64, &Line)> = Vec::new();
        for line in &self.lines {
            let places = self.places_x();
            let points = places
                .zip(&line.values)
                .filter_map(|(x, value)| Some((x, scale.y((*value).filter(|v| *v > 0.0)?))));
            let points: Vec<(f64, f64)> = points.collect();
            draw_line(&mut out, line, &points);
            if let Some((_, y)) = points.last() {
                names.push((*y, line));
            }
        }
        draw_names(&mut out, names);
        picture(WIDTH, HEIGHT, &self.title, &out)
    }

    /// Where the places are.
    fn places_x(&self) -> impl Iterator<Item = f64> {
        let count = self.places.len();
        #[expect(clippy::cast_precision_loss, reason = "a few places")]
        let step = (RIGHT - LEFT - 30.0) / count.saturating_sub(1).max(1) as f64;
        (0..count).scan(LEFT + 15.0, move |x, _| {
            let here = *x;
            *x += step;
            Some(here)
        })
    }

    fn axes(&self, out: &mut String, scale: Scale) {
        let mut power = scale.least;
        while power <= scale.greatest {
            let y = scale.y(10_f64.powf(power));
            rule(out, "grid", [LEFT, y], [RIGHT, y]);
            text(
                out,
                "label",
                LEFT - 8.0,
                y + 4.0,
                Anchor::End,
                &power_of_ten(power),
            );
            power += 1.0;
        }
        for (x, place) in self.places_x().zip(&self.places) {
            text(out, "label", x, BOTTOM + 18.0, Anchor::Middle, place);
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        let below = BOTTOM + 38.0;
        text(
            out,
            "label",
            middle,
            below,
            Anchor::Middle,
            &self.places_title,
        );
    }
}

fn draw_line(out: &mut String, line: &Line, points: &[(f64, f64)]) {
    let colour = line.colour.hex();
    let path = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
    let path = path.collect::<Vec<_>>().join(" ");
    let width = if line.colour == Colour::Matchbook {
        3
    } else {
        2
    };
    let dashes = if line.is_dashed {
        " stroke-dasharray=\"5 4\""
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"{width}\"{dashes}/>"
    );
    for (x, y) in points {
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
        );
    }
}

/// Writes the names beside the ends of the lines, moved apart where they would overlap.
fn draw_names(out: &mut String, mut names: Vec<(f64, &Line)>) {
    names.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut lowest = f64::NEG_INFINITY;
    for (y, line) in names {
        let at = y.max(lowest + NAME_HEIGHT);
        lowest = at;
        let colour = line.colour.hex();
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\" rx=\"2\" fill=\"{colour}\"/>",
            RIGHT + 4.0,
            at - 4.0
        );
        text(
            out,
            "value",
            RIGHT + 17.0,
            at + 4.0,
            Anchor::Start,
            &line.name,
        );
    }
}

fn power_of_ten(power: f64) -> String {
    crate::report::grouped(10_f64.powf(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[Option<f64>]) -> String {
        Lines {
            title: "x".to_owned(),
            places_title: "connections".to_owned(),
            places: values.iter().map(|_| "1".to_owned()).collect(),
            lines: vec![Line {
                name: "a".to_owned(),
                colour: Colour::First,
                values: values.to_vec(),
                is_dashed: false,
            }],
        }
        .draw()
    }

    #[test]
    fn the_scale_holds_all_values_in_powers_of_ten() {
        let scale = Scale::of([240.0, 99_000.0].into_iter()).unwrap();
        assert_eq!(
            scale,
            Scale {
                least: 2.0,
                greatest: 5.0
            }
        );
        assert!((scale.y(100.0) - BOTTOM).abs() < 1e-9);
        assert!((scale.y(100_000.0) - TOP).abs() < 1e-9);
        assert_eq!(Scale::of([0.0].into_iter()), None);
    }

    #[test]
    fn a_place_without_a_value_is_left_out() {
        let drawn = chart(&[Some(10.0), None, Some(100.0), Some(0.0)]);
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
        assert_eq!(chart(&[None]).matches("<circle").count(), 0);
    }
}
