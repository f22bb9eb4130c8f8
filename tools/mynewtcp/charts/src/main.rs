// SPDX-License-Identifier: GPL-2.0

//! Draws the benchmark's figures: one SVG file per row of its JSON.
//!
//! usage: mynewtcp-charts FIGURES.json DIRECTORY

use plotters::{
    prelude::*,
    style::text_anchor::{
        HPos,
        Pos,
        VPos, //
    },
};
use serde_json::Value;
use std::{
    error::Error,
    fs,
    path::Path,
    process::ExitCode, //
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const SIZE: (u32, u32) = (640, 360);
/// TCP and whatever shows a floor.
const THEIRS: RGBColor = RGBColor(120, 132, 145);
const OURS: RGBColor = RGBColor(31, 119, 180);
const LIMIT: RGBColor = RGBColor(200, 80, 40);

/// One bar: what it is called and how high it is.
struct Bar {
    name: String,
    value: f64,
}

/// A row of the table, as far as a chart shows it.
struct Figure {
    title: String,
    axis: String,
    bars: Vec<Bar>,
    /// What NEW_TCP must reach.
    must: Option<f64>,
}

fn text<'a>(row: &'a Value, name: &str) -> Outcome<&'a str> {
    row[name]
        .as_str()
        .ok_or_else(|| format!("{name} is no text").into())
}

fn median(figure: &Value) -> Outcome<f64> {
    figure["median"]
        .as_f64()
        .ok_or_else(|| "a figure without a median".into())
}

fn bar(name: &str, figure: &Value) -> Outcome<Bar> {
    Ok(Bar {
        name: name.to_owned(),
        value: median(figure)?,
    })
}

impl Figure {
    fn of(row: &Value) -> Outcome<Figure> {
        let mut bars = vec![bar("TCP", &row["tcp"])?, bar("NEW_TCP", &row["newtcp"])?];
        for (family, name) in [("udp", "UDP"), ("unix", "AF_UNIX")] {
            if let Some(figure) = row["floors"].get(family) {
                bars.push(bar(name, figure)?);
            }
        }
        let must = row["must"].as_f64().map(|ratio| ratio * bars[0].value);
        Ok(Figure {
            title: text(row, "title")?.to_owned(),
            axis: format!("{} per {}", text(row, "quantity")?, text(row, "unit")?),
            bars,
            must,
        })
    }

    /// Where the axis ends.
    fn top(&self) -> f64 {
        let highest = self.bars.iter().map(|bar| bar.value);
        1.2 * highest.chain(self.must).fold(f64::MIN_POSITIVE, f64::max)
    }

    fn draw(&self, path: &Path) -> Outcome<()> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let width = self.bars.len() as f64;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(12)
            .y_label_area_size(84)
            .build_cartesian_2d(0.0..width, 0.0..self.top())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .max_light_lines(1)
            .y_labels(6)
            .x_labels(0)
            .y_desc(&self.axis)
            .y_label_formatter(&|value| shown(*value))
            .draw()?;
        let centred = Pos::new(HPos::Center, VPos::Bottom);
        let label = ("sans-serif", 15).into_font().color(&BLACK).pos(centred);
        for (place, bar) in self.bars.iter().enumerate() {
            let at = place as f64;
            let colour = if place == 1 { OURS } else { THEIRS };
            chart.draw_series([Rectangle::new(
                [(at + 0.2, 0.0), (at + 0.8, bar.value)],
                colour.filled(),
            )])?;
            chart.draw_series([Text::new(
                format!("{}: {}", bar.name, shown(bar.value)),
                (at + 0.5, bar.value * 1.01),
                label.clone(),
            )])?;
        }
        if let Some(must) = self.must {
            let line = [(1.1, must), (1.9, must)];
            chart.draw_series([PathElement::new(line, LIMIT.stroke_width(3))])?;
        }
        root.present()?;
        Ok(())
    }
}

/// A number with as many digits as mean something.
fn shown(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let [_, figures, directory] = arguments else {
        return Err("usage: mynewtcp-charts FIGURES.json DIRECTORY".into());
    };
    let all: Value = serde_json::from_str(&fs::read_to_string(figures)?)?;
    let rows = all["rows"].as_object().ok_or("no rows in the figures")?;
    for (name, row) in rows {
        let path = Path::new(directory).join(format!("{name}.svg"));
        Figure::of(row)
            .and_then(|figure| figure.draw(&path))
            .map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&std::env::args().collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mynewtcp-charts: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn figures() -> Value {
        json!({
            "title": "round trip", "quantity": "instructions", "unit": "round trip",
            "must": 0.85, "aim": 0.76, "ratio": 0.9,
            "tcp": {"median": 20000.0}, "newtcp": {"median": 18000.0},
            "floors": {"udp": {"median": 17000.0}},
        })
    }

    #[test]
    fn a_chart_shows_every_figure() {
        let path = std::env::temp_dir().join(format!("charts-{}.svg", std::process::id()));
        Figure::of(&figures()).unwrap().draw(&path).unwrap();
        let drawn = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        for wanted in ["round trip", "TCP: 20000", "NEW_TCP: 18000", "UDP: 17000"] {
            assert!(drawn.contains(wanted), "no {wanted} in {drawn}");
        }
    }

    #[test]
    fn a_row_without_a_family_is_an_error() {
        let mut row = figures();
        row["newtcp"] = Value::Null;
        assert!(Figure::of(&row).is_err());
    }

    #[test]
    fn the_axis_has_room_for_the_limit() {
        let figure = Figure::of(&figures()).unwrap();
        assert!(figure.top() > 20000.0 && figure.must == Some(17000.0));
    }
}
