//! The negative controls.

use crate::report::{Checks, Stop};

pub struct Control {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&str, &mut Checks) -> Result<(), Stop>,
}

pub const CONTROLS: &[Control] = &[];

impl Control {
    pub fn namespace(&self) -> String {
        format!("mesh-{}", self.name)
    }

    pub fn evidence(&self) -> String {
        String::new()
    }
}
