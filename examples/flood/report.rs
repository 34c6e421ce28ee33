//! What was measured: rows, bars, the machine; as a table and as JSON.

use std::fs;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::client::Outcome;

/// One target's part in a scenario: all its rounds together.
#[derive(Default)]
pub struct Series {
    outcome: Outcome,
    /// Of each round, in order.
    rates: Vec<f64>,
    p50s: Vec<f64>,
    p99s: Vec<f64>,
    generator_cpu: f64,
    server_cpu: f64,
    other_cpu: f64,
    resident_kib_max: u64,
}

/// What one round cost in processor seconds and memory.
#[derive(Default)]
pub struct Cost {
    pub generator_cpu: f64,
    pub server_cpu: f64,
    /// Of everything else on the machine, and what its host kept for itself.
    pub other_cpu: f64,
    pub resident_kib_max: u64,
}

impl Series {
    pub fn add(&mut self, mut outcome: Outcome, cost: &Cost) {
        outcome.latencies.sort_unstable();
        self.rates.push(outcome.rate());
        self.p50s.push(f64::from(quantile(&outcome.latencies, 0.5)));
        self.p99s.push(f64::from(quantile(&outcome.latencies, 0.99)));
        self.outcome.absorb(outcome);
        self.outcome.latencies.sort_unstable();
        self.outcome.refused.sort_unstable();
        self.generator_cpu += cost.generator_cpu;
        self.server_cpu += cost.server_cpu;
        self.other_cpu += cost.other_cpu;
        self.resident_kib_max = self.resident_kib_max.max(cost.resident_kib_max);
    }

    /// Adds a round of which only the rate counts: both last rounds, which ran at once.
    pub fn add_rates(&mut self, one: &Self, other: &Self) {
        if let (Some(one), Some(other)) = (one.rates.last(), other.rates.last()) {
            self.rates.push(one + other);
        }
    }

    /// Right replies a second in the median round.
    pub fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// The median over rounds of our rate by the other's in the same round: changes in the load of
    /// the machine cancel out.
    pub fn rate_ratio(&self, other: &Self) -> f64 {
        median(self.rates.iter().zip(&other.rates).map(|(ours, theirs)| ours / theirs).collect())
    }

    /// The median over rounds of our p50 by the other's in the same round.
    pub fn p50_ratio(&self, other: &Self) -> f64 {
        median(self.p50s.iter().zip(&other.p50s).map(|(ours, theirs)| ours / theirs).collect())
    }

    /// The median over rounds of our p99 by the other's in the same round.
    pub fn p99_ratio(&self, other: &Self) -> f64 {
        median(self.p99s.iter().zip(&other.p99s).map(|(ours, theirs)| ours / theirs).collect())
    }

    pub fn p99_ms(&self) -> f64 {
        f64::from(quantile(&self.outcome.latencies, 0.99)) / 1e3
    }

    /// Of all replies, refusals too.
    pub fn max_ms(&self) -> f64 {
        let slowest = |sorted: &[u32]| f64::from(sorted.last().copied().unwrap_or(0)) / 1e3;
        slowest(&self.outcome.latencies).max(slowest(&self.outcome.refused))
    }

    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// The value that this part of the sorted ones does not exceed.
pub fn quantile(sorted: &[u32], part: f64) -> u32 {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// The middle one of the values; 0 where there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => 0.0,
    }
}

/// Whether a figure must be above or below its target.
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// All of one run.
#[derive(Default)]
pub struct Report {
    rows: Vec<Value>,
    bars: Vec<Value>,
    notes: Vec<String>,
    pub failures: u64,
}

impl Report {
    pub fn row(&mut self, scenario: &str, target: &str, connections: usize, series: &Series) {
        let Outcome { latencies, refused, failures, first_failure, unsent, elapsed } =
            &series.outcome;
        let seconds = elapsed.as_secs_f64().max(1e-9);
        self.failures += failures;
        if let Some(first) = first_failure {
            self.note(format!("{scenario}, {target}: {failures} failures; the first: {first}"));
        }
        self.rows.push(json!({
            "scenario": scenario, "targe\
                t": target, "connections": connections, "rounds": series.rates.len(),
            "right": latencies.len(), "refuse\
                d": refused.len(), "failures": failures, "unsent": unsent, "seconds": seconds,
            "rate": series.rate(), "rates": series.rates,
            "p50_us": quantile(latencies, 0.5), "p95_u\
                s": quantile(latencies, 0.95), "p99_us": quantile(latencies, 0.99),
            "max_us": latencies.last(),
            "refused_p50_us": quantile(refused, 0.5), "refused_p99_u\
                s": quantile(refused, 0.99), "refused_max_us": refused.last(),
            "generator_cpu": series.generator_cpu / seconds, "server_cp\
                u": series.server_cpu / seconds,
            "other_cpu": series.other_cpu / seconds,            "resident_kib_ma\
                x": series.resident_kib_max,
        }));
    }

    pub fn bar(&mut self, name: &str, value: f64, bar: Bar) {
        let (side, limit, met) = match bar {
            Bar::AtLeast(limit) => ("at least", limit, value >= limit),
            Bar::AtMost(limit) => ("at most", limit, value <= limit),
        };
        self.bars.push(
            json!({ "name": name, "value": value, "side": side, "limit": limit, "met": met }),
        );
    }

    /// A sentence below the table.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub fn json(&self, machine: &Value) -> Value {
        json!({ "machine": machine, "row\
            s": self.rows, "bars": self.bars, "notes": self.notes, "failures": self.failures })
    }

    /// In Markdown, to be pasted into the README.
    pub fn table(&self, machine: &Value, out: &mut impl Write) -> io::Result<()> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for (name, value) in machine.as_object().into_iter().flatten() {
            writeln!(out, "{name}: {}", text(value))?;
        }
        writeln!(
            out,
            "\n| scenario | target | conn | right | refused | failed | rate/s | p50 ms | p95 ms | \
             p99 ms | max ms | own CPU | server CPU | other CPU | RSS MB |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        for row in &self.rows {
            let number = |name: &str| row[name].as_f64().unwrap_or(0.0);
            write!(
                out,
                "| {} | {} | {} | {} ",
                text(&row["scenario"]),
                text(&row["target"]),
                row["connections"],
                row["right"]
            )?;
            write!(out, "| {} | {} | {:.0} ", row["refused"], row["failures"], number("rate"))?;
            for name in ["p50_us", "p95_us", "p99_us", "max_us"] {
                write!(out, "| {:.2} ", number(name) / 1e3)?;
            }
            for name in ["generator_cpu", "server_cpu", "other_cpu"] {
                write!(out, "| {:.0} % ", number(name) * 100.0)?;
            }
            writeln!(out, "| {:.1} |", number("resident_kib_max") * 1024.0 / 1e6)?;
        }
        writeln!(out, "\n| bar | measured | wanted | |\n|---|--:|--:|---|")?;
        for bar in &self.bars {
            let met = if bar["met"] == true { "met" } else { "MISSED" };
            let measured = bar["value"].as_f64().unwrap_or(0.0);
            writeln!(
                out,
                "| {} | {measured:.2} | {} {} | {met} |",
                text(&bar["name"]),
                text(&bar["side"]),
                bar["limit"]
            )?;
        }
        writeln!(out)?;
        self.notes.iter().try_for_each(|note| writeln!(out, "- {note}"))
    }
}

/// What the figures came from.
pub fn machine(file_system: &str) -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (processors, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or_else(|| "unknown".into(), |(_, value)| value.trim().to_owned())
    };
    json!({
        "processor": value(&processors, "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": value(&memory, "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "file system": file_system,
    })
}
