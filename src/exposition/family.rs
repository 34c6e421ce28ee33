//! Metrics with their values, ready to be written.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::metrics::Histogram;

/// The labels of one value: names and values.
pub(super) type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
enum Values {
    Counters(Vec<(Labels, u64)>),
    Gauges(Vec<(Labels, f64)>),
    Histogram { sum: f64, buckets: Vec<(f64, u64)> },
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    values: Values,
}

/// All metrics.
#[derive(Debug, Default)]
pub(super) struct Families(Vec<Family>);

impl Families {
    /// The name gets `_total`.
    pub(super) fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: Vec<(Labels, u64)>,
    ) {
        self.0.push(Family { name, help, values: Values::Counters(values) });
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.gauges(name, help, vec![(Vec::new(), value)]);
    }

    /// Without any value nothing is shown.
    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: Vec<(Labels, f64)>,
    ) {
        if !values.is_empty() {
            self.0.push(Family { name, help, values: Values::Gauges(values) });
        }
    }

    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        histogram: &Histogram,
    ) {
        let (sum, buckets) = (histogram.sum(), histogram.buckets());
        self.0.push(Family { name, help, values: Values::Histogram { sum, buckets } });
    }

    pub(super) fn encode_all(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Family { name, help, values } in &self.0 {
            let kind = match values {
                Values::Counters(_) => MetricType::Counter,
                Values::Gauges(_) => MetricType::Gauge,
                Values::Histogram { .. } => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            match values {
                Values::Counters(values) => {
                    for (labels, value) in values {
                        let mut one = metric.encode_family(labels)?;
                        one.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                    }
                }
                Values::Gauges(values) => {
                    for (labels, value) in values {
                        metric.encode_family(labels)?.encode_gauge(value)?;
                    }
                }
                Values::Histogram { sum, buckets } => {
                    let count = buckets.iter().map(|(_, count)| count).sum();
                    metric.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)?;
                }
            }
        }
        Ok(())
    }
}
