//! Bars on a logarithmic scale, one group for each workload, one bar for each broker, its spread on top.

use super::figures::{Figures, Row};
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

/// Set apart also for eyes that do not tell red from green.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];

pub(super) fn rates(rows: &[Row], path: &Path) -> Result<(), Box<dyn Error>> {
    bars(rows, path, "deliveries a second (more is better)", |run| Some(run.rate))
}

pub(super) fn costs(rows: &[Row], path: &Path) -> Result<(), Box<dyn Error>> {
    bars(rows, path, "broker processor time for each message, µs (less is better)", |run| run.cost_us)
}

fn distinct<'r>(rows: &'r [Row], name: impl Fn(&'r Row) -> &'r str) -> Vec<&'r str> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&name(row)) {
            names.push(name(row));
        }
    }
    names
}

fn bars(
    rows: &[Row],
    path: &Path,
    caption: &str,
    figure: impl Fn(&Figures) -> Option<f64>,
) -> Result<(), Box<dyn Error>> {
    let (workloads, brokers) = (distinct(rows, |row| &row.workload), distinct(rows, |row| &row.broker));
    let spreads: Vec<_> = rows.iter().filter_map(|row| Some((row, row.spread(&figure)?))).collect();
    let least = spreads.iter().map(|(_, spread)| spread.least).fold(f64::INFINITY, f64::min).max(0.01);
    let most = spreads.iter().map(|(_, spread)| spread.most).fold(least, f64::max);
    let (floor, roof) = (10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil()));
    let canvas = SVGBackend::new(path, (1000, 420)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption(caption, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(80)
        .build_cartesian_2d(0_f64..workloads.len() as f64, (floor..roof.max(floor * 10.0)).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(workloads.len() * 2 + 1)
        .y_label_formatter(&|value| if *value < 1.0 { format!("{value:.2}") } else { format!("{value:.0}") })
        .x_label_formatter(&|at| label(&workloads, *at))
        .draw()?;
    let width = 0.8 / brokers.len() as f64;
    for (number, broker) in brokers.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let own = spreads.iter().filter(|(row, _)| row.broker == *broker);
        let place = |row: &Row| {
            let group = workloads.iter().position(|workload| *workload == row.workload).unwrap_or_default();
            group as f64 + 0.1 + width * number as f64
        };
        let bar = |x: f64, y: f64| Rectangle::new([(x, floor), (x + width * 0.92, y)], colour.filled());
        chart
            .draw_series(own.clone().map(|(row, spread)| bar(place(row), spread.median)))?
            .label(*broker)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        let line = |x: f64, from: f64, to: f64| PathElement::new([(x, from), (x, to)], BLACK);
        chart.draw_series(own.map(|(row, spread)| line(place(row) + width * 0.46, spread.least, spread.most)))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    canvas.present()?;
    Ok(())
}

/// The workload in whose middle the mark stands.
fn label(workloads: &[&str], at: f64) -> String {
    let is_middle = (at.fract() - 0.5).abs() < 0.01;
    workloads.get(at as usize).filter(|_| is_middle).map_or(String::new(), |name| (*name).to_owned())
}
