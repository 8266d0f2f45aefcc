//! What each figure must be, beside what it is.

use std::path::Path;

use crate::figures::{figure, mebibytes};
use crate::table::Table;

/// Figures that have a bar.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    bars: Vec<Bar>,
}

#[derive(Clone, Debug)]
struct Bar {
    what: String,
    is: String,
    must: String,
    met: Option<bool>,
}

impl Bars {
    /// A figure that must be at most this.
    pub fn at_most(&mut self, what: &str, is: f64, most: f64, unit: &str) {
        self.add(what, figure(is, unit), format!("≤ {}", figure(most, unit)), Some(is <= most));
    }

    /// A figure that must be at least this.
    pub fn at_least(&mut self, what: &str, is: f64, least: f64, unit: &str) {
        self.add(what, figure(is, unit), format!("≥ {}", figure(least, unit)), Some(is >= least));
    }

    /// The size of the program, which is only told.
    pub fn program(&mut self, program: &Path) {
        let size = std::fs::metadata(program).map_or(0, |metadata| metadata.len());
        self.add("size of the program", figure(mebibytes(size), " MiB"), "stated".into(), None);
    }

    fn add(&mut self, what: &str, is: String, must: String, met: Option<bool>) {
        self.bars.push(Bar { what: what.to_owned(), is, must, met });
    }

    /// Prints them.
    pub fn print(&self) {
        let mut table = Table::new(&["bar", "measured", "must be", ""]);
        for Bar { what, is, must, met } in &self.bars {
            let verdict = met.map_or("", |met| if met { "met" } else { "MISSED" });
            table.row([what.clone(), is.clone(), must.clone(), verdict.to_owned()]);
        }
        table.print("Bars");
    }
}
