//! The chart of postbacks by hour and action: stacked bars as SVG. Colours are classes of the
//! style, so that they fit light and dark mode. A table beside it has the same numbers.

use svg::Document;
use svg::node::element::{Group, Line, Rectangle, Text, Title};

/// The colours of the style, `c1` to `c8`.
pub const COLOURS: usize = 8;
/// What the crate writes for files.
const XMLNS: &str = " xmlns=\"http://www.w3.org/2000/svg\"";
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for the numbers at the left, and for the hours below.
const LEFT: f64 = 56.0;
const BELOW: f64 = 28.0;
const ABOVE: f64 = 14.0;
/// Every so many hours have their time below.
const LABEL_EVERY: usize = 4;
/// The part of the room of an hour that its bar takes.
const BAR: f64 = 0.8;

/// A bar: its label, and a count of each series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Below the bar, as in `14:00`.
    pub label: String,
    /// In the order of the series.
    pub counts: Vec<u64>,
}

/// The chart as an element of HTML. `series` are the names of the counts.
pub fn chart(name: &str, series: &[&str], bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.counts.iter().sum::<u64>()).max().unwrap_or(0);
    let top = round_up(most.max(1));
    let plot = HEIGHT - ABOVE - BELOW;
    let y = |count: u64| ABOVE + plot * (1.0 - count as f64 / top as f64);
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH as i64, HEIGHT as i64))
        .set("class", "chart")
        .set("role", "img")
        .set("aria-label", name);
    let mut parts = vec![0, top / 2, top];
    parts.dedup();
    for part in parts {
        let at = y(part);
        let line = Line::new().set("x1", LEFT).set("x2", WIDTH).set("y1", at).set("y2", at);
        let number = Text::new(part.to_string())
            .set("x", LEFT - 6.0)
            .set("y", at + 4.0)
            .set("text-anchor", "end");
        document = document.add(line.set("class", "axis")).add(number);
    }
    let room = (WIDTH - LEFT) / bars.len().max(1) as f64;
    for (index, bar) in bars.iter().enumerate() {
        let x = LEFT + room * index as f64 + room * (1.0 - BAR) / 2.0;
        let mut group = Group::new();
        let mut below = 0;
        for (number, (count, name)) in bar.counts.iter().zip(series).enumerate() {
            if *count == 0 {
                continue;
            }
            let (bottom, head) = (y(below), y(below + count));
            below += count;
            let rectangle = Rectangle::new()
                .set("x", round(x))
                .set("y", round(head))
                .set("width", round(room * BAR))
                .set("height", round(bottom - head))
                .set("class", format!("c{}", number % COLOURS + 1))
                .add(Title::new(format!("{} {name}: {count}", bar.label)));
            group = group.add(rectangle);
        }
        document = document.add(group);
        if index % LABEL_EVERY == 0 {
            let label = Text::new(bar.label.clone())
                .set("x", round(x + room * BAR / 2.0))
                .set("y", HEIGHT - 8.0)
                .set("text-anchor", "middle");
            document = document.add(label);
        }
    }
    // HTML needs no name of the namespace, and no page has an address of another host.
    document.to_string().replace(XMLNS, "")
}

/// The next number of the form 1, 2, 5, 10, 20, 50, …
fn round_up(most: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for step in [1, 2, 5] {
            let top = unit.saturating_mul(step);
            if top >= most || top == u64::MAX {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// One digit behind the point is enough for a screen.
fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (most, top) in [(1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (20, 20), (499, 500)] {
            assert_eq!(round_up(most), top);
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_bar_has_a_part_for_each_count_and_escapes_what_it_says() {
        let bars = [
            Bar { label: "14:00".into(), counts: vec![3, 0, 1] },
            Bar { label: "15:00".into(), counts: vec![0, 0, 0] },
        ];
        let chart = chart("by <hour>", &["ADD", "CHANGE", "<b>"], &bars);
        assert_eq!(chart.matches("<rect ").count(), 2, "{chart}");
        assert!(chart.contains("class=\"c1\"") && chart.contains("class=\"c3\""), "{chart}");
        assert!(chart.contains("14:00 ADD: 3"), "{chart}");
        assert!(!chart.contains("<b>") && !chart.contains("<hour>"), "{chart}");
        for part in ["style=", "xmlns", "http"] {
            assert!(!chart.contains(part), "the policy of the page forbids it: {chart}");
        }
    }
}
