//! What one run of `ferrymq bench --json` says, and what several say together.

use serde_json::Value;
use std::error::Error;
use std::fmt;

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Deliveries in a second.
    pub(crate) rate: f64,
    /// Processor time of the broker for each message. Microseconds.
    pub(crate) cost_us: Option<f64>,
    /// To the receipt where receipts are asked for, else to the consumer. Microseconds.
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    /// Resident memory at the end. Bytes.
    pub(crate) resident: Option<f64>,
    /// What did not come, of messages and receipts.
    pub(crate) missing: u64,
}

impl Figures {
    /// # Errors
    /// Not what `ferrymq bench --json` prints.
    pub(crate) fn read(json: &str) -> Result<Self, Box<dyn Error>> {
        let report: Value = serde_json::from_str(json)?;
        let run = report.pointer("/runs/0").ok_or("no run")?;
        let number = |path: &str| run.pointer(path).and_then(Value::as_f64);
        let latency = if number("/confirmation/p50_us").is_some() { "/confirmation" } else { "/end_to_end" };
        Ok(Self {
            rate: number("/received_per_second").ok_or("no received_per_second")?,
            cost_us: number("/broker/cpu_us_per_message"),
            p50_us: number(&format!("{latency}/p50_us")),
            p99_us: number(&format!("{latency}/p99_us")),
            p999_us: number(&format!("{latency}/p999_us")),
            resident: number("/broker/resident_bytes"),
            missing: ["/missing", "/unconfirmed"].iter().filter_map(|path| run.pointer(path)?.as_u64()).sum(),
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}/s", self.rate)?;
        if let Some(cost) = self.cost_us {
            write!(f, ", {cost:.2} µs")?;
        }
        if let (Some(p50), Some(p99)) = (self.p50_us, self.p99_us) {
            write!(f, ", {p50:.0}/{p99:.0} µs")?;
        }
        if self.missing > 0 {
            write!(f, ", {} missing", self.missing)?;
        }
        Ok(())
    }
}

/// All repeats of one workload on one broker.
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) broker: String,
    pub(crate) runs: Vec<Figures>,
}

/// Minimum, median and maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Row {
    pub(crate) fn new(workload: &str, broker: &str) -> Self {
        Self { workload: workload.to_owned(), broker: broker.to_owned(), runs: Vec::new() }
    }

    /// Over all repeats that have the figure.
    pub(crate) fn spread(&self, figure: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(figure).collect())
    }
}

impl Spread {
    /// None of no values.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some(Self { least, median: values[values.len() / 2], most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let json = r#"{"workload":{},"runs":[{"received_per_second":10.5,"confirmation":null,
            "end_to_end":{"p50_us":1.0,"p99_us":2.0},"broker":{"cpu_us_per_message":3.0,"resident_bytes":4},
            "missing":1,"unconfirmed":2}]}"#;
        let figures = Figures::read(json).expect("a report");
        assert_eq!(figures.to_string(), "10/s, 3.00 µs, 1/2 µs, 3 missing");
        assert!(Figures::read("{}").is_err());
    }

    #[test]
    fn the_median_of_three_is_the_middle() {
        let figures = |rate| Figures {
            rate,
            cost_us: None,
            p50_us: None,
            p99_us: None,
            p999_us: None,
            resident: None,
            missing: 0,
        };
        let runs = vec![figures(3.0), figures(1.0), figures(2.0)];
        let row = Row { runs, ..Row::new("S2", "ferrymq") };
        assert_eq!(row.spread(|run| Some(run.rate)), Some(Spread { least: 1.0, median: 2.0, most: 3.0 }));
        assert_eq!(row.spread(|run| run.cost_us), None);
    }
}
